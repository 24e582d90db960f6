//! Where API keys are kept.

use crate::{AuditEntry, Page, Principal, StoreError};
use async_trait::async_trait;
use gateway_domain::{
    Credits, KeyDigest, Limits, LimitsChange, ModelSet, SubnetList, Timestamp, Token, TokenId,
    UserId,
};

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whose it is.
    pub user_id: UserId,
    /// The name for people.
    pub name: String,
    /// The key's digest.
    pub digest: KeyDigest,
    /// The key's first characters.
    pub key_prefix: String,
    /// The key's last characters.
    pub key_last4: String,
    /// The most it may spend.
    pub cap: Option<Credits>,
    /// The models it may call.
    pub models: ModelSet,
    /// The networks it may be used from.
    pub subnet: SubnetList,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How much may be asked for with it.
    pub limits: Limits,
}

/// What to change of a key; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct TokenChange {
    /// The name for people.
    pub name: Option<String>,
    /// Whether the key may be used.
    pub enabled: Option<bool>,
    /// The most it may spend; the inner `None` takes the limit away.
    pub cap: Option<Option<Credits>>,
    /// The models it may call.
    pub models: Option<ModelSet>,
    /// The networks it may be used from.
    pub subnet: Option<SubnetList>,
    /// When it ends; the inner `None`: never.
    pub expires_at: Option<Option<Timestamp>>,
    /// How much may be asked for with it.
    pub limits: LimitsChange,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenChanged {
    /// It was made.
    Changed,
    /// This user has no such key.
    NotFound,
    /// The new cap lies below what the key has spent and holds already.
    BelowUse,
}

/// Where API keys are kept.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Makes a key, or returns `None` if its user has `most` keys already.
    ///
    /// # Errors
    /// MUST return [`StoreError::Conflict`] if the digest exists.
    async fn insert(
        &self,
        token: &NewToken,
        most: u64,
        entry: &AuditEntry,
    ) -> Result<Option<TokenId>, StoreError>;

    /// Looks a key and its user up by the key's digest. Absence is `None`, never an error.
    async fn find_by_digest(&self, digest: &KeyDigest) -> Result<Option<Principal>, StoreError>;

    /// Looks up one of a user's keys. MUST NOT find another user's.
    async fn find(&self, owner: UserId, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// Looks up a key of anybody, and its user.
    async fn find_any(&self, id: TokenId) -> Result<Option<Principal>, StoreError>;

    /// Lists a user's keys in order of ids.
    async fn list(&self, owner: UserId, page: Page) -> Result<Vec<Token>, StoreError>;

    /// Changes one of a user's keys and raises its revision. MUST leave counters alone, and MUST
    /// refuse a cap below what is spent and held.
    async fn update(
        &self,
        owner: UserId,
        id: TokenId,
        change: &TokenChange,
        entry: &AuditEntry,
    ) -> Result<TokenChanged, StoreError>;

    /// Deletes one of a user's keys; false if there is none. Its usage rows stay.
    async fn delete(
        &self,
        owner: UserId,
        id: TokenId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;
}
