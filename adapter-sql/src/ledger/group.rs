//! One transaction for everybody who waits: a commit costs the same for one call as for a hundred.
//!
//! Operations queue; one loop takes whatever came while the last transaction committed, and makes
//! one of it. The queue is bounded: a full one is an error at once, not a wait without end.

use super::{SqlLedger, watch::GroupWatch};
use crate::SqlExecutor;
use async_trait::async_trait;
use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use gateway_domain::{
    CallRecord, CallState, Credits, EndReason, RequestId, Timestamp, TokenCounts,
};
use gateway_ports::{
    AuditEntry, BalanceChanged, Checkpoint, Grant, Hold, Ledger, Reserved, Settled, StoreError,
};
use std::sync::{Arc, Mutex, PoisonError};

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Operation {
    Reserve(Hold, Reply<Reserved>),
    Settle(CallRecord, Reply<Settled>),
    Checkpoint(Vec<Checkpoint>, Reply<Vec<RequestId>>),
}

/// A ledger whose calls share transactions.
#[derive(Debug)]
pub struct GroupedLedger<E: ?Sized> {
    ledger: SqlLedger<E>,
    // One sender for all, because every clone of it would add a place to the queue.
    queue: Mutex<mpsc::Sender<Operation>>,
    watch: Arc<dyn GroupWatch>,
}

impl<E: SqlExecutor + ?Sized> GroupedLedger<E> {
    /// A ledger with a queue of about `capacity` operations, of which up to `largest_group` make
    /// one transaction, and the loop that has to run for it. The loop ends with the ledger.
    pub fn new(
        ledger: SqlLedger<E>,
        capacity: usize,
        largest_group: usize,
    ) -> (Self, impl Future<Output = ()> + Send + use<E>) {
        Self::watched(ledger, capacity, largest_group, Arc::new(()))
    }

    /// The same, and somebody watches the queue and the transactions.
    pub fn watched(
        ledger: SqlLedger<E>,
        capacity: usize,
        largest_group: usize,
        watch: Arc<dyn GroupWatch>,
    ) -> (Self, impl Future<Output = ()> + Send + use<E>) {
        let (sender, receiver) = mpsc::channel(capacity);
        let queue = Mutex::new(sender);
        let this = Self { ledger: ledger.clone(), queue, watch: watch.clone() };
        (this, run(ledger, receiver, largest_group.max(1), watch))
    }

    async fn ask<T>(&self, operation: impl FnOnce(Reply<T>) -> Operation) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.watch.queued();
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_send(operation(reply))
            .map_err(|error| {
                self.watch.turned_away();
                StoreError::unavailable(error.into_send_error())
            })?;
        answer.await.map_err(StoreError::unavailable)?
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> Ledger for GroupedLedger<E> {
    async fn reserve(&self, hold: &Hold) -> Result<Reserved, StoreError> {
        let hold = hold.clone();
        self.ask(|reply| Operation::Reserve(hold, reply)).await
    }

    async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError> {
        let call = call.clone();
        self.ask(|reply| Operation::Settle(call, reply)).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.ledger.sweep(now).await
    }

    async fn checkpoint(&self, calls: &[Checkpoint]) -> Result<Vec<RequestId>, StoreError> {
        let calls = calls.to_vec();
        self.ask(|reply| Operation::Checkpoint(calls, reply)).await
    }

    async fn grant(&self, grant: &Grant, entry: &AuditEntry) -> Result<BalanceChanged, StoreError> {
        self.ledger.grant(grant, entry).await
    }
}

async fn run<E: SqlExecutor + ?Sized>(
    ledger: SqlLedger<E>,
    mut queue: mpsc::Receiver<Operation>,
    largest_group: usize,
    watch: Arc<dyn GroupWatch>,
) {
    while let Some(first) = queue.next().await {
        let mut group = Group::default();
        let mut taken = 1;
        group.push(first);
        while group.len() < largest_group
            && let Ok(next) = queue.try_recv()
        {
            taken += 1;
            group.push(next);
        }
        watch.taken(taken);
        group.apply(&ledger).await;
        watch.written();
    }
}

#[derive(Default)]
struct Group {
    holds: Vec<Hold>,
    hold_replies: Vec<Reply<Reserved>>,
    calls: Vec<CallRecord>,
    call_replies: Vec<Reply<Settled>>,
    checkpoints: Vec<Checkpoint>,
    checkpoint_replies: Vec<Reply<Vec<RequestId>>>,
}

impl Group {
    fn push(&mut self, operation: Operation) {
        match operation {
            // Nobody waits for it any more, and nothing was held yet.
            Operation::Reserve(_, reply) if reply.is_canceled() => {}
            Operation::Reserve(hold, reply) => {
                self.holds.push(hold);
                self.hold_replies.push(reply);
            }
            // What was used is charged, whoever waits.
            Operation::Settle(call, reply) => {
                self.calls.push(call);
                self.call_replies.push(reply);
            }
            Operation::Checkpoint(calls, reply) => {
                self.checkpoints.extend(calls);
                self.checkpoint_replies.push(reply);
            }
        }
    }

    fn len(&self) -> usize {
        self.holds.len() + self.calls.len() + self.checkpoints.len()
    }

    async fn apply<E: SqlExecutor + ?Sized>(mut self, ledger: &SqlLedger<E>) {
        self.checkpoint(ledger).await;
        if self.holds.is_empty() && self.calls.is_empty() {
            return;
        }
        let alone = self.holds.len() + self.calls.len() == 1;
        let (reserved, settled) = match ledger.apply(&self.holds, &self.calls).await {
            Ok((reserved, settled)) => {
                (reserved.into_iter().map(Ok).collect(), settled.into_iter().map(Ok).collect())
            }
            Err(error) if alone && self.holds.is_empty() => (Vec::new(), vec![Err(error)]),
            Err(error) if alone => (vec![Err(error)], Vec::new()),
            // One bad member must fail alone. A transaction is all or nothing, so trying again
            // is safe, and each operation is replayable besides.
            Err(_) => one_by_one(ledger, &self.holds, &self.calls).await,
        };
        for (reply, outcome) in self.call_replies.into_iter().zip(settled) {
            // Who hung up does not want to know.
            let _ = reply.send(outcome);
        }
        let mut abandoned = Vec::new();
        for ((hold, reply), outcome) in self.holds.iter().zip(self.hold_replies).zip(reserved) {
            if let Err(Ok(Reserved::Granted(_))) = reply.send(outcome) {
                abandoned.push(unused(hold));
            }
        }
        if !abandoned.is_empty() {
            // Best effort: what stays open is closed by a sweep, though not for nothing.
            let _ = ledger.apply(&[], &abandoned).await;
        }
    }

    /// All floors in one transaction of their own: whoever streams does not wait for it. Everybody
    /// hears of all lost calls, and finds its own among them.
    async fn checkpoint<E: SqlExecutor + ?Sized>(&mut self, ledger: &SqlLedger<E>) {
        if self.checkpoints.is_empty() {
            return;
        }
        let lost = ledger.checkpoint(&self.checkpoints).await;
        for reply in self.checkpoint_replies.drain(..) {
            // An error is the same for all, but cannot be copied.
            let _ = reply.send(match &lost {
                Ok(lost) => Ok(lost.clone()),
                Err(error) => Err(StoreError::unavailable(error.to_string())),
            });
        }
    }
}

async fn one_by_one<E: SqlExecutor + ?Sized>(
    ledger: &SqlLedger<E>,
    holds: &[Hold],
    calls: &[CallRecord],
) -> (Vec<Result<Reserved, StoreError>>, Vec<Result<Settled, StoreError>>) {
    let mut settled = Vec::with_capacity(calls.len());
    for call in calls {
        settled.push(ledger.settle(call).await);
    }
    let mut reserved = Vec::with_capacity(holds.len());
    for hold in holds {
        reserved.push(ledger.reserve(hold).await);
    }
    (reserved, settled)
}

/// The settlement of a hold whose caller went away before hearing of it: no upstream was asked.
fn unused(hold: &Hold) -> CallRecord {
    CallRecord {
        request_id: hold.request_id.clone(),
        user_id: hold.user_id,
        token_id: hold.token_id,
        channel_id: None,
        model: hold.model.clone(),
        upstream_model: hold.model.clone(),
        state: CallState::Void,
        counts: TokenCounts::default(),
        price: hold.price,
        quota: Credits::ZERO,
        unbilled: Credits::ZERO,
        estimated: false,
        stream: hold.stream,
        status: 499,
        end_reason: EndReason::ClientGone,
        attempts: 0,
        failures: Vec::new(),
        dropped: Vec::new(),
        latency_ms: 0,
        first_byte_ms: None,
        created_at: hold.created_at,
    }
}
