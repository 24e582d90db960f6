//! Where the operator's prices are kept.

use crate::{AuditEntry, StoreError};
use async_trait::async_trait;
use gateway_domain::PriceTable;

/// A price table that is to replace the one before.
#[derive(Clone, Debug)]
pub struct NewPrices {
    /// All of it. The version of its entries is the store's to give.
    pub table: PriceTable,
    /// The version that it was made from; 0: the empty one from the beginning.
    pub replaces: u64,
}

/// Where the operator's prices are kept. Every version stays, because calls that were admitted
/// under it name it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PriceRepository: Send + Sync {
    /// The newest table and its version; an empty one of version 0 if there is none. Each entry
    /// MUST have the version of its table.
    async fn load(&self) -> Result<(u64, PriceTable), StoreError>;

    /// Replaces the table, and returns its version. MUST NOT replace another version than the one
    /// that is named: `None` then, so that nobody overwrites what they have not seen.
    async fn replace(
        &self,
        prices: &NewPrices,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, StoreError>;
}
