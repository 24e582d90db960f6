//! What settings must be.

use super::fixture::{credits, entry};
use crate::{AuditAction::SettingsUpdate, Settings, Store, UnpricedModels};
use gateway_domain::Price;

pub(super) async fn unsaved_settings_are_the_default(store: &Store) {
    let settings = store.settings.load().await.unwrap();
    assert_eq!(settings, Settings::default());
}

pub(super) async fn save_then_load(store: &Store) {
    let settings = Settings {
        registration_open: Some(true),
        new_user_quota: Some(credits(500)),
        default_price: Some(Price::DEFAULT),
        unpriced_models: Some(UnpricedModels::Refuse),
        retention_days: Some(30),
    };
    store.settings.save(&settings, &entry(SettingsUpdate)).await.unwrap();
    assert_eq!(store.settings.load().await.unwrap(), settings);
}

pub(super) async fn saving_replaces_everything(store: &Store) {
    let first = Settings { registration_open: Some(true), ..Settings::default() };
    let second = Settings { new_user_quota: Some(credits(1)), ..Settings::default() };
    store.settings.save(&first, &entry(SettingsUpdate)).await.unwrap();
    store.settings.save(&second, &entry(SettingsUpdate)).await.unwrap();
    assert_eq!(store.settings.load().await.unwrap(), second);
}
