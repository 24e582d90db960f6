//! The loop that makes one transaction of many calls: who hangs up, what fails, when it ends.

use crate::support::{call, credits, hold, open, payer};
use adapter_sql::{Batch, GroupedLedger, Row, SqlError, SqlExecutor, SqlLedger, Value};
use adapter_sqlite::{Grouping, SqliteExecutor};
use async_trait::async_trait;
use futures_util::{
    FutureExt,
    future::{join, join_all},
};
use gateway_domain::{TokenId, UserId};
use gateway_ports::{Hold, Ledger, Refusal, Reserved, Settled, Store, StoreError, UsageFilter};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts transactions, and fails those that speak of a bad model.
struct Watched {
    inner: Arc<SqliteExecutor>,
    batches: AtomicUsize,
}

#[async_trait]
impl SqlExecutor for Watched {
    async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        self.inner.read(sql, args).await
    }

    async fn batch(
        &self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let bad = |arg: &Value| matches!(arg, Value::Text(text) if text.contains("bad model"));
        if args.iter().any(bad) {
            return Err(SqlError::unavailable("a bad member"));
        }
        self.inner.batch(batch, args).await
    }
}

struct Bench {
    executor: Arc<Watched>,
    store: Store,
    payer: (UserId, TokenId),
    _folder: tempfile::TempDir,
}

async fn bench(granted: u64) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(folder.path()).await;
    let (store, _) = adapter_sqlite::store(&inner, Grouping::default());
    let payer = payer(&store, 1, granted, None).await;
    let batches = AtomicUsize::new(0);
    Bench { executor: Arc::new(Watched { inner, batches }), store, payer, _folder: folder }
}

impl Bench {
    fn ledger(
        &self,
        capacity: usize,
        largest: usize,
    ) -> (GroupedLedger<Watched>, impl Future<Output = ()> + use<>) {
        let ledger = SqlLedger::new(Arc::clone(&self.executor));
        GroupedLedger::new(ledger, capacity, largest)
    }

    fn batches(&self) -> usize {
        self.executor.batches.load(Ordering::Relaxed)
    }

    async fn held(&self) -> u64 {
        let user = self.store.users.find(self.payer.0).await;
        user.unwrap().unwrap().held.units()
    }
}

#[tokio::test]
async fn what_waits_together_is_one_transaction() {
    let bench = bench(1000).await;
    let (ledger, writer) = bench.ledger(1000, 64);
    let holds: Vec<Hold> = (0..64).map(|n| hold(bench.payer, n, 1)).collect();
    let reserves = async {
        let reserved = join_all(holds.iter().map(|hold| ledger.reserve(hold))).await;
        drop(ledger);
        reserved
    };
    let (reserved, ()) = join(reserves, writer).await;
    let granted = reserved.into_iter().map(Result::unwrap);
    assert!(granted.into_iter().all(Reserved::is_granted));
    assert_eq!(bench.batches(), 1);
    assert_eq!(bench.held().await, 64);
}

#[tokio::test]
async fn a_refused_neighbour_takes_nobody_down() {
    let bench = bench(100).await;
    let (ledger, writer) = bench.ledger(1000, 64);
    let amounts = [90, 20, 5, 200, 5, 1];
    let holds: Vec<Hold> =
        amounts.into_iter().zip(0..).map(|(amount, n)| hold(bench.payer, n, amount)).collect();
    let reserves = async {
        let reserved = join_all(holds.iter().map(|hold| ledger.reserve(hold))).await;
        drop(ledger);
        reserved
    };
    let (reserved, ()) = join(reserves, writer).await;
    let reserved: Vec<Reserved> = reserved.into_iter().map(Result::unwrap).collect();
    let expected = [
        Reserved::Granted(credits(90)),
        Reserved::Refused(Refusal::Held),
        Reserved::Granted(credits(5)),
        Reserved::Refused(Refusal::Exhausted),
        Reserved::Granted(credits(5)),
        Reserved::Refused(Refusal::Held),
    ];
    assert_eq!(reserved, expected);
    assert_eq!(bench.held().await, 100);
}

#[tokio::test]
async fn a_bad_member_fails_alone() {
    let bench = bench(1000).await;
    let (ledger, writer) = bench.ledger(1000, 64);
    let holds: Vec<Hold> = (0..10)
        .map(|n| {
            let mut hold = hold(bench.payer, n, 1);
            if n == 4 {
                hold.model = "bad model".to_owned();
            }
            hold
        })
        .collect();
    let operations = async {
        let reserves = join_all(holds.iter().map(|hold| ledger.reserve(hold)));
        let unknown = call(bench.payer, 99, 1);
        let outcome = join(reserves, ledger.settle(&unknown)).await;
        drop(ledger);
        outcome
    };
    let ((reserved, settled), ()) = join(operations, writer).await;
    for (n, reserved) in reserved.into_iter().enumerate() {
        match reserved {
            Ok(reserved) => assert!(n != 4 && reserved.is_granted()),
            Err(error) => assert!(n == 4 && matches!(error, StoreError::Unavailable(_))),
        }
    }
    let charged = credits(0);
    assert_eq!(settled.unwrap(), Settled { charged });
    assert_eq!(bench.held().await, 9);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let bench = bench(1000).await;
    // The loop does not run yet, so nothing leaves the queue.
    let (ledger, writer) = bench.ledger(4, 64);
    let holds: Vec<Hold> = (0..20).map(|n| hold(bench.payer, n, 1)).collect();
    let mut waiting: Vec<_> = holds.iter().map(|hold| ledger.reserve(hold)).collect();
    let refused = waiting.iter_mut().filter_map(FutureExt::now_or_never);
    let refused: Vec<_> = refused.collect();
    // One place is the sender's own.
    assert_eq!(refused.len(), 15);
    assert!(refused.iter().all(|r| matches!(r, Err(StoreError::Unavailable(_)))));
    drop(waiting);
    drop(ledger);
    writer.await;
}

#[tokio::test]
async fn who_hangs_up_before_the_transaction_holds_nothing() {
    let bench = bench(1000).await;
    let (ledger, writer) = bench.ledger(100, 64);
    for n in 0..8 {
        let hold = hold(bench.payer, n, 10);
        // Queued, and given up at once.
        assert!(ledger.reserve(&hold).now_or_never().is_none());
    }
    drop(ledger);
    writer.await;
    assert_eq!(bench.batches(), 0);
    assert_eq!(bench.held().await, 0);
}

#[tokio::test]
async fn who_hangs_up_during_the_transaction_pays_nothing() {
    let bench = bench(1000).await;
    let (ledger, writer) = bench.ledger(100, 64);
    let mut writer = std::pin::pin!(writer);
    let hold = hold(bench.payer, 1, 10);
    {
        let mut reserve = std::pin::pin!(ledger.reserve(&hold));
        assert!(reserve.as_mut().now_or_never().is_none());
        // The loop takes it and waits for the database; then the caller goes away.
        assert!(writer.as_mut().now_or_never().is_none());
        assert_eq!(bench.batches(), 1);
    }
    drop(ledger);
    writer.await;
    assert_eq!(bench.held().await, 0);
    let everything = UsageFilter::default();
    let rows = bench.store.usage.list(&everything, None, 10).await.unwrap();
    let row = rows.first().unwrap();
    assert_eq!((row.quota, row.status), (credits(0), 499));
}

#[tokio::test]
async fn who_hangs_up_after_using_it_still_pays() {
    let bench = bench(1000).await;
    let hold = hold(bench.payer, 1, 10);
    let direct = SqlLedger::new(Arc::clone(&bench.executor));
    assert!(direct.reserve(&hold).await.unwrap().is_granted());
    let (ledger, writer) = bench.ledger(100, 64);
    let end = call(bench.payer, 1, 7);
    assert!(ledger.settle(&end).now_or_never().is_none());
    drop(ledger);
    writer.await;
    let everything = UsageFilter::default();
    let rows = bench.store.usage.list(&everything, None, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(bench.held().await, 0);
}

#[tokio::test]
async fn a_ledger_whose_loop_has_ended_is_unavailable() {
    let bench = bench(1000).await;
    let (ledger, writer) = bench.ledger(100, 64);
    drop(writer);
    let reserved = ledger.reserve(&hold(bench.payer, 1, 10)).await;
    assert!(matches!(reserved, Err(StoreError::Unavailable(_))));
}

/// Does everything and says nothing of it.
struct Mute(Arc<SqliteExecutor>);

#[async_trait]
impl SqlExecutor for Mute {
    async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        self.0.read(sql, args).await
    }

    async fn batch(
        &self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        let results = self.0.batch(batch, args).await?;
        Ok(results.into_iter().map(|_| Vec::new()).collect())
    }
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_consent() {
    let bench = bench(1000).await;
    let mute = Mute(Arc::clone(&bench.executor.inner));
    let ledger = SqlLedger::new(Arc::new(mute));
    let reserved = ledger.reserve(&hold(bench.payer, 1, 10)).await;
    assert!(matches!(reserved, Err(StoreError::Corrupt(_))));
    let settled = ledger.settle(&call(bench.payer, 1, 7)).await;
    assert!(matches!(settled, Err(StoreError::Corrupt(_))));
}
