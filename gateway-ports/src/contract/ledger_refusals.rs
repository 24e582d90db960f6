//! Whom the ledger must refuse, whatever a stale copy says, and what it must say then.

use super::fixture::{GRANTED, NOW, Payer, at, credits, entry, new_token, payer, refused};
use crate::{
    AuditAction::{TokenCreate, TokenDelete, TokenUpdate, UserUpdate},
    Hold, NewToken, Refusal, Store, TokenChange, UserChange,
};
use futures_util::future::join_all;

async fn change_token(payer: &Payer<'_>, change: TokenChange) {
    let (owner, id) = (payer.user_id, payer.token_id);
    let changed = payer.store.tokens.update(owner, id, &change, &entry(TokenUpdate)).await;
    changed.unwrap();
}

fn with_key(hold: Hold, key: &str) -> Hold {
    Hold { idempotency_key: Some(key.to_owned()), ..hold }
}

pub(super) async fn a_revoked_key_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let change = TokenChange { enabled: Some(false), ..TokenChange::default() };
    change_token(&payer, change).await;
    // By whoever knows of the change, and by whoever does not.
    for token_revision in [0, payer.token().await.revision] {
        let hold = Hold { token_revision, ..payer.hold(1, 1) };
        assert_eq!(payer.try_reserve(&hold).await, refused(Refusal::Revoked));
    }
    payer.expect_money(0, 0).await;
}

pub(super) async fn a_deleted_key_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let deleted = store.tokens.delete(payer.user_id, payer.token_id, &entry(TokenDelete)).await;
    assert!(deleted.unwrap());
    assert_eq!(payer.reserve(1, 1).await, refused(Refusal::Revoked));
    assert_eq!(payer.user().await.held, credits(0));
}

pub(super) async fn another_users_key_is_refused(store: &Store) {
    let alice = payer(store, 1, 100, None).await;
    let eve = payer(store, 2, 100, None).await;
    let hold = Hold { token_id: alice.token_id, ..eve.hold(1, 1) };
    assert_eq!(eve.try_reserve(&hold).await, refused(Refusal::Revoked));
    alice.expect_money(0, 0).await;
    eve.expect_money(0, 0).await;
}

pub(super) async fn an_expired_key_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let token = NewToken { expires_at: Some(at(NOW + 10)), ..new_token(payer.user_id, 2) };
    let token_id = store.tokens.insert(&token, 10, &entry(TokenCreate)).await.unwrap().unwrap();
    let hold = |n, now| Hold { token_id, created_at: at(now), ..payer.hold(n, 1) };
    assert_eq!(payer.try_reserve(&hold(1, NOW + 9)).await, GRANTED);
    for now in [NOW + 10, NOW + 11] {
        let reserved = payer.try_reserve(&hold(2, now)).await;
        assert_eq!(reserved, refused(Refusal::Expired));
    }
}

pub(super) async fn a_disabled_user_is_refused(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let set = |enabled| UserChange { enabled: Some(enabled), ..UserChange::default() };
    store.users.update(payer.user_id, &set(false), &entry(UserUpdate)).await.unwrap();
    assert_eq!(payer.reserve(1, 1).await, refused(Refusal::UserDisabled));
    payer.expect_money(0, 0).await;
    store.users.update(payer.user_id, &set(true), &entry(UserUpdate)).await.unwrap();
    assert_eq!(payer.reserve(1, 1).await, GRANTED);
}

pub(super) async fn a_changed_key_is_refused_as_stale(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let change = TokenChange { cap: Some(Some(credits(50))), ..TokenChange::default() };
    change_token(&payer, change).await;
    assert_eq!(payer.reserve(1, 1).await, refused(Refusal::Stale));
    let hold = Hold { token_revision: payer.token().await.revision, ..payer.hold(1, 1) };
    assert_eq!(payer.try_reserve(&hold).await, GRANTED);
}

pub(super) async fn exhausted_is_told_from_held(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 70).await;
    payer.settle(1, 50).await;
    payer.reserve(2, 30).await;
    // 50 are spent, 30 held, 20 free.
    assert_eq!(payer.reserve(3, 51).await, refused(Refusal::Exhausted));
    assert_eq!(payer.reserve(3, 50).await, refused(Refusal::Held));
    assert_eq!(payer.reserve(3, 21).await, refused(Refusal::Held));
    assert_eq!(payer.reserve(3, 20).await, GRANTED);
}

pub(super) async fn a_cap_is_exhausted_or_held_too(store: &Store) {
    let payer = payer(store, 1, 1000, Some(100)).await;
    payer.reserve(1, 70).await;
    payer.settle(1, 50).await;
    payer.reserve(2, 30).await;
    assert_eq!(payer.reserve(3, 51).await, refused(Refusal::Exhausted));
    assert_eq!(payer.reserve(3, 50).await, refused(Refusal::Held));
    assert_eq!(payer.reserve(3, 20).await, GRANTED);
}

pub(super) async fn an_idempotency_key_is_held_once(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    let first = with_key(payer.hold(1, 10), "once");
    let second = with_key(payer.hold(2, 10), "once");
    let other = with_key(payer.hold(3, 10), "another");
    assert_eq!(payer.try_reserve(&first).await, GRANTED);
    let duplicate = refused(Refusal::Duplicate);
    assert_eq!(payer.try_reserve(&second).await, duplicate);
    assert_eq!(payer.try_reserve(&other).await, GRANTED);
    // The same call again is no other call.
    assert_eq!(payer.try_reserve(&first).await, GRANTED);
    payer.expect_money(0, 20).await;
}

pub(super) async fn an_idempotency_key_is_free_again_once_settled(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    for n in 1..=3 {
        let hold = with_key(payer.hold(n, 10), "once");
        assert_eq!(payer.try_reserve(&hold).await, GRANTED);
        payer.settle(n, 5).await;
    }
    payer.expect_money(15, 0).await;
}

pub(super) async fn idempotency_keys_of_other_keys_do_not_count(store: &Store) {
    let alice = payer(store, 1, 100, None).await;
    let bob = payer(store, 2, 100, None).await;
    let first = with_key(alice.hold(1, 10), "once");
    let second = with_key(bob.hold(2, 10), "once");
    assert_eq!(alice.try_reserve(&first).await, GRANTED);
    assert_eq!(bob.try_reserve(&second).await, GRANTED);
}

pub(super) async fn racing_calls_of_one_idempotency_key_hold_once(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let holds: Vec<Hold> = (1..=32).map(|n| with_key(payer.hold(n, 10), "once")).collect();
    let racing = join_all(holds.iter().map(|hold| payer.try_reserve(hold))).await;
    assert_eq!(racing.iter().filter(|r| **r == GRANTED).count(), 1);
    let duplicate = refused(Refusal::Duplicate);
    assert_eq!(racing.iter().filter(|r| **r == duplicate).count(), 31);
    payer.expect_money(0, 10).await;
}

pub(super) async fn a_settled_call_is_not_held_again(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    payer.settle(1, 30).await;
    assert_eq!(payer.reserve(1, 40).await, refused(Refusal::Duplicate));
    payer.expect_money(30, 0).await;
}

pub(super) async fn a_refusal_holds_nothing(store: &Store) {
    let payer = payer(store, 1, 100, Some(50)).await;
    // Enough for the user, too much for the key; then the other way round.
    assert_eq!(payer.reserve(1, 60).await, refused(Refusal::Exhausted));
    assert_eq!(payer.reserve(2, 101).await, refused(Refusal::Exhausted));
    payer.expect_money(0, 0).await;
    assert_eq!(payer.reserve(1, 50).await, GRANTED);
}
