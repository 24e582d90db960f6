//! The gateway as one value: its parts, and how they are put together.

use crate::{
    Config, SessionKey, Vault,
    health::Watch,
    observe::Observers,
    relay::{drain::Listeners, limiter::Limiter},
};
use gateway_domain::{RequestId, Timestamp, policy::breaker::BreakerRules};
use gateway_ports::{
    Background, Clock, Entropy, Observer, PasswordHasher, Providers, Routing, Snapshot,
    SnapshotCache, SnapshotKey, Store, StoreError, Timer, Upstream,
};
use std::{fmt, sync::Arc, time::Duration};

/// What a runtime gives.
#[derive(Clone)]
pub struct Runtime {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Waiting.
    pub timer: Arc<dyn Timer>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Work that outlives a response.
    pub background: Arc<dyn Background>,
    /// Passwords.
    pub hasher: Arc<dyn PasswordHasher>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// The gateway. Cloning it is cheap; all clones are one gateway.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Parts>);

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("config", &self.0.config).finish_non_exhaustive()
    }
}

pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) cache: Arc<dyn SnapshotCache>,
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) providers: Providers,
    pub(crate) runtime: Runtime,
    pub(crate) sessions: SessionKey,
    pub(crate) vault: Vault,
    /// Answers that are listened to although their clients are gone.
    pub(crate) listeners: Listeners,
    /// Which channels fail.
    pub(crate) watch: Watch,
    /// What limited keys and users asked for lately.
    pub(crate) limiter: Arc<Limiter>,
    /// Whoever watches calls.
    pub(crate) observers: Observers,
}

/// A part that a gateway cannot do without was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gateway needs a {0}")]
pub struct MissingPart(pub &'static str);

/// Puts a gateway together.
#[derive(Default)]
pub struct GatewayBuilder {
    config: Config,
    store: Option<Store>,
    cache: Option<Arc<dyn SnapshotCache>>,
    upstream: Option<Arc<dyn Upstream>>,
    providers: Providers,
    runtime: Option<Runtime>,
    sessions: Option<SessionKey>,
    vault: Option<Vault>,
    observers: Observers,
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        impl GatewayBuilder {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = $value;
                self
            })*
        }
    };
}

parts! {
    /// What the operator configured; the defaults otherwise.
    config: Config = config;
    /// Where everything is kept.
    store: Store = Some(store);
    /// Where copies are kept for a while.
    cache: Arc<dyn SnapshotCache> = Some(cache);
    /// The client that reaches the providers.
    upstream: Arc<dyn Upstream> = Some(upstream);
    /// The providers; none otherwise.
    providers: Providers = providers;
    /// Time, chance and tasks.
    runtime: Runtime = Some(runtime);
    /// Signs logins.
    sessions: SessionKey = Some(sessions);
    /// Encrypts provider keys.
    vault: Vault = Some(vault);
}

impl GatewayBuilder {
    /// Has calls watched by one more. There is none by default, and there may be several.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }

    /// The gateway.
    ///
    /// # Errors
    /// [`MissingPart`] names a part that was not given.
    pub fn build(self) -> Result<Gateway, MissingPart> {
        // A probe that did not fail by then never will.
        let probe = self.config.timeouts.first_byte + Duration::from_secs(10);
        let breaker = BreakerRules { probe, ..self.config.breaker };
        Ok(Gateway(Arc::new(Parts {
            watch: Watch::new(breaker, self.config.retry),
            config: self.config,
            store: self.store.ok_or(MissingPart("store"))?,
            cache: self.cache.ok_or(MissingPart("cache"))?,
            upstream: self.upstream.ok_or(MissingPart("upstream"))?,
            providers: self.providers,
            runtime: self.runtime.ok_or(MissingPart("runtime"))?,
            sessions: self.sessions.ok_or(MissingPart("session key"))?,
            vault: self.vault.ok_or(MissingPart("vault"))?,
            listeners: Listeners::default(),
            limiter: Arc::default(),
            observers: self.observers,
        })))
    }
}

impl Gateway {
    /// Begins a gateway.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder::default()
    }

    /// A new request id.
    pub fn new_request_id(&self) -> RequestId {
        let random = self.0.runtime.entropy.bytes();
        let random: &[u8; 10] = random.first_chunk().unwrap_or(&[0; 10]);
        let millis = u64::try_from(self.now().as_millis()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid();
        RequestId(id.as_hyphenated().to_string())
    }

    /// What the operator configured.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Hangs up on every upstream whose client is gone, now and from now on, which settles their
    /// calls by what was seen of them: for a runtime that is about to end.
    pub fn stop_listening(&self) {
        self.0.listeners.close();
    }

    /// What the runtime gave.
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// Waits, on the gateway's timer.
    pub fn sleep(
        &self,
        duration: std::time::Duration,
    ) -> futures_util::future::BoxFuture<'static, ()> {
        self.0.runtime.timer.sleep(duration)
    }

    /// The time on the gateway's clock.
    pub fn now(&self) -> Timestamp {
        self.0.runtime.clock.now()
    }
}

impl Parts {
    /// Channels and settings: a copy if one is at hand.
    pub(crate) async fn routing(&self) -> Result<Arc<Routing>, StoreError> {
        if let Some(Snapshot::Routing(routing)) = self.cache.get(&SnapshotKey::Routing).await {
            self.watch.adopt(&routing.health);
            return Ok(routing);
        }
        let channels = self.store.channels.list().await?.into_iter().map(Arc::new).collect();
        let settings = self.store.settings.load().await?;
        let (_, prices) = self.store.prices.load().await?;
        let health = self.board().await;
        self.watch.adopt(&health);
        let routing = Arc::new(Routing { channels, settings, prices, health });
        self.cache
            .put(SnapshotKey::Routing, Snapshot::Routing(routing.clone()), self.config.snapshot_ttl)
            .await;
        Ok(routing)
    }

    /// A nonce that was never used.
    pub(crate) fn nonce(&self) -> [u8; 12] {
        self.runtime.entropy.bytes().first_chunk().copied().unwrap_or_default()
    }
}
