//! What an operator configures. Where the values come from is the runtime's business.

use gateway_domain::{
    Credits,
    egress::HostList,
    policy::{breaker::BreakerRules, estimate::DEFAULT_COMPLETION, retry::RetryRules},
};
use gateway_ports::{HealthScope, UnpricedModels};
use secrecy::SecretString;
use std::time::Duration;

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the request to the head of the upstream's answer, and from there to the first
    /// meaningful event.
    pub first_byte: Duration,
    /// Between two reads of an upstream's answer.
    pub idle: Duration,
    /// A whole call.
    pub total: Duration,
    /// The ledger's answer.
    pub ledger: Duration,
    /// Between two checkpoints of a stream: what a crash may leave uncharged at most.
    pub checkpoint: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(1800),
            ledger: Duration::from_secs(5),
            checkpoint: Duration::from_secs(10),
        }
    }
}

/// How far an upstream is listened to when its client is gone, so that what it charges is known
/// and not estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// If no content had come.
    pub before_answer: Duration,
    /// If the answer had begun.
    pub mid_stream: Duration,
    /// Answers at once, at most. Those beyond are ended at once and estimated.
    pub at_once: usize,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            before_answer: Duration::from_secs(30),
            mid_stream: Duration::from_mins(1),
            at_once: 64,
        }
    }
}

/// What an operator configures.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// How long a login lasts.
    pub session_life: Duration,
    /// The password of the first admin; without it the documented default, which must be changed.
    pub admin_password: Option<SecretString>,
    /// Whether anyone may register, unless the settings say otherwise.
    pub registration_open: bool,
    /// The first balance of a new user, unless the settings say otherwise.
    pub new_user_quota: Credits,
    /// What happens to calls of a model without a price, unless the settings say otherwise.
    pub unpriced_models: UnpricedModels,
    /// The completion tokens that each answer may have where its caller sets no limit. So many are
    /// held, and so many are told to the upstream; fewer if the balance is for fewer.
    pub default_completion: u64,
    /// Whether a prompt is charged if the client left before the answer began.
    pub charge_prompt_on_abort: bool,
    /// How far an upstream is listened to when its client is gone.
    pub drain: Drain,
    /// When a channel that fails is left alone, and for how long. How long its probe is waited for
    /// follows from the timeouts.
    pub breaker: BreakerRules,
    /// How many calls may be tried on another channel.
    pub retry: RetryRules,
    /// Whom this process tells what it finds out about channels.
    pub health_scope: HealthScope,
    /// How long calls are kept one by one, unless the settings say otherwise; the sums of their
    /// days are kept for ever.
    pub retention: Duration,
    /// Whether channels may point at this machine.
    pub allow_loopback: bool,
    /// The only hosts that channels may have besides their providers' own; empty: all public ones.
    pub custom_hosts: HostList,
    /// How long copies of keys, channels and settings are used without asking the store. A change
    /// made through this process is seen at once; one made by another, after this long. Revoked
    /// keys spend nothing whatever the copy says: the ledger looks for itself.
    pub snapshot_ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            session_life: Duration::from_secs(24 * 3600),
            admin_password: None,
            registration_open: true,
            new_user_quota: Credits::ZERO,
            unpriced_models: UnpricedModels::Charge,
            default_completion: DEFAULT_COMPLETION,
            charge_prompt_on_abort: true,
            drain: Drain::default(),
            breaker: BreakerRules::default(),
            retry: RetryRules::default(),
            health_scope: HealthScope::default(),
            retention: Duration::from_hours(24 * 90),
            allow_loopback: false,
            custom_hosts: HostList::default(),
            snapshot_ttl: Duration::from_secs(10),
        }
    }
}
