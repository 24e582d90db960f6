//! What the usage log must show.

use super::fixture::{NOW, Payer, at, credits, new_token, payer, request};
use crate::{Hold, Store, UsageFilter, UsageSum};
use gateway_domain::{CallRecord, EndReason, RequestId, Timestamp};

const DAY: i64 = 86_400_000;

/// A whole call: held and settled.
async fn finish(payer: &Payer<'_>, call: &CallRecord) {
    let hold = Hold {
        request_id: call.request_id.clone(),
        token_id: call.token_id,
        model: call.model.clone(),
        stream: call.stream,
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
        ..payer.call(1, 24)
    };
    let poor = CallRecord {
        channel_id: None,
        upstream_model: "modèle \"ü\" [1]".to_owned(),
        first_byte_ms: None,
        end_reason: EndReason::Refused,
        status: 503,
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
    assert_eq!(store.usage.sums(&all, 10).await.unwrap(), []);
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
    let second = store.tokens.insert(&new_token(alice.user_id, 3), 10).await;
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

fn sum(day: i64, model: &str, requests: u64, quota: u64) -> UsageSum {
    UsageSum {
        day,
        model: model.to_owned(),
        requests,
        prompt_tokens: 9 * requests,
        completion_tokens: 5 * requests,
        quota,
    }
}

pub(super) async fn sums_add_up(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let today = two_days(&payer).await;
    let mut sums = store.usage.sums(&UsageFilter::default(), 10).await.unwrap();
    sums.sort_by(|a, b| (b.day, &a.model).cmp(&(a.day, &b.model)));
    let expected = [sum(today, "a", 2, 50), sum(today, "b", 1, 40), sum(today - 1, "a", 1, 10)];
    assert_eq!(sums, expected);
    // And to what the user has spent.
    let spent: u64 = sums.iter().map(|sum| sum.quota).sum();
    assert_eq!(payer.user().await.spent, credits(spent));
}

pub(super) async fn sums_are_newest_day_first_and_limited(store: &Store) {
    let payer = payer(store, 1, 1000, None).await;
    let today = two_days(&payer).await;
    let sums = store.usage.sums(&UsageFilter::default(), 2).await.unwrap();
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
    let sums = store.usage.sums(&filter, 10).await.unwrap();
    assert_eq!(sums, [sum(today, "a", 2, 50)]);
}
