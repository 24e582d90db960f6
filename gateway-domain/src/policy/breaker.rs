//! Whether one model on one channel is called: closed, open, half-open, or cooling down because its
//! provider said so. A state machine that is told the time, and never looks at a channel or a call.

mod window;

use crate::{Fault, FaultKind, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use window::Window;

/// No provider is believed that it takes no calls for longer than this.
pub const MOST_WAIT: Duration = Duration::from_secs(3600);
/// Clocks of isolates differ by less than this. A verdict from further in the future is one from
/// before the clock was set back, and is over.
const SKEW: Duration = Duration::from_secs(5);
/// Many calls hear of one limit at once; a wait that grows by less than this is not news.
const NEWS: Duration = Duration::from_secs(1);
/// A wait that is shorter is over before another process could hear of it.
const WORTH_SHARING: Duration = Duration::from_secs(5);
/// How long a breaker is remembered that nobody tried to close.
const REMEMBERED: Duration = Duration::from_secs(600);

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// It opens after so many failures in a row; or when of at least four times as many calls in
    /// a minute half failed.
    pub failures: u32,
    /// How long it stays open the first time. Each probe that fails doubles it.
    pub cooldown: Duration,
    /// How long it stays open at most.
    pub most_cooldown: Duration,
    /// How long a 429 cools down that does not say for how long.
    pub rate_limited: Duration,
    /// How long a probe is waited for before another one is let through.
    pub probe: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 5,
            cooldown: Duration::from_secs(10),
            most_cooldown: Duration::from_secs(300),
            rate_limited: Duration::from_secs(1),
            probe: Duration::from_secs(130),
        }
    }
}

/// What a call says about the channel that it went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It was answered, whole.
    Fine,
    /// Its answer has begun.
    Began,
    /// It failed; and perhaps the upstream said when to come again.
    Failed(FaultKind, Option<Duration>),
    /// The upstream takes no calls for now.
    Wait(FaultKind, Option<Duration>),
    /// The channel's key is no good, for any model.
    Dead(FaultKind),
    /// Nothing: it was the caller's own fault, or nobody waited for the answer.
    Nothing,
}

impl Sign {
    /// What a fault says about its channel.
    pub fn of(fault: &Fault) -> Self {
        match fault.kind {
            FaultKind::TooLarge | FaultKind::Rejected | FaultKind::Conflict => Self::Nothing,
            FaultKind::Auth | FaultKind::Payment => Self::Dead(fault.kind),
            // A refusal without a word, or a web page, is that of something in front of the
            // upstream, and may be about the one request.
            FaultKind::Permission if !fault.message.is_empty() => Self::Dead(fault.kind),
            FaultKind::RateLimited | FaultKind::Quota => Self::Wait(fault.kind, fault.retry_after),
            FaultKind::Unreachable
            | FaultKind::Blocked
            | FaultKind::Misconfigured
            | FaultKind::Timeout
            | FaultKind::Permission
            | FaultKind::NotFound
            | FaultKind::Misnamed
            | FaultKind::Overloaded
            | FaultKind::Server
            | FaultKind::Malformed
            | FaultKind::Redirect => Self::Failed(fault.kind, fault.retry_after),
        }
    }
}

/// In which way a breaker is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripState {
    /// The upstream said to wait. Closed when the wait is over.
    Cooling,
    /// It failed too often. When that is over one probe is let through.
    Open,
    /// A probe is under way.
    Probing,
    /// The channel's key is no good. Over when an admin saves the channel.
    Dead,
}

/// Why and until when something is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// In which way.
    pub state: TripState,
    /// What it last failed with.
    pub why: FaultKind,
    /// Since when it was not called as usual.
    pub since: Timestamp,
    /// When this state began.
    pub at: Timestamp,
    /// When this state is over.
    pub until: Timestamp,
}

impl Trip {
    /// A channel's key is no good.
    pub fn dead(why: FaultKind, now: Timestamp) -> Self {
        Self { state: TripState::Dead, why, since: now, at: now, until: Timestamp::MAX }
    }

    /// Whether this state is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until || (self.state != TripState::Dead && now.plus(SKEW) < self.at)
    }

    /// Whether others should know of it.
    pub fn is_worth_sharing(&self) -> bool {
        self.state != TripState::Cooling || self.until.since(self.at) >= WORTH_SHARING
    }

    /// When it can be forgotten.
    pub fn expires_at(&self) -> Timestamp {
        match self.state {
            TripState::Cooling | TripState::Dead => self.until,
            TripState::Open | TripState::Probing => self.until.plus(REMEMBERED),
        }
    }
}

/// Whether something may be called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As usual.
    Ready,
    /// By one call, to see whether it works again.
    Probe(Trip),
    /// Not at all.
    Out(Trip),
}

/// The state of one model on one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    trip: Option<Trip>,
    /// Failures in a row.
    row: u32,
    window: Window,
    /// How long it was open the last time, since it last worked.
    cooldown: Option<Duration>,
}

impl Breaker {
    /// Why it is not closed, if it is not.
    pub fn trip(&self) -> Option<&Trip> {
        self.trip.as_ref()
    }

    /// Whether there is nothing to remember.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.trip.is_none_or(|trip| now >= trip.expires_at())
    }

    /// Takes over what another process found, or that it found nothing any more.
    pub fn adopt(&mut self, trip: Option<Trip>) {
        self.trip = trip;
    }

    /// Whether a call may go there now.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match self.trip {
            Some(trip) if !trip.is_over(now) => Standing::Out(trip),
            Some(trip) if matches!(trip.state, TripState::Open | TripState::Probing) => {
                Standing::Probe(trip)
            }
            _ => Standing::Ready,
        }
    }

    /// A call goes there. True if it is the probe, which nobody else is from now on.
    pub fn begin(&mut self, now: Timestamp, rules: &BreakerRules) -> bool {
        match self.standing(now) {
            Standing::Ready => self.trip = None,
            Standing::Probe(trip) => {
                let until = now.plus(rules.probe);
                self.trip = Some(Trip { state: TripState::Probing, at: now, until, ..trip });
                return true;
            }
            Standing::Out(_) => {}
        }
        false
    }

    /// What a call says, which may have been the probe. True if the state changed.
    pub fn hear(&mut self, sign: Sign, probe: bool, now: Timestamp, rules: &BreakerRules) -> bool {
        let trip = match self.trip {
            Some(trip) if trip.state == TripState::Probing && probe => {
                return self.hear_probe(sign, trip, now, rules);
            }
            Some(trip) if !trip.is_over(now) => Some(trip),
            // Whoever began before it opened does not close it, and opens it no further.
            Some(Trip { state: TripState::Open | TripState::Probing, .. }) => return false,
            _ => None,
        };
        match (sign, trip) {
            (Sign::Fine, None) => {
                self.trip = None;
                self.row = 0;
                self.cooldown = None;
                self.window.count(false, now);
                false
            }
            (Sign::Failed(why, wait), None) => {
                self.trip = None;
                self.row = self.row.saturating_add(1);
                self.window.count(true, now);
                if self.row >= rules.failures || self.window.is_bad(now, rules.failures) {
                    self.open(why, wait, now, now, rules);
                    return true;
                }
                wait.is_some_and(|wait| self.cool_down(why, wait, now))
            }
            (Sign::Wait(why, wait), None | Some(Trip { state: TripState::Cooling, .. })) => {
                self.cool_down(why, rules.wait(why, wait), now)
            }
            _ => false,
        }
    }

    fn hear_probe(&mut self, sign: Sign, trip: Trip, now: Timestamp, rules: &BreakerRules) -> bool {
        match sign {
            Sign::Fine => *self = Self::default(),
            // It works again, on probation: the next failure opens it at once, for longer.
            Sign::Began => {
                self.trip = None;
                self.row = rules.failures.saturating_sub(1);
            }
            Sign::Failed(why, wait) => self.open(why, wait, trip.since, now, rules),
            Sign::Wait(why, wait) => {
                self.trip = None;
                self.cool_down(why, rules.wait(why, wait), now);
            }
            // Nobody knows: the next call is the probe.
            Sign::Dead(_) | Sign::Nothing => {
                self.trip = Some(Trip { state: TripState::Open, at: now, until: now, ..trip });
            }
        }
        true
    }

    fn open(
        &mut self,
        why: FaultKind,
        wait: Option<Duration>,
        since: Timestamp,
        now: Timestamp,
        rules: &BreakerRules,
    ) {
        let doubled = self.cooldown.map_or(rules.cooldown, |last| last.saturating_mul(2));
        let cooldown = doubled.min(rules.most_cooldown.max(rules.cooldown));
        self.cooldown = Some(cooldown);
        self.row = 0;
        self.window = Window::default();
        let until = now.plus(cooldown.max(wait.unwrap_or_default().min(MOST_WAIT)));
        self.trip = Some(Trip { state: TripState::Open, why, since, at: now, until });
    }

    fn cool_down(&mut self, why: FaultKind, wait: Duration, now: Timestamp) -> bool {
        let until = now.plus(wait.min(MOST_WAIT));
        let current = self.trip.filter(|trip| !trip.is_over(now));
        let news = match current {
            Some(trip) => until > trip.until.plus(NEWS),
            None => until > now,
        };
        if news {
            let since = current.map_or(now, |trip| trip.since);
            self.trip = Some(Trip { state: TripState::Cooling, why, since, at: now, until });
        }
        news
    }
}

impl BreakerRules {
    /// How long an upstream that takes no calls is left alone.
    fn wait(&self, why: FaultKind, said: Option<Duration>) -> Duration {
        said.unwrap_or(match why {
            // An account that is used up does not fill in a second.
            FaultKind::Quota => self.most_cooldown,
            _ => self.rate_limited,
        })
    }
}

#[cfg(test)]
mod tests;
