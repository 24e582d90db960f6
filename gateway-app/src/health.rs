//! What this process knows of its channels: kept in memory, and told to others where there are
//! others. No call waits for that, but the one that sees whether a channel works again.

use crate::{Gateway, gateway::Parts};
use gateway_domain::{
    Channel, ChannelId, ModelName,
    policy::{
        breaker::{BreakerRules, Trip},
        health::{Change, Health, HealthState, Report},
        retry::{RetryBudget, RetryRules},
        select::{NoChannel, View},
    },
};
use gateway_ports::{HealthScope, Routing, Verdicts, observer::OTHER};
use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

/// What this process knows of its channels, and how much it may still try again.
#[derive(Debug)]
pub(crate) struct Watch {
    health: Mutex<Health>,
    budget: Mutex<RetryBudget>,
    /// Of when the verdicts are that were taken over last; 0: of none.
    adopted: AtomicI64,
}

impl Watch {
    pub(crate) fn new(breaker: BreakerRules, retry: RetryRules) -> Self {
        Self {
            health: Mutex::new(Health::new(breaker)),
            budget: Mutex::new(RetryBudget::new(retry)),
            adopted: AtomicI64::new(0),
        }
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn budget(&self) -> MutexGuard<'_, RetryBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what others found, if it is newer than what was taken over before.
    pub(crate) fn adopt(&self, board: &Verdicts) {
        let at = board.at.as_millis();
        if self.adopted.fetch_max(at, Ordering::Relaxed) < at {
            self.health().adopt(&board.verdicts, board.at);
        }
    }
}

impl Parts {
    /// What others found, if there are others, or this process has just begun. Channels are called
    /// as usual while nobody knows.
    pub(crate) async fn board(&self) -> Verdicts {
        let begun = self.watch.adopted.load(Ordering::Relaxed) > 0;
        if self.config.health_scope == HealthScope::Process && begun {
            return Verdicts::default();
        }
        let at = self.runtime.clock.now();
        match self.store.health.list(at).await {
            Ok(verdicts) => Verdicts { at, verdicts },
            Err(error) => {
                tracing::warn!(%error, "it cannot be read which channels fail");
                Verdicts::default()
            }
        }
    }

    /// Writes a change for others; false if somebody else was faster.
    pub(crate) async fn write(&self, change: &Change) -> bool {
        let alone = self.config.health_scope == HealthScope::Process;
        if alone && change.is_probe() {
            return true;
        }
        let written = self.store.health.write(change, alone, self.runtime.clock.now()).await;
        written.unwrap_or_else(|error| {
            tracing::warn!(%error, "others cannot be told how a channel is");
            true
        })
    }

    /// Whether any channel may be called for a model now.
    pub(crate) fn check_available(
        &self,
        routing: &Routing,
        model: &ModelName,
    ) -> Result<(), NoChannel> {
        let now = self.runtime.clock.now();
        View::new(&routing.channels, model, &self.watch.health(), now).check()
    }
}

/// A change, as the log has it.
pub(crate) struct Told<'a>(pub(crate) &'a Change);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (channel, model) = match self.0 {
            Change::Set(verdict, _) => (verdict.channel, &verdict.model),
            Change::Clear(channel, model, _) => (*channel, model),
        };
        write!(f, "channel {channel}")?;
        if let Some(model) = model {
            write!(f, ", model {model}")?;
        }
        match self.0 {
            Change::Set(verdict, _) => {
                let Trip { state, why, until, .. } = verdict.trip;
                write!(f, ": {state:?} ({why:?}) until {}", until.to_rfc3339())
            }
            Change::Clear(..) => write!(f, ": works again"),
        }
    }
}

/// How a channel is, or a model on it: for metrics, so its model is one of few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// Which channel.
    pub channel: ChannelId,
    /// The entry of the channel's models, or `other`; `None`: the channel as a whole.
    pub model: Option<String>,
    /// How it is.
    pub state: HealthState,
}

impl Gateway {
    /// How each channel is, and each model on it that is not called as usual; nothing if the
    /// channels cannot be read.
    pub async fn channel_states(&self) -> Vec<ChannelState> {
        let Ok(routing) = self.0.routing().await else {
            return Vec::new();
        };
        let mut states = Vec::new();
        for channel in &routing.channels {
            let report = self.0.watch.health().report(channel, self.now());
            states.push(ChannelState { channel: channel.id, model: None, state: report.state });
            states.extend(report.models.into_iter().map(|one| ChannelState {
                channel: channel.id,
                model: Some(channel.entry(&one.model).unwrap_or(OTHER).to_owned()),
                state: one.state,
            }));
        }
        states
    }

    /// Channels with how they are, as far as this process knows, and others told it.
    pub async fn with_all_health(&self, channels: Vec<Channel>) -> Vec<(Channel, Report)> {
        self.0.watch.adopt(&self.0.board().await);
        channels.into_iter().map(|channel| self.with_known_health(channel)).collect()
    }

    /// A channel with how it is, as far as this process knows, and others told it.
    pub async fn with_health(&self, channel: Channel) -> (Channel, Report) {
        self.0.watch.adopt(&self.0.board().await);
        self.with_known_health(channel)
    }

    fn with_known_health(&self, channel: Channel) -> (Channel, Report) {
        let report = self.0.watch.health().report(&channel, self.now());
        (channel, report)
    }
}
