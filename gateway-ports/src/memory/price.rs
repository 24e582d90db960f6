//! The operator's prices in memory.

use super::MemoryStore;
use crate::{AuditEntry, NewPrices, PriceRepository, StoreError};
use async_trait::async_trait;
use gateway_domain::PriceTable;

#[async_trait]
impl PriceRepository for MemoryStore {
    async fn load(&self) -> Result<(u64, PriceTable), StoreError> {
        let state = self.state();
        Ok((state.price_version, state.prices.clone()))
    }

    async fn replace(
        &self,
        prices: &NewPrices,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, StoreError> {
        let mut state = self.state();
        if state.price_version != prices.replaces {
            return Ok(None);
        }
        state.price_version += 1;
        let version = state.price_version;
        state.prices = prices.table.clone().with_version(version);
        state.note(entry, i64::try_from(version).ok());
        Ok(Some(version))
    }
}
