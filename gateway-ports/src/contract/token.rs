//! What API keys must be.

use super::fixture::{
    GRANTED, NOW, at, charged, credits, digest, entry, entry_at, is_conflict, new_token, new_user,
    payer,
};
use crate::{
    AuditAction::{TokenCreate, TokenDelete, TokenUpdate},
    NewToken, Page, Store, TokenChange, TokenChanged, UsageFilter,
};
use futures_util::future::join_all;
use gateway_domain::{Limits, LimitsChange, ModelSet, SubnetList, TokenId, UserId};

pub(super) async fn insert_then_find(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let new = NewToken {
        cap: Some(credits(500)),
        models: ModelSet::parse("gpt-4o, claude-*").unwrap(),
        subnet: SubnetList::parse("10.0.0.0/8,::1").unwrap(),
        expires_at: Some(at(NOW + 1000)),
        limits: Limits { rpm: 1, tpm: Limits::MOST, concurrency: 3 },
        ..new_token(owner, 1)
    };
    let id = store.tokens.insert(&new, 10, &entry(TokenCreate)).await.unwrap().unwrap();
    let token = store.tokens.find(owner, id).await.unwrap().unwrap();
    assert_eq!((token.id, token.user_id), (id, owner));
    assert_eq!(token.name, "key 1");
    assert_eq!(token.digest, new.digest);
    assert_eq!(token.key_prefix, new.key_prefix);
    assert_eq!(token.key_last4, new.key_last4);
    assert!(token.enabled);
    assert_eq!(token.cap, new.cap);
    assert_eq!((token.spent, token.held), (credits(0), credits(0)));
    assert_eq!((token.request_count, token.revision), (0, 0));
    assert_eq!(token.models, new.models);
    assert_eq!(token.subnet, new.subnet);
    assert_eq!(token.expires_at, new.expires_at);
    assert_eq!(token.limits, new.limits);
    assert_eq!((token.created_at, token.updated_at), (at(NOW), at(NOW)));

    let principal = store.tokens.find_by_digest(&new.digest).await;
    let principal = principal.unwrap().unwrap();
    assert_eq!(principal.token, token);
    let user = store.users.find(owner).await.unwrap().unwrap();
    assert_eq!(principal.user, user);
    assert_eq!(store.tokens.find_any(id).await.unwrap().unwrap(), principal);
}

pub(super) async fn what_is_not_there_is_none(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let (id, change) = (TokenId(4711), TokenChange::default());
    let found = store.tokens.find_by_digest(&digest(9)).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(store.tokens.find(owner, id).await.unwrap(), None);
    assert_eq!(store.tokens.find_any(id).await.unwrap(), None);
    let changed = store.tokens.update(owner, id, &change, &entry(TokenUpdate)).await;
    assert_eq!(changed.unwrap(), TokenChanged::NotFound);
    assert!(!store.tokens.delete(owner, id, &entry(TokenDelete)).await.unwrap());
}

pub(super) async fn digests_are_unique(store: &Store) {
    let alice = store.users.insert(&new_user("alice")).await.unwrap();
    let bob = store.users.insert(&new_user("bob")).await.unwrap();
    let first = store.tokens.insert(&new_token(alice, 1), 10, &entry(TokenCreate)).await;
    assert!(first.unwrap().is_some());
    for owner in [alice, bob] {
        let second = store.tokens.insert(&new_token(owner, 1), 10, &entry(TokenCreate)).await;
        assert!(is_conflict(&second), "{second:?}");
    }
}

pub(super) async fn a_user_has_at_most_so_many_keys(store: &Store) {
    let alice = store.users.insert(&new_user("alice")).await.unwrap();
    let bob = store.users.insert(&new_user("bob")).await.unwrap();
    let insert = |owner, n, most| async move {
        let token = new_token(owner, n);
        store.tokens.insert(&token, most, &entry(TokenCreate)).await.unwrap()
    };
    let first = insert(alice, 1, 2).await.unwrap();
    assert!(insert(alice, 2, 2).await.is_some());
    assert_eq!(insert(alice, 3, 2).await, None);
    assert!(insert(bob, 4, 2).await.is_some());
    assert!(store.tokens.delete(alice, first, &entry(TokenDelete)).await.unwrap());
    assert!(insert(alice, 5, 2).await.is_some());
}

pub(super) async fn racing_inserts_make_at_most_so_many_keys(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let tokens: Vec<NewToken> = (1..=16).map(|n| new_token(owner, n)).collect();
    let entry = entry(TokenCreate);
    let made = join_all(tokens.iter().map(|t| store.tokens.insert(t, 3, &entry))).await;
    let made = made.into_iter().filter(|r| r.as_ref().unwrap().is_some());
    assert_eq!(made.count(), 3);
}

pub(super) async fn nobody_has_no_keys(store: &Store) {
    let made = store.tokens.insert(&new_token(UserId(4711), 1), 10, &entry(TokenCreate)).await;
    assert_eq!(made.unwrap(), None);
}

pub(super) async fn a_users_keys_are_invisible_to_others(store: &Store) {
    let alice = store.users.insert(&new_user("alice")).await.unwrap();
    let eve = store.users.insert(&new_user("eve")).await.unwrap();
    let id = store.tokens.insert(&new_token(alice, 1), 10, &entry(TokenCreate)).await;
    let id = id.unwrap().unwrap();
    assert_eq!(store.tokens.find(eve, id).await.unwrap(), None);
    let page = Page { offset: 0, limit: 10 };
    assert_eq!(store.tokens.list(eve, page).await.unwrap(), []);
    let change = TokenChange { enabled: Some(false), ..TokenChange::default() };
    let changed = store.tokens.update(eve, id, &change, &entry(TokenUpdate)).await;
    assert_eq!(changed.unwrap(), TokenChanged::NotFound);
    assert!(!store.tokens.delete(eve, id, &entry(TokenDelete)).await.unwrap());
    let token = store.tokens.find(alice, id).await.unwrap().unwrap();
    assert!(token.enabled && token.revision == 0);
}

pub(super) async fn lists_are_paged(store: &Store) {
    let alice = store.users.insert(&new_user("alice")).await.unwrap();
    let bob = store.users.insert(&new_user("bob")).await.unwrap();
    let mut ids = Vec::new();
    for n in 1..=5 {
        let id = store.tokens.insert(&new_token(alice, n), 10, &entry(TokenCreate)).await;
        ids.push(id.unwrap().unwrap());
        let other = store.tokens.insert(&new_token(bob, 100 + n), 10, &entry(TokenCreate)).await;
        assert!(other.unwrap().is_some());
    }
    let page = |offset, limit| async move {
        let tokens = store.tokens.list(alice, Page { offset, limit }).await;
        let ids = tokens.unwrap().into_iter().map(|token| token.id);
        ids.collect::<Vec<_>>()
    };
    assert!(ids.is_sorted());
    assert_eq!(page(0, 10).await, ids);
    assert_eq!(page(1, 2).await, ids.get(1..3).unwrap());
    assert_eq!(page(5, 2).await, []);
}

pub(super) async fn an_update_changes_only_what_it_names(store: &Store) {
    let payer = payer(store, 1, 100, Some(50)).await;
    let (owner, id) = (payer.user_id, payer.token_id);
    let before = payer.token().await;
    let later = at(NOW + 5000);
    let change = TokenChange { name: Some("renamed".to_owned()), ..TokenChange::default() };
    let changed = store.tokens.update(owner, id, &change, &entry_at(later, TokenUpdate)).await;
    assert_eq!(changed.unwrap(), TokenChanged::Changed);
    let mut expected = before;
    expected.name = "renamed".into();
    expected.updated_at = later;
    // Every change makes older copies stale.
    let after = payer.token().await;
    assert!(after.revision > expected.revision);
    expected.revision = after.revision;
    assert_eq!(after, expected);

    let change = TokenChange {
        enabled: Some(false),
        cap: Some(Some(credits(70))),
        models: Some(ModelSet::parse("m1,m2").unwrap()),
        subnet: Some(SubnetList::parse("192.168.0.0/16").unwrap()),
        expires_at: Some(Some(at(NOW + 9000))),
        limits: LimitsChange { rpm: Some(5), tpm: Some(6), concurrency: Some(7) },
        ..TokenChange::default()
    };
    let changed = store.tokens.update(owner, id, &change, &entry_at(later, TokenUpdate)).await;
    assert_eq!(changed.unwrap(), TokenChanged::Changed);
    expected.enabled = false;
    expected.cap = Some(credits(70));
    expected.models = change.models.unwrap();
    expected.subnet = change.subnet.unwrap();
    expected.expires_at = Some(at(NOW + 9000));
    expected.limits = Limits { rpm: 5, tpm: 6, concurrency: 7 };
    let after = payer.token().await;
    assert!(after.revision > expected.revision);
    expected.revision = after.revision;
    assert_eq!(after, expected);
}

pub(super) async fn limits_can_be_taken_away(store: &Store) {
    let payer = payer(store, 1, 100, Some(50)).await;
    let (owner, id) = (payer.user_id, payer.token_id);
    let limits = LimitsChange { rpm: Some(5), tpm: Some(6), concurrency: Some(7) };
    let set = TokenChange { expires_at: Some(Some(at(NOW + 1))), limits, ..TokenChange::default() };
    let limits = LimitsChange { rpm: Some(0), tpm: None, concurrency: Some(0) };
    let none =
        TokenChange { cap: Some(None), expires_at: Some(None), limits, ..TokenChange::default() };
    for change in [set, none] {
        let changed = store.tokens.update(owner, id, &change, &entry(TokenUpdate)).await;
        assert_eq!(changed.unwrap(), TokenChanged::Changed);
    }
    let token = payer.token().await;
    assert_eq!((token.cap, token.expires_at), (None, None));
    assert_eq!(token.limits, Limits { rpm: 0, tpm: 6, concurrency: 0 });
}

pub(super) async fn a_cap_below_use_is_refused(store: &Store) {
    let payer = payer(store, 1, 1000, Some(500)).await;
    payer.reserve(1, 100).await;
    payer.settle(1, 60).await;
    payer.reserve(2, 40).await;
    let before = payer.token().await;
    let set = |cap| async move {
        let change = TokenChange {
            cap: Some(cap),
            name: Some("changed".to_owned()),
            ..TokenChange::default()
        };
        let (owner, id) = (payer.user_id, payer.token_id);
        let changed = store.tokens.update(owner, id, &change, &entry(TokenUpdate)).await;
        (changed.unwrap(), store.tokens.find(owner, id).await)
    };
    let (changed, token) = set(Some(credits(99))).await;
    assert_eq!(changed, TokenChanged::BelowUse);
    assert_eq!(token.unwrap(), Some(before));
    let (changed, token) = set(Some(credits(100))).await;
    assert_eq!(changed, TokenChanged::Changed);
    assert_eq!(token.unwrap().unwrap().cap, Some(credits(100)));
}

pub(super) async fn updates_leave_counters_alone(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    payer.settle(1, 30).await;
    payer.reserve(2, 20).await;
    let change = TokenChange {
        name: Some("other".to_owned()),
        cap: Some(Some(credits(90))),
        enabled: Some(false),
        ..TokenChange::default()
    };
    let (owner, id) = (payer.user_id, payer.token_id);
    let changed = store.tokens.update(owner, id, &change, &entry(TokenUpdate)).await;
    assert_eq!(changed.unwrap(), TokenChanged::Changed);
    payer.expect_money(30, 20).await;
    assert_eq!(payer.token().await.request_count, 1);
}

pub(super) async fn deleting_a_key_keeps_its_usage(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    payer.settle(1, 30).await;
    let filter = UsageFilter { token_id: Some(payer.token_id), ..UsageFilter::default() };
    let before = store.usage.list(&filter, None, 10).await.unwrap();
    assert_eq!(before.len(), 1);
    let deleted = store.tokens.delete(payer.user_id, payer.token_id, &entry(TokenDelete)).await;
    assert!(deleted.unwrap());
    assert_eq!(store.usage.list(&filter, None, 10).await.unwrap(), before);
    assert_eq!(payer.user().await.spent, credits(30));
    assert_eq!(store.tokens.find_by_digest(&digest(1)).await.unwrap(), None);
}

pub(super) async fn a_key_with_open_calls_can_be_deleted_and_still_settles(store: &Store) {
    let payer = payer(store, 1, 100, Some(50)).await;
    assert_eq!(payer.reserve(1, 40).await, GRANTED);
    let deleted = store.tokens.delete(payer.user_id, payer.token_id, &entry(TokenDelete)).await;
    assert!(deleted.unwrap());
    assert_eq!(payer.user().await.held, credits(40));
    assert_eq!(payer.settle(1, 30).await, charged(30));
    assert_eq!(payer.settle(1, 30).await, charged(30));
    let user = payer.user().await;
    assert_eq!((user.spent, user.held), (credits(30), credits(0)));
    assert_eq!(user.request_count, 1);
}

pub(super) async fn ids_are_never_used_again(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let mut last = TokenId(0);
    for n in 1..=3 {
        let id = store.tokens.insert(&new_token(owner, n), 10, &entry(TokenCreate)).await;
        let id = id.unwrap().unwrap();
        assert!(id > last, "{id} after {last}");
        assert!(store.tokens.delete(owner, id, &entry(TokenDelete)).await.unwrap());
        last = id;
    }
}
