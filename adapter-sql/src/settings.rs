//! Settings on an SQL store: one JSON document.

use crate::{SqlExecutor, audit, catalogue::settings as sql, value::args};
use async_trait::async_trait;
use gateway_ports::{AuditEntry, Settings, SettingsRepository, StoreError};
use std::sync::Arc;

/// Settings on an SQL store.
#[derive(Debug)]
pub struct SqlSettings<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlSettings<E> {
    /// The settings of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> SettingsRepository for SqlSettings<E> {
    async fn load(&self) -> Result<Settings, StoreError> {
        let rows = self.0.read(sql::SETTINGS_LOAD, args![]).await?;
        rows.first().map_or_else(
            || Ok(Settings::default()),
            |row| row.of("settings", "").parsed("value", |json| serde_json::from_str(&json).ok()),
        )
    }

    async fn save(&self, settings: &Settings, entry: &AuditEntry) -> Result<(), StoreError> {
        let json = serde_json::to_string(settings).map_err(StoreError::unavailable)?;
        self.0.batch(&sql::SAVE, args![json, audit::parameter(entry)?]).await?;
        Ok(())
    }
}
