//! The operator's prices.

use super::audit::Detail;
use crate::{ErrorKind, Gateway, GatewayError, RequestContext};
use gateway_domain::{PriceTable, User, price::BadPriceTable};
use gateway_ports::{AuditAction, NewPrices, SnapshotKey};

/// A price table in force.
#[derive(Clone, Debug)]
pub struct PriceList {
    /// The table's version; 0: there was never one.
    pub version: u64,
    /// The operator's own prices, which go before the built-in ones.
    pub table: PriceTable,
}

impl From<BadPriceTable> for GatewayError {
    fn from(bad: BadPriceTable) -> Self {
        Self::invalid(bad.to_string()).about("prices")
    }
}

impl Gateway {
    /// The operator's prices.
    pub async fn prices(&self) -> Result<PriceList, GatewayError> {
        let (version, table) = self.0.store.prices.load().await?;
        Ok(PriceList { version, table })
    }

    /// Replaces the operator's prices; calls that were admitted before keep theirs. `replaces` is
    /// the version that the new ones were made from, so that nobody overwrites what they have not
    /// seen; without it, the one in force.
    pub async fn replace_prices(
        &self,
        admin: &User,
        table: PriceTable,
        replaces: Option<u64>,
        context: &RequestContext,
    ) -> Result<PriceList, GatewayError> {
        let replaces = match replaces {
            Some(version) => version,
            None => self.0.store.prices.load().await?.0,
        };
        // The table itself stands under its version.
        let detail = Detail::default()
            .with("replaces", Some(replaces))
            .with("entries", Some(table.entries().len()));
        let entry = context.entry(admin, AuditAction::PricesReplace, detail);
        let prices = NewPrices { table, replaces };
        let replaced = self.0.store.prices.replace(&prices, &entry).await?;
        let version = replaced.ok_or_else(|| {
            GatewayError::new(
                ErrorKind::Conflict,
                "prices_changed",
                "the prices were changed meanwhile: read them again",
            )
        })?;
        self.0.cache.forget(&SnapshotKey::Routing).await;
        Ok(PriceList { version, table: prices.table.with_version(version) })
    }
}
