//! Settings that can be changed while the gateway runs.

use crate::{AuditEntry, StoreError};
use async_trait::async_trait;
use gateway_domain::{Credits, Price};
use serde::{Deserialize, Serialize};

/// What happens to calls of a model that has no price of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnpricedModels {
    /// They cost the default price.
    #[default]
    Charge,
    /// They are refused.
    Refuse,
}

/// Settings that can be changed while the gateway runs; `None`: as the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether anyone may register.
    #[serde(default)]
    pub registration_open: Option<bool>,
    /// The first balance of a new user.
    #[serde(default)]
    pub new_user_quota: Option<Credits>,
    /// The price of models that have none of their own.
    #[serde(default)]
    pub default_price: Option<Price>,
    /// What happens to calls of a model that has no price of its own.
    #[serde(default)]
    pub unpriced_models: Option<UnpricedModels>,
    /// For how many days calls are kept one by one; the sums of their days are kept for ever.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

/// Where settings are kept.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SettingsRepository: Send + Sync {
    /// The settings; the default if none were ever saved.
    async fn load(&self) -> Result<Settings, StoreError>;

    /// Replaces the settings.
    async fn save(&self, settings: &Settings, entry: &AuditEntry) -> Result<(), StoreError>;
}
