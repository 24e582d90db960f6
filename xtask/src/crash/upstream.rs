//! The fake upstream: answers as planned, and keeps a log of what it was asked and what it made.
//!
//! The log says what was given to the network, before it was: what the gateway has seen is never
//! more than that.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::plan::{self, Answer, Call, End, Piece, Plan, Tokens};
use crate::local::http;

/// What the upstream knows of one call. Times are since the run began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// When the whole request was there.
    pub(super) accepted: Duration,
    /// How often it came, beyond the first time.
    pub(super) again: u64,
    /// Tokens of text, and when they were written.
    pub(super) written: Vec<(Duration, u64)>,
    /// What it reported, and when.
    pub(super) usage: Option<(Duration, Tokens)>,
    /// When it had answered all it would.
    pub(super) over: Option<Duration>,
}

impl Made {
    /// All tokens of text.
    pub(super) fn tokens(&self) -> u64 {
        self.written.iter().map(|(_, tokens)| tokens).sum()
    }

    /// Tokens of text that were written by a moment.
    pub(super) fn tokens_by(&self, moment: Duration) -> u64 {
        let early = self.written.iter().filter(|(at, _)| *at <= moment);
        early.map(|(_, tokens)| tokens).sum()
    }
}

/// The upstream.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    plan: Plan,
    began: Instant,
    log: Arc<Mutex<BTreeMap<u64, Made>>>,
}

/// What is read of a request.
#[derive(Debug, Deserialize)]
struct Asked {
    model: String,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
}

impl Upstream {
    pub(super) fn new(plan: Plan, began: Instant) -> Self {
        Self { plan, began, log: Arc::default() }
    }

    pub(super) async fn serve(self, listener: TcpListener) -> Result<()> {
        http::serve(listener, move |request| self.clone().answer(request)).await
    }

    /// What it knows of all calls.
    pub(super) fn log(&self) -> BTreeMap<u64, Made> {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    fn note(&self, number: u64, what: impl FnOnce(&mut Made, Duration)) {
        let now = self.began.elapsed();
        if let Ok(mut log) = self.log.lock()
            && let Some(made) = log.get_mut(&number)
        {
            what(made, now);
        }
    }

    /// A request is whole.
    fn accept(&self, number: u64) {
        let accepted = self.began.elapsed();
        if let Ok(mut log) = self.log.lock() {
            let made = Made { accepted, ..Made::default() };
            log.entry(number).and_modify(|made| made.again += 1).or_insert(made);
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Pieces>, hyper::Error> {
        let body = request.into_body().collect().await?.to_bytes();
        let asked: Option<Asked> = serde_json::from_slice(&body).ok();
        let Some((asked, number)) =
            asked.and_then(|asked| plan::number(&asked.model).map(|number| (asked, number)))
        else {
            return Ok(said(StatusCode::NOT_FOUND, "application/json", Pieces::of("{}")));
        };
        self.accept(number);
        let call = self.plan.call(number);
        let told = asked.max_completion_tokens.or(asked.max_tokens);
        Ok(match call.answer.clone() {
            Answer::Refusal(pause, status) => {
                tokio::time::sleep(pause).await;
                self.note(number, |made, now| made.over = Some(now));
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                let body = r#"{"error":{"message":"as planned","type":"planned","code":null}}"#;
                said(status, "application/json", Pieces::of(body))
            }
            Answer::Whole(piece) => {
                tokio::time::sleep(piece.pause).await;
                let tokens = piece.tokens.min(call.allowed(told));
                let usage = call.usage(tokens);
                self.note(number, |made, now| {
                    made.written.push((now, tokens));
                    made.usage = Some((now, usage));
                    made.over = Some(now);
                });
                let body = whole(&asked.model, tokens, usage);
                said(StatusCode::OK, "application/json", Pieces::of(body))
            }
            Answer::Stream(pieces, end) => {
                let (sender, receiver) = mpsc::channel(1);
                let allowed = call.allowed(told);
                let stream = Stream { upstream: self, number, model: asked.model, call, sender };
                tokio::spawn(stream.run(pieces, end, allowed));
                said(StatusCode::OK, "text/event-stream", Pieces(receiver))
            }
        })
    }
}

fn said(status: StatusCode, kind: &'static str, body: Pieces) -> Response<Pieces> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Text of so many tokens.
fn text(tokens: u64) -> String {
    "abcd".repeat(usize::try_from(tokens).unwrap_or(0))
}

fn usage_object(usage: Tokens) -> String {
    let Tokens { prompt, completion } = usage;
    let total = prompt + completion;
    format!(
        r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}}}"#
    )
}

fn whole(model: &str, tokens: u64, usage: Tokens) -> String {
    format!(
        r#"{{"id":"chatcmpl-crash","object":"chat.completion","created":1700000000,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}},"finish_reason":"stop"}}],"usage":{}}}"#,
        text(tokens),
        usage_object(usage)
    )
}

/// A stream that is being made.
struct Stream {
    upstream: Upstream,
    number: u64,
    model: String,
    call: Call,
    sender: mpsc::Sender<Piecemeal>,
}

/// A part of a body, or its early end.
type Piecemeal = Result<Bytes, Broken>;

impl Stream {
    /// Makes all of it, or as much as somebody takes.
    async fn run(self, pieces: Vec<Piece>, end: End, mut allowed: u64) {
        let mut sum = 0;
        for Piece { pause, tokens } in pieces {
            tokio::time::sleep(pause).await;
            let tokens = tokens.min(allowed);
            if tokens == 0 {
                break;
            }
            allowed -= tokens;
            sum += tokens;
            let delta = format!(r#"{{"content":"{}"}}"#, text(tokens));
            let event = self.event(&choice(&delta, "null"), "");
            let note = |made: &mut Made, now| made.written.push((now, tokens));
            if !self.write(event, note).await {
                return;
            }
        }
        if end == End::Cut {
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.upstream.note(self.number, |made, now| made.over = Some(now));
            let _ = self.sender.send(Err(Broken)).await;
            return;
        }
        let mut last = self.event(&choice("{}", r#""stop""#), "");
        let usage = (end == End::Usage).then(|| self.call.usage(sum));
        if let Some(usage) = usage {
            last += &self.event("", &format!(r#","usage":{}"#, usage_object(usage)));
        }
        last += "data: [DONE]\n\n";
        let note = |made: &mut Made, now| {
            made.usage = usage.map(|usage| (now, usage));
            made.over = Some(now);
        };
        self.write(last, note).await;
    }

    fn event(&self, choices: &str, more: &str) -> String {
        let model = &self.model;
        format!(
            "data: {{\"id\":\"chatcmpl-crash\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"{model}\",\"choices\":[{choices}]{more}}}\n\n"
        )
    }

    /// Notes it, and gives it out; false if nobody is there any more.
    async fn write(&self, event: String, note: impl FnOnce(&mut Made, Duration)) -> bool {
        let Ok(place) = self.sender.reserve().await else {
            return false;
        };
        self.upstream.note(self.number, note);
        place.send(Ok(event.into()));
        true
    }
}

fn choice(delta: &str, finish: &str) -> String {
    format!(r#"{{"index":0,"delta":{delta},"finish_reason":{finish}}}"#)
}

/// The connection breaks here.
#[derive(Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken off, as planned")
    }
}

impl std::error::Error for Broken {}

/// A body that comes piece by piece.
struct Pieces(mpsc::Receiver<Piecemeal>);

impl Pieces {
    fn of(text: impl Into<Bytes>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.try_send(Ok(text.into()));
        Self(receiver)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream of these ends looks like, and what the log has of it.
    async fn stream(end: End, allowed: u64) -> (String, bool, Made) {
        let upstream = Upstream::new(Plan { seed: 1 }, Instant::now());
        upstream.accept(7);
        let (sender, receiver) = mpsc::channel(1);
        let call = upstream.plan.call(7);
        let stream =
            Stream { upstream: upstream.clone(), number: 7, model: "m".into(), call, sender };
        let piece = Piece { pause: Duration::ZERO, tokens: 3 };
        tokio::spawn(stream.run(vec![piece; 2], end, allowed));
        let mut body = Pieces(receiver);
        let (mut text, mut broken) = (String::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => text += &String::from_utf8_lossy(&frame.into_data().unwrap()),
                Err(Broken) => broken = true,
            }
        }
        (text, broken, upstream.log().remove(&7).unwrap())
    }

    #[tokio::test]
    async fn the_log_says_what_was_streamed() {
        let (text, broken, made) = stream(End::Usage, 100).await;
        assert_eq!(text.matches("abcd").count(), 6);
        assert!(text.contains("total_tokens") && text.ends_with("data: [DONE]\n\n") && !broken);
        assert_eq!((made.tokens(), made.again), (6, 0));
        assert!(made.usage.is_some() && made.over.is_some());
        assert_eq!(made.tokens_by(Duration::ZERO), 0);
    }

    #[tokio::test]
    async fn a_limit_is_kept() {
        let (text, _, made) = stream(End::NoUsage, 4).await;
        assert_eq!((text.matches("abcd").count(), made.tokens()), (4, 4));
        assert!(!text.contains("total_tokens"));
    }

    #[tokio::test]
    async fn a_cut_stream_has_no_end() {
        let (text, broken, made) = stream(End::Cut, 100).await;
        assert!(broken && !text.contains("[DONE]"));
        assert!(made.usage.is_none() && made.over.is_some());
    }
}
