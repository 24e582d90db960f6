//! Copies of what changes rarely, so that a relay call need not ask the store.
//!
//! Never balances as a basis of decisions: the ledger looks again. Best effort: a cache may forget
//! anything at any time, and must survive having nothing.

use crate::{Settings, Verdicts};
use async_trait::async_trait;
use gateway_domain::{Channel, KeyDigest, PriceTable, Token, User};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A key and its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The user.
    pub user: User,
    /// The key.
    pub token: Token,
}

impl Principal {
    /// What a copy may keep: who may do what, and no balances, counters or names of people.
    #[must_use]
    pub fn for_copies(mut self) -> Self {
        let user = &mut self.user;
        (user.granted, user.spent, user.held) = Default::default();
        (user.username, user.display_name, user.email) = Default::default();
        user.request_count = 0;
        (self.token.spent, self.token.held) = Default::default();
        self.token.request_count = 0;
        self
    }
}

/// Everything that routing needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Routing {
    /// All channels, their keys still encrypted.
    pub channels: Vec<Arc<Channel>>,
    /// The settings.
    pub settings: Settings,
    /// The operator's prices.
    pub prices: PriceTable,
    /// Which channels fail, as far as others know.
    #[serde(default)]
    pub health: Verdicts,
}

/// What a copy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotKey {
    /// A key and its user, by the key's digest.
    Principal(KeyDigest),
    /// Channels and settings.
    Routing,
}

/// A copy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Snapshot {
    /// A key and its user.
    Principal(Arc<Principal>),
    /// Channels and settings.
    Routing(Arc<Routing>),
}

/// Where copies are kept for a while.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SnapshotCache: Send + Sync {
    /// The copy, if it is there and not older than it may be.
    async fn get(&self, key: &SnapshotKey) -> Option<Snapshot>;

    /// Keeps a copy, for at most this long.
    async fn put(&self, key: SnapshotKey, snapshot: Snapshot, ttl: Duration);

    /// Forgets a copy: as far as this cache reaches, the next `get` finds nothing.
    async fn forget(&self, key: &SnapshotKey);
}
