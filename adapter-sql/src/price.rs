//! The operator's prices on an SQL store.

use crate::{
    SqlExecutor, audit,
    catalogue::price as sql,
    value::{args, count},
};
use async_trait::async_trait;
use gateway_domain::PriceTable;
use gateway_ports::{AuditEntry, NewPrices, PriceRepository, StoreError};
use std::sync::Arc;

/// The operator's prices on an SQL store.
#[derive(Debug)]
pub struct SqlPrices<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlPrices<E> {
    /// The prices of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> PriceRepository for SqlPrices<E> {
    async fn load(&self) -> Result<(u64, PriceTable), StoreError> {
        let rows = self.0.read(sql::PRICES_LOAD, Vec::new()).await?;
        let Some(row) = rows.first() else {
            return Ok((0, PriceTable::default()));
        };
        let record = row.of("price_tables", "");
        let version = record.number("version")?;
        let table: PriceTable =
            record.parsed("entries", |text| serde_json::from_str(&text).ok())?;
        Ok((version, table.with_version(version)))
    }

    async fn replace(
        &self,
        prices: &NewPrices,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, StoreError> {
        let entries = serde_json::to_string(&prices.table).map_err(StoreError::unavailable)?;
        let arguments = args![
            entries,
            entry.actor.map(|id| id.0),
            entry.at.as_millis(),
            count(prices.replaces),
            audit::parameter(entry)?,
        ];
        let results = self.0.batch(&sql::REPLACE, arguments).await?;
        let row = results.iter().flatten().next();
        row.map(|row| row.of("price_tables", "").number("version")).transpose()
    }
}
