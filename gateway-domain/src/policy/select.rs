//! Which channel is tried next: of those that may be called the highest priority that is left, then
//! by weight.

use super::{
    breaker::{Standing, Trip, TripState},
    health::Health,
};
use crate::{Channel, ChannelId, FaultKind, ModelName, Timestamp};
use std::time::Duration;

/// Why no channel can be chosen for a model at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChannel {
    /// Nobody serves a model of this name.
    UnknownModel,
    /// Channels serve it, or would, but none of them is enabled.
    NoneEnabled,
    /// Upstreams said to wait, and the first of them will take calls after this long.
    Limited(Duration),
    /// All of them fail, and the first is tried again after this long.
    AllFail(Duration),
    /// No upstream has it, as they said lately.
    NotThere,
}

/// Whether a model can be called at all.
pub fn check_served(channels: &[impl AsRef<Channel>], model: &ModelName) -> Result<(), NoChannel> {
    let mut any_enabled = false;
    let mut served_disabled = false;
    for channel in channels.iter().map(AsRef::as_ref) {
        match (channel.enabled, channel.serves(model)) {
            (true, true) => return Ok(()),
            (true, false) => any_enabled = true,
            (false, true) => served_disabled = true,
            (false, false) => {}
        }
    }
    // Without any enabled channel the operator has work to do, whatever the model's name.
    if served_disabled || !any_enabled {
        Err(NoChannel::NoneEnabled)
    } else {
        Err(NoChannel::UnknownModel)
    }
}

/// All channels and what is known of them, as seen by a call of one model now.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, C> {
    pub(super) channels: &'a [C],
    pub(super) model: &'a ModelName,
    health: &'a Health,
    now: Timestamp,
    /// The one whose key is no good and that is called all the same, because it is the last.
    last: Option<ChannelId>,
}

impl<'a, C: AsRef<Channel>> View<'a, C> {
    /// What a call of this model sees.
    pub fn new(
        channels: &'a [C],
        model: &'a ModelName,
        health: &'a Health,
        now: Timestamp,
    ) -> Self {
        let mut view = Self { channels, model, health, now, last: None };
        let dead = view.serving().map(|channel| health.dead(channel.as_ref()).map(|trip| trip.at));
        if dead.clone().all(|dead| dead.is_some()) {
            let ids = view.serving().map(|channel| channel.as_ref().id);
            view.last = dead.zip(ids).max().map(|(_, id)| id);
        }
        view
    }

    fn serving(&self) -> impl Iterator<Item = &'a C> + Clone + use<'a, C> {
        let model = self.model;
        self.channels.iter().filter(move |channel| {
            let channel = channel.as_ref();
            channel.enabled && channel.serves(model)
        })
    }

    /// Whether a channel that serves the model may be called.
    pub fn standing(&self, channel: &Channel) -> Standing {
        match self.health.dead(channel) {
            Some(dead) if self.last != Some(channel.id) => Standing::Out(*dead),
            _ => self.health.model(channel, self.model, self.now),
        }
    }

    /// Whether any channel may be called.
    ///
    /// # Errors
    /// Why none may be, and when to come again.
    pub fn check(&self) -> Result<(), NoChannel> {
        let mut trips = Vec::new();
        for channel in self.serving() {
            match self.standing(channel.as_ref()) {
                Standing::Ready | Standing::Probe(_) => return Ok(()),
                Standing::Out(trip) => trips.push(trip),
            }
        }
        Err(self.why(&trips))
    }

    fn why(&self, trips: &[Trip]) -> NoChannel {
        let coming = || trips.iter().filter(|trip| trip.state != TripState::Dead);
        let limited = |trip: &&Trip| {
            matches!(trip.why, FaultKind::RateLimited | FaultKind::Quota)
                && trip.state == TripState::Cooling
        };
        let least = |until: Option<Timestamp>| until.map(|until| until.since(self.now));
        if let Some(wait) = least(coming().filter(limited).map(|trip| trip.until).min()) {
            return NoChannel::Limited(wait);
        }
        if coming().next().is_some() && coming().all(|trip| trip.why == FaultKind::NotFound) {
            return NoChannel::NotThere;
        }
        // A probe that is under way tells more soon, whenever it would be given up.
        let until = coming().map(|trip| match trip.state {
            TripState::Probing => self.now.plus(Duration::from_secs(1)),
            _ => trip.until,
        });
        least(until.min()).map_or(NoChannel::NoneEnabled, NoChannel::AllFail)
    }

    /// The channel to try next, among those that are not in `tried`. `random` decides between
    /// channels of one priority, each by its weight.
    pub fn select(&self, tried: &[ChannelId], random: u64) -> Option<&'a C> {
        let usable = |channel: &Channel| {
            !tried.contains(&channel.id) && !matches!(self.standing(channel), Standing::Out(_))
        };
        let tier = self
            .serving()
            .map(AsRef::as_ref)
            .filter(|channel| usable(channel))
            .map(|channel| channel.priority)
            .max()?;
        let candidates = || {
            self.serving().filter(|c| {
                let channel = c.as_ref();
                channel.priority == tier && usable(channel)
            })
        };
        let total: u64 = candidates().map(|c| u64::from(c.as_ref().weight)).sum();
        if total == 0 {
            let count = u64::try_from(candidates().count()).unwrap_or(1).max(1);
            return candidates().nth(usize::try_from(random % count).unwrap_or(0));
        }
        let mut ticket = random % total;
        candidates().find(|c| {
            let weight = u64::from(c.as_ref().weight);
            let hit = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            hit
        })
    }
}

/// The share of a tier's calls that each of its channels gets while all of them can be chosen: by
/// their weights, as [`View::select`] chooses; evenly where none has any.
pub fn shares(weights: &[u32]) -> Vec<f64> {
    let even = weights.iter().all(|&weight| weight == 0);
    let tickets = |weight: &u32| if even { 1.0 } else { f64::from(*weight) };
    let total: f64 = weights.iter().map(tickets).sum();
    weights.iter().map(|weight| tickets(weight) / total).collect()
}

#[cfg(test)]
pub(super) mod tests;
