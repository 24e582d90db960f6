//! All repositories of one SQL store, together.

use crate::{
    SqlAudit, SqlBooks, SqlChannels, SqlExecutor, SqlHealth, SqlLogins, SqlPrices, SqlSettings,
    SqlTokens, SqlUsage, SqlUsers,
};
use gateway_ports::{Ledger, Store};
use std::sync::Arc;

/// The repositories of a store. The ledger is given, because stores differ in how calls share
/// transactions: [`GroupedLedger`](crate::GroupedLedger) or plain [`SqlLedger`](crate::SqlLedger).
pub fn store<E: SqlExecutor + 'static>(executor: &Arc<E>, ledger: Arc<dyn Ledger>) -> Store {
    Store {
        users: Arc::new(SqlUsers::new(Arc::clone(executor))),
        tokens: Arc::new(SqlTokens::new(Arc::clone(executor))),
        channels: Arc::new(SqlChannels::new(Arc::clone(executor))),
        health: Arc::new(SqlHealth::new(Arc::clone(executor))),
        usage: Arc::new(SqlUsage::new(Arc::clone(executor))),
        ledger,
        books: Arc::new(SqlBooks::new(Arc::clone(executor))),
        prices: Arc::new(SqlPrices::new(Arc::clone(executor))),
        settings: Arc::new(SqlSettings::new(Arc::clone(executor))),
        logins: Arc::new(SqlLogins::new(Arc::clone(executor))),
        audit: Arc::new(SqlAudit::new(Arc::clone(executor))),
    }
}
