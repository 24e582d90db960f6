//! The mock of a provider: answers at once, from memory, and streams one chunk a write.
//!
//! Every content chunk of a stream says when it was due, so that the load generator, which runs
//! on the same machine, can tell a late one.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::time::{Instant, Sleep};

use super::scenario::MODEL;
use crate::local::http;

/// The size of an embeddings answer.
const EMBEDDINGS: usize = 256 * 1024;

const USAGE: &str = r#""usage":{"prompt_tokens":24,"completion_tokens":100,"total_tokens":124}"#;

/// Listens on a free port, says which, and answers until it is killed.
pub(super) async fn run() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener).await
}

pub(super) async fn serve(listener: TcpListener) -> Result<()> {
    http::serve(listener, answer).await
}

type Answer = Response<Either<Full<Bytes>, Chunks>>;

async fn answer(request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let (kind, body) = match path.as_str() {
        "/v1/embeddings" => ("application/json", Either::Left(embeddings().into())),
        "/v1/chat/completions" if has(&body, b"\"stream\":true") => {
            ("text/event-stream", Either::Right(Chunks::asked_for(&body)))
        }
        "/v1/chat/completions" => ("application/json", Either::Left(chat().into())),
        _ => {
            let mut answer = Response::new(Either::Left(Full::default()));
            *answer.status_mut() = StatusCode::NOT_FOUND;
            return Ok(answer);
        }
    };
    let mut answer = Response::new(body);
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    Ok(answer)
}

/// Whether the body has these bytes near one of its ends: a mock need not parse, nor search
/// through long prompts.
fn has(body: &[u8], wanted: &[u8]) -> bool {
    const NEAR: usize = 512;
    let has = |part: &[u8]| part.windows(wanted.len()).any(|window| window == wanted);
    let first = body.get(..NEAR).unwrap_or(body);
    let last = body.get(body.len().saturating_sub(NEAR)..);
    has(first) || last.is_some_and(has)
}

/// The number behind a word of the prompt, as `chunks=` in `chunks=100 `.
fn number(body: &[u8], word: &[u8]) -> Option<u64> {
    let at = body.windows(word.len()).position(|window| window == word)?;
    let digits = body.get(at + word.len()..)?;
    let digits: String = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .map(|byte| char::from(*byte))
        .collect();
    digits.parse().ok()
}

fn chat() -> Bytes {
    static CHAT: OnceLock<Bytes> = OnceLock::new();
    CHAT.get_or_init(|| {
        format!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hello! How can I help you today?"}},"finish_reason":"stop"}}],{USAGE}}}"#
        )
        .into()
    })
    .clone()
}

fn embeddings() -> Bytes {
    static EMBEDDINGS_ANSWER: OnceLock<Bytes> = OnceLock::new();
    EMBEDDINGS_ANSWER
        .get_or_init(|| {
            let mut text = String::from(
                r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":["#,
            );
            while text.len() < EMBEDDINGS {
                text.push_str("-0.012345678,0.0087654321,");
            }
            text.push_str(
                r#"0.5]}],"model":"bench-model","usage":{"prompt_tokens":5,"total_tokens":5}}"#,
            );
            text.into()
        })
        .clone()
}

/// An event stream, one frame a write.
pub(super) struct Chunks {
    left: u64,
    pace: Duration,
    due: Instant,
    sleep: Pin<Box<Sleep>>,
    usage: bool,
    ended: bool,
    /// A frame was just given out: hyper writes only when there is none for the moment.
    rest: bool,
}

impl Chunks {
    fn asked_for(body: &[u8]) -> Self {
        let now = Instant::now();
        Self {
            left: number(body, b"chunks=").unwrap_or(10),
            pace: Duration::from_millis(number(body, b"pace_ms=").unwrap_or(0)),
            due: now,
            sleep: Box::pin(tokio::time::sleep_until(now)),
            usage: has(body, b"\"include_usage\":true"),
            ended: false,
            rest: false,
        }
    }

    /// One content chunk, which says when it was due.
    fn chunk(&self) -> Bytes {
        let late = Instant::now().saturating_duration_since(self.due);
        let late = if self.pace.is_zero() { Duration::ZERO } else { late };
        let due = since_epoch().saturating_sub(late).as_micros();
        format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"{MODEL}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{due:016}\"}},\"finish_reason\":null}}]}}\n\n"
        )
        .into()
    }

    /// Why it ended, the usage when asked for, and the end mark.
    fn end(&self) -> Bytes {
        let head = format!(
            r#"data: {{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"{MODEL}","choices":["#
        );
        let usage = if self.usage { format!("{head}],{USAGE}}}\n\n") } else { String::new() };
        format!(
            "{head}{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n{usage}data: [DONE]\n\n"
        )
        .into()
    }
}

/// Time as two processes of one machine share it.
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut this.rest) {
            if this.pace.is_zero() {
                // Lets the proxy, which shares our CPU, take the chunk before the next is written.
                std::thread::yield_now();
            }
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !this.pace.is_zero() && this.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        this.rest = true;
        let frame = if this.left == 0 {
            this.ended = true;
            this.end()
        } else {
            this.left -= 1;
            let chunk = this.chunk();
            this.due += this.pace;
            this.sleep.as_mut().reset(this.due);
            chunk
        };
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_says_how_to_stream() {
        let body = br#"{"content":"chunks=100 pace_ms=50;"}"#;
        assert_eq!(number(body, b"chunks="), Some(100));
        assert_eq!(number(body, b"pace_ms="), Some(50));
        assert_eq!(number(body, b"other="), None);
    }

    #[test]
    fn answers_are_json_of_the_size_they_claim() {
        let value: serde_json::Value = serde_json::from_slice(&chat()).unwrap();
        assert_eq!(value["usage"]["total_tokens"], 124);
        let text = embeddings();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["usage"]["prompt_tokens"], 5);
        assert!(text.len().abs_diff(EMBEDDINGS) < 300);
    }

    #[tokio::test]
    async fn usage_is_streamed_only_when_asked_for() {
        for usage in [false, true] {
            let body = format!(
                r#"{{"prompt":"chunks=2 pace_ms=1;","stream_options":{{"include_usage":{usage}}}}}"#
            );
            let chunks = Chunks::asked_for(body.as_bytes());
            let text = chunks.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(text.to_vec()).unwrap();
            assert_eq!(text.matches("\"content\"").count(), 2);
            assert_eq!(text.contains("total_tokens"), usage);
            assert!(text.ends_with("data: [DONE]\n\n"));
        }
    }
}
