//! Variables and secrets of the Worker: the names and the forms are the native gateway's.

use adapter_http::{AllowedOrigins, HttpOptions};
use gateway_app::{
    Config, Drain, Timeouts,
    proxy::{BadRelay, RelayProxy},
    variables,
};
use gateway_domain::{
    egress::HostList,
    policy::{breaker::BreakerRules, retry::RetryRules},
};
use gateway_ports::HealthScope;
use secrecy::SecretString;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use worker::Env;

/// The name of the database's binding.
pub const DATABASE: &str = "DB";

/// What a Worker is configured with.
#[derive(Debug)]
pub struct Options {
    /// What the operator configured.
    pub config: Config,
    /// The relay proxy that providers are reached through, if there is one.
    pub relay: Option<RelayProxy>,
    /// How the gateway is served.
    pub http: HttpOptions,
    /// `JWT_SECRET`: signs logins.
    pub jwt_secret: SecretString,
    /// `MASTER_KEYS`: encrypts provider keys.
    pub master_keys: SecretString,
    /// `CLIENT_TIMEOUT_MS`: how long a client may take nothing of a stream.
    pub client_timeout: Duration,
    /// `LOG_LEVEL`: what is logged.
    pub log_level: LevelFilter,
}

/// A variable that is missing, or not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct BadVariable {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it, without its value where that is secret.
    pub why: String,
}

/// Reads variables and says which one is wrong.
struct Reader<F>(F);

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    fn secret(&self, name: &'static str) -> Result<SecretString, BadVariable> {
        let value = self.text(name).map(SecretString::from);
        value.ok_or_else(|| BadVariable {
            name,
            why: format!("a Worker needs it: `npx wrangler secret put {name}`"),
        })
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        default: T,
    ) -> Result<T, BadVariable> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        parse(&text).map_err(|why| BadVariable { name, why })
    }

    fn number(&self, name: &'static str, default: u64) -> Result<u64, BadVariable> {
        let parse =
            |text: &str| text.trim().parse().map_err(|_| format!("'{text}' is no whole number"));
        self.parsed(name, parse, default)
    }

    fn small(&self, name: &'static str, default: u32) -> Result<u32, BadVariable> {
        self.number(name, default.into()).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn relay(&self) -> Result<Option<RelayProxy>, BadVariable> {
        let Some(url) = self.text("RELAY_PROXY_URL") else {
            return Ok(None);
        };
        let relay = RelayProxy::new(url.trim(), &self.secret("RELAY_PROXY_KEY")?);
        let named = |why: BadRelay| BadVariable { name: "RELAY_PROXY_URL", why: why.to_string() };
        relay.map(Some).map_err(named)
    }

    fn millis(&self, name: &'static str, default: Duration) -> Result<Duration, BadVariable> {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        self.number(name, default).map(Duration::from_millis)
    }
}

impl Options {
    /// Reads the Worker's variables and secrets.
    ///
    /// # Errors
    /// [`BadVariable`] names the first that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, BadVariable> {
        Self::read(|name| env.var(name).ok().map(|value| value.to_string()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadVariable> {
        let read = Reader(variable);
        let defaults = Config::default();
        let times = Timeouts::default();
        let http = HttpOptions::default();
        let timeouts = Timeouts {
            first_byte: read.millis("FIRST_BYTE_TIMEOUT_MS", times.first_byte)?,
            idle: read.millis("IDLE_TIMEOUT_MS", times.idle)?,
            total: read.millis("TOTAL_TIMEOUT_MS", times.total)?,
            checkpoint: read.millis("CHECKPOINT_MS", times.checkpoint)?,
            ..times
        };
        // A client that is gone leaves its event half a minute, settling included.
        let drain = Drain {
            before_answer: read.millis("DRAIN_BEFORE_ANSWER_MS", Duration::from_secs(20))?,
            mid_stream: read.millis("DRAIN_MS", Duration::from_secs(20))?,
            at_once: Drain::default().at_once,
        };
        let breaker = BreakerRules {
            failures: read.small("BREAKER_FAILURES", defaults.breaker.failures)?.max(1),
            cooldown: read.millis("BREAKER_COOLDOWN_MS", defaults.breaker.cooldown)?,
            most_cooldown: read
                .millis("BREAKER_MAX_COOLDOWN_MS", defaults.breaker.most_cooldown)?,
            rate_limited: read.millis("RATE_LIMIT_COOLDOWN_MS", defaults.breaker.rate_limited)?,
            ..defaults.breaker
        };
        let retry = RetryRules {
            percent: read.small("RETRY_BUDGET_PERCENT", defaults.retry.percent)?,
            per_second: read.small("RETRY_BUDGET_PER_SECOND", defaults.retry.per_second)?,
        };
        let hours = read.number("TOKEN_EXPIRY_HOURS", defaults.session_life.as_secs() / 3600)?;
        let closed = !defaults.registration_open;
        let config = Config {
            timeouts,
            session_life: Duration::from_secs(hours.saturating_mul(3600)),
            admin_password: read.text("ADMIN_PASSWORD").map(SecretString::from),
            registration_open: !read.parsed("REGISTRATION_CLOSED", variables::switch, closed)?,
            new_user_quota: read.parsed(
                "NEW_USER_QUOTA",
                variables::credits,
                defaults.new_user_quota,
            )?,
            unpriced_models: read.parsed(
                "UNPRICED_MODELS",
                variables::unpriced_models,
                defaults.unpriced_models,
            )?,
            default_completion: read.number("DEFAULT_MAX_TOKENS", defaults.default_completion)?,
            charge_prompt_on_abort: read.parsed(
                "CHARGE_PROMPT_ON_ABORT",
                variables::switch,
                defaults.charge_prompt_on_abort,
            )?,
            retention: read.parsed("RETENTION_DAYS", variables::retention, defaults.retention)?,
            drain,
            breaker,
            retry,
            // Isolates share nothing else.
            health_scope: HealthScope::Store,
            allow_loopback: read.parsed(
                "ALLOW_LOOPBACK_UPSTREAMS",
                variables::switch,
                defaults.allow_loopback,
            )?,
            custom_hosts: read
                .text("CUSTOM_HOST_SUFFIXES")
                .map_or(defaults.custom_hosts.clone(), |text| HostList::parse(&text)),
            ..defaults
        };
        let origins = |text: &str| {
            AllowedOrigins::parse(text).ok_or_else(|| {
                String::from("* or a list of origins such as https://app.example.com")
            })
        };
        let level = |text: &str| {
            text.trim().parse().map_err(|_| format!("'{text}' is no level, such as info"))
        };
        Ok(Self {
            config,
            relay: read.relay()?,
            http: HttpOptions {
                allowed_origins: read.parsed(
                    "ALLOWED_ORIGINS",
                    origins,
                    http.allowed_origins.clone(),
                )?,
                body_timeout: read.millis("BODY_TIMEOUT_MS", http.body_timeout)?,
                keep_alive: read.millis("KEEP_ALIVE_MS", http.keep_alive)?,
                ..http
            },
            jwt_secret: read.secret("JWT_SECRET")?,
            master_keys: read.secret("MASTER_KEYS")?,
            client_timeout: read.millis("CLIENT_TIMEOUT_MS", Duration::from_secs(20))?,
            log_level: read.parsed("LOG_LEVEL", level, LevelFilter::INFO)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_ports::UnpricedModels;
    use std::collections::HashMap;

    fn options(variables: &[(&str, &str)]) -> Result<Options, BadVariable> {
        let secrets = [("JWT_SECRET", "s"), ("MASTER_KEYS", "k")];
        let all: HashMap<&str, &str> = secrets.iter().chain(variables).copied().collect();
        Options::read(|name| all.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_is_not_said_is_as_it_is_natively() {
        let options = options(&[("NEW_USER_QUOTA", " ")]).unwrap();
        let native = Config::default();
        assert_eq!(options.config.timeouts, native.timeouts);
        assert_eq!(options.config.session_life, native.session_life);
        assert_eq!(options.config.registration_open, native.registration_open);
        assert_eq!(options.config.new_user_quota, native.new_user_quota);
        assert_eq!(options.config.breaker, native.breaker);
        assert!(options.config.admin_password.is_none());
    }

    #[test]
    fn variables_are_read() {
        let options = options(&[
            ("IDLE_TIMEOUT_MS", "3000"),
            ("TOKEN_EXPIRY_HOURS", "2"),
            ("REGISTRATION_CLOSED", "1"),
            ("UNPRICED_MODELS", "refuse"),
            ("NEW_USER_QUOTA", "7"),
            ("LOG_LEVEL", "debug"),
            ("BREAKER_FAILURES", "3"),
            ("BREAKER_COOLDOWN_MS", "400"),
            ("RETRY_BUDGET_PERCENT", "7"),
        ])
        .unwrap();
        assert_eq!(options.config.timeouts.idle, Duration::from_secs(3));
        assert_eq!(options.config.session_life, Duration::from_secs(7200));
        assert!(!options.config.registration_open);
        assert_eq!(options.config.unpriced_models, UnpricedModels::Refuse);
        assert_eq!(options.config.new_user_quota.units(), 7);
        assert_eq!(options.log_level, LevelFilter::DEBUG);
        assert_eq!(options.config.breaker.failures, 3);
        assert_eq!(options.config.breaker.cooldown, Duration::from_millis(400));
        assert_eq!(options.config.retry, RetryRules { percent: 7, per_second: 10 });
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("IDLE_TIMEOUT_MS", "soon"),
            ("REGISTRATION_CLOSED", "perhaps"),
            ("ALLOWED_ORIGINS", "nowhere"),
            ("NEW_USER_QUOTA", "-1"),
            ("LOG_LEVEL", "loud"),
            ("MASTER_KEYS", ""),
        ] {
            assert_eq!(options(&[(name, value)]).unwrap_err().name, name);
        }
    }
}
