//! Observers are told each event of a call once, and cannot harm it.

use crate::bench::{ANSWER, Bench, CHAT, CHUNK, STREAM, Stalling, builder, config, reply};
use futures_util::StreamExt;
use gateway_app::Reply;
use gateway_domain::FaultKind;
use gateway_ports::{
    Observer, Upstream,
    observer::{Attempt, CallEnded, CallSeen, Refused},
    upstream::MockUpstream,
};
use std::sync::{Arc, Mutex};

#[derive(Debug, Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Diary {
    fn admitted(&self, call: &CallSeen) {
        self.note(format!("admitted {} as {}", call.model, call.served_as));
    }
    fn refused(&self, refused: &Refused<'_>) {
        self.note(format!("refused {} {}", refused.status, refused.code));
    }
    fn attempt_began(&self, _: &CallSeen, attempt: &Attempt) {
        self.note(format!("to {} of type {}", attempt.upstream_model, attempt.provider));
    }
    fn attempt_failed(&self, _: &CallSeen, _: &Attempt, kind: FaultKind) {
        self.note(format!("failed {kind:?}"));
    }
    fn first_byte(&self, _: &CallSeen) {
        self.note("first byte");
    }
    fn stream_opened(&self, _: &CallSeen) {
        self.note("opened");
    }
    fn stream_closed(&self, _: &CallSeen) {
        self.note("closed");
    }
    fn ended(&self, call: &CallSeen, end: &CallEnded<'_>) {
        assert_eq!(call.request_id, end.record.request_id);
        let (status, reason) = (end.record.status, end.record.end_reason.as_str());
        self.note(format!("ended {status} {reason} {}", end.charged.units()));
    }
    fn drain_began(&self) {
        self.note("drain");
    }
    fn drain_ended(&self) {
        self.note("no drain");
    }
}

/// One that panics whatever happens.
#[derive(Debug)]
struct Broken;

impl Observer for Broken {
    fn admitted(&self, _: &CallSeen) {
        panic!("admitted");
    }
    fn attempt_began(&self, _: &CallSeen, _: &Attempt) {
        panic!("began");
    }
    fn attempt_failed(&self, _: &CallSeen, _: &Attempt, _: FaultKind) {
        panic!("failed");
    }
    fn first_byte(&self, _: &CallSeen) {
        panic!("first byte");
    }
    fn stream_opened(&self, _: &CallSeen) {
        panic!("opened");
    }
    fn stream_closed(&self, _: &CallSeen) {
        panic!("closed");
    }
    fn ended(&self, _: &CallSeen, _: &CallEnded<'_>) {
        panic!("ended");
    }
    fn refused(&self, _: &Refused<'_>) {
        panic!("refused");
    }
}

/// A gateway whose calls two observers watch, one of which panics at every event.
async fn watched(upstream: impl Upstream + 'static) -> (Bench, Arc<Diary>) {
    let mut bench = Bench::new(MockUpstream::new(), None).await;
    let diary = Arc::new(Diary::default());
    let upstream = Arc::new(upstream);
    bench.gateway = builder(7, config(), &bench.store, upstream, &bench.clock, &bench.tasks)
        .observer(Arc::new(Broken))
        .observer(diary.clone())
        .build()
        .unwrap();
    bench.channel("a", 0).await;
    (bench, diary)
}

#[tokio::test]
async fn each_event_of_a_call_is_told_once() {
    let mut upstream = MockUpstream::new();
    let mut replies = [(500, "{}"), (200, ANSWER)].into_iter();
    upstream.expect_send().returning(move |_| {
        let (status, body) = replies.next().unwrap();
        reply(status, "application/json", &[body])
    });
    let (bench, diary) = watched(upstream).await;
    bench.channel("b", 1).await;
    assert!(matches!(bench.call(CHAT).await.unwrap().reply, Reply::Whole(_)));
    bench.tasks.run().await;
    assert_eq!(
        diary.take(),
        [
            "admitted m as other",
            "to m of type 99",
            "failed Server",
            "to m of type 99",
            "first byte",
            "ended 200 complete 24"
        ]
    );
    assert_eq!(bench.rows().await.len(), 1);
    assert_eq!(bench.held().await, 0);
}

#[tokio::test]
async fn a_stream_is_open_from_its_first_event_to_its_end() {
    let mut upstream = MockUpstream::new();
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    upstream.expect_send().returning(move |_| reply(200, "text/event-stream", &[CHUNK, end]));
    let (bench, diary) = watched(upstream).await;
    let Reply::Stream(mut stream) = bench.call(STREAM).await.unwrap().reply else {
        panic!("a stream was asked for");
    };
    let begun = ["admitted m as other", "to m of type 99", "first byte", "opened"];
    assert_eq!(diary.take(), begun);
    while stream.next().await.is_some() {}
    drop(stream);
    bench.tasks.run().await;
    let told = diary.take();
    assert_eq!(told[0], "closed");
    assert!(told.len() == 2 && told[1].starts_with("ended 200 complete "), "{told:?}");
}

#[tokio::test]
async fn a_client_that_leaves_closes_its_stream_and_its_upstream_is_drained() {
    let upstream = Stalling { pieces: vec![CHUNK], dropped: Arc::default() };
    let (bench, diary) = watched(upstream).await;
    let Reply::Stream(mut stream) = bench.call(STREAM).await.unwrap().reply else {
        panic!("a stream was asked for");
    };
    stream.next().await.unwrap();
    diary.take();
    drop(stream);
    assert_eq!(diary.take(), ["closed", "drain"]);
    bench.gateway.stop_listening();
    bench.tasks.run().await;
    let told = diary.take();
    assert_eq!(told[0], "no drain");
    assert!(told.len() == 2 && told[1].starts_with("ended 200 client_gone "), "{told:?}");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_with_the_code() {
    let (bench, diary) = watched(MockUpstream::new()).await;
    let context = bench.context();
    bench.gateway.authenticate_key("sk-nonsense", &context).await.unwrap_err();
    assert_eq!(diary.take(), ["refused 401 invalid_api_key"]);
    let dear = CHAT.replace("\"max_tokens\":10", "\"max_tokens\":900000");
    assert_eq!(bench.call(&dear).await.unwrap_err().code, "insufficient_quota");
    bench.tasks.run().await;
    assert_eq!(diary.take(), ["refused 403 insufficient_quota"]);
    assert_eq!(bench.rows().await.len(), 0);
}
