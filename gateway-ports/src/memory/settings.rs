//! Settings in memory.

use super::MemoryStore;
use crate::{Settings, SettingsRepository, StoreError};
use async_trait::async_trait;

#[async_trait]
impl SettingsRepository for MemoryStore {
    async fn load(&self) -> Result<Settings, StoreError> {
        Ok(self.state().settings.clone())
    }

    async fn save(&self, settings: &Settings) -> Result<(), StoreError> {
        self.state().settings = settings.clone();
        Ok(())
    }
}
