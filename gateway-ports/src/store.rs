//! All repositories of one store, together.

use crate::{
    AuditLog, Books, ChannelRepository, HealthBoard, Ledger, LoginAttempts, PriceRepository,
    SettingsRepository, TokenRepository, UsageLog, UserRepository,
};
use std::sync::Arc;

/// Everything that is stored, as one value to hand around.
#[derive(Clone)]
pub struct Store {
    /// Users.
    pub users: Arc<dyn UserRepository>,
    /// API keys.
    pub tokens: Arc<dyn TokenRepository>,
    /// Channels.
    pub channels: Arc<dyn ChannelRepository>,
    /// Which channels fail.
    pub health: Arc<dyn HealthBoard>,
    /// Settled calls.
    pub usage: Arc<dyn UsageLog>,
    /// Money.
    pub ledger: Arc<dyn Ledger>,
    /// The books as a whole.
    pub books: Arc<dyn Books>,
    /// The operator's prices.
    pub prices: Arc<dyn PriceRepository>,
    /// Settings that can be changed while the gateway runs.
    pub settings: Arc<dyn SettingsRepository>,
    /// Failed logins.
    pub logins: Arc<dyn LoginAttempts>,
    /// Who changed what.
    pub audit: Arc<dyn AuditLog>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A part of a list, in order of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Entries to leave out.
    pub offset: u64,
    /// Entries to return at most.
    pub limit: u64,
}
