//! What the gateway counts, in the OpenMetrics text that Prometheus reads.
//!
//! No label names a user, a key or a host, and none grows with what callers make up: models go by
//! the entries of the channels that serve them, and by `other` where no channel names them.

mod labels;
mod process;

use adapter_sql::GroupWatch;
use gateway_app::health::ChannelState;
use gateway_domain::FaultKind;
use gateway_ports::{
    Observer,
    observer::{Attempt, CallEnded, CallSeen, Refused},
};
use labels::{
    ChannelLabels, ErrorLabels, ModelLabels, RefusalLabels, RequestLabels, RouteLabels, TokenLabels,
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Seconds of whole calls, from a fast embedding to a long stream.
const SECONDS: [f64; 14] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];
/// Seconds of a transaction.
const COMMIT_SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Operations of a transaction.
const GROUPS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

type Timed = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Counters of one gateway. It observes calls and the ledger's queue, and writes what it saw.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    quota: Family<ModelLabels, Counter>,
    duration: Timed,
    first_byte: Timed,
    errors: Family<ErrorLabels, Counter>,
    channels: Family<ChannelLabels, Gauge>,
    streams: Gauge,
    drains: Gauge,
    drains_begun: Counter,
    queue: Gauge,
    group: Histogram,
    commit: Histogram,
    /// When the transaction under way began: there is one at a time.
    began: Mutex<Option<Instant>>,
    memory: Gauge,
    descriptors: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters that stand at zero.
    pub fn new() -> Self {
        let timed = || Timed::new_with_constructor(|| Histogram::new(SECONDS));
        let mut this = Self {
            registry: Registry::with_prefix("gateway"),
            requests: Family::default(),
            refusals: Family::default(),
            tokens: Family::default(),
            quota: Family::default(),
            duration: timed(),
            first_byte: timed(),
            errors: Family::default(),
            channels: Family::default(),
            streams: Gauge::default(),
            drains: Gauge::default(),
            drains_begun: Counter::default(),
            queue: Gauge::default(),
            group: Histogram::new(GROUPS),
            commit: Histogram::new(COMMIT_SECONDS),
            began: Mutex::default(),
            memory: Gauge::default(),
            descriptors: Gauge::default(),
        };
        this.register();
        this
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("requests", "Calls that were settled: usage rows", self.requests.clone());
        all.register(
            "refusals",
            "Calls and keys that were not let in, by the code that the caller was told",
            self.refusals.clone(),
        );
        all.register("tokens", "Tokens that were charged for", self.tokens.clone());
        all.register("quota_charged", "Units that were charged", self.quota.clone());
        all.register_with_unit(
            "request_duration",
            "From a request to the end of its answer",
            Unit::Seconds,
            self.duration.clone(),
        );
        all.register_with_unit(
            "first_byte",
            "From a request to the beginning of its answer",
            Unit::Seconds,
            self.first_byte.clone(),
        );
        all.register("upstream_errors", "Attempts that failed", self.errors.clone());
        all.register(
            "channel_state",
            "How many models of a channel are in a state, where that is not ok; of model * the \
             channel as a whole",
            self.channels.clone(),
        );
        all.register("open_streams", "Streams to clients that are open", self.streams.clone());
        all.register(
            "drains",
            "Upstreams that are listened to although their clients are gone",
            self.drains.clone(),
        );
        all.register("drains_begun", "The same, ever since", self.drains_begun.clone());
        all.register("ledger_queue", "Operations that wait for the ledger", self.queue.clone());
        all.register(
            "ledger_group_operations",
            "Operations of one transaction",
            self.group.clone(),
        );
        all.register_with_unit(
            "ledger_commit",
            "How long a transaction takes",
            Unit::Seconds,
            self.commit.clone(),
        );
        all.register_with_unit(
            "resident_memory",
            "Memory of the process",
            Unit::Bytes,
            self.memory.clone(),
        );
        all.register("open_descriptors", "Open files and sockets", self.descriptors.clone());
    }

    /// All of it, and how the channels are, in the OpenMetrics text format.
    pub fn text(&self, channels: &[ChannelState]) -> String {
        self.channels.clear();
        for one in channels {
            self.channels.get_or_create(&ChannelLabels::of(one)).inc();
        }
        if let Some(process) = process::look() {
            self.memory.set(process.resident_bytes);
            self.descriptors.set(process.descriptors);
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics cannot be written");
        }
        text
    }
}

impl Observer for Metrics {
    fn refused(&self, refused: &Refused<'_>) {
        self.refusals.get_or_create(&RefusalLabels::of(refused)).inc();
    }

    fn attempt_failed(&self, _: &CallSeen, attempt: &Attempt, kind: FaultKind) {
        self.errors.get_or_create(&ErrorLabels::of(attempt, kind)).inc();
    }

    fn stream_opened(&self, _: &CallSeen) {
        self.streams.inc();
    }

    fn stream_closed(&self, _: &CallSeen) {
        self.streams.dec();
    }

    fn ended(&self, call: &CallSeen, end: &CallEnded<'_>) {
        let record = end.record;
        self.requests.get_or_create(&RequestLabels::of(call, record)).inc();
        let counts = record.counts;
        for (kind, tokens) in [
            ("prompt", counts.prompt),
            ("completion", counts.completion),
            ("cached", counts.cached),
        ] {
            if tokens > 0 {
                self.tokens.get_or_create(&TokenLabels::of(kind, call)).inc_by(tokens);
            }
        }
        self.quota.get_or_create(&ModelLabels::of(call)).inc_by(end.charged.units());
        let route = RouteLabels::of(call);
        self.duration.get_or_create(&route).observe(seconds(record.latency_ms));
        if let Some(millis) = record.first_byte_ms {
            self.first_byte.get_or_create(&route).observe(seconds(millis));
        }
    }

    fn drain_began(&self) {
        self.drains.inc();
        self.drains_begun.inc();
    }

    fn drain_ended(&self) {
        self.drains.dec();
    }
}

impl GroupWatch for Metrics {
    fn queued(&self) {
        self.queue.inc();
    }

    fn turned_away(&self) {
        self.queue.dec();
    }

    fn taken(&self, operations: usize) {
        let operations = u32::try_from(operations).unwrap_or(u32::MAX);
        self.queue.dec_by(i64::from(operations));
        self.group.observe(f64::from(operations));
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn written(&self) {
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(began) = began {
            self.commit.observe(began.elapsed().as_secs_f64());
        }
    }
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

#[cfg(test)]
mod tests;
