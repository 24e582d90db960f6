//! Settings in memory.

use super::MemoryStore;
use crate::{AuditEntry, Settings, SettingsRepository, StoreError};
use async_trait::async_trait;

#[async_trait]
impl SettingsRepository for MemoryStore {
    async fn load(&self) -> Result<Settings, StoreError> {
        Ok(self.state().settings.clone())
    }

    async fn save(&self, settings: &Settings, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut state = self.state();
        state.settings = settings.clone();
        state.note(entry, None);
        Ok(())
    }
}
