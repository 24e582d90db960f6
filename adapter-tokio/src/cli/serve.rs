//! `gateway serve`: configuration from the environment, and the life of the process.

use crate::{
    Native, NativeOptions,
    cli::signal,
    server::{self, ServerOptions},
    upstream::UpstreamOptions,
};
use adapter_http::{AllowedOrigins, HttpOptions};
use adapter_sqlite::{SqliteOptions, Synchronous};
use clap::{Args, ValueEnum};
use futures_util::future::{FutureExt as _, join};
use gateway_app::{Config, Drain, Timeouts, proxy::RelayProxy, variables};
use gateway_domain::{
    Credits, SubnetList,
    egress::HostList,
    policy::{breaker::BreakerRules, retry::RetryRules},
};
use gateway_ports::{Providers, UnpricedModels};
use secrecy::SecretString;
use std::{
    error::Error,
    io::Write as _,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::net::TcpListener;

/// What an answer with metrics may take once a shutdown has begun.
const METRICS_SHUTDOWN: Duration = Duration::from_secs(1);

/// When a commit is on the disk.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SynchronousArg {
    /// Before the answer.
    Full,
    /// Soon after.
    Normal,
}

/// What `gateway serve` is configured with. Everything is a variable of the environment; secrets
/// are nothing else.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The database.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://gateway.db")]
    database_url: String,
    /// When a commit is on the disk.
    #[arg(long, env = "SQLITE_SYNCHRONOUS", value_enum, default_value = "full")]
    sqlite_synchronous: SynchronousArg,
    /// Signs logins, at least 32 bytes; made at the first start if absent.
    #[arg(long, env = "JWT_SECRET", hide = true, hide_env_values = true)]
    jwt_secret: Option<SecretString>,
    /// Encrypts provider keys: `id:base64` of 32 bytes, separated by commas; the first one is for
    /// new keys. Made at the first start if absent.
    #[arg(long, env = "MASTER_KEYS", hide = true, hide_env_values = true)]
    master_keys: Option<SecretString>,
    /// The password of the first admin.
    #[arg(long, env = "ADMIN_PASSWORD", hide = true, hide_env_values = true)]
    admin_password: Option<SecretString>,
    /// Web pages that may call the gateway: `*` or a comma-separated list of origins.
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "*")]
    allowed_origins: String,
    /// How long a login lasts.
    #[arg(long, env = "TOKEN_EXPIRY_HOURS", default_value_t = 24)]
    token_expiry_hours: u32,
    /// The first balance of a new user, in units; 500,000 are one US dollar.
    #[arg(long, env = "NEW_USER_QUOTA", value_parser = variables::credits, default_value = "0")]
    new_user_quota: Credits,
    /// Closes registration.
    #[arg(long, env = "REGISTRATION_CLOSED", value_parser = variables::switch, default_value = "0")]
    registration_closed: bool,
    /// Calls of models without a price: `charge` them the default one, or `refuse` them.
    #[arg(long, env = "UNPRICED_MODELS", value_parser = variables::unpriced_models, default_value = "charge")]
    unpriced_models: UnpricedModels,
    /// Completion tokens of each answer whose caller sets no limit: so many are held and told to
    /// the upstream, or fewer if the balance is for fewer.
    #[arg(long, env = "DEFAULT_MAX_TOKENS", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    default_max_tokens: u64,
    /// Charges for the prompt if the client left before the answer began and the upstream had it.
    #[arg(long, env = "CHARGE_PROMPT_ON_ABORT", value_parser = variables::switch, default_value = "1")]
    charge_prompt_on_abort: bool,
    /// Days for which calls are kept one by one; the sums of their days are kept for ever.
    #[arg(long, env = "RETENTION_DAYS", value_parser = variables::retention, default_value = "90")]
    retention_days: Duration,
    /// Lets channels use `http://127.0.0.1`, for development and local model servers.
    #[arg(long, env = "ALLOW_LOOPBACK_UPSTREAMS", value_parser = variables::switch, default_value = "0")]
    allow_loopback_upstreams: bool,
    /// The only hosts that channels may have besides their providers' own: `api.example.com`, or
    /// `.example.com` for every name below it, separated by commas. All public ones if absent.
    #[arg(long, env = "CUSTOM_HOST_SUFFIXES", default_value = "")]
    custom_host_suffixes: String,
    /// The relay proxy that providers are reached through: its https address.
    #[arg(long, env = "RELAY_PROXY_URL", requires = "relay_proxy_key")]
    relay_proxy_url: Option<String>,
    /// The relay proxy's key.
    #[arg(long, env = "RELAY_PROXY_KEY", hide = true, hide_env_values = true)]
    relay_proxy_key: Option<SecretString>,
    /// Proxies whose X-Forwarded-For is believed: comma-separated networks.
    #[arg(long, env = "TRUSTED_PROXIES")]
    trusted_proxies: Option<String>,
    /// Milliseconds to connect to an upstream.
    #[arg(long, env = "CONNECT_TIMEOUT_MS", default_value_t = 10_000)]
    connect_timeout_ms: u64,
    /// Milliseconds to the first byte of an upstream's answer.
    #[arg(long, env = "FIRST_BYTE_TIMEOUT_MS", default_value_t = 120_000)]
    first_byte_timeout_ms: u64,
    /// Milliseconds between two reads of an upstream's answer.
    #[arg(long, env = "IDLE_TIMEOUT_MS", default_value_t = 120_000)]
    idle_timeout_ms: u64,
    /// Milliseconds for a whole call.
    #[arg(long, env = "TOTAL_TIMEOUT_MS", default_value_t = 1_800_000)]
    total_timeout_ms: u64,
    /// Milliseconds between two checkpoints of a stream: what a crash leaves uncharged at most.
    #[arg(long, env = "CHECKPOINT_MS", default_value_t = 10_000)]
    checkpoint_ms: u64,
    /// Milliseconds for which an upstream is listened to whose client left before any content
    /// came, so that what it charges is known.
    #[arg(long, env = "DRAIN_BEFORE_ANSWER_MS", default_value_t = 30_000)]
    drain_before_answer_ms: u64,
    /// The same for a client that left in mid-stream.
    #[arg(long, env = "DRAIN_MS", default_value_t = 60_000)]
    drain_ms: u64,
    /// How many upstreams are listened to without a client at once; others are ended, and what
    /// they used is estimated.
    #[arg(long, env = "DRAIN_AT_ONCE", default_value_t = 64)]
    drain_at_once: usize,
    /// Failures in a row after which a channel is not called for a model for a while.
    #[arg(long, env = "BREAKER_FAILURES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    breaker_failures: u32,
    /// Milliseconds for which that is so the first time. Each trial that fails doubles it.
    #[arg(long, env = "BREAKER_COOLDOWN_MS", default_value_t = 10_000)]
    breaker_cooldown_ms: u64,
    /// Milliseconds for which it is so at most.
    #[arg(long, env = "BREAKER_MAX_COOLDOWN_MS", default_value_t = 300_000)]
    breaker_max_cooldown_ms: u64,
    /// Milliseconds for which a channel is left alone that answers 429 and does not say for how long.
    #[arg(long, env = "RATE_LIMIT_COOLDOWN_MS", default_value_t = 1000)]
    rate_limit_cooldown_ms: u64,
    /// Of a hundred calls so many may be tried on another channel,
    #[arg(long, env = "RETRY_BUDGET_PERCENT", default_value_t = 20)]
    retry_budget_percent: u32,
    /// and so many a second besides.
    #[arg(long, env = "RETRY_BUDGET_PER_SECOND", default_value_t = 10)]
    retry_budget_per_second: u32,
    /// Milliseconds for the head of a request.
    #[arg(long, env = "HEADER_TIMEOUT_MS", default_value_t = 10_000)]
    header_timeout_ms: u64,
    /// Milliseconds for the body of a request.
    #[arg(long, env = "BODY_TIMEOUT_MS", default_value_t = 30_000)]
    body_timeout_ms: u64,
    /// Milliseconds of silence after which the client of a stream is sent a comment, so that
    /// nobody between takes the connection for dead; 0: never.
    #[arg(long, env = "KEEP_ALIVE_MS", default_value_t = 15_000)]
    keep_alive_ms: u64,
    /// Milliseconds that calls in flight have when the gateway shuts down.
    #[arg(long, env = "SHUTDOWN_TIMEOUT_MS", default_value_t = 30_000)]
    shutdown_timeout_ms: u64,
    /// Where GET /metrics is served without a login, such as 127.0.0.1:9464; nowhere if absent. On
    /// the gateway's own address it is for admins.
    #[arg(long, env = "METRICS_BIND")]
    metrics_bind: Option<SocketAddr>,
    /// Threads that serve; one for each processor if absent.
    #[arg(long, env = "WORKER_THREADS")]
    worker_threads: Option<usize>,
    /// How logs are written: `text` or `json`.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    log_format: String,
}

impl ServeArgs {
    /// Threads that serve.
    pub fn worker_threads(&self) -> Option<usize> {
        self.worker_threads.filter(|threads| *threads > 0)
    }

    /// Whether logs are written as JSON.
    pub fn json_logs(&self) -> bool {
        self.log_format.eq_ignore_ascii_case("json")
    }

    fn native(&self, providers: Providers) -> Result<NativeOptions, Box<dyn Error>> {
        let ms = Duration::from_millis;
        if !self.database_url.starts_with("sqlite:") {
            return Err(
                "DATABASE_URL is the place of an SQLite file, such as sqlite://gateway.db".into()
            );
        }
        let origins = AllowedOrigins::parse(&self.allowed_origins)
            .ok_or("ALLOWED_ORIGINS is * or a list of origins such as https://app.example.com")?;
        let mut database = SqliteOptions::new(self.database_url.clone());
        database.synchronous = match self.sqlite_synchronous {
            SynchronousArg::Full => Synchronous::Full,
            SynchronousArg::Normal => Synchronous::Normal,
        };
        let config = Config {
            timeouts: Timeouts {
                first_byte: ms(self.first_byte_timeout_ms),
                idle: ms(self.idle_timeout_ms),
                total: ms(self.total_timeout_ms),
                checkpoint: ms(self.checkpoint_ms),
                ..Timeouts::default()
            },
            session_life: Duration::from_secs(u64::from(self.token_expiry_hours) * 3600),
            admin_password: self.admin_password.clone(),
            registration_open: !self.registration_closed,
            new_user_quota: self.new_user_quota,
            unpriced_models: self.unpriced_models,
            default_completion: self.default_max_tokens,
            charge_prompt_on_abort: self.charge_prompt_on_abort,
            retention: self.retention_days,
            drain: Drain {
                before_answer: ms(self.drain_before_answer_ms),
                mid_stream: ms(self.drain_ms),
                at_once: self.drain_at_once,
            },
            breaker: BreakerRules {
                failures: self.breaker_failures,
                cooldown: ms(self.breaker_cooldown_ms),
                most_cooldown: ms(self.breaker_max_cooldown_ms),
                rate_limited: ms(self.rate_limit_cooldown_ms),
                ..BreakerRules::default()
            },
            retry: RetryRules {
                percent: self.retry_budget_percent,
                per_second: self.retry_budget_per_second,
            },
            allow_loopback: self.allow_loopback_upstreams,
            custom_hosts: HostList::parse(&self.custom_host_suffixes),
            ..Config::default()
        };
        let upstream = UpstreamOptions {
            connect_timeout: ms(self.connect_timeout_ms),
            ..UpstreamOptions::default()
        };
        let url = self.relay_proxy_url.as_deref().filter(|url| !url.trim().is_empty());
        let relay = match (url, &self.relay_proxy_key) {
            (Some(url), Some(key)) => Some(RelayProxy::new(url.trim(), key)?),
            _ => None,
        };
        Ok(NativeOptions {
            database,
            config,
            upstream,
            relay,
            http: HttpOptions {
                allowed_origins: origins,
                body_timeout: ms(self.body_timeout_ms),
                keep_alive: ms(self.keep_alive_ms),
                ..HttpOptions::default()
            },
            providers,
            jwt_secret: self.jwt_secret.clone(),
            master_keys: self.master_keys.clone(),
            observers: Vec::new(),
        })
    }

    /// Serves until the process is told to stop.
    ///
    /// # Errors
    /// When the gateway cannot start.
    pub async fn run(self) -> Result<(), Box<dyn Error>> {
        let stop = signal::told_to_stop()?;
        let told = Arc::new(OnceLock::new());
        let when = told.clone();
        let native = Native::open(self.native(adapter_providers::defaults()?)?).await?;
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "listening");
        writeln!(std::io::stdout().lock(), "listening on http://{address}")?;
        let measured = match self.metrics_bind {
            Some(bind) => Some(TcpListener::bind(bind).await?),
            None => None,
        };
        if let Some(listener) = &measured {
            let address = listener.local_addr()?;
            tracing::info!(%address, "metrics without a login");
            writeln!(std::io::stdout().lock(), "metrics on http://{address}/metrics")?;
        }
        let shutdown = Duration::from_millis(self.shutdown_timeout_ms);
        let trusted = self.trusted_proxies.as_deref().map(SubnetList::parse).transpose()?;
        let options = ServerOptions {
            header_timeout: Duration::from_millis(self.header_timeout_ms),
            shutdown_timeout: shutdown,
            // An empty list would trust everyone.
            trusted_proxies: trusted.filter(|list| !list.to_string().is_empty()),
        };
        let stop = async move {
            stop.await;
            let _ = when.set(tokio::time::Instant::now());
        }
        .shared();
        let metrics = async {
            if let Some(listener) = measured {
                let options = ServerOptions {
                    shutdown_timeout: METRICS_SHUTDOWN,
                    ..ServerOptions::default()
                };
                server::serve(listener, native.metrics_router(), options, stop.clone()).await;
            }
        };
        join(server::serve(listener, native.router(), options, stop.clone()), metrics).await;
        // The limit is for all of it.
        let used = told.get().map(tokio::time::Instant::elapsed).unwrap_or_default();
        if native.close(shutdown.saturating_sub(used)).await {
            tracing::info!("every call is settled");
        } else {
            tracing::error!("some calls could not be settled in time; the next start closes them");
        }
        Ok(())
    }
}
