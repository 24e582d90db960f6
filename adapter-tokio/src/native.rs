//! A whole gateway on this machine: `SQLite`, tokio, the pooled client.

use crate::{
    Metrics,
    runtime::{Argon2Hasher, OsEntropy, SystemClock, TokioTimer, TrackedTasks},
    secrets::Secrets,
    upstream::{HyperUpstream, UpstreamOptions},
};
use adapter_http::{HttpOptions, MetricsText};
use adapter_sqlite::{Grouping, OpenError, SqliteExecutor, SqliteOptions};
use axum::Router;
use gateway_app::{
    Config, Gateway, GatewayError, MasterKeys, MemoryCache, MissingPart, Runtime, SessionKey,
    Vault, proxy::RelayProxy, session::WeakSecret, vault::VaultError,
};
use gateway_domain::Timestamp;
use gateway_ports::{Background, Clock, Observer, Providers, Upstream};
use secrecy::{ExposeSecret, SecretString};
use std::{path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often expired holds are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// What the last calls have to be settled in.
const SETTLING: Duration = Duration::from_secs(5);
/// How often the usage log is summed up and shortened.
const SHORTEN_EVERY: Duration = Duration::from_secs(3600);

/// What a gateway on this machine is made of.
#[derive(Debug)]
pub struct NativeOptions {
    /// The database.
    pub database: SqliteOptions,
    /// What the operator configured.
    pub config: Config,
    /// How providers are connected to.
    pub upstream: UpstreamOptions,
    /// The relay proxy that all of it goes through, if there is one.
    pub relay: Option<RelayProxy>,
    /// How the gateway is served.
    pub http: HttpOptions,
    /// The providers.
    pub providers: Providers,
    /// Signs logins; if absent, one is made and kept beside the database.
    pub jwt_secret: Option<SecretString>,
    /// Encrypts provider keys; if absent, one is made and kept beside the database.
    pub master_keys: Option<SecretString>,
    /// Whoever watches calls, besides the metrics.
    pub observers: Vec<Arc<dyn Observer>>,
}

impl NativeOptions {
    /// The defaults, with a database at this URL, such as `sqlite://gateway.db`.
    pub fn new(database_url: impl Into<String>, providers: Providers) -> Self {
        Self {
            database: SqliteOptions::new(database_url),
            config: Config::default(),
            upstream: UpstreamOptions::default(),
            relay: None,
            http: HttpOptions::default(),
            providers,
            jwt_secret: None,
            master_keys: None,
            observers: Vec::new(),
        }
    }
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The secrets beside the database.
    #[error("the secrets beside the database cannot be read or made")]
    Secrets(#[source] std::io::Error),
    /// `JWT_SECRET`.
    #[error(transparent)]
    JwtSecret(#[from] WeakSecret),
    /// `MASTER_KEYS`.
    #[error("MASTER_KEYS")]
    MasterKeys(#[from] VaultError),
    /// A part that was not given.
    #[error(transparent)]
    Part(#[from] MissingPart),
    /// The first admin.
    #[error("the first admin cannot be made")]
    Admin(#[from] GatewayError),
}

/// A gateway on this machine, with everything it needs running.
#[derive(Debug)]
pub struct Native {
    gateway: Gateway,
    http: HttpOptions,
    metrics: MetricsText,
    executor: Arc<SqliteExecutor>,
    tasks: TrackedTasks,
    stop: CancellationToken,
}

impl Native {
    /// Opens the database, makes what a first start needs, and starts the background work.
    ///
    /// # Errors
    /// [`NativeError`] says which part is missing or wrong.
    pub async fn open(options: NativeOptions) -> Result<Self, NativeError> {
        let secrets = secrets(&options)?;
        let sessions = SessionKey::new(&secrets.jwt_secret)?;
        let vault = Vault::new(MasterKeys::parse(secrets.master_keys.expose_secret())?);
        let executor = SqliteExecutor::open(&options.database).await?;
        let metrics = Arc::new(Metrics::new());
        let (store, writer) =
            adapter_sqlite::watched_store(&executor, Grouping::default(), metrics.clone());
        // The writer ends by itself, after the last of those who may still write.
        let writing = TrackedTasks::default();
        writing.spawn(Box::pin(writer));
        let tasks = TrackedTasks::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let runtime = Runtime {
            clock: clock.clone(),
            timer: Arc::new(TokioTimer),
            entropy: Arc::new(OsEntropy),
            background: Arc::new(tasks.clone()),
            hasher: Arc::new(Argon2Hasher::default()),
        };
        let upstream = upstream(&options);
        let mut builder = Gateway::builder()
            .config(options.config)
            .store(store.clone())
            .cache(Arc::new(MemoryCache::new(clock.clone())))
            .upstream(upstream)
            .providers(options.providers)
            .runtime(runtime)
            .sessions(sessions)
            .vault(vault)
            .observer(metrics.clone());
        for observer in options.observers {
            builder = builder.observer(observer);
        }
        let gateway = builder.build()?;
        // This process is the only one on the database: whatever is open, an earlier one left.
        match store.ledger.sweep(Timestamp::MAX).await {
            Ok(0) => {}
            Ok(left) => {
                tracing::warn!(calls = left, "calls that an earlier process left open were closed");
            }
            Err(error) => {
                tracing::error!(%error, "calls that an earlier process left open cannot be closed");
            }
        }
        if gateway.ensure_admin().await? {
            tracing::info!("the first admin was made: log in as 'admin'");
        }
        let stop = CancellationToken::new();
        tasks.spawn(Box::pin(keep_house(gateway.clone(), stop.clone())));
        let watched = gateway.clone();
        let metrics = MetricsText::new(move || {
            let (metrics, gateway) = (metrics.clone(), watched.clone());
            Box::pin(async move { metrics.text(&gateway.channel_states().await) })
        });
        let http = HttpOptions { metrics: Some(metrics.clone()), ..options.http };
        Ok(Self { gateway, http, metrics, executor, tasks, stop })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The whole API as a router, to be served or nested in another.
    pub fn router(&self) -> Router {
        adapter_http::router(self.gateway.clone(), self.http.clone())
    }

    /// `GET /metrics` alone, without a login: for a listener that only the operator can reach.
    pub fn metrics_router(&self) -> Router {
        adapter_http::metrics_router(self.metrics.clone())
    }

    /// Ends the background work, waits for what calls left to be settled, and closes the database.
    /// Upstreams whose clients are gone are listened to for as long as the limit says; settling
    /// has some seconds more. False if something had not ended in time.
    pub async fn close(self, limit: Duration) -> bool {
        self.stop.cancel();
        let mut finished = self.tasks.finish(limit).await;
        if !finished {
            self.gateway.stop_listening();
            finished = self.tasks.finish(SETTLING).await;
        }
        drop((self.gateway, self.http, self.metrics));
        self.executor.close().await;
        finished
    }
}

/// The client: it connects to providers, or to the relay alone, which may be on this machine.
fn upstream(options: &NativeOptions) -> Arc<dyn Upstream> {
    let allow_loopback = options.config.allow_loopback || options.relay.is_some();
    let client = HyperUpstream::new(UpstreamOptions { allow_loopback, ..options.upstream });
    match &options.relay {
        Some(relay) => Arc::new(relay.clone().over(Arc::new(client))),
        None => Arc::new(client),
    }
}

fn secrets(options: &NativeOptions) -> Result<Secrets, NativeError> {
    if let (Some(jwt_secret), Some(master_keys)) = (&options.jwt_secret, &options.master_keys) {
        return Ok(Secrets { jwt_secret: jwt_secret.clone(), master_keys: master_keys.clone() });
    }
    let made = match options.database.file()? {
        Some(file) => {
            let folder =
                file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Secrets::beside(folder, &OsEntropy).map_err(NativeError::Secrets)?
        }
        None => Secrets::passing(&OsEntropy),
    };
    Ok(Secrets {
        jwt_secret: options.jwt_secret.clone().unwrap_or(made.jwt_secret),
        master_keys: options.master_keys.clone().unwrap_or(made.master_keys),
    })
}

async fn keep_house(gateway: Gateway, stop: CancellationToken) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut shorten = tokio::time::interval(SHORTEN_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = sweep.tick() => gateway.close_expired_calls().await,
            _ = shorten.tick() => gateway.shorten_log().await,
        }
    }
}
