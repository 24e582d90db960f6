//! What the usage log must show.

use super::fixture::{NOW, Payer, at, credits, entry, new_token, payer, request};
use crate::{AuditAction::TokenCreate, Hold, Store, UsageFilter, UsageGroup, UsageSum};
use gateway_domain::{
    CallRecord, CallState, ChannelId, EndReason, FailedAttempt, FaultKind, FrozenPrice, Price,
    RequestId, Timestamp,
};

const DAY: i64 = 86_400_000;

/// A whole call: held and settled.
async fn finish(payer: &Payer<'_>, call: &CallRecord) {
    let hold = Hold {
        request_id: call.request_id.clone(),
        token_id: call.token_id,
        model: call.model.clone(),
        stream: call.stream,
        price: call.price,
        created_at: call.created_at,
        ..payer.hold(0, call.quota.units())
    };
    payer.try_reserve(&hold).await;
    payer.store.ledger.settle(call).await.unwrap();
}

async fn listed(store: &Store, filter: &UsageFilter) -> Vec<RequestId> {
    let rows = store.usage.list(filter, None, 100).await.unwrap();
    rows.into_iter().map(|row| row.request_id).collect()
}

pub(super) async fn a_row_says_what_was_settled(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let rich = CallRecord {
        stream: true,
        estimated: true,
        end_reason: EndReason::ClientGone,
        status: 499,
        attempts: 3,
        dropped: vec!["seed".to_owned(), "logit_bias".to_owned()],
        failures: vec![
            FailedAttempt(ChannelId(4), FaultKind::Server),
            FailedAttempt(ChannelId(5), FaultKind::RateLimited),
        ],
        price: FrozenPrice {
            version: 12,
            price: Price { prompt: 1, cached: 2, cache_write: 3, completion: Price::MOST },
        },
        ..payer.call(1, 24)
    };
    let poor = CallRecord {
        channel_id: None,
        upstream_model: "modèle \"ü\" [1]".to_owned(),
        first_byte_ms: None,
        end_reason: EndReason::Refused,
        status: 503,
        state: CallState::Void,
        ..payer.call(2, 0)
    };
    finish(&payer, &rich).await;
    finish(&payer, &poor).await;
    let rows = store.usage.list(&UsageFilter::default(), None, 10).await;
    assert_eq!(rows.unwrap(), [poor, rich]);
}

pub(super) async fn open_calls_are_not_listed(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let all = UsageFilter::default();
    payer.reserve(1, 10).await;
    assert_eq!(listed(store, &all).await, []);
    assert_eq!(store.usage.sums(&all, UsageGroup::Model, 10).await.unwrap(), []);
    payer.settle(1, 5).await;
    assert_eq!(listed(store, &all).await, [request(1)]);
}

pub(super) async fn lists_are_newest_first_and_paged(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    // Settled in another order than they came.
    for n in [3, 1, 5, 2, 4] {
        finish(&payer, &payer.call(n, 1)).await;
    }
    for user_id in [None, Some(payer.user_id)] {
        let filter = UsageFilter { user_id, ..UsageFilter::default() };
        let mut before = None;
        let mut seen = Vec::new();
        loop {
            let page = store.usage.list(&filter, before, 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            before = Some(last.request_id.clone());
            seen.extend(page.into_iter().map(|row| row.request_id));
        }
        assert_eq!(seen, [5, 4, 3, 2, 1].map(request));
    }
}

pub(super) async fn filters_select(store: &Store) {
    let alice = payer(store, 1, 1000, None).await;
    let bob = payer(store, 2, 1000, None).await;
    let second = store.tokens.insert(&new_token(alice.user_id, 3), 10, &entry(TokenCreate)).await;
    let second = second.unwrap().unwrap();
    finish(&alice, &alice.call(1, 1)).await;
    let other_key = CallRecord { token_id: second, created_at: at(NOW + 10), ..alice.call(2, 1) };
    finish(&alice, &other_key).await;
    let other_model =
        CallRecord { model: "claude".to_owned(), created_at: at(NOW + 20), ..alice.call(3, 1) };
    finish(&alice, &other_model).await;
    finish(&bob, &bob.call(4, 1)).await;

    let of = |filter: UsageFilter| async move { listed(store, &filter).await };
    let any = UsageFilter::default;
    let found = of(UsageFilter { user_id: Some(alice.user_id), ..any() });
    assert_eq!(found.await, [3, 2, 1].map(request));
    let found = of(UsageFilter { token_id: Some(second), ..any() });
    assert_eq!(found.await, [request(2)]);
    let found = of(UsageFilter { model: Some("claude".to_owned()), ..any() });
    assert_eq!(found.await, [request(3)]);
    // From is included, until is not.
    let found = of(UsageFilter {
        user_id: Some(alice.user_id),
        from: Some(at(NOW + 10)),
        until: Some(at(NOW + 20)),
        ..any()
    });
    assert_eq!(found.await, [request(2)]);
    let found = of(UsageFilter { user_id: Some(bob.user_id), token_id: Some(second), ..any() });
    assert_eq!(found.await, []);
}

/// Three calls on two days: two of one model, one of another.
async fn two_days(payer: &Payer<'_>) -> i64 {
    let today = at(NOW).day();
    let noon = Timestamp::start_of_day(today).as_millis() + DAY / 2;
    for (n, model, time, cost) in [
        (1, "a", noon - DAY, 10),
        (2, "a", noon, 20),
        (3, "a", noon + DAY / 2 - 1, 30),
        (4, "b", noon, 40),
    ] {
        let call =
            CallRecord { model: model.to_owned(), created_at: at(time), ..payer.call(n, cost) };
        finish(payer, &call).await;
    }
    today
}

fn sum(day: i64, key: &str, requests: u64, quota: u64) -> UsageSum {
    UsageSum {
        day,
        key: key.to_owned(),
        requests,
        failures: 0,
        prompt_tokens: 9 * requests,
        completion_tokens: 5 * requests,
        quota,
    }
}

pub(super) async fn sums_add_up(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let today = two_days(&payer).await;
    let mut sums = store.usage.sums(&UsageFilter::default(), UsageGroup::Model, 10).await.unwrap();
    sums.sort_by(|a, b| (b.day, &a.key).cmp(&(a.day, &b.key)));
    let expected = [sum(today, "a", 2, 50), sum(today, "b", 1, 40), sum(today - 1, "a", 1, 10)];
    assert_eq!(sums, expected);
    // And to what the user has spent.
    let spent: u64 = sums.iter().map(|sum| sum.quota).sum();
    assert_eq!(payer.user().await.spent, credits(spent));
}

pub(super) async fn sums_are_newest_day_first_and_limited(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let today = two_days(&payer).await;
    let sums = store.usage.sums(&UsageFilter::default(), UsageGroup::Model, 2).await.unwrap();
    let days: Vec<i64> = sums.iter().map(|sum| sum.day).collect();
    assert_eq!(days, [today, today]);
}

pub(super) async fn sums_take_filters(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let other = super::fixture::payer(store, 2, 1000, None).await;
    let today = two_days(&payer).await;
    finish(&other, &other.call(9, 500)).await;
    let filter = UsageFilter {
        user_id: Some(payer.user_id),
        model: Some("a".to_owned()),
        from: Some(Timestamp::start_of_day(today)),
        ..UsageFilter::default()
    };
    let sums = store.usage.sums(&filter, UsageGroup::Model, 10).await.unwrap();
    assert_eq!(sums, [sum(today, "a", 2, 50)]);
}

pub(super) async fn sums_are_made_by_user_key_or_channel(store: &Store) {
    let alice = payer(store, 1, 1000, None).await;
    let bob = payer(store, 2, 1000, None).await;
    finish(&alice, &alice.call(1, 10)).await;
    finish(&alice, &CallRecord { channel_id: Some(ChannelId(8)), ..alice.call(2, 20) }).await;
    let failures = vec![
        FailedAttempt(ChannelId(8), FaultKind::Server),
        FailedAttempt(ChannelId(9), FaultKind::Timeout),
    ];
    finish(&bob, &CallRecord { failures, ..bob.call(3, 30) }).await;
    let refused = CallRecord { channel_id: None, state: CallState::Void, ..bob.call(4, 0) };
    finish(&bob, &refused).await;
    let sums = |group, filter: UsageFilter| async move {
        let sums = store.usage.sums(&filter, group, 10).await.unwrap();
        let said = |sum: UsageSum| (sum.key, sum.requests, sum.failures, sum.quota);
        sums.into_iter().map(said).collect::<Vec<_>>()
    };
    let key = |n: i64| n.to_string();
    let all = UsageFilter::default;
    let found = sums(UsageGroup::User, all()).await;
    let (a, b) = (key(alice.user_id.0), key(bob.user_id.0));
    assert_eq!(found, [(a, 2, 0, 30), (b.clone(), 2, 2, 30)]);
    let found = sums(UsageGroup::Token, all()).await;
    assert_eq!(found, [(key(alice.token_id.0), 2, 0, 30), (key(bob.token_id.0), 2, 2, 30)]);
    let found = sums(UsageGroup::Channel, all()).await;
    let expected = [(key(0), 1, 0, 0), (key(7), 2, 0, 40), (key(8), 1, 1, 20), (key(9), 0, 1, 0)];
    assert_eq!(found, expected);
    // A channel's own failures, whoever called.
    let eight = UsageFilter { channel_id: Some(ChannelId(8)), ..all() };
    let found = sums(UsageGroup::User, eight).await;
    assert_eq!(found, [(key(alice.user_id.0), 1, 0, 20), (b, 0, 1, 0)]);
}
