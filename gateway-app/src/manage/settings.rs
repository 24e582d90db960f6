//! Settings that can be changed while the gateway runs.

use super::audit::Detail;
use crate::{Gateway, GatewayError, RequestContext};
use gateway_domain::{Price, User};
use gateway_ports::{AuditAction, Settings, SnapshotKey};
use std::time::Duration;

/// A hundred years.
const MOST_DAYS: u32 = 36_500;

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
            retention_days: stored.retention_days.or(Some(days(config.retention))),
        })
    }

    /// Changes the settings that are given.
    pub async fn change_settings(
        &self,
        root: &User,
        change: Settings,
        context: &RequestContext,
    ) -> Result<Settings, GatewayError> {
        if change.default_price.is_some_and(|p| {
            [p.prompt, p.cached, p.cache_write, p.completion]
                .iter()
                .any(|units| *units > Price::MOST)
        }) {
            return Err(GatewayError::invalid("default_price is too high").about("default_price"));
        }
        if change.retention_days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
            let message = format!("retention_days is a whole number from 1 to {MOST_DAYS}");
            return Err(GatewayError::invalid(message).about("retention_days"));
        }
        let entry = context.entry(root, AuditAction::SettingsUpdate, Detail::of(&change));
        let stored = self.0.store.settings.load().await?;
        let settings = Settings {
            registration_open: change.registration_open.or(stored.registration_open),
            new_user_quota: change.new_user_quota.or(stored.new_user_quota),
            default_price: change.default_price.or(stored.default_price),
            unpriced_models: change.unpriced_models.or(stored.unpriced_models),
            retention_days: change.retention_days.or(stored.retention_days),
        };
        self.0.store.settings.save(&settings, &entry).await?;
        self.0.cache.forget(&SnapshotKey::Routing).await;
        self.settings().await
    }
}

fn days(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs() / 86_400).unwrap_or(MOST_DAYS)
}
