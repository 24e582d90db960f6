//! The check of the books finds what does not add up. No port can make the books wrong, so here
//! somebody else's hand does.

use crate::support::{NOW, call, hold, open, payer};
use adapter_sql::{Batch, SqlExecutor};
use adapter_sqlite::Grouping;
use gateway_domain::Timestamp;

/// Books that are right: one call is settled, one is held.
async fn found_after(wrong: &'static Batch) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let (store, writer) = adapter_sqlite::store(&executor, Grouping::default());
    let work = async {
        let payer = payer(&store, 1, 1000, Some(500)).await;
        for n in 1..=2 {
            assert!(store.ledger.reserve(&hold(payer, n, 40)).await.unwrap().is_granted());
        }
        store.ledger.settle(&call(payer, 1, 30)).await.unwrap();
        let now = Timestamp::from_millis(NOW);
        assert_eq!(store.books.verify(now).await.unwrap(), []);
        executor.batch(wrong, Vec::new()).await.unwrap();
        store.books.verify(now).await.unwrap()
    };
    let found = tokio::select! {
        found = work => found,
        () = writer => panic!("the loop ended"),
    };
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_figure_that_is_wrong_is_found() {
    // What no statement can do, because the schema forbids it, a damaged file can.
    const UNCHECKED: &str = "PRAGMA ignore_check_constraints = ON";
    static GRANTED: Batch = Batch::once(&["UPDATE users SET granted = granted + 1"]);
    static HELD: Batch = Batch::once(&["UPDATE users SET held = held + 1"]);
    static SPENT: Batch = Batch::once(&["UPDATE users SET spent = spent + 1"]);
    static COUNT: Batch = Batch::once(&["UPDATE users SET request_count = request_count + 1"]);
    static OVERDRAWN: Batch =
        Batch::once(&[UNCHECKED, "UPDATE users SET granted = 60", "UPDATE grants SET amount = 60"]);
    static KEY_HELD: Batch = Batch::once(&["UPDATE tokens SET held = held - 1"]);
    static KEY_SPENT: Batch = Batch::once(&["UPDATE tokens SET spent = spent - 1"]);
    static KEY_COUNT: Batch = Batch::once(&["UPDATE tokens SET request_count = 0"]);
    static BEYOND: Batch = Batch::once(&[UNCHECKED, "UPDATE tokens SET cap = 60"]);
    static VOID: Batch = Batch::once(&["UPDATE calls SET state = 'void' WHERE state = 'settled'"]);
    for (wrong, expected) in [
        (&GRANTED, "user 1: granted is 1001, and should be 1000"),
        (&HELD, "user 1: held is 41, and should be 40"),
        (&SPENT, "user 1: spent is 31, and should be 30"),
        (&COUNT, "user 1: request_count is 2, and should be 1"),
        (&OVERDRAWN, "user 1: overdrawn is 10, and should be 0"),
        (&KEY_HELD, "key 1: held is 39, and should be 40"),
        (&KEY_SPENT, "key 1: spent is 29, and should be 30"),
        (&KEY_COUNT, "key 1: request_count is 0, and should be 1"),
        (&BEYOND, "key 1: beyond its cap is 10, and should be 0"),
    ] {
        assert_eq!(found_after(wrong).await, [expected]);
    }
    let found = found_after(&VOID).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("charge of what no upstream accepted is 30, and should be 0"));
}
