//! Every statement fits the schema, and those of the hot path find their rows by key.

use crate::support::open;
use adapter_sql::{SqlExecutor, Value, catalogue};

async fn plan(executor: &impl SqlExecutor, sql: &str) -> Vec<String> {
    let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let rows = executor.read(explain, vec![Value::Null; 14]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error:?} in {sql}"));
    let details = rows.iter().map(|row| match row.get("detail") {
        Some(Value::Text(detail)) => detail.clone(),
        other => panic!("{other:?}"),
    });
    details.collect()
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let mut count = 0;
    for sql in catalogue::ALL.iter().copied().flatten() {
        plan(&executor, sql).await;
        count += 1;
    }
    assert!(count > 40, "{count}");
}

#[tokio::test]
async fn the_hot_path_reads_no_table_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(folder.path()).await;
    let batches = [&catalogue::ledger::SETTLE_AND_RESERVE, &catalogue::ledger::SWEEP];
    let statements = batches.iter().flat_map(|batch| batch.statements);
    let reads = [
        &catalogue::token::TOKEN_BY_DIGEST,
        &catalogue::user::USER_CREDENTIAL_BY_USERNAME,
        &catalogue::login::LOGIN_FULL,
        &catalogue::usage::USAGE_LIST_OF_USER,
    ];
    for sql in statements.chain(reads) {
        for detail in plan(&executor, sql).await {
            // `j` and `s` are the arrays and what is summed from them.
            let table = detail.strip_prefix("SCAN ").unwrap_or_default();
            let array = ["j ", "s", "(subquery"].iter().any(|a| table.starts_with(a));
            assert!(table.is_empty() || array, "{detail} in {sql}");
        }
    }
}
