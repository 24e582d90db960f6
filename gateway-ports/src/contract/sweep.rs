//! What becomes of calls that nobody settles.

use super::fixture::{GRANTED, NOW, Payer, at, charged, credits, entry, payer, request};
use crate::{AuditAction::TokenDelete, Checkpoint, Hold, Store, UsageFilter};
use gateway_domain::{CallRecord, CallState, EndReason, TokenCounts};

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
    assert_eq!((row.end_reason, row.state), (EndReason::Orphan, CallState::Expired));
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

pub(super) async fn a_late_settlement_puts_the_floor_right(store: &Store) {
    let payer = payer(store, 1, 100, Some(90)).await;
    for (n, floor, cost) in [(1, 7, 30), (2, 9, 0), (3, 5, 35)] {
        reserve_with_floor(&payer, n, 30, floor).await;
        assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
        // More than was held is never charged, and less is given back.
        assert_eq!(payer.settle(n, cost).await, charged(cost.min(30)));
        assert_eq!(payer.settle(n, 1).await, charged(cost.min(30)));
    }
    payer.expect_money(60, 0).await;
    assert_eq!(payer.user().await.request_count, 3);
    let rows = rows(store).await;
    let said: Vec<_> = rows.iter().map(|r| (r.quota.units(), r.unbilled.units())).collect();
    assert_eq!(said, [(30, 5), (0, 0), (30, 0)]);
    assert!(rows.iter().all(|row| row.state == CallState::Settled && !row.estimated));
    payer.expect_books_to_add_up().await;
}

pub(super) async fn a_late_settlement_overdraws_nothing(store: &Store) {
    // What was held is held by others by now: of the user, and of the key.
    for (n, granted, cap) in [(1, 100, None), (2, 1000, Some(100))] {
        let payer = payer(store, n, granted, cap).await;
        let number = u64::from(n) * 10;
        reserve_with_floor(&payer, number, 40, 7).await;
        assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
        assert_eq!(payer.reserve(number + 1, 85).await, GRANTED);
        // Seven were charged, and eight are free.
        assert_eq!(payer.settle(number, 40).await, charged(15));
        payer.expect_money(15, 85).await;
        let row = store.usage.list(&UsageFilter::default(), None, 1).await.unwrap().remove(0);
        assert_eq!((row.quota, row.unbilled), (credits(15), credits(25)));
        payer.settle(number + 1, 0).await;
        payer.expect_books_to_add_up().await;
    }
}

pub(super) async fn a_floor_rises_and_never_sinks(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    reserve_with_floor(&payer, 2, 40, 7).await;
    reserve_with_floor(&payer, 3, 20, 7).await;
    for floors in [[20, 1, 90], [15, 9, 3]] {
        let calls = [1, 2, 3].into_iter().zip(floors).map(|(n, floor)| checkpoint(n, floor));
        let calls: Vec<Checkpoint> = calls.collect();
        assert_eq!(store.ledger.checkpoint(&calls).await.unwrap(), []);
    }
    // It is not charged yet.
    payer.expect_money(0, 100).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 3);
    payer.expect_money(20 + 9 + 20, 0).await;
}

pub(super) async fn a_checkpoint_tells_who_holds_nothing_any_more(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    payer.reserve(2, 10).await;
    payer.settle(2, 10).await;
    payer.reserve(3, 10).await;
    let calls = [1, 2, 3, 4].map(|n| checkpoint(n, 10));
    let lost = store.ledger.checkpoint(&calls).await.unwrap();
    assert_eq!(lost, [1, 2, 4].map(request));
    payer.expect_money(17, 10).await;
}

fn checkpoint(n: u64, floor: u64) -> Checkpoint {
    Checkpoint { request_id: request(n), floor: credits(floor) }
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
    let deleted = store.tokens.delete(payer.user_id, payer.token_id, &entry(TokenDelete)).await;
    assert!(deleted.unwrap());
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    let user = payer.user().await;
    assert_eq!((user.spent, user.held), (credits(7), credits(0)));
}

pub(super) async fn a_late_settlement_of_a_deleted_key_still_counts(store: &Store) {
    let payer = payer(store, 1, 100, Some(90)).await;
    reserve_with_floor(&payer, 1, 40, 7).await;
    assert_eq!(store.ledger.sweep(at(LATER)).await.unwrap(), 1);
    let deleted = store.tokens.delete(payer.user_id, payer.token_id, &entry(TokenDelete)).await;
    assert!(deleted.unwrap());
    assert_eq!(payer.settle(1, 30).await, charged(30));
    let user = payer.user().await;
    assert_eq!((user.spent, user.held), (credits(30), credits(0)));
    payer.expect_books_to_add_up().await;
}
