//! Channels in memory.

use super::MemoryStore;
use crate::{AuditEntry, ChannelChange, ChannelRepository, NewChannel, StoreError};
use async_trait::async_trait;
use gateway_domain::{Channel, ChannelId};

#[async_trait]
impl ChannelRepository for MemoryStore {
    async fn insert(&self, new: &NewChannel, entry: &AuditEntry) -> Result<ChannelId, StoreError> {
        let mut state = self.state();
        let id = ChannelId(state.next_id());
        let new = new.clone();
        let channel = Channel {
            id,
            name: new.name,
            kind: new.kind,
            base_url: new.base_url,
            sealed_key: String::new(),
            key_hint: String::new(),
            models: new.models,
            model_mapping: new.model_mapping,
            config: new.config,
            enabled: false,
            priority: new.priority,
            weight: new.weight,
            created_at: entry.at,
            updated_at: entry.at,
        };
        state.channels.insert(id, channel);
        state.note(entry, Some(id.0));
        Ok(id)
    }

    async fn find(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        Ok(self.state().channels.get(&id).cloned())
    }

    async fn list(&self) -> Result<Vec<Channel>, StoreError> {
        Ok(self.state().channels.values().cloned().collect())
    }

    async fn update(
        &self,
        id: ChannelId,
        change: &ChannelChange,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(channel) = state.channels.get_mut(&id) else {
            return Ok(false);
        };
        let old = channel.clone();
        let change = change.clone();
        let (sealed_key, key_hint) = change.key.unwrap_or((old.sealed_key, old.key_hint));
        *channel = Channel {
            id,
            name: change.name.unwrap_or(old.name),
            kind: change.kind.unwrap_or(old.kind),
            base_url: change.base_url.unwrap_or(old.base_url),
            sealed_key,
            key_hint,
            models: change.models.unwrap_or(old.models),
            model_mapping: change.model_mapping.unwrap_or(old.model_mapping),
            config: change.config.unwrap_or(old.config),
            enabled: change.enabled.unwrap_or(old.enabled),
            priority: change.priority.unwrap_or(old.priority),
            weight: change.weight.unwrap_or(old.weight),
            created_at: old.created_at,
            updated_at: entry.at,
        };
        state.verdicts.retain(|(channel, _), _| *channel != id);
        state.note(entry, Some(id.0));
        Ok(true)
    }

    async fn reseal(
        &self,
        id: ChannelId,
        old: &str,
        new: &str,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(channel) = state.channels.get_mut(&id) else {
            return Ok(false);
        };
        // Delivered again, it finds what it wrote.
        if channel.sealed_key != old && channel.sealed_key != new {
            return Ok(false);
        }
        new.clone_into(&mut channel.sealed_key);
        state.note(entry, Some(id.0));
        Ok(true)
    }

    async fn delete(&self, id: ChannelId, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut state = self.state();
        let known = state.channels.remove(&id).is_some();
        if known {
            state.verdicts.retain(|(channel, _), _| *channel != id);
            state.note(entry, Some(id.0));
        }
        Ok(known)
    }
}
