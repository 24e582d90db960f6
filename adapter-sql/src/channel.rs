//! Channels on an SQL store.

use crate::{Row, SqlExecutor, audit, catalogue::channel as sql, value::args};
use async_trait::async_trait;
use gateway_domain::{Channel, ChannelId, ModelSet, ProviderKind};
use gateway_ports::{AuditEntry, ChannelChange, ChannelRepository, NewChannel, StoreError};
use serde::Serialize;
use std::sync::Arc;

/// Channels on an SQL store.
#[derive(Debug)]
pub struct SqlChannels<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlChannels<E> {
    /// The channels of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> ChannelRepository for SqlChannels<E> {
    async fn insert(
        &self,
        channel: &NewChannel,
        entry: &AuditEntry,
    ) -> Result<ChannelId, StoreError> {
        let arguments = args![
            channel.name.clone(),
            channel.kind.as_str(),
            channel.base_url.clone(),
            channel.models.to_string(),
            json(&channel.model_mapping)?,
            json(&channel.config)?,
            channel.priority,
            i64::from(channel.weight),
            entry.at.as_millis(),
            audit::parameter(entry)?,
        ];
        let results = self.0.batch(&sql::INSERT, arguments).await?;
        match results.iter().flatten().next() {
            Some(row) => Ok(ChannelId(row.number("id")?)),
            None => Err(StoreError::Corrupt("channels: an insert gave no id".into())),
        }
    }

    async fn find(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        let rows = self.0.read(sql::CHANNEL_BY_ID, args![id.0]).await?;
        rows.first().map(channel).transpose()
    }

    async fn list(&self) -> Result<Vec<Channel>, StoreError> {
        let rows = self.0.read(sql::CHANNEL_LIST, args![]).await?;
        rows.iter().map(channel).collect()
    }

    async fn update(
        &self,
        id: ChannelId,
        change: &ChannelChange,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let (key, hint) = change.key.clone().unzip();
        let arguments = args![
            id.0,
            entry.at.as_millis(),
            change.name.clone(),
            change.kind.as_ref().map(ProviderKind::as_str),
            change.base_url.clone(),
            key,
            hint,
            change.models.as_ref().map(ToString::to_string),
            change.model_mapping.as_ref().map(json).transpose()?,
            change.config.as_ref().map(json).transpose()?,
            change.enabled,
            change.priority,
            change.weight.map(i64::from),
            audit::parameter(entry)?,
        ];
        let results = self.0.batch(&sql::UPDATE, arguments).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }

    async fn reseal(
        &self,
        id: ChannelId,
        old: &str,
        new: &str,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let arguments = args![id.0, old, new, audit::parameter(entry)?];
        let results = self.0.batch(&sql::RESEAL, arguments).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }

    async fn delete(&self, id: ChannelId, entry: &AuditEntry) -> Result<bool, StoreError> {
        let arguments = args![id.0, audit::parameter(entry)?];
        let results = self.0.batch(&sql::DELETE, arguments).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::unavailable)
}

fn channel(row: &Row) -> Result<Channel, StoreError> {
    let record = row.of("channels", "");
    Ok(Channel {
        id: ChannelId(record.int("id")?),
        name: record.text("name")?,
        kind: record.parsed("kind", ProviderKind::new)?,
        base_url: record.text("base_url")?,
        sealed_key: record.text("sealed_key")?,
        key_hint: record.text("key_hint")?,
        models: record.parsed("models", |text| ModelSet::parse(&text).ok())?,
        model_mapping: record.parsed("model_mapping", |text| serde_json::from_str(&text).ok())?,
        config: record.parsed("config", |text| serde_json::from_str(&text).ok())?,
        enabled: record.bool("enabled")?,
        priority: record.int("priority")?,
        weight: record.number("weight")?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
    })
}
