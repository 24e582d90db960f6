//! Clients that leave: their upstreams are listened to for a while, and what is paid is what was
//! used.

use crate::bench::{ANSWER, Bench, CHAT, CHUNK, STREAM, Stalling, config, reply};
use async_trait::async_trait;
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{FutureExt, StreamExt};
use gateway_app::{Config, Drain, RelayStream, Reply};
use gateway_domain::{CallRecord, CallState, EndReason};
use gateway_ports::{ByteStream, Upstream, UpstreamError, upstream::MockUpstream};
use http::Response;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const USAGE: &str = concat!(
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":7}}\n\n",
    "data: [DONE]\n\n",
);

/// An upstream whose stream the test feeds.
#[derive(Debug)]
struct Fed(Mutex<Option<mpsc::UnboundedReceiver<Bytes>>>);

#[async_trait]
impl Upstream for Fed {
    async fn send(&self, _: http::Request<Bytes>) -> Result<Response<ByteStream>, UpstreamError> {
        let pieces = self.0.lock().unwrap().take().unwrap();
        let body: ByteStream = Box::pin(pieces.map(Ok));
        Ok(Response::builder().header("content-type", "text/event-stream").body(body).unwrap())
    }
}

fn fed() -> (mpsc::UnboundedSender<Bytes>, Fed) {
    let (sender, receiver) = mpsc::unbounded();
    (sender, Fed(Mutex::new(Some(receiver))))
}

fn feed(upstream: &mpsc::UnboundedSender<Bytes>, text: &'static str) {
    upstream.unbounded_send(Bytes::from_static(text.as_bytes())).unwrap();
}

async fn stream(bench: &Bench) -> Box<RelayStream> {
    match bench.call(STREAM).await.unwrap().reply {
        Reply::Stream(stream) => stream,
        Reply::Whole(_) => panic!("a stream was asked for"),
    }
}

/// How the only call ended: reason, status, units, and whether they are an estimate.
async fn end(bench: &Bench) -> (EndReason, u16, u64, bool) {
    let rows: Vec<CallRecord> = bench.rows().await;
    assert_eq!(rows.len(), 1);
    (rows[0].end_reason, rows[0].status, rows[0].quota.units(), rows[0].estimated)
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_pays_what_the_provider_reports() {
    let (upstream, fed) = fed();
    let bench = Bench::new(fed, None).await;
    bench.channel("a", 0).await;
    feed(&upstream, CHUNK);
    let mut answer = stream(&bench).await;
    assert!(answer.next().await.is_some());
    drop(answer);
    let mut listening = Box::pin(bench.tasks.run());
    assert!((&mut listening).now_or_never().is_none());
    feed(&upstream, USAGE);
    drop(upstream);
    assert!(listening.now_or_never().is_some(), "the end of the answer ends the call");
    assert_eq!(end(&bench).await, (EndReason::ClientGone, 200, 9 + 7 * 3, false));
}

#[tokio::test]
async fn nobody_is_listened_to_for_ever() {
    let dropped = Arc::new(Mutex::new(false));
    let bench = Bench::new(Stalling { pieces: vec![CHUNK], dropped: dropped.clone() }, None).await;
    bench.channel("a", 0).await;
    let mut answer = stream(&bench).await;
    assert!(answer.next().await.is_some());
    drop(answer);
    let mut listening = Box::pin(bench.tasks.run());
    assert!((&mut listening).now_or_never().is_none());
    assert!(!*dropped.lock().unwrap());
    bench.clock.advance(Drain::default().mid_stream);
    listening.await;
    assert!(*dropped.lock().unwrap(), "the upstream is hung up on");
    // The prompt's estimate, and that of the five letters that came.
    assert_eq!(end(&bench).await, (EndReason::ClientGone, 200, 9 + 2 * 3, true));
}

#[tokio::test]
async fn those_beyond_the_limit_are_ended_at_once() {
    let dropped = Arc::new(Mutex::new(false));
    let config = Config { drain: Drain { at_once: 0, ..Drain::default() }, ..config() };
    let upstream = Stalling { pieces: vec![CHUNK], dropped: dropped.clone() };
    let bench = Bench::configured(config, upstream, None).await;
    bench.channel("a", 0).await;
    let mut answer = stream(&bench).await;
    assert!(answer.next().await.is_some());
    drop(answer);
    assert!(*dropped.lock().unwrap());
    assert_eq!(end(&bench).await, (EndReason::ClientGone, 200, 15, true));
}

/// Leaves before the answer began, and says how the call ended.
async fn leave_early(config: Config) -> (EndReason, u16, u64, bool) {
    let upstream = Stalling { pieces: vec![], dropped: Arc::default() };
    let bench = Bench::configured(config, upstream, None).await;
    bench.channel("a", 0).await;
    let mut call = Box::pin(bench.call(STREAM));
    assert!((&mut call).now_or_never().is_none());
    drop(call);
    let mut listening = Box::pin(bench.tasks.run());
    assert!((&mut listening).now_or_never().is_none());
    bench.clock.advance(Drain::default().before_answer);
    listening.await;
    end(&bench).await
}

#[tokio::test]
async fn who_leaves_before_the_answer_pays_the_prompt_unless_the_operator_says_no() {
    assert_eq!(leave_early(config()).await, (EndReason::ClientGone, 499, 9, true));
    let generous = Config { charge_prompt_on_abort: false, ..config() };
    assert_eq!(leave_early(generous).await, (EndReason::ClientGone, 499, 0, true));
}

#[tokio::test]
async fn a_whole_answer_that_nobody_waits_for_is_paid_as_it_was_reported() {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().times(1).returning(|_| reply(200, "application/json", &[ANSWER]));
    let bench = Bench::new(upstream, None).await;
    bench.channel("a", 0).await;
    // Dropped at its first pause, wherever that is: the work goes on without it.
    let call = bench.call(CHAT);
    drop(Box::pin(call).now_or_never());
    let rows = bench.rows().await;
    assert_eq!((rows[0].quota.units(), rows[0].state), (24, CallState::Settled));
}

#[tokio::test]
async fn a_stream_tells_the_ledger_what_it_has_cost_so_far() {
    let (upstream, fed) = fed();
    let bench = Bench::new(fed, None).await;
    bench.channel("a", 0).await;
    feed(&upstream, CHUNK);
    let mut answer = stream(&bench).await;
    assert!(answer.next().await.is_some());
    bench.clock.advance(Duration::from_secs(11));
    feed(&upstream, CHUNK);
    assert!(answer.next().await.is_some());
    assert!(answer.next().now_or_never().is_none());
    // The process dies here: nobody settles.
    std::mem::forget(answer);
    let later = bench.gateway.now().plus(Duration::from_secs(7200));
    assert_eq!(bench.store.ledger.sweep(later).await.unwrap(), 1);
    // The prompt, and the piece that was delivered when the ledger was told.
    let rows = bench.rows().await;
    let orphan = (rows[0].end_reason, rows[0].state, rows[0].quota.units());
    assert_eq!(orphan, (EndReason::Orphan, CallState::Expired, 9 + 2 * 3));
}

#[tokio::test]
async fn a_stream_whose_hold_was_swept_is_ended() {
    let (upstream, fed) = fed();
    let bench = Bench::new(fed, None).await;
    bench.channel("a", 0).await;
    feed(&upstream, CHUNK);
    let mut answer = stream(&bench).await;
    assert!(answer.next().await.is_some());
    let later = bench.gateway.now().plus(Duration::from_secs(7200));
    assert_eq!(bench.store.ledger.sweep(later).await.unwrap(), 1);
    bench.clock.advance(Duration::from_secs(11));
    feed(&upstream, CHUNK);
    let last = answer.next().await;
    assert!(matches!(last, Some(gateway_ports::StreamEvent::Failed(_))), "{last:?}");
    drop(answer);
    let rows = bench.rows().await;
    // It is put right: what was delivered is charged, once.
    assert_eq!((rows.len(), rows[0].quota.units()), (1, 9 + 2 * 3));
    assert_eq!(bench.held().await, 0);
}
