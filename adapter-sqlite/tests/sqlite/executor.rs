//! A transaction is all or nothing, a commit that fails is an error, and a file has one process.

use crate::support::{entry, new_token, new_user, open, options, payer};
use adapter_sql::{Batch, SqlError, SqlExecutor, Value};
use adapter_sqlite::{Grouping, OpenError, SqliteExecutor, SqliteOptions};
use gateway_domain::UserId;
use gateway_ports::{AuditAction, StoreError};
use std::sync::Arc;

/// A key of nobody: allowed until the commit, and refused there.
static ORPHAN: Batch = Batch::once(&[
    "PRAGMA defer_foreign_keys = ON",
    "INSERT INTO tokens (user_id, name, digest, key_prefix, key_last4, models, subnet, created_at, updated_at)
     VALUES (?2, '', ?1, '', '', '', '', 0, 0)",
]);

static SAVE_AND_FAIL: Batch = Batch::once(&[
    "INSERT INTO settings (key, value) VALUES ('a', ?1)",
    "INSERT INTO settings (key, value) VALUES ('a', ?1)",
]);

/// Each statement uses other parameters, so that a driver that counts them wrongly is caught.
static GAPS: Batch = Batch::once(&[
    "SELECT ?4 AS a",
    "SELECT ?3 AS a",
    "SELECT ?4 AS a",
    "SELECT ?2 AS a, ?4 AS b",
    "SELECT ?4 AS a WHERE ?4 IS NULL",
    "SELECT ?4 AS a UNION ALL SELECT ?1",
]);

static SAVE: Batch = Batch::replayable(&["\
INSERT INTO settings (key, value) VALUES ('a', ?1)
ON CONFLICT (key) DO UPDATE SET value = excluded.value"]);

static REAL: Batch = Batch::once(&["SELECT 0.5 AS half"]);

async fn count(executor: &SqliteExecutor, sql: &'static str) -> i64 {
    let rows = executor.read(sql, Vec::new()).await.unwrap();
    match rows.first().and_then(|row| row.get("n")) {
        Some(Value::Int(n)) => *n,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_commit_that_fails_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    for _ in 0..3 {
        let args = vec![Value::Text("d".into()), Value::Int(4711)];
        let result = executor.batch(&ORPHAN, args).await;
        assert!(matches!(result, Err(SqlError::Corrupt(_))), "{result:?}");
        let n = count(&executor, "SELECT COUNT(*) AS n FROM tokens").await;
        assert_eq!(n, 0);
    }
    // And the connection still works.
    let (store, _) = adapter_sqlite::store(&executor, Grouping::default());
    store.users.insert(&new_user("alice", 0)).await.unwrap();
}

#[tokio::test]
async fn a_failing_statement_undoes_those_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    for _ in 0..3 {
        let args = vec![Value::Text("v".into())];
        let result = executor.batch(&SAVE_AND_FAIL, args).await;
        assert!(matches!(result, Err(SqlError::Conflict)), "{result:?}");
        let n = count(&executor, "SELECT COUNT(*) AS n FROM settings").await;
        assert_eq!(n, 0);
    }
}

#[tokio::test]
async fn statements_share_parameters_whichever_they_use() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let args: Vec<Value> = (1..=4).map(Value::Int).collect();
    for _ in 0..2 {
        let results = executor.batch(&GAPS, args.clone()).await.unwrap();
        let values: Vec<Vec<Option<&Value>>> =
            results.iter().map(|rows| rows.iter().map(|row| row.get("a")).collect()).collect();
        let [one, two, three, four] = [1, 2, 3, 4].map(Value::Int);
        let expected: [&[&Value]; 6] =
            [&[&four], &[&three], &[&four], &[&two], &[], &[&four, &one]];
        for (values, expected) in values.iter().zip(expected) {
            let expected: Vec<_> = expected.iter().map(|v| Some(*v)).collect();
            assert_eq!(*values, expected);
        }
        let both = results.get(3).and_then(|rows| rows.first());
        assert_eq!(both.and_then(|row| row.get("b")), Some(&four));
    }
}

#[tokio::test]
async fn a_value_of_a_type_that_is_never_written_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let result = executor.batch(&REAL, Vec::new()).await;
    assert!(matches!(result, Err(SqlError::Corrupt(_))), "{result:?}");
    let (store, _) = adapter_sqlite::store(&executor, Grouping::default());
    store.users.insert(&new_user("alice", 0)).await.unwrap();
}

#[tokio::test]
async fn text_and_numbers_come_back_as_they_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let sql = "SELECT ?1 AS a, ?2 AS b, ?3 AS c";
    let (nul, most) = ("a\0b\u{10ffff}'\"", (1i64 << 53) - 1);
    let args = vec![Value::Text(nul.into()), Value::Int(most), Value::Null];
    let rows = executor.read(sql, args.clone()).await.unwrap();
    let row = rows.first().unwrap();
    for (name, value) in ["a", "b", "c"].into_iter().zip(&args) {
        assert_eq!(row.get(name), Some(value));
    }
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_ends() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    let second = SqliteExecutor::open(&options(folder.path())).await;
    assert!(matches!(second, Err(OpenError::Locked(_))), "{second:?}");
    first.close().await;
    open(folder.path()).await;
}

#[tokio::test]
async fn reopening_keeps_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let (store, _) = adapter_sqlite::store(&executor, Grouping::default());
    let (user, token) = payer(&store, 1, 100, Some(50)).await;
    let before = store.tokens.find(user, token).await.unwrap();
    assert!(before.is_some());
    drop(store);
    executor.close().await;
    // Everything is in the database itself: a copy of the file is a backup.
    let wal = folder.path().join("test.db-wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0);

    let executor = open(folder.path()).await;
    let (store, _) = adapter_sqlite::store(&executor, Grouping::default());
    assert_eq!(store.tokens.find(user, token).await.unwrap(), before);
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let (store, _) = adapter_sqlite::store(&executor, Grouping::default());
    executor.close().await;
    let read = store.users.find(UserId(1)).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let written = store.users.insert(&new_user("alice", 0)).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn what_was_queued_is_written_before_closing() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let (store, _) = adapter_sqlite::store(&executor, Grouping::default());
    let owner = store.users.insert(&new_user("alice", 0)).await.unwrap();
    let tokens: Vec<_> = (0..50).map(|n| new_token(owner, n, None)).collect();
    let entry = entry(AuditAction::TokenCreate);
    let inserts = tokens.iter().map(|token| store.tokens.insert(token, 100, &entry));
    let inserts = futures_util::future::join_all(inserts);
    // The inserts are queued first, because they are polled first.
    let (made, ()) = futures_util::future::join(inserts, executor.close()).await;
    assert!(made.into_iter().all(|made| made.unwrap().is_some()));
    let executor = open(folder.path()).await;
    let n = count(&executor, "SELECT COUNT(*) AS n FROM tokens").await;
    assert_eq!(n, 50);
}

#[tokio::test]
async fn a_full_queue_is_unavailable_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { queue: 1, ..options(folder.path()) };
    let executor = SqliteExecutor::open(&options).await.unwrap();
    let save = |_| executor.batch(&SAVE, vec![Value::Text("{}".into())]);
    let results = futures_util::future::join_all((0..50).map(save)).await;
    let full = results.iter().filter(|result| result.is_err()).count();
    assert!(full > 0 && full < 50, "{full}");
    // It passes.
    save(0).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let junk = "this is no database, however long it is. ".repeat(200);
    std::fs::write(folder.path().join("test.db"), junk).unwrap();
    let opened = SqliteExecutor::open(&options(folder.path())).await;
    assert!(matches!(opened, Err(OpenError::Database(_))), "{opened:?}");
}

#[test]
fn the_executor_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<SqliteExecutor>();
    check::<Arc<SqliteExecutor>>();
}
