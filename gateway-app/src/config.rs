//! What an operator configures. Where the values come from is the runtime's business.

use gateway_domain::Credits;
use gateway_ports::UnpricedModels;
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
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(1800),
            ledger: Duration::from_secs(5),
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
    /// Whether channels may point at this machine.
    pub allow_loopback: bool,
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
            allow_loopback: false,
            snapshot_ttl: Duration::from_secs(10),
        }
    }
}
