//! How failed logins must be counted.

use super::fixture::at;
use crate::Store;
use futures_util::future::join_all;
use gateway_domain::Timestamp;

/// Begins a login; gives when the first failure was of the scope that is full.
async fn begin(store: &Store, scopes: &[(&str, u64)], time: i64, since: i64) -> Option<i64> {
    let scopes: Vec<_> = scopes.iter().map(|&(scope, most)| (scope.to_owned(), most)).collect();
    let begun = store.logins.begin(&scopes, at(time), at(since)).await;
    begun.unwrap().map(Timestamp::as_millis)
}

pub(super) async fn logins_are_let_in_up_to_a_number_since_a_moment(store: &Store) {
    for time in [10, 20, 30] {
        assert_eq!(begin(store, &[("alice", 3)], time, 0).await, None, "{time}");
    }
    assert_eq!(begin(store, &[("alice", 3)], 40, 0).await, Some(10));
    // What was refused is not counted.
    assert_eq!(begin(store, &[("alice", 4)], 40, 0).await, None);
    assert_eq!(begin(store, &[("alice", 3)], 50, 20).await, Some(20));
    assert_eq!(begin(store, &[("alice", 3)], 50, 21).await, None);
    assert_eq!(begin(store, &[("bob", 1)], 50, 0).await, None);
}

pub(super) async fn one_login_counts_for_each_scope_or_for_none(store: &Store) {
    let place = "ip:\"::1\"";
    assert_eq!(begin(store, &[("user:alice", 5), (place, 2)], 10, 0).await, None);
    assert_eq!(begin(store, &[("user:bob", 5), (place, 2)], 20, 0).await, None);
    assert_eq!(begin(store, &[("user:carol", 1), (place, 2)], 30, 0).await, Some(10));
    assert_eq!(begin(store, &[("user:carol", 1)], 30, 0).await, None);
    assert_eq!(begin(store, &[("user:carol", 1), (place, 9)], 40, 0).await, Some(30));
    assert_eq!(begin(store, &[(place, 3)], 40, 0).await, None);
}

pub(super) async fn logins_that_begin_at_once_are_all_counted(store: &Store) {
    let all =
        join_all((0..40).map(|time| begin(store, &[("alice", 5), ("ip", 20)], time, 0))).await;
    assert_eq!(all.iter().filter(|full| full.is_none()).count(), 5);
    assert_eq!(begin(store, &[("ip", 5)], 50, 0).await.map(|first| first < 40), Some(true));
    assert_eq!(begin(store, &[("ip", 6)], 50, 0).await, None);
}

pub(super) async fn a_beginning_forgets_what_is_old(store: &Store) {
    assert_eq!(begin(store, &[("alice", 9), ("bob", 9)], 10, 0).await, None);
    assert_eq!(begin(store, &[("alice", 9)], 100, 50).await, None);
    assert_eq!(begin(store, &[("alice", 1)], 100, 0).await, Some(100));
    // Of every scope: nobody asks for those of an attacker who left.
    assert_eq!(begin(store, &[("bob", 1)], 100, 0).await, None);
}

pub(super) async fn clearing_forgets_one_scope(store: &Store) {
    assert_eq!(begin(store, &[("alice", 9), ("bob", 9)], 10, 0).await, None);
    store.logins.clear("alice").await.unwrap();
    assert_eq!(begin(store, &[("alice", 1)], 20, 0).await, None);
    assert_eq!(begin(store, &[("bob", 1)], 20, 0).await, Some(10));
}

pub(super) async fn what_is_taken_back_is_one_of_that_moment(store: &Store) {
    for time in [10, 10, 20] {
        assert_eq!(begin(store, &[("alice", 9), ("ip", 9)], time, 0).await, None);
    }
    let scopes = ["alice".to_owned(), "ip".to_owned(), "nobody".to_owned()];
    store.logins.take_back(&scopes, at(10)).await.unwrap();
    store.logins.take_back(&scopes, at(30)).await.unwrap();
    for scope in ["alice", "ip"] {
        assert_eq!(begin(store, &[(scope, 2)], 40, 0).await, Some(10), "{scope}");
        assert_eq!(begin(store, &[(scope, 3)], 40, 0).await, None, "{scope}");
    }
    store.logins.take_back(&[], at(10)).await.unwrap();
}
