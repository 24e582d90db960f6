//! All repositories on one `SQLite` database, wired for the native gateway.

use crate::SqliteExecutor;
use adapter_sql::{GroupWatch, GroupedLedger, SqlLedger};
use gateway_ports::Store;
use std::sync::Arc;

/// How calls share the ledger's transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Operations that may wait; more are refused.
    pub queue: usize,
    /// The most operations of one transaction.
    pub largest: usize,
}

impl Default for Grouping {
    fn default() -> Self {
        Self { queue: 4096, largest: 128 }
    }
}

/// The repositories of a database, and the loop that its ledger needs: it has to run beside them,
/// and ends when the last clone of the store is dropped and all that waited is written.
pub fn store(
    executor: &Arc<SqliteExecutor>,
    grouping: Grouping,
) -> (Store, impl Future<Output = ()> + Send + 'static) {
    watched_store(executor, grouping, Arc::new(()))
}

/// The same, and somebody watches the ledger's queue and transactions.
pub fn watched_store(
    executor: &Arc<SqliteExecutor>,
    grouping: Grouping,
    watch: Arc<dyn GroupWatch>,
) -> (Store, impl Future<Output = ()> + Send + 'static) {
    let ledger = SqlLedger::new(Arc::clone(executor));
    let (ledger, writer) = GroupedLedger::watched(ledger, grouping.queue, grouping.largest, watch);
    (adapter_sql::store(executor, Arc::new(ledger)), writer)
}
