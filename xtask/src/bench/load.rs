//! The load generator: a fixed number of connections that send the next request when the answer
//! to the last one is complete, and the CPU time that the proxied process used meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::scenario::{CHUNKS, Scenario};
use super::{float, open_streams};
use crate::local::events::Events;
use crate::local::proc::Cpu;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where to send requests
    #[arg(long)]
    pub(super) target: SocketAddr,
    #[arg(long, value_enum)]
    pub(super) scenario: Scenario,
    /// The API key to send
    #[arg(long, default_value = "none")]
    pub(super) key: String,
    /// The process whose CPU time and memory are measured
    #[arg(long)]
    pub(super) pid: Option<u32>,
    /// How long to measure, after a warm-up
    #[arg(long, default_value_t = 1000)]
    pub(super) millis: u64,
    /// Send just so many requests instead, without a warm-up
    #[arg(long)]
    pub(super) requests: Option<i64>,
}

/// What one round saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Requests answered in the measured time.
    pub(super) requests: u64,
    /// Requests answered at all: before and after that time, too.
    pub(super) answered: u64,
    pub(super) requests_per_second: f64,
    /// CPU time of the proxied process, a request and a streamed chunk.
    pub(super) cpu_us_per_request: f64,
    pub(super) cpu_us_per_chunk: f64,
    /// How long answers took.
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Pieces in which a stream's chunks came: near 1 a chunk unless someone gathers them.
    pub(super) pieces_per_chunk: f64,
    /// Open streams only: memory a stream, and chunks that came before the next was due.
    pub(super) kib_per_stream: f64,
    pub(super) on_time: f64,
}

/// Measures, and writes a [`Sample`] as JSON.
pub(super) async fn run(args: Args) -> Result<()> {
    let sample = if args.scenario == Scenario::OpenStreams {
        open_streams::measure(&args).await?
    } else {
        measure(&args).await?
    };
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// What all connections share.
#[derive(Debug)]
struct Window {
    open: AtomicBool,
    over: AtomicBool,
    left: AtomicI64,
    requests: AtomicU64,
    answered: AtomicU64,
    chunks: AtomicU64,
    pieces: AtomicU64,
}

/// Runs one round.
pub(super) async fn measure(args: &Args) -> Result<Sample> {
    let counted = args.requests;
    let window = Arc::new(Window {
        open: AtomicBool::new(counted.is_some()),
        over: AtomicBool::new(false),
        left: AtomicI64::new(counted.unwrap_or(i64::MAX)),
        requests: AtomicU64::new(0),
        answered: AtomicU64::new(0),
        chunks: AtomicU64::new(0),
        pieces: AtomicU64::new(0),
    });
    let mut connections = JoinSet::new();
    for _ in 0..args.scenario.concurrency() {
        connections.spawn(keep_asking(args.clone(), Arc::clone(&window)));
    }

    let cpu = || args.pid.map(Cpu::of).transpose();
    let mut before = cpu()?;
    let mut start = Instant::now();
    let mut after = None;
    if counted.is_none() {
        tokio::time::sleep(Duration::from_millis(args.millis / 5)).await;
        (before, start) = (cpu()?, Instant::now());
        window.open.store(true, Relaxed);
        tokio::time::sleep(Duration::from_millis(args.millis)).await;
        window.open.store(false, Relaxed);
        window.over.store(true, Relaxed);
        after = Some((cpu()?, start.elapsed()));
    }
    let mut times = histogram()?;
    while let Some(result) = connections.join_next().await {
        times.add(result??)?;
    }
    let (after, elapsed) = match after {
        Some(after) => after,
        None => (cpu()?, start.elapsed()),
    };

    let used = match (&before, &after) {
        (Some(before), Some(after)) => after.since(before),
        _ => 0,
    };
    let [requests, chunks, pieces] =
        [&window.requests, &window.chunks, &window.pieces].map(|count| count.load(Relaxed));
    // Few streams end in the time of a round, but all of them get chunks.
    let answered =
        if args.scenario.streams() { float(chunks) / float(CHUNKS) } else { float(requests) };
    ensure!(answered > 0.0, "nothing was answered in the measured time");
    Ok(Sample {
        requests,
        answered: window.answered.load(Relaxed),
        requests_per_second: answered / elapsed.as_secs_f64(),
        cpu_us_per_request: float(used) / 1e3 / answered,
        cpu_us_per_chunk: each(float(used) / 1e3, chunks),
        p50_us: float(times.value_at_quantile(0.50)) / 1e3,
        p99_us: float(times.value_at_quantile(0.99)) / 1e3,
        pieces_per_chunk: each(float(pieces), chunks),
        ..Sample::default()
    })
}

/// A share of something that there may be none of.
pub(super) fn each(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / float(count) }
}

/// Nanoseconds, exact to three digits.
pub(super) fn histogram() -> Result<Histogram<u64>> {
    Histogram::new(3).context("a histogram of three digits")
}

/// One connection: asks again and again until it is over.
async fn keep_asking(args: Args, window: Arc<Window>) -> Result<Histogram<u64>> {
    let mut times = histogram()?;
    let mut connection = Connection::open(&args, CHUNKS).await?;
    while !window.over.load(Relaxed) && window.left.fetch_sub(1, Relaxed) > 0 {
        let start = Instant::now();
        let answer = connection.ask().await?;
        if args.scenario.streams() {
            read_stream(answer, &window).await?;
        } else {
            let body = answer.into_body().collect().await?.to_bytes();
            ensure!(body.ends_with(b"}"), "an answer was cut off");
        }
        window.answered.fetch_add(1, Relaxed);
        if window.open.load(Relaxed) {
            window.requests.fetch_add(1, Relaxed);
            times.record(u64::try_from(start.elapsed().as_nanos())?)?;
        }
    }
    Ok(times)
}

/// Reads a stream to its end, counting chunks as they come.
async fn read_stream(answer: Response<Incoming>, window: &Window) -> Result<()> {
    let mut body = answer.into_body();
    let mut events = Events::default();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let mut seen = 0;
            events.feed(&data, |_| seen += 1);
            if window.open.load(Relaxed) {
                window.chunks.fetch_add(seen, Relaxed);
                window.pieces.fetch_add(1, Relaxed);
            }
        }
    }
    events.check(CHUNKS)
}

/// A kept-alive connection and the request that it repeats.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    args: Args,
    body: Bytes,
}

impl Connection {
    pub(super) async fn open(args: &Args, chunks: u64) -> Result<Self> {
        let stream = TcpStream::connect(args.target)
            .await
            .with_context(|| format!("cannot connect to {}", args.target))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, args: args.clone(), body: args.scenario.body(chunks) })
    }

    /// Sends the request and waits for the answer's head, which must be a 200.
    pub(super) async fn ask(&mut self) -> Result<Response<Incoming>> {
        self.sender.ready().await?;
        let request = Request::post(self.args.scenario.path())
            .header(HOST, self.args.target.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.args.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(self.body.clone()))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        if !status.is_success() {
            let body = answer.into_body().collect().await?.to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            anyhow::bail!("{} answered {status}: {body}", self.args.target);
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{floor, mock};
    use super::*;
    use tokio::net::TcpListener;

    /// Mock, floor and load work together, in one process.
    #[tokio::test]
    async fn every_scenario_passes_through_the_floor() {
        let mock = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = mock.local_addr().unwrap();
        tokio::spawn(mock::serve(mock));
        let floor = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = floor.local_addr().unwrap();
        tokio::spawn(floor::serve(floor, upstream));
        for scenario in Scenario::ALL {
            if scenario == Scenario::OpenStreams {
                continue;
            }
            let args = Args {
                target,
                scenario,
                key: "none".to_owned(),
                pid: None,
                millis: 1,
                requests: Some(20),
            };
            let sample = measure(&args).await.unwrap();
            assert_eq!(sample.requests, 20, "{scenario:?}");
        }
    }
}
