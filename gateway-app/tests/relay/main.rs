//! The relay on mocks: what reaches an upstream, what reaches the ledger, and what never does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what broke by panicking"
)]

mod bench;
mod drain;
mod explain;
mod health;
mod limits;
mod observe;

use async_trait::async_trait;
use bench::{ANSWER, Bench, CHAT, CHUNK, STREAM, Stalling, config, gateway, reply, unreachable};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use gateway_app::Reply;
use gateway_domain::{CallRecord, EndReason, RequestId, Timestamp};
use gateway_ports::{
    AuditEntry, BalanceChanged, ByteStream, Checkpoint, Grant, Refusal, Reserved, Settled,
    StoreError, StreamEvent, Upstream, UpstreamError,
};
use gateway_ports::{ledger::MockLedger, upstream::MockUpstream};
use http::Response;
use mockall::predicate::{always, function};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test]
async fn a_call_is_reserved_relayed_and_settled_once() {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().times(1).returning(|_| reply(200, "application/json", &[ANSWER]));
    let bench = Bench::new(upstream, None).await;
    bench.channel("a", 0).await;
    assert!(matches!(bench.call(CHAT).await.unwrap().reply, Reply::Whole(_)));
    let rows = bench.rows().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].quota.units(), rows[0].end_reason, rows[0].status),
        (24, EndReason::Complete, 200)
    );
    assert_eq!(bench.held().await, 0);
}

#[tokio::test]
async fn without_a_ledger_no_upstream_is_called() {
    let mut ledger = MockLedger::new();
    ledger.expect_reserve().times(1).returning(|_| Err(StoreError::unavailable("down")));
    // The answer may have got lost after the hold was written.
    ledger.expect_settle().times(1).returning(|call| {
        assert_eq!((call.quota.units(), call.end_reason), (0, EndReason::Refused));
        Ok(Settled { charged: call.quota })
    });
    let bench = Bench::new(unreachable(), Some(ledger)).await;
    bench.channel("a", 0).await;
    let error = bench.call(CHAT).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind.status()), ("ledger_unavailable", 503));
    bench.tasks.run().await;
}

#[tokio::test]
async fn a_ledger_that_hangs_is_given_up_and_settled_when_it_answers() {
    struct Hanging {
        answers: tokio::sync::Semaphore,
        settled: Mutex<Vec<CallRecord>>,
    }
    #[async_trait]
    impl gateway_ports::Ledger for Hanging {
        async fn reserve(&self, hold: &gateway_ports::Hold) -> Result<Reserved, StoreError> {
            self.answers.acquire().await.unwrap().forget();
            Ok(Reserved::Granted(hold.amount))
        }
        async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError> {
            self.settled.lock().unwrap().push(call.clone());
            Ok(Settled { charged: call.quota })
        }
        async fn sweep(&self, _: Timestamp) -> Result<u64, StoreError> {
            Ok(0)
        }
        async fn checkpoint(&self, _: &[Checkpoint]) -> Result<Vec<RequestId>, StoreError> {
            Ok(Vec::new())
        }
        async fn grant(&self, _: &Grant, _: &AuditEntry) -> Result<BalanceChanged, StoreError> {
            unreachable!()
        }
    }
    let mut bench = Bench::new(unreachable(), None).await;
    bench.channel("a", 0).await;
    let ledger =
        Arc::new(Hanging { answers: tokio::sync::Semaphore::new(0), settled: Mutex::default() });
    bench.store.ledger = ledger.clone();
    bench.gateway =
        gateway(config(), &bench.store, Arc::new(unreachable()), &bench.clock, &bench.tasks);
    let mut call = Box::pin(bench.call(CHAT));
    assert!((&mut call).now_or_never().is_none());
    bench.clock.advance(Duration::from_secs(6));
    assert_eq!(call.await.unwrap_err().code, "ledger_unavailable");
    // And a caller who leaves while the ledger has not answered.
    let mut call = Box::pin(bench.call(CHAT));
    assert!((&mut call).now_or_never().is_none());
    drop(call);
    let mut tasks = Box::pin(bench.tasks.run());
    assert!((&mut tasks).now_or_never().is_none());
    assert!(ledger.settled.lock().unwrap().is_empty(), "a settlement must not overtake its hold");
    ledger.answers.add_permits(2);
    tasks.await;
    let settled = ledger.settled.lock().unwrap();
    let ends: Vec<_> = settled.iter().map(|call| (call.end_reason, call.quota.units())).collect();
    assert_eq!(ends, [(EndReason::Refused, 0), (EndReason::ClientGone, 0)]);
}

#[tokio::test]
async fn refusals_of_the_ledger_have_codes_of_their_own() {
    for (refusal, code, status) in [
        (Refusal::Exhausted, "insufficient_quota", 403),
        (Refusal::Held, "quota_reserved", 429),
        (Refusal::Revoked, "invalid_api_key", 401),
        (Refusal::Expired, "token_expired", 401),
        (Refusal::UserDisabled, "account_disabled", 403),
        (Refusal::Duplicate, "idempotency_conflict", 409),
    ] {
        let mut ledger = MockLedger::new();
        ledger.expect_reserve().times(1).returning(move |_| Ok(Reserved::Refused(refusal)));
        ledger.expect_settle().never();
        let bench = Bench::new(unreachable(), Some(ledger)).await;
        bench.channel("a", 0).await;
        let error = bench.call(CHAT).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.kind.status()), (code, status));
        bench.tasks.run().await;
    }
}

#[tokio::test]
async fn a_key_that_changed_is_looked_up_again_once() {
    let mut ledger = MockLedger::new();
    ledger.expect_reserve().times(2).returning(|_| Ok(Reserved::Refused(Refusal::Stale)));
    let bench = Bench::new(unreachable(), Some(ledger)).await;
    bench.channel("a", 0).await;
    assert_eq!(bench.call(CHAT).await.unwrap_err().code, "invalid_api_key");
}

#[tokio::test]
async fn a_failing_channel_is_passed_over_and_never_charged() {
    let mut upstream = MockUpstream::new();
    let goes_to = |name: &'static str| {
        function(move |r: &http::Request<Bytes>| r.uri().path().contains(name))
    };
    upstream
        .expect_send()
        .with(goes_to("first"))
        .times(1)
        .returning(|_| reply(500, "text/plain", &["no"]));
    upstream
        .expect_send()
        .with(goes_to("second"))
        .times(1)
        .returning(|_| Err(UpstreamError::Connect("refused".into())));
    upstream
        .expect_send()
        .with(goes_to("third"))
        .times(1)
        .returning(|_| reply(200, "application/json", &[ANSWER]));
    let bench = Bench::new(upstream, None).await;
    for (name, priority) in [("third", 1), ("first", 3), ("second", 2), ("fourth", 0)] {
        bench.channel(name, priority).await;
    }
    assert!(matches!(bench.call(CHAT).await.unwrap().reply, Reply::Whole(_)));
    let rows = bench.rows().await;
    assert_eq!((rows.len(), rows[0].attempts, rows[0].quota.units()), (1, 3, 24));
}

#[tokio::test]
async fn a_callers_fault_is_not_tried_elsewhere() {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().times(1).returning(|_| {
        reply(
            400,
            "application/json",
            &[r#"{"error":{"message":"temperature is too high","param":"temperature"}}"#],
        )
    });
    let bench = Bench::new(upstream, None).await;
    bench.channel("a", 0).await;
    bench.channel("b", 0).await;
    let error = bench.call(CHAT).await.unwrap_err();
    assert_eq!((error.kind.status(), error.param.as_deref()), (400, Some("temperature")));
    let rows = bench.rows().await;
    assert_eq!(
        (rows[0].end_reason, rows[0].quota.units(), rows[0].status),
        (EndReason::Refused, 0, 400)
    );
}

#[tokio::test]
async fn an_upstream_that_quotes_the_channels_key_does_not_tell_it() {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().times(1).returning(|_| {
        let error = r#"{"error":{"message":"cannot use [sk-provider-key]","code":"sk-provider-key","param":"sk-provider-key"}}"#;
        reply(400, "application/json", &[error])
    });
    let bench = Bench::new(upstream, None).await;
    bench.channel("a", 0).await;
    let error = bench.call(CHAT).await.unwrap_err();
    assert!(!format!("{error:?}").contains("sk-provider-key"), "{error:?}");
    assert_eq!(error.code, "[redacted]");
}

#[tokio::test]
async fn an_answer_that_trickles_is_ended_with_the_call() {
    let bench = Bench::new(Trickling, None).await;
    bench.channel("a", 0).await;
    let mut call = Box::pin(bench.call(CHAT));
    for _ in 0..18 {
        assert!((&mut call).now_or_never().is_none());
        bench.clock.advance(Duration::from_secs(100));
    }
    let error = call.await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind.status()), ("upstream_timeout", 504));
    assert_eq!(bench.rows().await[0].end_reason, EndReason::Timeout);
}

/// An upstream whose answer has a byte in every second read, and no end.
#[derive(Debug)]
struct Trickling;

#[async_trait]
impl Upstream for Trickling {
    async fn send(&self, _: http::Request<Bytes>) -> Result<Response<ByteStream>, UpstreamError> {
        let mut turn = 0u64;
        let body: ByteStream = Box::pin(stream::poll_fn(move |_| {
            turn += 1;
            if turn.is_multiple_of(2) {
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(Some(Ok(Bytes::from_static(b" "))))
        }));
        Ok(Response::builder().header("content-type", "application/json").body(body).unwrap())
    }
}

#[tokio::test]
async fn an_error_in_a_200_is_no_answer() {
    for (kind, text) in [
        ("text/html", "<html>"),
        ("application/json", ""),
        ("application/json", r#"{"error":{"message":"overloaded"}}"#),
        ("text/event-stream", ""),
        ("text/event-stream", "data: [DONE]\n\n"),
        ("text/event-stream", "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"),
    ] {
        let mut upstream = MockUpstream::new();
        upstream.expect_send().times(1).returning(move |_| reply(200, kind, &[text]));
        let bench = Bench::new(upstream, None).await;
        bench.channel("a", 0).await;
        let error = bench.call(STREAM).await.unwrap_err();
        assert_eq!(error.kind.status(), 502, "{kind} {text}: {error}");
        let rows = bench.rows().await;
        assert_eq!(
            (rows[0].end_reason, rows[0].quota.units()),
            (EndReason::Refused, 0),
            "{kind} {text}"
        );
    }
}

#[tokio::test]
async fn streams_settle_however_they_end() {
    let done = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    for (pieces, reason, estimated, quota) in [
        (vec![CHUNK, done], EndReason::Complete, false, 24),
        (vec![CHUNK, "data: [DONE]\n\n"], EndReason::Complete, true, 9 + 3 * 2),
        (vec![CHUNK, error], EndReason::UpstreamError, true, 9 + 3 * 2),
        (vec![CHUNK], EndReason::UpstreamCut, true, 9 + 3 * 2),
    ] {
        let mut upstream = MockUpstream::new();
        let sent = pieces.clone();
        upstream.expect_send().times(1).returning(move |_| reply(200, "text/event-stream", &sent));
        let bench = Bench::new(upstream, None).await;
        bench.channel("a", 0).await;
        let Reply::Stream(stream) = bench.call(STREAM).await.unwrap().reply else {
            panic!("a stream was asked for")
        };
        let events: Vec<StreamEvent> = stream.collect().await;
        let failed = matches!(events.last(), Some(StreamEvent::Failed(_)));
        assert_eq!(failed, reason != EndReason::Complete);
        let rows = bench.rows().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].end_reason, rows[0].estimated, rows[0].quota.units()),
            (reason, estimated, quota),
            "{pieces:?}"
        );
        assert_eq!(bench.held().await, 0);
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_ended() {
    let bench = Bench::new(Stalling { pieces: vec![CHUNK], dropped: Arc::default() }, None).await;
    bench.channel("a", 0).await;
    let Reply::Stream(mut stream) = bench.call(STREAM).await.unwrap().reply else {
        panic!("a stream was asked for")
    };
    assert!(stream.next().await.is_some());
    assert!(stream.next().now_or_never().is_none());
    bench.clock.advance(Duration::from_secs(121));
    assert!(matches!(stream.next().await, Some(StreamEvent::Failed(_))));
    assert!(stream.next().await.is_none());
    let rows = bench.rows().await;
    assert_eq!(rows[0].end_reason, EndReason::UpstreamIdle);
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time_is_a_timeout() {
    let bench =
        Bench::new(Stalling { pieces: vec![": thinking\n\n"], dropped: Arc::default() }, None)
            .await;
    bench.channel("a", 0).await;
    let mut call = Box::pin(bench.call(STREAM));
    assert!((&mut call).now_or_never().is_none());
    bench.clock.advance(Duration::from_secs(121));
    let error = call.await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind.status()), ("upstream_timeout", 504));
    let rows = bench.rows().await;
    assert_eq!((rows[0].end_reason, rows[0].quota.units()), (EndReason::Timeout, 0));
}

#[tokio::test]
async fn a_settlement_is_tried_again_until_the_store_takes_it() {
    let mut ledger = MockLedger::new();
    ledger.expect_reserve().returning(|hold| Ok(Reserved::Granted(hold.amount)));
    let mut failures = 2;
    ledger.expect_settle().with(always()).times(3).returning(move |call| {
        if failures > 0 {
            failures -= 1;
            return Err(StoreError::unavailable("busy"));
        }
        Ok(Settled { charged: call.quota })
    });
    let mut upstream = MockUpstream::new();
    upstream.expect_send().returning(|_| reply(200, "application/json", &[ANSWER]));
    let bench = Bench::new(upstream, Some(ledger)).await;
    bench.channel("a", 0).await;
    bench.call(CHAT).await.unwrap();
    let mut settling = Box::pin(bench.tasks.run());
    while (&mut settling).now_or_never().is_none() {
        bench.clock.advance(Duration::from_secs(1));
    }
}
