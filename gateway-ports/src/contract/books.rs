//! What the books as a whole must keep.

use super::fixture::{GRANTED, NOW, Payer, at, charged, payer, refused};
use crate::{Hold, Refusal, Store, UsageFilter, UsageGroup, UsageSum};
use gateway_domain::{CallRecord, ChannelId, FailedAttempt, FaultKind, RequestId, Timestamp};

const DAY: i64 = 86_400_000;

/// An id as it is made at a moment.
fn id(ms: i64, n: u64) -> RequestId {
    RequestId(format!("{}-7000-8000-{n:012x}", RequestId::first_of(at(ms)).0))
}

/// Holds a call that came at a moment.
async fn hold(payer: &Payer<'_>, ms: i64, n: u64) -> CallRecord {
    let request_id = id(ms, n);
    let hold = Hold {
        request_id: request_id.clone(),
        created_at: at(ms),
        expires_at: at(ms + 60_000),
        ..payer.hold(n, 20)
    };
    assert_eq!(payer.try_reserve(&hold).await, GRANTED);
    CallRecord { request_id, created_at: at(ms), ..payer.call(n, 10) }
}

async fn finish(payer: &Payer<'_>, ms: i64, n: u64) {
    let mut call = hold(payer, ms, n).await;
    if n.is_multiple_of(3) {
        call.failures = vec![FailedAttempt(ChannelId(9), FaultKind::Server)];
    }
    assert_eq!(payer.store.ledger.settle(&call).await.unwrap(), charged(10));
}

async fn sums(store: &Store, filter: &UsageFilter) -> Vec<Vec<UsageSum>> {
    let mut all = Vec::new();
    for group in [UsageGroup::Model, UsageGroup::User, UsageGroup::Token, UsageGroup::Channel] {
        all.push(store.usage.sums(filter, group, 1000).await.unwrap());
    }
    all
}

async fn rows(store: &Store) -> usize {
    store.usage.list(&UsageFilter::default(), None, 1000).await.unwrap().len()
}

pub(super) async fn books_of_all_sorts_of_calls_add_up(store: &Store) {
    let payer = payer(store, 1, 1000, Some(900)).await;
    assert_eq!(store.books.verify(at(NOW)).await.unwrap(), []);
    for n in 0..8 {
        finish(&payer, NOW, n).await;
    }
    hold(&payer, NOW, 8).await;
    payer.grant("more", 5).await;
    payer.expect_books_to_add_up().await;
}

pub(super) async fn a_hold_that_nobody_closed_is_found(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    hold(&payer, NOW, 1).await;
    let later = at(NOW + 60_000 + 60_000);
    assert_eq!(store.books.verify(later).await.unwrap(), []);
    let found = store.books.verify(at(later.as_millis() + 1001)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.iter().all(|found| found.subject.starts_with("call ")), "{found:?}");
    store.ledger.sweep(later).await.unwrap();
    assert_eq!(
        store.books.verify(later.plus(std::time::Duration::from_mins(9))).await.unwrap(),
        []
    );
}

pub(super) async fn rolling_up_and_purging_change_no_sum(store: &Store) {
    let alice = payer(store, 1, 1000, None).await;
    let bob = payer(store, 2, 1000, None).await;
    let today = Timestamp::start_of_day(at(NOW).day()).as_millis();
    for n in 0..12u8 {
        let payer = if n % 4 == 0 { &bob } else { &alice };
        finish(payer, today - DAY * i64::from(n / 3) + 3_600_000, u64::from(n)).await;
    }
    let filters = [
        UsageFilter::default(),
        UsageFilter { user_id: Some(alice.user_id), ..UsageFilter::default() },
        UsageFilter { channel_id: Some(ChannelId(9)), ..UsageFilter::default() },
        UsageFilter {
            from: Some(at(today - 2 * DAY)),
            until: Some(at(today)),
            ..UsageFilter::default()
        },
    ];
    let mut before = Vec::new();
    for filter in &filters {
        before.push(sums(store, filter).await);
    }
    // The days before yesterday; then all, in two turns of which the second finds nothing.
    for (until, rolled_up) in [(today - DAY, 6), (today + DAY, 6), (today + DAY, 0)] {
        assert_eq!(store.books.roll_up(at(until)).await.unwrap(), rolled_up);
        for (filter, before) in filters.iter().zip(&before) {
            assert_eq!(sums(store, filter).await, *before, "{filter:?}");
        }
    }
    for (until, purged, left) in [(today - DAY, 6, 6), (today + DAY, 6, 0), (today + DAY, 0, 0)] {
        assert_eq!(store.books.purge(at(until)).await.unwrap(), purged);
        assert_eq!(rows(store).await, left);
        for (filter, before) in filters.iter().zip(&before) {
            assert_eq!(sums(store, filter).await, *before, "{filter:?}");
        }
    }
    alice.expect_books_to_add_up().await;
    alice.expect_money(90, 0).await;
    bob.expect_money(30, 0).await;
}

pub(super) async fn a_call_is_rolled_up_when_all_before_it_are_closed(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    finish(&payer, NOW, 1).await;
    let open = hold(&payer, NOW + 1, 2).await;
    finish(&payer, NOW + 2, 3).await;
    assert_eq!(store.books.roll_up(at(NOW + 9)).await.unwrap(), 1);
    assert_eq!(store.books.roll_up(at(NOW + 9)).await.unwrap(), 0);
    store.ledger.settle(&open).await.unwrap();
    assert_eq!(store.books.roll_up(at(NOW + 9)).await.unwrap(), 2);
    payer.expect_books_to_add_up().await;
}

pub(super) async fn a_day_that_is_rolled_up_in_turns_adds_up(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let today = Timestamp::start_of_day(at(NOW).day()).as_millis();
    // Of one day, one model, one key and one channel; each third of them after a failure.
    for n in 0..6 {
        finish(&payer, today + i64::try_from(n).unwrap() * 1000, n).await;
    }
    let filter = UsageFilter::default();
    let before = sums(store, &filter).await;
    let failed = UsageFilter { channel_id: Some(ChannelId(9)), ..UsageFilter::default() };
    let failures = sums(store, &failed).await;
    for turn in 1..=3 {
        assert_eq!(store.books.roll_up(at(today + turn * 2000)).await.unwrap(), 2);
        assert_eq!(sums(store, &filter).await, before, "after turn {turn}");
        assert_eq!(sums(store, &failed).await, failures, "after turn {turn}");
        payer.expect_books_to_add_up().await;
    }
}

pub(super) async fn only_what_is_rolled_up_is_purged(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    finish(&payer, NOW, 1).await;
    assert_eq!(store.books.purge(at(NOW + 9)).await.unwrap(), 0);
    store.books.roll_up(at(NOW + 9)).await.unwrap();
    assert_eq!(store.books.purge(at(NOW)).await.unwrap(), 0);
    assert_eq!(store.books.purge(at(NOW + 9)).await.unwrap(), 1);
    assert_eq!(rows(store).await, 0);
    payer.expect_books_to_add_up().await;
}

pub(super) async fn what_is_rolled_up_is_not_corrected_any_more(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let open = hold(&payer, NOW, 1).await;
    assert_eq!(store.ledger.sweep(at(NOW + 60_000)).await.unwrap(), 1);
    store.books.roll_up(at(NOW + 9)).await.unwrap();
    assert_eq!(store.ledger.settle(&open).await.unwrap(), charged(1));
    payer.expect_books_to_add_up().await;
    store.books.purge(at(NOW + 9)).await.unwrap();
    assert_eq!(store.ledger.settle(&open).await.unwrap(), charged(0));
    payer.expect_books_to_add_up().await;
}

pub(super) async fn what_is_over_does_not_begin_again(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let late = payer.hold(0, 5);
    finish(&payer, NOW, 1).await;
    let open = hold(&payer, NOW + 1, 2).await;
    store.ledger.settle(&open).await.unwrap();
    store.books.roll_up(at(NOW + 9)).await.unwrap();
    for purged in [false, true] {
        if purged {
            assert_eq!(store.books.purge(at(NOW + 9)).await.unwrap(), 2);
        }
        let again = Hold { request_id: open.request_id.clone(), ..late.clone() };
        for hold in [&again, &late] {
            assert_eq!(payer.try_reserve(hold).await, refused(Refusal::Duplicate));
        }
    }
    payer.expect_money(20, 0).await;
    payer.expect_books_to_add_up().await;
}
