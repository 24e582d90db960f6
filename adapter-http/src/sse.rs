//! Streamed answers as server-sent events: polled, written by the dialect's writer, sent.

use crate::error::openai_body;
use adapter_providers::openai::write::{Shape, Writer};
use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use gateway_app::{GatewayError, RelayStream, RequestContext};
use gateway_domain::{Fault, FaultKind, ModelCall};
use gateway_ports::{Answer, StreamEvent};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The shape of the answer to a call.
pub(crate) fn shape(context: &RequestContext, call: &ModelCall) -> Shape {
    let id = format!("chatcmpl-{}", context.request_id.0.replace('-', ""));
    Shape::new(call, id, context.started.as_secs())
}

pub(crate) fn response(shape: Shape, stream: Box<RelayStream>) -> impl IntoResponse {
    (headers(), Body::from_stream(Written { stream: Some(stream), writer: Writer::new(shape) }))
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

/// A relay's events, written.
struct Written<S> {
    /// None once it is over.
    stream: Option<S>,
    writer: Writer,
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
            let Some(event) = ready!(this.poll_event(context)) else {
                return Poll::Ready(None);
            };
            let bytes = this.write(event);
            if !bytes.is_empty() {
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
    use gateway_ports::Delta;
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    fn written(stream: impl Stream<Item = StreamEvent> + Unpin) -> String {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
        let call = ModelCall::chat(Bytes::from_static(body.as_bytes())).unwrap();
        let writer = Writer::new(Shape::new(&call, "c".into(), 7));
        let written = Written { stream: Some(stream), writer };
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
}
