//! What an operator is told about a channel.

use super::{Health, Trip, TripState};
use crate::{Channel, ModelName, Timestamp, policy::breaker::Standing};

/// How a channel is, or a model on it; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthState {
    /// It is called.
    Ok,
    /// The upstream said to wait.
    CoolingDown,
    /// One call may see whether it works again.
    HalfOpen,
    /// It failed too often, and is not called.
    Open,
    /// Its key is no good: it is not called until an admin saves it, or no other is left.
    DeadKey,
    /// An admin disabled it.
    Disabled,
}

impl HealthState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::CoolingDown => "cooling_down",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::DeadKey => "dead_key",
            Self::Disabled => "disabled",
        }
    }
}

/// How one model is on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelHealth {
    /// The model, as callers name it.
    pub model: ModelName,
    /// How it is.
    pub state: HealthState,
    /// Why, since when, and until when.
    pub trip: Trip,
}

/// How a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it is: as the worst of its models.
    pub state: HealthState,
    /// Why, since when, and until when, if something is wrong.
    pub trip: Option<Trip>,
    /// The models that are not called as usual, by name.
    pub models: Vec<ModelHealth>,
}

impl Health {
    /// How a channel is.
    pub fn report(&self, channel: &Channel, now: Timestamp) -> Report {
        let entries = self.known(channel).into_iter().flat_map(|known| &known.models);
        let models: Vec<ModelHealth> = entries
            .filter_map(|(model, entry)| {
                let (state, trip) = match entry.breaker.standing(now) {
                    Standing::Ready => return None,
                    Standing::Probe(trip) => (HealthState::HalfOpen, trip),
                    Standing::Out(trip) => (trip.state.into(), trip),
                };
                Some(ModelHealth { model: model.clone(), state, trip })
            })
            .collect();
        let worst = models.iter().max_by_key(|model| (model.state, model.trip.until));
        let (state, trip) = match (self.dead(channel), worst) {
            (Some(dead), _) => (HealthState::DeadKey, Some(*dead)),
            (None, Some(worst)) => (worst.state, Some(worst.trip)),
            (None, None) => (HealthState::Ok, None),
        };
        let state = if channel.enabled { state } else { HealthState::Disabled };
        Report { state, trip, models }
    }
}

impl From<TripState> for HealthState {
    fn from(state: TripState) -> Self {
        match state {
            TripState::Cooling => Self::CoolingDown,
            TripState::Open => Self::Open,
            TripState::Probing => Self::HalfOpen,
            TripState::Dead => Self::DeadKey,
        }
    }
}
