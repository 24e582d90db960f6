//! What the audit log must keep: each change with its entry, and no entry without its change.

use super::fixture::{NOW, at, credits, entry, is_conflict, new_token, new_user, payer, request};
use crate::{
    AuditAction::{
        self, ChannelCreate, ChannelDelete, ChannelUpdate, PricesReplace, SettingsUpdate,
        TokenCreate, TokenDelete, TokenUpdate, UserBalance, UserUpdate,
    },
    AuditEntry, AuditFilter, AuditObject, BalanceChange, BalanceChanged, ChannelChange, Grant,
    NewChannel, NewPrices, NewToken, Settings, Store, TokenChange, TokenChanged, UserChange,
};
use futures_util::future::join_all;
use gateway_domain::{
    ChannelId, ModelMapping, ModelSet, PriceTable, ProviderKind, RequestId, TokenId, UserId,
};

/// The entry of the request with this number.
fn of(n: u64, action: AuditAction) -> AuditEntry {
    AuditEntry { request_id: request(n), ..entry(action) }
}

/// An entry as a case needs it: what, to which object, by which request.
type Written = (AuditAction, Option<i64>, RequestId);

fn line(n: u64, action: AuditAction, object_id: impl Into<Option<i64>>) -> Written {
    (action, object_id.into(), request(n))
}

async fn found(store: &Store, filter: &AuditFilter) -> Vec<Written> {
    let records = store.audit.list(filter, None, 1000).await.unwrap();
    let lines = records.into_iter().map(|r| (r.entry.action, r.object_id, r.entry.request_id));
    lines.collect()
}

/// Everything, oldest first.
async fn log(store: &Store) -> Vec<Written> {
    let mut all = found(store, &AuditFilter::default()).await;
    all.reverse();
    all
}

fn new_channel() -> NewChannel {
    NewChannel {
        name: "channel".to_owned(),
        kind: ProviderKind::CUSTOM,
        base_url: "https://example.com".to_owned(),
        models: ModelSet::default(),
        model_mapping: ModelMapping::default(),
        config: serde_json::Map::new(),
        priority: 0,
        weight: 1,
    }
}

fn prices(replaces: u64) -> NewPrices {
    NewPrices { table: PriceTable::default(), replaces }
}

fn grant(id: &str, user_id: UserId, change: BalanceChange) -> Grant {
    Grant { id: id.to_owned(), user_id, change }
}

pub(super) async fn a_change_of_a_user_is_written_with_it(store: &Store) {
    let id = store.users.insert(&new_user("alice")).await.unwrap();
    let change = UserChange { enabled: Some(false), ..UserChange::default() };
    assert!(store.users.update(id, &change, &of(1, UserUpdate)).await.unwrap());
    assert!(store.users.update(id, &change, &of(2, UserUpdate)).await.unwrap());
    assert_eq!(log(store).await, [line(1, UserUpdate, id.0), line(2, UserUpdate, id.0)]);
}

pub(super) async fn a_change_of_a_balance_is_written_with_it(store: &Store) {
    let id = store.users.insert(&new_user("alice")).await.unwrap();
    for (n, change) in [(1, BalanceChange::Grant(credits(5))), (2, BalanceChange::Set(credits(9)))]
    {
        let grant = grant(&format!("grant {n}"), id, change);
        let changed = store.ledger.grant(&grant, &of(n, UserBalance)).await.unwrap();
        assert_eq!(changed, BalanceChanged::Changed);
    }
    assert_eq!(log(store).await, [line(1, UserBalance, id.0), line(2, UserBalance, id.0)]);
}

pub(super) async fn the_life_of_a_key_is_written_with_it(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let token = new_token(owner, 1);
    let id = store.tokens.insert(&token, 10, &of(1, TokenCreate)).await.unwrap().unwrap();
    let change = TokenChange { cap: Some(Some(credits(5))), ..TokenChange::default() };
    let changed = store.tokens.update(owner, id, &change, &of(2, TokenUpdate)).await.unwrap();
    assert_eq!(changed, TokenChanged::Changed);
    assert!(store.tokens.delete(owner, id, &of(3, TokenDelete)).await.unwrap());
    let actions = [(1, TokenCreate), (2, TokenUpdate), (3, TokenDelete)];
    assert_eq!(log(store).await, actions.map(|(n, action)| line(n, action, id.0)));
}

pub(super) async fn the_life_of_a_channel_is_written_with_it(store: &Store) {
    let other = store.channels.insert(&new_channel(), &of(1, ChannelCreate)).await.unwrap();
    let id = store.channels.insert(&new_channel(), &of(2, ChannelCreate)).await.unwrap();
    // The second step of making it is the same act.
    let change = ChannelChange { enabled: Some(true), ..ChannelChange::default() };
    assert!(store.channels.update(id, &change, &of(2, ChannelCreate)).await.unwrap());
    assert!(store.channels.update(id, &change, &of(3, ChannelUpdate)).await.unwrap());
    assert!(store.channels.delete(id, &of(4, ChannelDelete)).await.unwrap());
    let rest = [(2, ChannelCreate), (3, ChannelUpdate), (4, ChannelDelete)];
    let rest = rest.map(|(n, action)| line(n, action, id.0));
    let all: Vec<_> = [line(1, ChannelCreate, other.0)].into_iter().chain(rest).collect();
    assert_eq!(log(store).await, all);
}

pub(super) async fn new_settings_are_written_with_them(store: &Store) {
    let settings = Settings { registration_open: Some(true), ..Settings::default() };
    for n in [1, 2] {
        store.settings.save(&settings, &of(n, SettingsUpdate)).await.unwrap();
    }
    assert_eq!(log(store).await, [1, 2].map(|n| line(n, SettingsUpdate, None)));
}

pub(super) async fn new_prices_are_written_with_them(store: &Store) {
    let mut versions = vec![0];
    for n in [1, 2] {
        let before = versions.last().copied().unwrap();
        let version = store.prices.replace(&prices(before), &of(n, PricesReplace)).await.unwrap();
        versions.push(version.unwrap());
    }
    let lines = [1, 2].into_iter().zip(versions.into_iter().skip(1));
    let lines = lines.map(|(n, version)| line(n, PricesReplace, i64::try_from(version).unwrap()));
    assert_eq!(log(store).await, lines.collect::<Vec<_>>());
}

pub(super) async fn an_entry_is_read_as_it_was_written(store: &Store) {
    let detail = serde_json::json!({
        "name": "Ünï 'quoted' \"twice\"\n; \\ \u{0} ?1 \u{10ffff}",
        "quota": (1u64 << 53) - 1,
        "expired_at": null,
        "model_mapping": {"a": ["b", 0.5, true]},
    });
    let rich = AuditEntry {
        at: at(NOW + 7),
        actor: Some(UserId((1 << 53) - 1)),
        address: Some("2001:db8::7".parse().unwrap()),
        detail: detail.as_object().unwrap().clone(),
        ..of(1, SettingsUpdate)
    };
    let bare = AuditEntry { actor: None, address: None, ..of(2, SettingsUpdate) };
    for entry in [&rich, &bare] {
        store.settings.save(&Settings::default(), entry).await.unwrap();
    }
    let records = store.audit.list(&AuditFilter::default(), None, 10).await.unwrap();
    let entries: Vec<_> = records.into_iter().map(|record| record.entry).collect();
    assert_eq!(entries, [bare, rich]);
}

pub(super) async fn a_refused_change_is_not_written(store: &Store) {
    let payer = payer(store, 1, 100, Some(100)).await;
    let eve = store.users.insert(&new_user("eve")).await.unwrap();
    payer.reserve(1, 40).await;
    payer.grant("known", 5).await;
    let (owner, id) = (payer.user_id, payer.token_id);
    let (nobody, none, no_channel) = (UserId(4711), TokenId(4711), ChannelId(4711));
    let before = log(store).await;

    let change = UserChange::default();
    assert!(!store.users.update(nobody, &change, &of(1, UserUpdate)).await.unwrap());

    for (n, user, most) in [(2, owner, 1), (3, nobody, 10)] {
        let made = store.tokens.insert(&new_token(user, 2), most, &of(n, TokenCreate)).await;
        assert_eq!(made.unwrap(), None);
    }
    let low = TokenChange { cap: Some(Some(credits(39))), ..TokenChange::default() };
    for (n, owner, id, outcome) in [
        (4, owner, id, TokenChanged::BelowUse),
        (5, eve, id, TokenChanged::NotFound),
        (6, owner, none, TokenChanged::NotFound),
    ] {
        let changed = store.tokens.update(owner, id, &low, &of(n, TokenUpdate)).await;
        assert_eq!(changed.unwrap(), outcome);
    }
    for (n, owner, id) in [(7, eve, id), (8, owner, none)] {
        assert!(!store.tokens.delete(owner, id, &of(n, TokenDelete)).await.unwrap());
    }

    let change = ChannelChange::default();
    let entry = of(9, ChannelUpdate);
    assert!(!store.channels.update(no_channel, &change, &entry).await.unwrap());
    assert!(!store.channels.delete(no_channel, &of(10, ChannelDelete)).await.unwrap());

    let unseen = store.prices.replace(&prices(1), &of(11, PricesReplace)).await.unwrap();
    assert_eq!(unseen, None);

    let too_low = BalanceChange::Set(credits(39));
    let too_much = BalanceChange::Grant(gateway_domain::Credits::MAX);
    let fine = BalanceChange::Grant(credits(6));
    for (n, id, user, change, outcome) in [
        (12, "a", owner, too_low, BalanceChanged::OutOfRange),
        (13, "b", owner, too_much, BalanceChanged::OutOfRange),
        (14, "c", nobody, fine, BalanceChanged::NotFound),
        (15, "known", owner, fine, BalanceChanged::IdTaken),
        (16, "known", eve, BalanceChange::Grant(credits(5)), BalanceChanged::IdTaken),
    ] {
        let changed = store.ledger.grant(&grant(id, user, change), &of(n, UserBalance)).await;
        assert_eq!(changed.unwrap(), outcome);
    }
    assert_eq!(log(store).await, before);
}

pub(super) async fn a_failed_change_is_not_written(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let token = new_token(owner, 1);
    let id = store.tokens.insert(&token, 10, &of(1, TokenCreate)).await.unwrap().unwrap();
    let again = store.tokens.insert(&token, 10, &of(2, TokenCreate)).await;
    assert!(is_conflict(&again), "{again:?}");
    assert_eq!(log(store).await, [line(1, TokenCreate, id.0)]);
}

pub(super) async fn a_change_that_is_delivered_twice_is_written_once(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let token = new_token(owner, 1);
    let token = store.tokens.insert(&token, 10, &of(1, TokenCreate)).await.unwrap().unwrap();
    let channel = store.channels.insert(&new_channel(), &of(2, ChannelCreate)).await.unwrap();
    let grant = grant("once", owner, BalanceChange::Grant(credits(5)));
    for _ in 0..2 {
        let change = UserChange::default();
        store.users.update(owner, &change, &of(3, UserUpdate)).await.unwrap();
        let change = TokenChange::default();
        store.tokens.update(owner, token, &change, &of(4, TokenUpdate)).await.unwrap();
        let change = ChannelChange::default();
        store.channels.update(channel, &change, &of(5, ChannelUpdate)).await.unwrap();
        store.settings.save(&Settings::default(), &of(6, SettingsUpdate)).await.unwrap();
        store.prices.replace(&prices(0), &of(7, PricesReplace)).await.unwrap();
        store.ledger.grant(&grant, &of(8, UserBalance)).await.unwrap();
    }
    for _ in 0..2 {
        store.tokens.delete(owner, token, &of(9, TokenDelete)).await.unwrap();
        store.channels.delete(channel, &of(10, ChannelDelete)).await.unwrap();
    }
    let requests = log(store).await.into_iter().map(|(_, _, request)| request);
    assert_eq!(requests.collect::<Vec<_>>(), (1..=10).map(request).collect::<Vec<_>>());
}

pub(super) async fn a_grant_that_is_repeated_is_written_once(store: &Store) {
    let id = store.users.insert(&new_user("alice")).await.unwrap();
    let grant = grant("once", id, BalanceChange::Grant(credits(5)));
    for n in [1, 2, 3] {
        // The second and the third change nothing.
        let changed = store.ledger.grant(&grant, &of(n, UserBalance)).await.unwrap();
        assert_eq!(changed, BalanceChanged::Changed);
    }
    assert_eq!(log(store).await, [line(1, UserBalance, id.0)]);
}

pub(super) async fn of_racing_changes_those_that_are_made_are_written(store: &Store) {
    let owner = store.users.insert(&new_user("alice")).await.unwrap();
    let races: Vec<u64> = (1..=16).collect();
    let entries = |action| races.iter().map(|n| of(*n, action)).collect::<Vec<_>>();

    let grant = grant("once", owner, BalanceChange::Grant(credits(5)));
    let by = entries(UserBalance);
    join_all(by.iter().map(|entry| store.ledger.grant(&grant, entry))).await;

    let by = entries(PricesReplace);
    let new = prices(0);
    join_all(by.iter().map(|entry| store.prices.replace(&new, entry))).await;

    let by = entries(TokenCreate);
    let tokens: Vec<NewToken> = (1..=16).map(|n| new_token(owner, n)).collect();
    let inserts = tokens.iter().zip(&by).map(|(new, entry)| store.tokens.insert(new, 3, entry));
    let made = join_all(inserts).await.into_iter().map(Result::unwrap).zip(&by);
    let mut made: Vec<Written> = made
        .filter_map(|(id, entry)| Some((TokenCreate, Some(id?.0), entry.request_id.clone())))
        .collect();

    let of_action = |action| AuditFilter { action: Some(action), ..AuditFilter::default() };
    assert_eq!(found(store, &of_action(UserBalance)).await.len(), 1);
    assert_eq!(found(store, &of_action(PricesReplace)).await.len(), 1);
    let mut written = found(store, &of_action(TokenCreate)).await;
    made.sort_by_key(|(_, id, _)| *id);
    written.sort_by_key(|(_, id, _)| *id);
    assert_eq!(made.len(), 3);
    assert_eq!(written, made);
}

pub(super) async fn entries_are_newest_first_and_paged(store: &Store) {
    for n in 0..5 {
        // A clock may go back; the order stays that of the changes.
        let entry = AuditEntry { at: at(NOW - 1), ..of(n, SettingsUpdate) };
        store.settings.save(&Settings::default(), &entry).await.unwrap();
    }
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = store.audit.list(&AuditFilter::default(), before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        pages.push(page.into_iter().map(|r| r.entry.request_id).collect::<Vec<_>>());
    }
    let ids = |numbers: &[u64]| numbers.iter().copied().map(request).collect::<Vec<_>>();
    assert_eq!(pages, [ids(&[4, 3]), ids(&[2, 1]), ids(&[0])]);
    assert_eq!(store.audit.list(&AuditFilter::default(), None, 0).await.unwrap(), []);
}

pub(super) async fn filters_select(store: &Store) {
    let id = store.users.insert(&new_user("alice")).await.unwrap();
    let by = |n, action, actor: Option<i64>, ms| AuditEntry {
        actor: actor.map(UserId),
        at: at(NOW + ms),
        ..of(n, action)
    };
    let change = UserChange::default();
    let grant = grant("a", id, BalanceChange::Grant(credits(1)));
    store.users.update(id, &change, &by(1, UserUpdate, Some(7), 0)).await.unwrap();
    store.ledger.grant(&grant, &by(2, UserBalance, Some(8), 10)).await.unwrap();
    store.settings.save(&Settings::default(), &by(3, SettingsUpdate, None, 20)).await.unwrap();
    let channel = store.channels.insert(&new_channel(), &by(4, ChannelCreate, Some(7), 30)).await;
    let channel = channel.unwrap();
    let any = AuditFilter::default();
    for (filter, expected) in [
        (any, vec![4, 3, 2, 1]),
        (AuditFilter { actor: Some(UserId(7)), ..any }, vec![4, 1]),
        (AuditFilter { actor: Some(UserId(9)), ..any }, vec![]),
        (AuditFilter { action: Some(UserBalance), ..any }, vec![2]),
        (AuditFilter { object: Some(AuditObject::User), ..any }, vec![2, 1]),
        (AuditFilter { object: Some(AuditObject::Settings), ..any }, vec![3]),
        (AuditFilter { object: Some(AuditObject::User), object_id: Some(id.0), ..any }, vec![2, 1]),
        (
            AuditFilter { object: Some(AuditObject::Channel), object_id: Some(channel.0), ..any },
            vec![4],
        ),
        (AuditFilter { object_id: Some(4711), ..any }, vec![]),
        (AuditFilter { from: Some(at(NOW + 10)), ..any }, vec![4, 3, 2]),
        (AuditFilter { until: Some(at(NOW + 10)), ..any }, vec![1]),
        (
            AuditFilter {
                from: Some(at(NOW + 10)),
                until: Some(at(NOW + 30)),
                actor: Some(UserId(8)),
                ..any
            },
            vec![2],
        ),
    ] {
        let found = found(store, &filter).await.into_iter().map(|(_, _, request)| request);
        let expected: Vec<_> = expected.into_iter().map(request).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected, "{filter:?}");
    }
}
