//! Settings that can be changed while the gateway runs.

use crate::{Gateway, GatewayError};
use gateway_domain::Price;
use gateway_ports::{Settings, SnapshotKey};

impl Gateway {
    /// The settings in force: the stored ones, and the configuration's where none are stored.
    pub async fn settings(&self) -> Result<Settings, GatewayError> {
        let stored = self.0.store.settings.load().await?;
        let config = &self.0.config;
        Ok(Settings {
            registration_open: stored.registration_open.or(Some(config.registration_open)),
            new_user_quota: stored.new_user_quota.or(Some(config.new_user_quota)),
            default_price: stored.default_price.or(Some(Price::DEFAULT)),
            unpriced_models: stored.unpriced_models.or(Some(config.unpriced_models)),
        })
    }

    /// Changes the settings that are given.
    pub async fn change_settings(&self, change: Settings) -> Result<Settings, GatewayError> {
        if change.default_price.is_some_and(|p| {
            [p.prompt, p.cached, p.cache_write, p.completion]
                .iter()
                .any(|units| *units > Price::MOST)
        }) {
            return Err(GatewayError::invalid("default_price is too high").about("default_price"));
        }
        let stored = self.0.store.settings.load().await?;
        let settings = Settings {
            registration_open: change.registration_open.or(stored.registration_open),
            new_user_quota: change.new_user_quota.or(stored.new_user_quota),
            default_price: change.default_price.or(stored.default_price),
            unpriced_models: change.unpriced_models.or(stored.unpriced_models),
        };
        self.0.store.settings.save(&settings).await?;
        self.0.cache.forget(&SnapshotKey::Routing).await;
        self.settings().await
    }
}
