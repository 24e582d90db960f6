//! Many streams at once, each at a provider's pace: what one costs in memory while it is open, and
//! whether its chunks still come in time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;

use super::float;
use super::load::{Args, Connection, Sample, each, histogram};
use super::mock::since_epoch;
use super::scenario::PACE_MS;
use crate::local::events::Events;
use crate::local::proc::{Cpu, resident_kib};

/// Time between two openings, so that the streams do not all beat at the same moment.
const STAGGER: Duration = Duration::from_millis(1);

const HOUR_US: u64 = 3_600_000_000;

/// Requests that make the process allocate what it keeps anyway, before its memory is read.
const WARM_UP: usize = 8;

/// Opens all streams, watches them to their end.
pub(super) async fn measure(args: &Args) -> Result<Sample> {
    let count = args.scenario.concurrency();
    for _ in 0..WARM_UP {
        stream(args, 1, &Watch::new()?).await?;
    }
    let idle = args.pid.map(resident_kib).transpose()?;

    // Long enough that all are open at once for the time asked for.
    let opening = STAGGER * u32::try_from(count)?;
    let chunks = (u64::try_from(opening.as_millis())? + args.millis) / PACE_MS;
    let watch = Arc::new(Watch::new()?);
    let before = args.pid.map(Cpu::of).transpose()?;
    let mut streams = JoinSet::new();
    let mut ticks = tokio::time::interval(STAGGER);
    for _ in 0..count {
        ticks.tick().await;
        let (args, watch) = (args.clone(), Arc::clone(&watch));
        streams.spawn(async move { stream(&args, chunks, &watch).await });
    }
    let mut peak = idle;
    let mut most_open = 0;
    let mut look = tokio::time::interval(Duration::from_millis(100));
    while !streams.is_empty() {
        tokio::select! {
            result = streams.join_next() => {
                if let Some(result) = result {
                    result??;
                }
            }
            _ = look.tick() => {
                most_open = most_open.max(watch.open.load(Relaxed));
                peak = peak.max(args.pid.map(resident_kib).transpose()?);
            }
        }
    }
    let after = args.pid.map(Cpu::of).transpose()?;
    ensure!(
        most_open == u64::try_from(count)?,
        "only {most_open} of {count} streams were open at once"
    );
    let used = match (&before, &after) {
        (Some(before), Some(after)) => after.since(before),
        _ => 0,
    };
    let grown = peak.unwrap_or(0).saturating_sub(idle.unwrap_or(0));
    let late = watch.late.lock().map_err(|_| anyhow!("a stream panicked"))?;
    let in_time = late.count_between(0, PACE_MS * 1000);
    Ok(Sample {
        requests: most_open,
        answered: most_open + u64::try_from(WARM_UP)?,
        cpu_us_per_request: float(used) / 1e3 / float(most_open),
        cpu_us_per_chunk: each(float(used) / 1e3, late.len()),
        p50_us: float(late.value_at_quantile(0.50)),
        p99_us: float(late.value_at_quantile(0.99)),
        kib_per_stream: float(grown) / float(most_open),
        on_time: each(float(in_time), late.len()),
        ..Sample::default()
    })
}

/// One stream; writes down how many microseconds after it was due each chunk came.
async fn stream(args: &Args, chunks: u64, watch: &Watch) -> Result<()> {
    let mut connection = Connection::open(args, chunks).await?;
    let mut body = connection.ask().await?.into_body();
    watch.open.fetch_add(1, Relaxed);
    let mut events = Events::default();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let now = since_epoch().as_micros();
            events.feed(&data, |due| watch.record(now, due));
        }
    }
    watch.open.fetch_sub(1, Relaxed);
    events.check(chunks)
}

/// What all streams write to. One histogram for all: a thousand would fill the memory's caches.
struct Watch {
    open: AtomicU64,
    late: Mutex<Histogram<u64>>,
}

impl Watch {
    fn new() -> Result<Self> {
        Ok(Self { open: AtomicU64::new(0), late: Mutex::new(histogram()?) })
    }

    /// A chunk came; a time that cannot be read counts as an hour late.
    fn record(&self, now: u128, due: &[u8]) {
        let due = std::str::from_utf8(due).ok().and_then(|due| due.parse().ok());
        let late = due
            .map_or(HOUR_US, |due: u128| u64::try_from(now.saturating_sub(due)).unwrap_or(HOUR_US));
        // Only one thread runs here, so nobody can have left the lock broken.
        if let Ok(mut histogram) = self.late.lock() {
            // Not `saturating_record`, which forgets that this histogram grows. An hour fits.
            let _ = histogram.record(late);
        }
    }
}
