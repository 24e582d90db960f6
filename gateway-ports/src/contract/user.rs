//! What users must be.

use super::fixture::{NOW, at, credits, entry, is_conflict, new_user, payer};
use crate::{AuditAction::UserUpdate, NewUser, Page, Store, UserChange};
use futures_util::future::join_all;
use gateway_domain::{Limits, LimitsChange, Role, UserId};

pub(super) async fn insert_then_find(store: &Store) {
    let new = NewUser {
        role: Role::Admin,
        must_change_password: true,
        granted: credits(42),
        ..new_user("alice")
    };
    let id = store.users.insert(&new).await.unwrap();
    let user = store.users.find(id).await.unwrap().unwrap();
    assert_eq!(user.id, id);
    assert_eq!(user.username, "alice");
    assert_eq!(user.display_name, "alice the user");
    assert_eq!(user.email.as_deref(), Some("alice@example.com"));
    assert_eq!(user.role, Role::Admin);
    assert!(user.enabled && user.must_change_password);
    assert_eq!(user.granted, credits(42));
    assert_eq!((user.spent, user.held), (credits(0), credits(0)));
    assert_eq!(user.request_count, 0);
    assert_eq!(user.created_at, at(NOW));

    let credential = store.users.credential(id).await.unwrap().unwrap();
    assert_eq!(credential.user, user);
    assert_eq!(credential.password_hash, "hash of alice");

    let nameless = NewUser { email: None, ..new_user("bob") };
    let id = store.users.insert(&nameless).await.unwrap();
    assert_eq!(store.users.find(id).await.unwrap().unwrap().email, None);
}

pub(super) async fn what_is_not_there_is_none(store: &Store) {
    let nobody = UserId(4711);
    assert_eq!(store.users.find(nobody).await.unwrap(), None);
    assert!(store.users.credential(nobody).await.unwrap().is_none());
    let found = store.users.find_by_username("nobody").await.unwrap();
    assert!(found.is_none());
    let change = UserChange::default();
    assert!(!store.users.update(nobody, &change, &entry(UserUpdate)).await.unwrap());
}

pub(super) async fn names_are_unique_whatever_their_case(store: &Store) {
    store.users.insert(&new_user("Alice")).await.unwrap();
    for taken in ["Alice", "alice", "ALICE"] {
        let result = store.users.insert(&new_user(taken)).await;
        assert!(is_conflict(&result), "{taken}: {result:?}");
    }
    // A failure leaves the store as it was, and able to work.
    store.users.insert(&new_user("alicia")).await.unwrap();
}

pub(super) async fn names_are_found_whatever_their_case(store: &Store) {
    let id = store.users.insert(&new_user("Alice")).await.unwrap();
    for name in ["Alice", "alice", "ALICE"] {
        let found = store.users.find_by_username(name).await.unwrap().unwrap();
        assert_eq!((found.user.id, &*found.user.username), (id, "Alice"));
        assert_eq!(found.password_hash, "hash of Alice");
    }
    let found = store.users.find_by_username("alice%").await.unwrap();
    assert!(found.is_none());
}

pub(super) async fn racing_inserts_of_one_name_make_one_user(store: &Store) {
    let new = new_user("alice");
    let results = join_all((0..16).map(|_| store.users.insert(&new))).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(results.iter().filter(|r| is_conflict(r)).count(), 15);
}

pub(super) async fn first_root_is_made_once(store: &Store) {
    let roots: Vec<NewUser> = (0..16).map(|n| new_user(&format!("root{n}"))).collect();
    let made = join_all(roots.iter().map(|r| store.users.insert_first_root(r))).await;
    let made = made.into_iter().filter(|r| *r.as_ref().unwrap()).count();
    assert_eq!(made, 1);
    let everybody = Page { offset: 0, limit: 100 };
    let users = store.users.list(None, everybody).await.unwrap();
    assert_eq!(users.len(), 1);
    assert!(users.iter().all(|user| user.role == Role::Root));
    // Not even with another name, later.
    let late = store.users.insert_first_root(&new_user("late")).await;
    assert!(!late.unwrap());
}

pub(super) async fn a_ready_root_is_enabled_and_has_chosen_a_password(store: &Store) {
    let ready = || async { store.users.has_ready_root().await.unwrap() };
    store.users.insert(&new_user("user")).await.unwrap();
    assert!(!ready().await);
    let root = NewUser { must_change_password: true, ..new_user("root") };
    assert!(store.users.insert_first_root(&root).await.unwrap());
    assert!(!ready().await);
    let root = store.users.find_by_username("root").await.unwrap().unwrap();
    let id = root.user.id;
    let password = UserChange { password_hash: Some("chosen".to_owned()), ..UserChange::default() };
    assert!(store.users.update(id, &password, &entry(UserUpdate)).await.unwrap());
    assert!(ready().await);
    let disabled = UserChange { enabled: Some(false), ..UserChange::default() };
    assert!(store.users.update(id, &disabled, &entry(UserUpdate)).await.unwrap());
    assert!(!ready().await);
}

pub(super) async fn lists_are_paged(store: &Store) {
    let mut ids = Vec::new();
    for n in 0..5 {
        let user = new_user(&format!("user{n}"));
        ids.push(store.users.insert(&user).await.unwrap());
    }
    let page = |offset, limit| async move {
        let users = store.users.list(None, Page { offset, limit }).await;
        let ids = users.unwrap().into_iter().map(|user| user.id);
        ids.collect::<Vec<_>>()
    };
    assert!(ids.is_sorted());
    assert_eq!(page(0, 10).await, ids);
    assert_eq!(page(0, 2).await, ids.get(..2).unwrap());
    assert_eq!(page(4, 2).await, ids.get(4..).unwrap());
    assert_eq!(page(9, 2).await, []);
    assert_eq!(page(0, 0).await, []);
}

pub(super) async fn lists_stop_below_a_role(store: &Store) {
    for (name, role) in [("root", Role::Root), ("admin", Role::Admin), ("user", Role::User)] {
        let user = NewUser { role, ..new_user(name) };
        store.users.insert(&user).await.unwrap();
    }
    let names = |below, offset| async move {
        let page = Page { offset, limit: 9 };
        let users = store.users.list(below, page).await.unwrap();
        let names = users.into_iter().map(|user| user.username);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(None, 0).await, ["root", "admin", "user"]);
    assert_eq!(names(Some(Role::Root), 0).await, ["admin", "user"]);
    assert_eq!(names(Some(Role::Root), 1).await, ["user"]);
    assert_eq!(names(Some(Role::Admin), 0).await, ["user"]);
    assert!(names(Some(Role::User), 0).await.is_empty());
}

pub(super) async fn an_update_changes_only_what_it_names(store: &Store) {
    let id = store.users.insert(&new_user("alice")).await.unwrap();
    let before = store.users.credential(id).await.unwrap().unwrap();
    assert!(store.users.update(id, &UserChange::default(), &entry(UserUpdate)).await.unwrap());
    let after = store.users.credential(id).await.unwrap().unwrap();
    assert_eq!(after.user, before.user);
    assert_eq!(after.password_hash, before.password_hash);

    let change = UserChange {
        display_name: Some("Al".to_owned()),
        email: Some(None),
        role: Some(Role::Admin),
        enabled: Some(false),
        limits: LimitsChange { rpm: Some(5), tpm: Some(6), concurrency: Some(Limits::MOST) },
        ..UserChange::default()
    };
    assert!(store.users.update(id, &change, &entry(UserUpdate)).await.unwrap());
    let after = store.users.credential(id).await.unwrap().unwrap();
    let mut expected = before.user;
    expected.limits = Limits { rpm: 5, tpm: 6, concurrency: Limits::MOST };
    expected.display_name = "Al".into();
    expected.email = None;
    expected.role = Role::Admin;
    expected.enabled = false;
    assert_eq!(after.user, expected);
    assert_eq!(after.password_hash, before.password_hash);

    let change =
        UserChange { email: Some(Some("new@example.com".to_owned())), ..UserChange::default() };
    assert!(store.users.update(id, &change, &entry(UserUpdate)).await.unwrap());
    let user = store.users.find(id).await.unwrap().unwrap();
    assert_eq!(user.email.as_deref(), Some("new@example.com"));
    assert_eq!(user.limits, expected.limits);

    let limits = LimitsChange { tpm: Some(0), ..LimitsChange::default() };
    let change = UserChange { limits, ..UserChange::default() };
    assert!(store.users.update(id, &change, &entry(UserUpdate)).await.unwrap());
    let user = store.users.find(id).await.unwrap().unwrap();
    assert_eq!(user.limits, Limits { tpm: 0, ..expected.limits });
}

pub(super) async fn a_new_password_ends_the_duty_to_choose_one(store: &Store) {
    let new = NewUser { must_change_password: true, ..new_user("alice") };
    let id = store.users.insert(&new).await.unwrap();
    let other = UserChange { display_name: Some("Al".to_owned()), ..UserChange::default() };
    assert!(store.users.update(id, &other, &entry(UserUpdate)).await.unwrap());
    let user = store.users.find(id).await.unwrap().unwrap();
    assert!(user.must_change_password);
    let change = UserChange { password_hash: Some("new hash".to_owned()), ..UserChange::default() };
    assert!(store.users.update(id, &change, &entry(UserUpdate)).await.unwrap());
    let credential = store.users.credential(id).await.unwrap().unwrap();
    assert!(!credential.user.must_change_password);
    assert_eq!(credential.password_hash, "new hash");
}

pub(super) async fn ending_sessions_raises_their_version(store: &Store) {
    let id = store.users.insert(&new_user("alice")).await.unwrap();
    let version = || async {
        let user = store.users.find(id).await.unwrap().unwrap();
        user.session_version
    };
    let before = version().await;
    let change = UserChange { end_sessions: true, ..UserChange::default() };
    assert!(store.users.update(id, &change, &entry(UserUpdate)).await.unwrap());
    assert!(version().await > before);
}

pub(super) async fn updates_leave_balance_and_counters_alone(store: &Store) {
    let payer = payer(store, 1, 100, None).await;
    payer.reserve(1, 40).await;
    payer.settle(1, 30).await;
    payer.reserve(2, 20).await;
    let change = UserChange {
        display_name: Some("other".to_owned()),
        password_hash: Some("other".to_owned()),
        role: Some(Role::Admin),
        end_sessions: true,
        ..UserChange::default()
    };
    assert!(store.users.update(payer.user_id, &change, &entry(UserUpdate)).await.unwrap());
    payer.expect_money(30, 20).await;
    let user = payer.user().await;
    assert_eq!((user.granted, user.request_count), (credits(100), 1));
}
