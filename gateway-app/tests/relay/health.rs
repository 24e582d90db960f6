//! Channels that fail: left alone, tried again, and told of to others.

use super::bench::{ANSWER, Bench, CHAT, CHUNK, Pieces, STREAM, body, config, seeded};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use gateway_app::{
    Config, GatewayError, Reply, explain::Question, manage::channels::ChannelRequest,
};
use gateway_domain::{
    ModelCall, Operation, Timestamp,
    policy::{
        breaker::{BreakerRules, TripState},
        health::{Change, HealthState, Report, Verdict},
        plan::Skip,
        retry::RetryRules,
    },
};
use gateway_ports::{ByteStream, HealthBoard, HealthScope, StoreError, Upstream, UpstreamError};
use http::Response;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Answers by the name of the channel that is called, and counts.
#[derive(Clone, Debug, Default)]
struct Scripted(Arc<Script>);

#[derive(Debug, Default)]
struct Script {
    answers: Mutex<HashMap<&'static str, Answer>>,
    calls: Mutex<HashMap<String, u32>>,
    gate: Notify,
}

#[derive(Clone, Debug)]
enum Answer {
    Status(u16, Option<&'static str>, &'static str),
    Stream(Vec<&'static str>),
    /// Good, once the gate is opened.
    Late,
}

const GOOD: Answer = Answer::Status(200, None, ANSWER);
const BAD: Answer = Answer::Status(500, None, "no");
const DEAD: Answer = Answer::Status(401, None, r#"{"error":{"message":"no such key"}}"#);

impl Scripted {
    fn answers(self, answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        self.0.answers.lock().unwrap().extend(answers);
        self
    }

    fn set(&self, name: &'static str, answer: Answer) {
        self.0.answers.lock().unwrap().insert(name, answer);
    }

    fn calls(&self, name: &str) -> u32 {
        self.0.calls.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Upstream for Scripted {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<Response<ByteStream>, UpstreamError> {
        let name = request.uri().path().split('/').nth(1).unwrap().to_owned();
        let answer = self.0.answers.lock().unwrap()[name.as_str()].clone();
        *self.0.calls.lock().unwrap().entry(name).or_default() += 1;
        let pieces = |texts: &[&'static str]| -> Pieces {
            texts.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect()
        };
        let reply = Response::builder();
        Ok(match answer {
            Answer::Status(status, wait, text) => {
                let reply = reply.status(status).header("content-type", "application/json");
                let reply = match wait {
                    Some(wait) => reply.header("retry-after", wait),
                    None => reply,
                };
                reply.body(body(pieces(&[text]))).unwrap()
            }
            Answer::Stream(texts) => {
                let reply = reply.header("content-type", "text/event-stream");
                reply.body(body(pieces(&texts))).unwrap()
            }
            Answer::Late => {
                self.0.gate.notified().await;
                let reply = reply.header("content-type", "application/json");
                reply.body(body(pieces(&[ANSWER]))).unwrap()
            }
        })
    }
}

fn generous() -> Config {
    Config { retry: RetryRules { percent: 100, per_second: 10_000 }, ..config() }
}

async fn bench(upstream: &Scripted, channels: &[(&str, i64)]) -> Bench {
    let bench = Bench::configured(generous(), upstream.clone(), None).await;
    for (name, priority) in channels {
        bench.channel(name, *priority).await;
    }
    bench
}

async fn failed(bench: &Bench) -> (u16, String, Option<Duration>) {
    let GatewayError { kind, code, retry_after, .. } = bench.call(CHAT).await.unwrap_err();
    (kind.status(), code.into_owned(), retry_after)
}

/// How a channel is, by its place.
async fn report(bench: &Bench, place: usize) -> Report {
    let channels = bench.gateway.channels().await.unwrap();
    bench.gateway.with_all_health(channels).await.remove(place).1
}

async fn state(bench: &Bench, place: usize) -> HealthState {
    report(bench, place).await.state
}

async fn save(bench: &Bench, place: usize, request: ChannelRequest) {
    bench.clock.advance(Duration::from_millis(1));
    let id = bench.gateway.channels().await.unwrap()[place].id;
    bench.gateway.update_channel(&bench.admin, id, request, &bench.context()).await.unwrap();
}

#[tokio::test]
async fn five_failures_in_a_row_end_the_calls_and_the_caller_learns_when_to_come_again() {
    let upstream = Scripted::default().answers([("a", BAD)]);
    let bench = bench(&upstream, &[("a", 0)]).await;
    for _ in 0..5 {
        assert_eq!(failed(&bench).await.0, 502);
    }
    bench.clock.advance(Duration::from_secs(3));
    let told = failed(&bench).await;
    assert_eq!(told, (503, "no_available_channel".to_owned(), Some(Duration::from_secs(7))));
    assert_eq!(upstream.calls("a"), 5);
    assert_eq!(bench.rows().await.len(), 5, "nothing is held for what no channel takes");
    assert_eq!(state(&bench, 0).await, HealthState::Open);
}

#[tokio::test]
async fn a_lower_tier_answers_while_a_breaker_is_open_and_a_probe_ends_that() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", GOOD)]);
    let bench = bench(&upstream, &[("a", 9), ("b", 1)]).await;
    for _ in 0..8 {
        bench.call(CHAT).await.unwrap();
    }
    assert_eq!((upstream.calls("a"), upstream.calls("b")), (5, 8));
    upstream.set("a", GOOD);
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(state(&bench, 0).await, HealthState::HalfOpen);
    bench.call(CHAT).await.unwrap();
    assert_eq!((upstream.calls("a"), state(&bench, 0).await), (6, HealthState::Ok));
}

#[tokio::test]
async fn one_of_many_calls_is_the_probe_and_one_that_is_dropped_makes_way() {
    let upstream = Scripted::default().answers([("a", BAD)]);
    let bench = bench(&upstream, &[("a", 0)]).await;
    for _ in 0..5 {
        failed(&bench).await;
    }
    upstream.set("a", Answer::Late);
    bench.clock.advance(Duration::from_secs(10));
    let mut probe = Box::pin(bench.call(CHAT));
    assert!((&mut probe).now_or_never().is_none());
    for _ in 0..20 {
        let told = failed(&bench).await;
        assert_eq!(told, (503, "no_available_channel".to_owned(), Some(Duration::from_secs(1))));
    }
    assert_eq!(upstream.calls("a"), 6);
    // The client leaves, and after a while nobody listens to the answer any more.
    drop(probe);
    let mut tasks = Box::pin(bench.tasks.run());
    assert!((&mut tasks).now_or_never().is_none());
    bench.clock.advance(Duration::from_secs(31));
    tasks.await;
    let mut probe = Box::pin(bench.call(CHAT));
    assert!((&mut probe).now_or_never().is_none());
    assert_eq!(upstream.calls("a"), 7);
    upstream.0.gate.notify_one();
    probe.await.unwrap();
    assert_eq!(state(&bench, 0).await, HealthState::Ok);
}

#[tokio::test]
async fn a_limit_is_kept_and_when_all_are_limited_the_caller_hears_of_the_first_to_end() {
    let limited = |wait| Answer::Status(429, Some(wait), "slow down");
    let upstream = Scripted::default().answers([("a", limited("30")), ("b", limited("7"))]);
    let bench = bench(&upstream, &[("a", 9), ("b", 1)]).await;
    let limit =
        |seconds| (429, "rate_limit_exceeded".to_owned(), Some(Duration::from_secs(seconds)));
    assert_eq!(failed(&bench).await, limit(7));
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(failed(&bench).await, limit(5));
    assert_eq!((upstream.calls("a"), upstream.calls("b")), (1, 1));
    upstream.set("b", GOOD);
    bench.clock.advance(Duration::from_secs(5));
    bench.call(CHAT).await.unwrap();
    assert_eq!((upstream.calls("a"), upstream.calls("b")), (1, 2));
    assert_eq!(state(&bench, 0).await, HealthState::CoolingDown);
}

#[tokio::test]
async fn a_dead_key_is_out_until_its_channel_is_saved_but_the_last_one_stays() {
    for status in [401, 402, 403] {
        let dead = Answer::Status(status, None, r#"{"error":{"message":"no"}}"#);
        let upstream = Scripted::default().answers([("a", dead), ("b", GOOD)]);
        let bench = bench(&upstream, &[("a", 9), ("b", 1)]).await;
        for _ in 0..3 {
            bench.call(CHAT).await.unwrap();
        }
        bench.clock.advance(Duration::from_secs(1_000_000));
        bench.call(CHAT).await.unwrap();
        assert_eq!((upstream.calls("a"), upstream.calls("b")), (1, 4), "{status}");
        assert_eq!(state(&bench, 0).await, HealthState::DeadKey);
        save(&bench, 0, ChannelRequest::default()).await;
        assert_eq!(state(&bench, 0).await, HealthState::Ok);
        bench.call(CHAT).await.unwrap();
        assert_eq!(upstream.calls("a"), 2);
        // The other one is disabled: this is the last.
        save(&bench, 1, ChannelRequest { enabled: Some(false), ..Default::default() }).await;
        for _ in 0..7 {
            assert_eq!(failed(&bench).await.0, 502);
        }
        assert_eq!(upstream.calls("a"), 9, "{status}");
    }
}

#[tokio::test]
async fn callers_faults_open_nothing() {
    for (status, text) in [
        (400, r#"{"error":{"message":"bad temperature"}}"#),
        (413, ""),
        (422, ""),
        (400, r#"{"error":{"code":"content_filter","message":"no"}}"#),
        (400, r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#),
        (409, ""),
    ] {
        let upstream = Scripted::default().answers([("a", Answer::Status(status, None, text))]);
        let bench = bench(&upstream, &[("a", 0)]).await;
        for _ in 0..30 {
            failed(&bench).await;
        }
        assert_eq!((upstream.calls("a"), state(&bench, 0).await), (30, HealthState::Ok));
    }
}

#[tokio::test]
async fn answers_that_are_none_or_break_off_count_as_failures() {
    let cut = Answer::Stream(vec![CHUNK]);
    for answer in [
        Answer::Status(200, None, ""),
        Answer::Status(200, None, "<html>hello</html>"),
        Answer::Status(200, None, r#"{"error":{"message":"all wrong"}}"#),
        Answer::Stream(vec!["data: {\"error\":{\"message\":\"x\"}}\n\n"]),
        cut,
    ] {
        let upstream = Scripted::default().answers([("a", answer.clone())]);
        let bench = bench(&upstream, &[("a", 0)]).await;
        for _ in 0..5 {
            if let Ok(relayed) = bench.call(STREAM).await {
                let Reply::Stream(stream) = relayed.reply else { panic!("{answer:?}") };
                stream.collect::<Vec<_>>().await;
            }
        }
        assert_eq!(failed(&bench).await.0, 503, "{answer:?}");
        assert_eq!(upstream.calls("a"), 5);
    }
}

#[tokio::test]
async fn clients_that_leave_say_nothing_about_a_channel() {
    let upstream = Scripted::default().answers([("a", Answer::Stream(vec![CHUNK; 3]))]);
    let config = Config {
        drain: gateway_app::Drain { mid_stream: Duration::ZERO, ..Default::default() },
        ..generous()
    };
    let bench = Bench::configured(config, upstream.clone(), None).await;
    bench.channel("a", 0).await;
    for _ in 0..20 {
        let Reply::Stream(mut stream) = bench.call(STREAM).await.unwrap().reply else { panic!() };
        assert!(stream.next().await.is_some());
    }
    assert_eq!(state(&bench, 0).await, HealthState::Ok);
}

#[tokio::test]
async fn a_thousand_failing_calls_make_no_storm() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", BAD), ("c", BAD)]);
    let breaker = BreakerRules { failures: u32::MAX, ..BreakerRules::default() };
    let config = Config { breaker, ..config() };
    let bench = Bench::configured(config, upstream.clone(), None).await;
    for name in ["a", "b", "c"] {
        bench.channel(name, 0).await;
    }
    for _ in 0..1000 {
        failed(&bench).await;
        bench.clock.advance(Duration::from_millis(5));
    }
    let all: u32 = ["a", "b", "c"].iter().map(|name| upstream.calls(name)).sum();
    // A fifth of the calls, ten a second for five seconds, and the ten that it begins with.
    assert!((1250..=1260).contains(&all), "{all}");
}

#[tokio::test]
async fn a_channels_test_is_no_live_call() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", GOOD)]);
    let bench = bench(&upstream, &[("a", 9), ("b", 1)]).await;
    let id = bench.gateway.channels().await.unwrap()[0].id;
    for _ in 0..10 {
        let test = bench.gateway.test_channel(id, Some("m".into())).await.unwrap();
        assert!(test.fault.is_some());
    }
    assert_eq!(state(&bench, 0).await, HealthState::Ok);
    for _ in 0..5 {
        bench.call(CHAT).await.unwrap();
    }
    assert_eq!(state(&bench, 0).await, HealthState::Open);
    upstream.set("a", GOOD);
    assert!(bench.gateway.test_channel(id, Some("m".into())).await.unwrap().fault.is_none());
    assert_eq!(state(&bench, 0).await, HealthState::Open);
    save(&bench, 0, ChannelRequest::default()).await;
    assert_eq!(state(&bench, 0).await, HealthState::Ok);
}

#[tokio::test]
async fn an_explanation_says_what_would_be_tried_and_why_others_are_not() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", DEAD), ("c", GOOD), ("d", GOOD)]);
    let bench = bench(&upstream, &[("a", 9), ("b", 8), ("c", 7), ("d", 6), ("e", 5)]).await;
    let disabled = || ChannelRequest { enabled: Some(false), ..Default::default() };
    save(&bench, 4, disabled()).await;
    for _ in 0..5 {
        bench.call(CHAT).await.unwrap();
    }
    let before = upstream.calls("c");
    let token_id = bench.principal().await.token.id;
    let asked = async || {
        let body = Bytes::from_static(CHAT.as_bytes());
        let question = Question { token_id, operation: Operation::Chat, body, address: None };
        bench.gateway.explain(&bench.admin, question).await.unwrap()
    };
    let told = asked().await;
    let order: Vec<_> = told.tiers.iter().flat_map(|tier| &tier.channels).collect();
    let names: Vec<_> = order.iter().map(|c| (c.name.as_str(), c.probe)).collect();
    assert_eq!(names, [("c", false), ("d", false)]);
    assert!(told.denied().is_none());
    let skipped: Vec<_> = told.skipped.iter().map(|s| (s.name.as_str(), s.why)).collect();
    assert!(
        matches!(skipped[..], [
            ("a", Skip::Out(open)),
            ("b", Skip::Out(dead)),
            ("e", Skip::Disabled),
        ] if open.state == TripState::Open && dead.state == TripState::Dead),
        "{skipped:?}"
    );
    for place in [2, 3] {
        save(&bench, place, disabled()).await;
    }
    let told = asked().await;
    let rule = told.rules.iter().find(|rule| matches!(rule.outcome, Some(Err(_)))).unwrap();
    assert_eq!(rule.name, "channel_available");
    let code = told.denied().unwrap().code.clone();
    assert_eq!((code.as_ref(), failed(&bench).await.1), ("no_available_channel", code.to_string()));
    bench.clock.advance(Duration::from_secs(10));
    let told = asked().await;
    assert!(told.denied().is_none() && told.tiers[0].channels[0].probe);
    assert_eq!(upstream.calls("c"), before, "nobody was called");
    assert_eq!(state(&bench, 0).await, HealthState::HalfOpen);
}

/// Another process on the same store.
fn another(bench: &Bench, scope: HealthScope, upstream: &Scripted) -> Bench {
    with(generous(), scope, bench, upstream)
}

fn with(config: Config, scope: HealthScope, bench: &Bench, upstream: &Scripted) -> Bench {
    static SEED: AtomicU32 = AtomicU32::new(100);
    let seed = SEED.fetch_add(1, Relaxed).into();
    let config = Config { health_scope: scope, ..config };
    let upstream = Arc::new(upstream.clone());
    Bench {
        gateway: seeded(seed, config, &bench.store, upstream, &bench.clock, &bench.tasks),
        store: bench.store.clone(),
        clock: bench.clock.clone(),
        tasks: bench.tasks.clone(),
        key: bench.key.clone(),
        admin: bench.admin.clone(),
    }
}

#[tokio::test]
async fn what_is_open_or_dead_survives_a_restart() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", DEAD), ("c", GOOD)]);
    let bench = bench(&upstream, &[("a", 9), ("b", 8), ("c", 7)]).await;
    for _ in 0..5 {
        bench.call(CHAT).await.unwrap();
    }
    bench.tasks.run().await;
    let again = another(&bench, HealthScope::Process, &upstream);
    again.call(CHAT).await.unwrap();
    let calls = ["a", "b", "c"].map(|name| upstream.calls(name));
    assert_eq!(calls, [5, 1, 6]);
    assert_eq!(state(&again, 0).await, HealthState::Open);
    assert_eq!(state(&again, 1).await, HealthState::DeadKey);
}

#[tokio::test]
async fn isolates_hear_of_each_others_findings_and_one_of_them_probes() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", GOOD)]);
    let first = bench(&upstream, &[("a", 9), ("b", 1)]).await;
    let one = another(&first, HealthScope::Store, &upstream);
    let two = another(&first, HealthScope::Store, &upstream);
    two.call(CHAT).await.unwrap();
    for _ in 0..4 {
        one.call(CHAT).await.unwrap();
    }
    assert_eq!(upstream.calls("a"), 5, "each counts for itself");
    one.call(CHAT).await.unwrap();
    one.tasks.run().await;
    assert_eq!((upstream.calls("a"), state(&one, 0).await), (6, HealthState::Open));
    // The other hears of it when its copies are read again.
    one.clock.advance(Duration::from_secs(10));
    upstream.set("a", Answer::Late);
    let mut probe = Box::pin(one.call(CHAT));
    assert!((&mut probe).now_or_never().is_none());
    two.call(CHAT).await.unwrap();
    assert_eq!(upstream.calls("a"), 7, "one probes, the other does not");
    assert_eq!(state(&two, 0).await, HealthState::HalfOpen);
    upstream.0.gate.notify_one();
    probe.await.unwrap();
    one.tasks.run().await;
    upstream.set("a", GOOD);
    one.clock.advance(Duration::from_secs(10));
    two.call(CHAT).await.unwrap();
    assert_eq!((upstream.calls("a"), state(&two, 0).await), (8, HealthState::Ok));
}

#[tokio::test]
async fn a_probe_that_another_isolate_was_faster_with_goes_elsewhere() {
    let upstream = Scripted::default().answers([("a", BAD), ("b", GOOD)]);
    let mut first = bench(&upstream, &[("a", 9), ("b", 1)]).await;
    let board = Arc::new(Counted::new(&first, false));
    first.store.health = board.clone();
    // Neither looks at the board again.
    let config = Config { snapshot_ttl: Duration::from_secs(3600), ..generous() };
    let isolate = || with(config.clone(), HealthScope::Store, &first, &upstream);
    let isolates = [isolate(), isolate()];
    for _ in 0..5 {
        for isolate in &isolates {
            isolate.call(CHAT).await.unwrap();
        }
    }
    first.tasks.run().await;
    assert_eq!((upstream.calls("a"), board.reads.load(Relaxed)), (10, 2));
    first.clock.advance(Duration::from_secs(10));
    upstream.set("a", Answer::Late);
    let [one, two] = &isolates;
    let mut probe = Box::pin(one.call(CHAT));
    let probing = (&mut probe).now_or_never().is_none();
    two.call(CHAT).await.unwrap();
    assert!(probing && upstream.calls("a") == 11, "one probe, and that is the first one's");
    assert_eq!(board.reads.load(Relaxed), 2);
}

/// A board that counts, and may be out of order.
struct Counted {
    board: Arc<dyn HealthBoard>,
    reads: AtomicU32,
    writes: AtomicU32,
    broken: bool,
}

impl Counted {
    fn new(bench: &Bench, broken: bool) -> Self {
        let (reads, writes) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { board: bench.store.health.clone(), reads, writes, broken }
    }
}

#[async_trait]
impl HealthBoard for Counted {
    async fn list(&self, now: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        self.reads.fetch_add(1, Relaxed);
        if self.broken { Err(StoreError::unavailable("away")) } else { self.board.list(now).await }
    }

    async fn write(
        &self,
        change: &Change,
        force: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writes.fetch_add(1, Relaxed);
        if self.broken {
            Err(StoreError::unavailable("away"))
        } else {
            self.board.write(change, force, now).await
        }
    }
}

async fn counted(upstream: &Scripted, scope: HealthScope, broken: bool) -> (Bench, Arc<Counted>) {
    let mut bench = bench(upstream, &[("a", 9), ("b", 1)]).await;
    let counted = Arc::new(Counted::new(&bench, broken));
    bench.store.health = counted.clone();
    (another(&bench, scope, upstream), counted)
}

#[tokio::test]
async fn the_board_is_written_when_something_changes_and_by_no_call_as_such() {
    for (scope, written) in [(HealthScope::Process, [0, 1, 2]), (HealthScope::Store, [0, 1, 3])] {
        let upstream = Scripted::default().answers([("a", GOOD), ("b", GOOD)]);
        let (bench, board) = counted(&upstream, scope, false).await;
        let seen = async |calls: u32| {
            for _ in 0..calls {
                bench.call(CHAT).await.unwrap();
            }
            bench.tasks.run().await;
            (board.reads.load(Relaxed), board.writes.load(Relaxed))
        };
        assert_eq!(seen(50).await, (1, written[0]), "{scope:?}");
        upstream.set("a", BAD);
        assert_eq!(seen(50).await, (1, written[1]), "opened");
        upstream.set("a", GOOD);
        bench.clock.advance(Duration::from_secs(11));
        let reads = if scope == HealthScope::Store { 2 } else { 1 };
        assert_eq!(seen(50).await, (reads, written[2]), "closed again, in {scope:?}");
    }
}

#[tokio::test]
async fn a_board_that_is_away_hinders_no_call() {
    for scope in [HealthScope::Process, HealthScope::Store] {
        let upstream = Scripted::default().answers([("a", BAD), ("b", GOOD)]);
        let (bench, _) = counted(&upstream, scope, true).await;
        for _ in 0..7 {
            bench.call(CHAT).await.unwrap();
        }
        bench.tasks.run().await;
        upstream.set("a", GOOD);
        bench.clock.advance(Duration::from_secs(10));
        bench.call(CHAT).await.unwrap();
        assert_eq!((upstream.calls("a"), upstream.calls("b")), (6, 7), "{scope:?}");
    }
}

#[tokio::test]
async fn one_model_does_not_take_another_with_it() {
    let upstream = Scripted::default().answers([("a", BAD)]);
    let bench = bench(&upstream, &[("a", 0)]).await;
    for _ in 0..6 {
        failed(&bench).await;
    }
    upstream.set("a", GOOD);
    let other = ModelCall::chat(CHAT.replace("\"m\"", "\"n\"").into()).unwrap();
    bench.gateway.relay(bench.principal().await, other, &bench.context()).await.unwrap();
    let report = report(&bench, 0).await;
    let models: Vec<_> = report.models.iter().map(|m| (m.model.as_str(), m.state)).collect();
    assert_eq!(models, [("m", HealthState::Open)]);
}
