//! What an isolate keeps between requests: the gateway and its router.

use crate::{
    Options,
    cache::EdgeCache,
    config::DATABASE,
    event::WaitUntil,
    log,
    runtime::{CryptoEntropy, DateClock, DelayTimer, InlineHasher},
    upstream::FetchUpstream,
};
use adapter_d1::D1Executor;
use adapter_sql::SqlLedger;
use axum::Router;
use gateway_app::{Gateway, MasterKeys, Runtime, SessionKey, Vault};
use gateway_ports::{Clock, Entropy, KindTaken, Providers, Store, Timer, Upstream};
use secrecy::ExposeSecret;
use std::{
    cell::{Cell, OnceCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use worker::{D1Database, Env};

thread_local! {
    static ISOLATE: OnceCell<Result<Rc<Isolate>, Unusable>> = const { OnceCell::new() };
}

/// Why a Worker cannot serve: its operator has to change something.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(Rc<str>);

impl Unusable {
    fn because(why: impl std::fmt::Display) -> Self {
        Self(why.to_string().into())
    }
}

/// What a Worker has besides the gateway's own.
#[derive(Clone, Copy, Debug)]
pub struct Extras {
    /// The providers.
    pub providers: fn() -> Result<Providers, KindTaken>,
    /// Adds routes to the gateway's, or wraps them.
    pub routes: fn(Router) -> Router,
}

impl Default for Extras {
    /// The built-in providers, and no more routes.
    fn default() -> Self {
        Self { providers: adapter_providers::defaults, routes: |router| router }
    }
}

/// A gateway, for as long as its isolate lives.
#[derive(Debug)]
pub struct Isolate {
    gateway: Gateway,
    router: Router,
    client_timeout: Duration,
    admin_made: Cell<bool>,
}

/// The repositories of a database.
pub fn store(database: D1Database) -> Store {
    let timer: Arc<dyn Timer> = Arc::new(DelayTimer);
    let entropy: Arc<dyn Entropy> = Arc::new(CryptoEntropy);
    let executor = Arc::new(D1Executor::new(database, timer, entropy));
    // One call a transaction: isolates share nothing that calls could be grouped in.
    adapter_sql::store(&executor, Arc::new(SqlLedger::new(executor.clone())))
}

impl Isolate {
    /// This isolate's gateway, made at its first event.
    ///
    /// # Errors
    /// [`Unusable`] says what the operator has to change. It stays so until the next deployment,
    /// which begins new isolates.
    pub fn of(env: &Env, extras: &Extras) -> Result<Rc<Self>, Unusable> {
        ISOLATE.with(|isolate| isolate.get_or_init(|| Self::new(env, extras).map(Rc::new)).clone())
    }

    fn new(env: &Env, extras: &Extras) -> Result<Self, Unusable> {
        let options = Options::from_env(env).map_err(Unusable::because)?;
        log::install(options.log_level);
        let database = env.d1(DATABASE).map_err(|error| {
            Unusable::because(format_args!("the binding {DATABASE} is no D1 database: {error}"))
        })?;
        let sessions = SessionKey::new(&options.jwt_secret).map_err(Unusable::because)?;
        let keys = MasterKeys::parse(options.master_keys.expose_secret())
            .map_err(|error| Unusable::because(format_args!("MASTER_KEYS: {error}")))?;
        let clock: Arc<dyn Clock> = Arc::new(DateClock);
        let upstream: Arc<dyn Upstream> = match options.relay {
            Some(relay) => Arc::new(relay.over(Arc::new(FetchUpstream))),
            None => Arc::new(FetchUpstream),
        };
        let gateway = Gateway::builder()
            .config(options.config)
            .store(store(database))
            .cache(Arc::new(EdgeCache::new(clock.clone())))
            .upstream(upstream)
            .providers((extras.providers)().map_err(Unusable::because)?)
            .runtime(Runtime {
                clock,
                timer: Arc::new(DelayTimer),
                entropy: Arc::new(CryptoEntropy),
                background: Arc::new(WaitUntil),
                hasher: Arc::new(InlineHasher),
            })
            .sessions(sessions)
            .vault(Vault::new(keys))
            .build()
            .map_err(Unusable::because)?;
        Ok(Self {
            router: (extras.routes)(adapter_http::router(gateway.clone(), options.http)),
            gateway,
            client_timeout: options.client_timeout,
            admin_made: Cell::new(false),
        })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The whole API as a router.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// How long a client may take nothing of a stream.
    pub fn client_timeout(&self) -> Duration {
        self.client_timeout
    }

    /// Makes the first admin, once an isolate and only when somebody manages: relayed calls do not
    /// pay for it.
    pub async fn prepare(&self, path: &str) -> Result<(), gateway_app::GatewayError> {
        if self.admin_made.get() || !path.starts_with("/api") {
            return Ok(());
        }
        if self.gateway.ensure_admin().await? {
            tracing::info!("the first admin was made: log in as 'admin'");
        }
        self.admin_made.set(true);
        Ok(())
    }
}
