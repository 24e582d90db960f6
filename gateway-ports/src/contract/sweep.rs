//! What becomes of calls that nobody settles.

use super::fixture::{GRANTED, NOW, Payer, at, charged, credits, payer, request};
use crate::{Hold, Store, UsageFilter};
use gateway_domain::{CallRecord, EndReason, TokenCounts};

/// When the holds of these cases have expired.
const LATER: i64 = NOW + 60_000;

async fn reserve_with_floor(payer: &Payer<'_>, n: u64, amount: u64, floor: u64) {
    let hold = Hold { floor: credits(floor), ..payer.hold(n, amount) };
    assert_eq!(payer.try_reserve(&hold).await, GRANTED);
}

async fn rows(store: &Store) -> Vec<CallRecord> {
    let rows = store.usage.list(&UsageFilter::default(), None, 100).await;
    rows.unwrap()
}

pub(super) async fn sweep_closes_expired_holds_at_their_floor(store: &Store) {
    let payer = payer(store, 1, 100, Some(90)).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    reserve_with_floor(&payer, 2, 20, 0).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 2);
    payer.expect_money(7, 0).await;
    let rows = rows(store).await;
    assert_eq!(rows.len(), 2);
    let row = rows.last().unwrap();
    assert_eq!(row.request_id, request(1));
    assert_eq!((row.quota, row.unbilled), (credits(7), credits(0)));
    assert_eq!(row.end_reason, EndReason::Orphan);
    assert!(row.estimated);
    // Nothing was ever reported of it.
    assert_eq!(row.counts, TokenCounts::default());
    assert_eq!((row.status, row.attempts, row.channel_id), (0, 0, None));
    assert_eq!((&*row.model, row.created_at), ("gpt-4o", at(NOW)));
}

pub(super) async fn sweep_leaves_calls_that_have_not_expired(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    assert_eq!(store.ledger.sweep(at(LATER - 1)).await.unwrap(), 0);
    payer.expect_money(0, 40).await;
    assert_eq!(payer.settle(1, 30).await, charged(30));
}

pub(super) async fn sweeping_twice_charges_once(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 0);
    payer.expect_money(7, 0).await;
    assert_eq!(payer.user().await.request_count, 1);
}

pub(super) async fn a_floor_never_exceeds_the_hold(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 70).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    payer.expect_money(40, 0).await;
}

pub(super) async fn late_settle_after_sweep_changes_nothing(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    let before = rows(store).await;
    assert_eq!(payer.settle(1, 30).await, charged(7));
    payer.expect_money(7, 0).await;
    assert_eq!(rows(store).await, before);
}

pub(super) async fn settled_calls_are_not_swept(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    assert_eq!(payer.settle(1, 30).await, charged(30));
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 0);
    payer.expect_money(30, 0).await;
}

pub(super) async fn what_was_swept_can_be_held_again(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 100, 10).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    assert_eq!(payer.reserve(2, 90).await, GRANTED);
    payer.expect_money(10, 90).await;
}

pub(super) async fn sweep_closes_calls_of_deleted_keys(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    let deleted = store.tokens.delete(payer.user_id, payer.token_id).await;
    assert!(deleted.unwrap());
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    let user = payer.user().await;
    assert_eq!((user.spent, user.held), (credits(7), credits(0)));
}
