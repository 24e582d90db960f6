//! Streamed answers as server-sent events: polled, written by the dialect's writer, sent.

use crate::{App, error::openai_body};
use adapter_providers::openai::write::{Shape, Writer};
use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture};
use gateway_app::{GatewayError, RelayStream, RequestContext};
use gateway_domain::{Fault, FaultKind, ModelCall, Timestamp};
use gateway_ports::{Answer, Clock, StreamEvent, Timer};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// The shape of the answer to a call.
pub(crate) fn shape(context: &RequestContext, call: &ModelCall) -> Shape {
    let id = format!("chatcmpl-{}", context.request_id.0.replace('-', ""));
    Shape::new(call, id, context.started.as_secs())
}

pub(crate) fn response(app: &App, shape: Shape, stream: Box<RelayStream>) -> impl IntoResponse {
    let runtime = app.gateway.runtime();
    let (clock, timer) = (runtime.clock.clone(), runtime.timer.clone());
    let pulse = Pulse::new(clock, timer, app.options.keep_alive);
    let writer = Writer::new(shape);
    (headers(), Body::from_stream(Written { stream: Some(stream), writer, pulse }))
}

/// An answer that came whole although a stream was asked for, written as a stream.
pub(crate) fn one_shot(shape: Shape, answer: Answer) -> impl IntoResponse {
    (headers(), Writer::new(shape).whole(answer))
}

fn headers() -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ]
}

/// What is sent when there is nothing to say: a comment, which clients skip.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// Notices that the client was sent nothing for a while.
struct Pulse {
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    every: Duration,
    last: Timestamp,
    watch: Option<BoxFuture<'static, ()>>,
}

impl Pulse {
    fn new(clock: Arc<dyn Clock>, timer: Arc<dyn Timer>, every: Duration) -> Self {
        Self { last: clock.now(), clock, timer, every, watch: None }
    }

    /// Something is sent.
    fn beat(&mut self) {
        self.last = self.clock.now();
    }

    /// Ready if nothing was sent for too long. The watch is not moved by every piece, because
    /// pieces are many: when it goes off, it is set for what is left.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.every.is_zero() {
            return Poll::Pending;
        }
        loop {
            let quiet = self.clock.now().since(self.last);
            if quiet >= self.every {
                self.watch = None;
                return Poll::Ready(());
            }
            let left = self.every.saturating_sub(quiet);
            let watch = self.watch.get_or_insert_with(|| self.timer.sleep(left));
            ready!(watch.poll_unpin(context));
            self.watch = None;
        }
    }
}

/// A relay's events, written.
struct Written<S> {
    /// None once it is over.
    stream: Option<S>,
    writer: Writer,
    pulse: Pulse,
}

impl<S: Stream<Item = StreamEvent> + Unpin> Written<S> {
    /// The next event. A panic is one too, so that it neither takes the connection with it nor
    /// leaves an answer that looks complete; what panicked is dropped, which settles the call.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        let Some(mut stream) = self.stream.take() else {
            return Poll::Ready(None);
        };
        // It moves in, so that what panics is dropped while it panics.
        let polled = catch_unwind(AssertUnwindSafe(move || {
            let polled = stream.poll_next_unpin(context);
            (stream, polled)
        }));
        if let Ok((stream, polled)) = polled {
            self.stream = Some(stream);
            return polled;
        }
        tracing::error!("a stream panicked");
        let fault = Fault::new(FaultKind::Server, "the gateway made a mistake");
        Poll::Ready(Some(StreamEvent::Failed(fault)))
    }

    fn write(&mut self, event: StreamEvent) -> Bytes {
        self.writer
            .write(event)
            .unwrap_or_else(|fault| self.writer.fail(&openai_body(&broken(fault))))
    }
}

impl<S: Stream<Item = StreamEvent> + Unpin> Stream for Written<S> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let bytes = match this.poll_event(context) {
                Poll::Ready(Some(event)) => this.write(event),
                Poll::Ready(None) => return Poll::Ready(None),
                // Between two events only, and never instead of one. The relay does not hear of
                // it: for its own patience the upstream is as silent as before.
                Poll::Pending if this.pulse.poll_silence(context).is_ready() => KEEP_ALIVE,
                Poll::Pending => return Poll::Pending,
            };
            if !bytes.is_empty() {
                this.pulse.beat();
                return Poll::Ready(Some(Ok(bytes)));
            }
        }
    }
}

/// What a client hears of an answer that broke off. It has had a part of it already, so this is
/// the upstream's fault whatever its sort.
fn broken(fault: Fault) -> GatewayError {
    match fault.kind {
        FaultKind::Timeout | FaultKind::RateLimited | FaultKind::Overloaded => fault.into(),
        _ => Fault { kind: FaultKind::Server, ..fault }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_ports::{Delta, memory::ManualClock};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    const SOON: Duration = Duration::from_secs(15);

    fn writing<S: Stream<Item = StreamEvent> + Unpin>(
        clock: &ManualClock,
        every: Duration,
        stream: S,
    ) -> Written<S> {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
        let call = ModelCall::chat(Bytes::from_static(body.as_bytes())).unwrap();
        let writer = Writer::new(Shape::new(&call, "c".into(), 7));
        let pulse = Pulse::new(Arc::new(clock.clone()), Arc::new(clock.clone()), every);
        Written { stream: Some(stream), writer, pulse }
    }

    fn written(stream: impl Stream<Item = StreamEvent> + Unpin) -> String {
        let written = writing(&ManualClock::default(), SOON, stream);
        let pieces: Vec<_> = futures_util::FutureExt::now_or_never(written.collect()).unwrap();
        let text = pieces.into_iter().map(|p| String::from_utf8(p.unwrap().to_vec()).unwrap());
        text.collect()
    }

    #[test]
    fn a_panic_ends_a_stream_with_an_error_and_drops_what_panicked() {
        struct Dropped(Arc<AtomicBool>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        let gone = Arc::default();
        let dropped = Dropped(Arc::clone(&gone));
        let mut events = 0;
        let text = written(futures_util::stream::poll_fn(move |_| {
            let _held = &dropped;
            events += 1;
            assert!(events < 2, "a bug");
            Poll::Ready(Some(Delta::Text("a".into()).into()))
        }));
        assert!(text.contains("\"a\"") && text.contains("upstream_error"), "{text}");
        assert!(!text.contains("[DONE]"));
        assert!(gone.load(Relaxed));
    }

    #[test]
    fn a_broken_answer_ends_with_an_error_and_no_done() {
        let text = written(futures_util::stream::iter([
            Delta::Text("a".into()).into(),
            StreamEvent::Failed(Fault::new(FaultKind::Auth, "sk-nobody")),
        ]));
        let last = text.trim_end().rsplit("\n\n").next().unwrap().strip_prefix("data: ").unwrap();
        let last: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["error"]["code"], "upstream_error");
    }

    /// The next piece, if there is one now.
    fn next<S: Stream<Item = StreamEvent> + Unpin>(written: &mut Written<S>) -> Option<String> {
        let piece = written.next().now_or_never()?;
        Some(String::from_utf8(piece.unwrap().unwrap().to_vec()).unwrap())
    }

    #[test]
    fn test_s7_a_silence_is_filled_with_comments_between_two_events() {
        let (clock, mut said) = (ManualClock::default(), std::collections::VecDeque::new());
        let (say, hear) = std::sync::mpsc::channel::<StreamEvent>();
        let stream = futures_util::stream::poll_fn(move |_| {
            said.extend(hear.try_iter());
            said.pop_front().map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
        });
        let mut written = writing(&clock, SOON, stream);
        let (almost, rest) = (Duration::from_millis(14_999), Duration::from_millis(1));
        assert_eq!(next(&mut written), None);
        clock.advance(almost);
        assert_eq!(next(&mut written), None);
        clock.advance(rest);
        assert_eq!(next(&mut written).unwrap(), ": keep-alive\n\n");
        assert_eq!(next(&mut written), None, "one comment for each silence");
        // What is said begins the silence anew.
        clock.advance(almost);
        say.send(Delta::Text("a".into()).into()).unwrap();
        assert!(next(&mut written).unwrap().contains("\"a\""));
        clock.advance(almost);
        assert_eq!(next(&mut written), None);
        clock.advance(rest);
        assert_eq!(next(&mut written).unwrap(), ": keep-alive\n\n");
    }

    #[test]
    fn without_a_length_no_silence_is_too_long() {
        let clock = ManualClock::default();
        let silent = futures_util::stream::poll_fn(|_| Poll::Pending);
        let mut written = writing(&clock, Duration::ZERO, silent);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(next(&mut written), None);
    }
}
