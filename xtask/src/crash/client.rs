//! The clients: each makes one call after the other, leaves when it is planned, and remembers what
//! it got. When the gateway dies they wait for the next one.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::plan::{self, Answer, CHARACTERS_PER_TOKEN, Call, Leaves, Payer, Plan};
use crate::local::events::Events;

/// Longer than any call takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two calls of a client.
const REST: Duration = Duration::from_millis(5);

/// Where calls go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gateway {
    /// Nowhere, for the moment.
    Down,
    /// To the process with this number.
    Up(usize, SocketAddr),
    /// Nowhere any more.
    Over,
}

/// What a client knows of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Which process it asked.
    pub(super) life: usize,
    pub(super) payer: Payer,
    pub(super) status: Option<u16>,
    /// The code of an error.
    pub(super) code: Option<String>,
    /// Tokens of text that came.
    pub(super) tokens: u64,
    /// The whole answer came.
    pub(super) complete: bool,
    /// When it left, since the run began.
    pub(super) left: Option<Duration>,
    /// Neither an answer nor its end came.
    pub(super) in_vain: bool,
}

/// All clients.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) plan: Plan,
    pub(super) began: Instant,
    pub(super) keys: BTreeMap<Payer, String>,
    pub(super) gateway: watch::Receiver<Gateway>,
    next: AtomicU64,
    seen: Mutex<BTreeMap<u64, Seen>>,
}

impl Crowd {
    pub(super) fn new(
        plan: Plan,
        began: Instant,
        keys: BTreeMap<Payer, String>,
        gateway: watch::Receiver<Gateway>,
    ) -> Self {
        Self { plan, began, keys, gateway, next: AtomicU64::new(0), seen: Mutex::default() }
    }

    /// What all of them know.
    pub(super) fn seen(&self) -> BTreeMap<u64, Seen> {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }

    /// One client: calls until it is over.
    pub(super) async fn keep_calling(self: Arc<Self>) {
        let mut gateway = self.gateway.clone();
        let mut again = None;
        loop {
            let up = gateway.wait_for(|state| *state != Gateway::Down).await.map(|state| *state);
            let Ok(Gateway::Up(life, address)) = up else {
                return;
            };
            let number = self.next.fetch_add(1, Relaxed);
            let call = self.plan.call(number);
            let own = call.once.clone();
            let own = own.or_else(|| call.repeats.then(|| format!("call-{number}")));
            // A call that is made again has another number: it is another call to everybody but
            // the gateway, which knows its key.
            let (payer, once) = again.take().unwrap_or((call.payer, own));
            let seen = Seen {
                life,
                payer,
                status: None,
                code: None,
                tokens: 0,
                complete: false,
                left: None,
                in_vain: false,
            };
            let mut asking = Asking { crowd: &self, number, call: &call, seen };
            let connected = asking.run(address, once.as_deref()).await;
            let seen = asking.seen;
            if !connected {
                again = once.map(|once| (payer, Some(once)));
                tokio::time::sleep(REST).await;
                continue;
            }
            let died = !seen.complete && seen.left.is_none() && seen.status.is_none_or(is_success);
            if died && call.repeats {
                again = Some((payer, once));
            }
            if let Ok(mut all) = self.seen.lock() {
                all.insert(number, seen);
            }
            tokio::time::sleep(REST).await;
        }
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// One call.
struct Asking<'a> {
    crowd: &'a Crowd,
    number: u64,
    call: &'a Call,
    seen: Seen,
}

impl Asking<'_> {
    /// Asks, and reads until the answer ends, the client leaves, or somebody dies. False if nobody
    /// was there to ask.
    async fn run(&mut self, gateway: SocketAddr, once: Option<&str>) -> bool {
        let Ok(stream) = TcpStream::connect(gateway).await else {
            return false;
        };
        match tokio::time::timeout(PATIENCE, self.exchange(stream, gateway, once)).await {
            // A connection that breaks is what happens here.
            Ok(Ok(()) | Err(_)) => {}
            Err(_) => self.seen.in_vain = true,
        }
        true
    }

    async fn exchange(
        &mut self,
        stream: TcpStream,
        gateway: SocketAddr,
        once: Option<&str>,
    ) -> Result<()> {
        stream.set_nodelay(true)?;
        if self.call.leaves != Leaves::Never && self.call.resets {
            stream.set_zero_linger()?;
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = self.request(gateway, once)?;
        let asked = async {
            let answer = sender.send_request(request);
            let early = match self.call.leaves {
                Leaves::Early(after) => after,
                _ => PATIENCE,
            };
            let Ok(answer) = tokio::time::timeout(early, answer).await else {
                self.leave();
                return Ok(());
            };
            self.read(answer?).await
        };
        // Whoever stops asking drops the connection with it.
        tokio::select! {
            result = asked => result,
            () = async { let _ = connection.await; pending().await } => Ok(()),
        }
    }

    fn request(&self, gateway: SocketAddr, once: Option<&str>) -> Result<Request<Full<Bytes>>> {
        let prompt = "p".repeat(usize::try_from(self.call.prompt)?);
        let mut body = json!({
            "model": plan::model(self.number),
            "messages": [{"role": "user", "content": prompt}],
            "stream": !matches!(self.call.answer, Answer::Whole(_)),
        });
        if let (Some(limit), Some(body)) = (self.call.limit, body.as_object_mut()) {
            body.insert("max_tokens".to_owned(), json!(limit));
        }
        let key = self.crowd.keys.get(&self.seen.payer).map_or("none", String::as_str);
        let mut request = Request::post("/v1/chat/completions")
            .header(HOST, gateway.to_string())
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .header(CONTENT_TYPE, "application/json");
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        Ok(request.body(Full::new(body.to_string().into()))?)
    }

    fn leave(&mut self) {
        self.seen.left = Some(self.crowd.began.elapsed());
    }

    async fn read(&mut self, answer: Response<Incoming>) -> Result<()> {
        let status = answer.status();
        self.seen.status = Some(status.as_u16());
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if status.is_success() && kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return self.read_stream(answer.into_body()).await;
        }
        let body = answer.into_body().collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&body)?;
        let text = |path| body.pointer(path).and_then(Value::as_str);
        self.seen.code = text("/error/code").map(str::to_owned);
        if status.is_success() {
            self.seen.tokens += tokens(text("/choices/0/message/content").unwrap_or_default());
            self.seen.complete = true;
        }
        Ok(())
    }

    async fn read_stream(&mut self, mut body: Incoming) -> Result<()> {
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                events.feed(&data, |content| {
                    self.seen.tokens += tokens(&String::from_utf8_lossy(content));
                });
            }
            if matches!(self.call.leaves, Leaves::Midway(after) if self.seen.tokens >= after) {
                self.leave();
                return Ok(());
            }
            self.seen.complete = events.is_whole();
        }
        Ok(())
    }
}

/// Tokens of a text of the upstream's.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX) / CHARACTERS_PER_TOKEN
}
