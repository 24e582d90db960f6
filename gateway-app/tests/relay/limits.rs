//! Limits of keys and users: what they refuse, what that costs, and when a call is given back.

use crate::bench::{ANSWER, Bench, CHAT, CHUNK, STREAM, Stalling, config, reply, unreachable};
use futures_util::StreamExt;
use gateway_app::{Config, Drain, GatewayError, Reply};
use gateway_domain::{Limits, LimitsChange};
use gateway_ports::{
    AuditAction, AuditEntry, Page, TokenChange, Upstream, UserChange, upstream::MockUpstream,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn answering(times: usize) -> MockUpstream {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().times(times).returning(|_| reply(200, "application/json", &[ANSWER]));
    upstream
}

async fn bench(upstream: impl Upstream + 'static, limits: LimitsChange) -> Bench {
    configured(config(), upstream, limits).await
}

/// A key with these limits, and a channel.
async fn configured(
    config: Config,
    upstream: impl Upstream + 'static,
    limits: LimitsChange,
) -> Bench {
    let bench = Bench::configured(config, upstream, None).await;
    bench.channel("a", 0).await;
    let bob = bench.store.users.find_by_username("bob").await.unwrap().unwrap().user.id;
    let page = Page { offset: 0, limit: 1 };
    let id = bench.store.tokens.list(bob, page).await.unwrap()[0].id;
    let change = TokenChange { limits, ..TokenChange::default() };
    bench.store.tokens.update(bob, id, &change, &entry(&bench)).await.unwrap();
    bench
}

fn entry(bench: &Bench) -> AuditEntry {
    let context = bench.context();
    AuditEntry::new(context.request_id, context.started, AuditAction::TokenUpdate)
}

fn told(error: &GatewayError) -> (u16, &str, Option<Duration>) {
    (error.kind.status(), error.code.as_ref(), error.retry_after)
}

fn rpm(limit: u64) -> LimitsChange {
    LimitsChange { rpm: Some(limit), ..LimitsChange::default() }
}

#[tokio::test]
async fn a_call_over_the_limit_is_not_held_not_sent_and_leaves_no_row() {
    let bench = bench(answering(3), rpm(2)).await;
    for remaining in [1, 0] {
        let standing = bench.call(CHAT).await.unwrap().standing;
        assert_eq!(standing.requests.map(|g| (g.limit, g.remaining)), Some((2, remaining)));
        assert_eq!(standing.tokens, None);
    }
    let error = bench.call(CHAT).await.unwrap_err();
    assert_eq!(told(&error), (429, "rate_limit_exceeded", Some(Duration::from_secs(60))));
    assert_eq!(error.standing.unwrap().requests.unwrap().remaining, 0);
    assert_eq!((bench.rows().await.len(), bench.held().await), (2, 0));
    bench.clock.advance(Duration::from_secs(60));
    bench.call(CHAT).await.unwrap();
}

#[tokio::test]
async fn tokens_are_counted_as_expected_and_put_right_at_the_end() {
    let limits = LimitsChange { tpm: Some(100), ..LimitsChange::default() };
    let bench = bench(answering(2), limits).await;
    // Nine of the prompt and ten that the caller allows; the upstream says nine and five.
    let standing = bench.call(CHAT).await.unwrap().standing;
    assert_eq!(standing.tokens.map(|g| (g.limit, g.remaining)), Some((100, 86)));
    let large = CHAT.replace("10", "80");
    let error = bench.call(&large).await.unwrap_err();
    let minute = Some(Duration::from_secs(60));
    assert_eq!(told(&error), (429, "tokens_limit_exceeded", minute));
    let too_large = CHAT.replace("10", "100");
    assert_eq!(
        told(&bench.call(&too_large).await.unwrap_err()),
        (429, "tokens_limit_exceeded", None)
    );
    // A guess of the gateway (4,096) makes no call too large, but it must be alone.
    let open = CHAT.replace("\"max_tokens\":10,", "");
    assert_eq!(told(&bench.call(&open).await.unwrap_err()), (429, "tokens_limit_exceeded", minute));
    bench.clock.advance(Duration::from_secs(60));
    let standing = bench.call(&open).await.unwrap().standing;
    assert_eq!(standing.tokens.unwrap().remaining, 86);
}

#[tokio::test]
async fn a_call_that_comes_to_nothing_gives_its_tokens_back() {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().times(2).returning(|_| reply(400, "application/json", &["{}"]));
    let limits = LimitsChange { tpm: Some(30), concurrency: Some(1), ..LimitsChange::default() };
    let bench = bench(upstream, limits).await;
    for _ in 0..2 {
        assert_eq!(bench.call(CHAT).await.unwrap_err().kind.status(), 400);
    }
}

#[tokio::test]
async fn calls_at_once_are_given_back_by_whatever_ends_them() {
    let dropped = Arc::new(Mutex::new(false));
    let upstream = Stalling { pieces: vec![CHUNK], dropped: dropped.clone() };
    let limits = LimitsChange { concurrency: Some(1), ..LimitsChange::default() };
    let drain = Drain { mid_stream: Duration::from_secs(30), ..Drain::default() };
    let bench = configured(Config { drain, ..config() }, upstream, limits).await;
    let first = bench.call(STREAM).await.unwrap();
    let error = bench.call(STREAM).await.unwrap_err();
    assert_eq!(told(&error), (429, "concurrency_limit", Some(Duration::from_secs(1))));
    // The client is gone, though its upstream is still listened to: it does not count any more.
    drop(first);
    assert!(!*dropped.lock().unwrap(), "the upstream is listened to");
    let Reply::Stream(mut second) = bench.call(STREAM).await.unwrap().reply else {
        panic!("a stream was asked for");
    };
    assert_eq!(bench.call(STREAM).await.unwrap_err().code, "concurrency_limit");
    // One that the gateway ends is given back before its client is gone.
    assert!(second.next().await.is_some());
    bench.clock.advance(config().timeouts.total);
    assert!(second.next().await.is_some());
    drop(bench.call(STREAM).await.unwrap());
    drop(second);
    bench.call(STREAM).await.unwrap();
}

#[tokio::test]
async fn a_users_limits_are_for_all_keys_and_their_callers_are_told() {
    let bench = bench(unreachable(), rpm(1000)).await;
    let user = bench.principal().await.user.id;
    let limits = LimitsChange { rpm: Some(5), tpm: Some(10), ..LimitsChange::default() };
    let change = UserChange { limits, ..UserChange::default() };
    assert!(bench.store.users.update(user, &change, &entry(&bench)).await.unwrap());
    // Copies of keys are not older than they may be.
    bench.clock.advance(config().snapshot_ttl);
    let error = bench.call(CHAT).await.unwrap_err();
    assert_eq!(told(&error), (429, "tokens_limit_exceeded", None));
    assert!(error.message.starts_with("the account may use 10 tokens a minute"), "{error}");
    let standing = error.standing.unwrap();
    assert_eq!(standing.requests.map(|g| (g.limit, g.remaining)), Some((5, 5)));
}

#[tokio::test]
async fn limits_beyond_the_largest_are_refused() {
    let bench = bench(unreachable(), rpm(1)).await;
    let bob = bench.store.users.find_by_username("bob").await.unwrap().unwrap().user;
    let page = Page { offset: 0, limit: 1 };
    let id = bench.store.tokens.list(bob.id, page).await.unwrap()[0].id;
    let change = TokenChange { limits: rpm(Limits::MOST + 1), ..TokenChange::default() };
    let error = bench.gateway.update_token(&bob, id, &change, &bench.context()).await.unwrap_err();
    assert_eq!((error.kind.status(), error.param.as_deref()), (400, Some("rpm_limit")));
}
