//! Whoever watches the ledger's queue and its transactions.

use std::fmt::Debug;

/// Whoever watches a [`GroupedLedger`](crate::GroupedLedger). Methods are called on its way, so they
/// must be quick. Every operation is queued, and then either turned away or taken.
pub trait GroupWatch: Debug + Send + Sync {
    /// An operation joins the queue.
    fn queued(&self);

    /// The queue was full: the operation that was queued last is not in it.
    fn turned_away(&self);

    /// So many operations leave the queue, and make one transaction, which begins.
    fn taken(&self, operations: usize);

    /// That transaction is on the disk, or has failed.
    fn written(&self);
}

/// Nobody watches.
impl GroupWatch for () {
    fn queued(&self) {}
    fn turned_away(&self) {}
    fn taken(&self, _: usize) {}
    fn written(&self) {}
}
