//! What is known of all channels: a breaker for each model on each of them, and which keys are no
//! good. It is fed by live traffic, kept in memory, and says which changes others should know of.

mod report;

pub use report::{HealthState, ModelHealth, Report};

use super::breaker::{Breaker, BreakerRules, Sign, Standing, Trip, TripState};
use crate::{Channel, ChannelId, ModelName, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// Models of one channel that are remembered. A channel that serves every model hears any name.
const MOST_MODELS: usize = 500;
/// What changed here so short ago may not have been written when others' verdicts were read.
const GRACE: Duration = Duration::from_secs(5);

/// What one process tells the others about a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The channel.
    pub channel: ChannelId,
    /// The model, as callers name it; `None` for the whole channel.
    pub model: Option<ModelName>,
    /// When the channel was last saved by a person: a verdict about an earlier one is void.
    pub revision: Timestamp,
    /// What is wrong.
    pub trip: Trip,
    /// A number that no other verdict has.
    pub version: u64,
}

/// A change that others should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new verdict, instead of the one with this version (0: of none).
    Set(Verdict, u64),
    /// There is nothing wrong any more with this channel's model (`None`: with the channel), of
    /// which the verdict had this version.
    Clear(ChannelId, Option<ModelName>, u64),
}

/// Which call it was that something is heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The channel that it went to.
    pub channel: ChannelId,
    /// When that was last saved.
    pub revision: Timestamp,
    /// The model, as its caller named it.
    pub model: ModelName,
    /// Whether it is the one that sees whether the channel works again.
    pub probe: bool,
}

/// What is known of all channels.
#[derive(Clone, Debug, Default)]
pub struct Health {
    rules: BreakerRules,
    channels: HashMap<ChannelId, Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    revision: Timestamp,
    dead: Option<(Trip, u64)>,
    models: BTreeMap<ModelName, Entry>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    breaker: Breaker,
    /// Of what others were told last; 0: of nothing.
    version: u64,
    /// When it changed here last.
    at: Timestamp,
}

impl Health {
    /// Nothing is known.
    pub fn new(rules: BreakerRules) -> Self {
        Self { rules, channels: HashMap::new() }
    }

    fn known(&self, channel: &Channel) -> Option<&Known> {
        self.channels.get(&channel.id).filter(|known| known.revision == channel.updated_at)
    }

    /// Since when a channel's key is no good.
    pub(super) fn dead(&self, channel: &Channel) -> Option<&Trip> {
        self.known(channel)?.dead.as_ref().map(|(trip, _)| trip)
    }

    /// Whether a model may be called on a channel, whose key is taken to be good.
    pub(super) fn model(&self, channel: &Channel, model: &ModelName, now: Timestamp) -> Standing {
        let entry = self.known(channel).and_then(|known| known.models.get(model));
        entry.map_or(Standing::Ready, |entry| entry.breaker.standing(now))
    }

    /// A call goes to a channel. What was known of it before it was last saved is forgotten. A
    /// probe should be told to others first, so that there is no second one.
    pub fn begin(
        &mut self,
        channel: &Channel,
        model: &ModelName,
        now: Timestamp,
        version: u64,
    ) -> (Attempt, Option<Change>) {
        if self.known(channel).is_none() {
            self.channels.remove(&channel.id);
        }
        let mut attempt = Attempt {
            channel: channel.id,
            revision: channel.updated_at,
            model: model.clone(),
            probe: false,
        };
        let known = self.channels.get_mut(&channel.id);
        let Some(entry) = known.and_then(|known| known.models.get_mut(model)) else {
            return (attempt, None);
        };
        attempt.probe = entry.breaker.begin(now, &self.rules);
        let change = attempt.probe.then(|| entry.tell(&attempt, now, version)).flatten();
        (attempt, change)
    }

    /// What a call says about its channel. The change, if others should know of it.
    pub fn hear(
        &mut self,
        attempt: &Attempt,
        sign: Sign,
        now: Timestamp,
        version: u64,
    ) -> Option<Change> {
        let bad = !matches!(sign, Sign::Fine | Sign::Began | Sign::Nothing);
        let known = match self.channels.get_mut(&attempt.channel) {
            Some(known) if known.revision == attempt.revision => known,
            // The channel was saved meanwhile: this is about how it was before.
            Some(known) if known.revision > attempt.revision => return None,
            // Of what always worked nothing is kept.
            _ if !bad => return None,
            _ => {
                let fresh = Known { revision: attempt.revision, ..Known::default() };
                self.channels.insert(attempt.channel, fresh);
                self.channels.get_mut(&attempt.channel)?
            }
        };
        if let Some(entry) = known.models.get_mut(&attempt.model) {
            let changed = entry.breaker.hear(sign, attempt.probe, now, &self.rules);
            if changed && !matches!(sign, Sign::Dead(_)) {
                return entry.tell(attempt, now, version);
            }
        } else if matches!(sign, Sign::Failed(..) | Sign::Wait(..)) && known.has_room(now) {
            let entry = known.models.entry(attempt.model.clone()).or_default();
            let changed = entry.breaker.hear(sign, attempt.probe, now, &self.rules);
            return if changed { entry.tell(attempt, now, version) } else { None };
        }
        match sign {
            Sign::Dead(why) if known.dead.is_none() => {
                let trip = Trip::dead(why, now);
                known.dead = Some((trip, version));
                Some(Change::Set(attempt.verdict(None, trip, version), 0))
            }
            // It was asked because no other was left, and its key is good.
            Sign::Fine => known
                .dead
                .take()
                .map(|(_, replaced)| Change::Clear(attempt.channel, None, replaced)),
            _ => None,
        }
    }

    /// Takes over what others found, all of it, as it was at this moment.
    pub fn adopt(&mut self, verdicts: &[Verdict], at: Timestamp) {
        let new = |changed: Timestamp| changed.plus(GRACE) > at;
        for (id, known) in &mut self.channels {
            let about = |model: Option<&ModelName>| {
                verdicts.iter().any(|v| v.channel == *id && v.model.as_ref() == model)
            };
            known.dead = known.dead.filter(|(trip, _)| new(trip.at) || about(None));
            for (model, entry) in &mut known.models {
                if entry.version != 0 && !new(entry.at) && !about(Some(model)) {
                    entry.breaker.adopt(None);
                    entry.version = 0;
                }
            }
        }
        for verdict in verdicts {
            let known = self.channels.entry(verdict.channel).or_default();
            if known.revision != verdict.revision {
                if known.revision > verdict.revision {
                    continue;
                }
                *known = Known { revision: verdict.revision, ..Known::default() };
            }
            match &verdict.model {
                None => known.dead = Some((verdict.trip, verdict.version)),
                Some(model) => {
                    let entry = known.models.entry(model.clone()).or_default();
                    if entry.version != verdict.version && !new(entry.at) {
                        entry.breaker.adopt(Some(verdict.trip));
                        (entry.version, entry.at) = (verdict.version, Timestamp::default());
                    }
                }
            }
        }
    }
}

impl Known {
    /// Whether one more model can be remembered, if need be instead of those that work.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.models.len() >= MOST_MODELS {
            self.models.retain(|_, entry| !entry.breaker.is_idle(now));
        }
        self.models.len() < MOST_MODELS
    }
}

impl Entry {
    /// Remembers what others are told now.
    fn tell(&mut self, attempt: &Attempt, now: Timestamp, version: u64) -> Option<Change> {
        let model = Some(attempt.model.clone());
        let replaced = std::mem::take(&mut self.version);
        self.at = now;
        match self.breaker.trip() {
            Some(trip) if trip.is_worth_sharing() => {
                self.version = version;
                Some(Change::Set(attempt.verdict(model, *trip, version), replaced))
            }
            _ if replaced != 0 => Some(Change::Clear(attempt.channel, model, replaced)),
            _ => None,
        }
    }
}

impl Attempt {
    fn verdict(&self, model: Option<ModelName>, trip: Trip, version: u64) -> Verdict {
        Verdict { channel: self.channel, model, revision: self.revision, trip, version }
    }
}

impl Change {
    /// Whether it says that a probe is under way.
    pub fn is_probe(&self) -> bool {
        matches!(self, Self::Set(verdict, _) if verdict.trip.state == TripState::Probing)
    }
}

#[cfg(test)]
mod tests;
