//! Where channels are kept.

use crate::{AuditEntry, StoreError};
use async_trait::async_trait;
use gateway_domain::{Channel, ChannelId, ModelMapping, ModelSet, ProviderKind};

/// A channel to be made. Its key is sealed for its id, so the id is reserved first.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// The name for people.
    pub name: String,
    /// Which provider.
    pub kind: ProviderKind,
    /// Where it is.
    pub base_url: String,
    /// The models it serves.
    pub models: ModelSet,
    /// Models that the upstream knows under another name.
    pub model_mapping: ModelMapping,
    /// Options of this provider.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Higher is tried first.
    pub priority: i64,
    /// The share among channels of one priority.
    pub weight: u32,
}

/// What to change of a channel; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ChannelChange {
    /// The name for people.
    pub name: Option<String>,
    /// Which provider.
    pub kind: Option<ProviderKind>,
    /// Where it is.
    pub base_url: Option<String>,
    /// The provider's key, encrypted, and its last four characters.
    pub key: Option<(String, String)>,
    /// The models it serves.
    pub models: Option<ModelSet>,
    /// Models that the upstream knows under another name.
    pub model_mapping: Option<ModelMapping>,
    /// Options of this provider.
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether it is used.
    pub enabled: Option<bool>,
    /// Higher is tried first.
    pub priority: Option<i64>,
    /// The share among channels of one priority.
    pub weight: Option<u32>,
}

/// Where channels are kept.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ChannelRepository: Send + Sync {
    /// Makes a channel, disabled and without a key: both come with the first change, whose entry
    /// is the same as this one's and therefore not written again.
    async fn insert(
        &self,
        channel: &NewChannel,
        entry: &AuditEntry,
    ) -> Result<ChannelId, StoreError>;

    /// Looks a channel up.
    async fn find(&self, id: ChannelId) -> Result<Option<Channel>, StoreError>;

    /// Lists all channels in order of ids.
    async fn list(&self) -> Result<Vec<Channel>, StoreError>;

    /// Changes a channel; false if there is none.
    async fn update(
        &self,
        id: ChannelId,
        change: &ChannelChange,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Replaces a channel's encrypted key by the same key, encrypted anew; nothing else changes.
    /// False if there is no such channel, or if its encrypted key is not `old` any more: whoever
    /// changed it meanwhile MUST NOT be overwritten.
    async fn reseal(
        &self,
        id: ChannelId,
        old: &str,
        new: &str,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Deletes a channel; false if there is none. Its usage rows stay.
    async fn delete(&self, id: ChannelId, entry: &AuditEntry) -> Result<bool, StoreError>;
}
