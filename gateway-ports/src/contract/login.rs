//! How failed logins must be counted.

use super::fixture::at;
use crate::Store;
use gateway_domain::Timestamp;

async fn record(store: &Store, scopes: &[&str], time: i64, since: i64) {
    let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
    let recorded = store.logins.record(&scopes, at(time), at(since)).await;
    recorded.unwrap();
}

/// How many failures since a moment, and when the first was.
async fn failures(store: &Store, scope: &str, since: i64) -> (u64, Option<i64>) {
    let (count, first) = store.logins.failures(scope, at(since)).await.unwrap();
    (count, first.map(Timestamp::as_millis))
}

pub(super) async fn failures_are_counted_since_a_moment(store: &Store) {
    assert_eq!(failures(store, "alice", 0).await, (0, None));
    for time in [10, 20, 30, 30] {
        record(store, &["alice"], time, 0).await;
    }
    assert_eq!(failures(store, "alice", 0).await, (4, Some(10)));
    assert_eq!(failures(store, "alice", 20).await, (3, Some(20)));
    assert_eq!(failures(store, "alice", 21).await, (2, Some(30)));
    assert_eq!(failures(store, "alice", 31).await, (0, None));
    assert_eq!(failures(store, "bob", 0).await, (0, None));
}

pub(super) async fn one_failure_counts_for_each_scope(store: &Store) {
    record(store, &["user:alice", "ip:\"::1\""], 10, 0).await;
    record(store, &["user:bob", "ip:\"::1\""], 20, 0).await;
    record(store, &[], 30, 0).await;
    assert_eq!(failures(store, "user:alice", 0).await, (1, Some(10)));
    assert_eq!(failures(store, "user:bob", 0).await, (1, Some(20)));
    assert_eq!(failures(store, "ip:\"::1\"", 0).await, (2, Some(10)));
}

pub(super) async fn recording_forgets_what_is_old(store: &Store) {
    record(store, &["alice", "bob"], 10, 0).await;
    record(store, &["alice"], 100, 50).await;
    assert_eq!(failures(store, "alice", 0).await, (1, Some(100)));
    // Of every scope: nobody asks for those of an attacker who left.
    assert_eq!(failures(store, "bob", 0).await, (0, None));
}

pub(super) async fn clearing_forgets_one_scope(store: &Store) {
    record(store, &["alice", "bob"], 10, 0).await;
    store.logins.clear("alice").await.unwrap();
    assert_eq!(failures(store, "alice", 0).await, (0, None));
    assert_eq!(failures(store, "bob", 0).await, (1, Some(10)));
}
