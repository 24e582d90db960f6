//! How much was asked for in the last minute, and whether more may be now.
//!
//! A window that slides: in no sixty seconds, wherever they begin, is more let in than the limit.
//! What came within one second is kept as one entry, as if all of it had come at its last moment,
//! so a window holds sixty-odd entries whatever the limit, and forgets a second late at most.
//! What is refused is not counted.

use crate::{Limits, Timestamp};
use std::{collections::VecDeque, time::Duration};

/// What a limit is for.
const MINUTE: Duration = Duration::from_secs(60);
/// What comes within so long is one entry.
const GRAIN: Duration = Duration::from_secs(1);
/// When to ask again if too much is under way: nobody knows when a call ends.
const SOON: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    began: Timestamp,
    last: Timestamp,
    amount: u64,
}

/// What was asked for in the last minute.
#[derive(Clone, Debug, Default)]
pub struct Window {
    entries: VecDeque<Entry>,
    sum: u64,
    next: u64,
}

impl Window {
    /// What counts now.
    pub fn used(&mut self, now: Timestamp) -> u64 {
        self.forget(now);
        self.sum
    }

    /// How long to wait until so much more fits under a limit: zero if it does now, `None` if it
    /// never will.
    pub fn wait(&mut self, now: Timestamp, limit: u64, amount: u64) -> Option<Duration> {
        self.forget(now);
        let room = limit.checked_sub(amount)?;
        let mut sum = self.sum;
        let mut wait = Duration::ZERO;
        for entry in &self.entries {
            if sum <= room {
                break;
            }
            sum = sum.saturating_sub(entry.amount);
            wait = MINUTE.saturating_sub(now.since(entry.last));
        }
        Some(wait)
    }

    /// How long until nothing of it counts any more.
    pub fn reset(&mut self, now: Timestamp) -> Duration {
        self.forget(now);
        let last = self.entries.back();
        last.map_or(Duration::ZERO, |entry| MINUTE.saturating_sub(now.since(entry.last)))
    }

    /// Counts so much, and gives the number of the entry that it is in.
    pub fn add(&mut self, now: Timestamp, amount: u64) -> u64 {
        self.forget(now);
        self.sum = self.sum.saturating_add(amount);
        match self.entries.back_mut() {
            Some(entry) if now.since(entry.began) < GRAIN => {
                entry.amount = entry.amount.saturating_add(amount);
                entry.last = now;
                entry.number
            }
            _ => {
                let number = self.next;
                self.next = self.next.wrapping_add(1);
                self.entries.push_back(Entry { number, began: now, last: now, amount });
                number
            }
        }
    }

    /// What was counted in an entry was really another amount. An entry that is forgotten stays so.
    pub fn correct(&mut self, number: u64, counted: u64, real: u64) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) else {
            return;
        };
        entry.amount = entry.amount.saturating_sub(counted).saturating_add(real);
        self.sum_up();
    }

    /// Anew each time, because what a provider reports may be too much to be added up.
    fn sum_up(&mut self) {
        self.sum = self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.amount));
    }

    fn forget(&mut self, now: Timestamp) {
        // A clock that went back must not make a minute of an hour.
        if self.entries.back().is_some_and(|entry| entry.last > now) {
            for entry in &mut self.entries {
                entry.began = entry.began.min(now);
                entry.last = entry.last.min(now);
            }
        }
        let over = self.entries.iter().take_while(|entry| now.since(entry.last) >= MINUTE).count();
        if over > 0 {
            self.entries.drain(..over);
            self.sum_up();
        }
    }
}

/// Which limit a call would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Calls in a minute.
    Requests,
    /// Tokens in a minute.
    Tokens,
    /// Calls at once.
    Concurrency,
}

/// A call that is not let in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which limit it would pass.
    pub which: Limit,
    /// The limit.
    pub limit: u64,
    /// When it may be let in; `None`: never, it is too large.
    pub wait: Option<Duration>,
}

/// What a call would use of the tokens of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenNeed {
    /// What it is expected to use at most.
    pub most: u64,
    /// What it cannot do with less than: its prompt, and the limit that its caller set.
    pub least: u64,
}

impl TokenNeed {
    /// What is counted for it under a limit. Where the caller set no limit, the gateway's guess
    /// alone makes no call too large.
    pub fn under(self, limit: u64) -> u64 {
        self.most.min(limit.max(self.least))
    }
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// How long until nothing is used of it.
    pub reset: Duration,
}

/// How the limits of a minute stand; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Of calls.
    pub requests: Option<Gauge>,
    /// Of tokens.
    pub tokens: Option<Gauge>,
}

impl Standing {
    /// Of two standings what binds more, limit by limit.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        let of = |a: Option<Gauge>, b: Option<Gauge>| match (a, b) {
            (Some(a), Some(b)) => Some(if b.remaining < a.remaining { b } else { a }),
            (one, None) | (None, one) => one,
        };
        Self { requests: of(self.requests, other.requests), tokens: of(self.tokens, other.tokens) }
    }
}

/// What was counted for a call, so that it can be put right when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    entry: u64,
    tokens: u64,
}

/// What one key or user asked for lately, and has under way.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    requests: Window,
    tokens: Window,
    open: u64,
}

impl Meter {
    /// Whether a call would be let in now; nothing is counted.
    pub fn check(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        need: TokenNeed,
    ) -> Result<(), Exceeded> {
        let Limits { rpm, tpm, concurrency } = *limits;
        let mut longest: Option<Exceeded> = None;
        let windows = [
            (Limit::Requests, rpm, &mut self.requests, 1),
            (Limit::Tokens, tpm, &mut self.tokens, need.under(tpm)),
        ];
        for (which, limit, window, amount) in
            windows.into_iter().filter(|(_, limit, ..)| *limit > 0)
        {
            let exceeded = Exceeded { which, limit, wait: window.wait(now, limit, amount) };
            match (exceeded.wait, longest.and_then(|longest| longest.wait)) {
                (None, _) => return Err(exceeded),
                (Some(wait), before) if wait > before.unwrap_or_default() => {
                    longest = Some(exceeded);
                }
                _ => {}
            }
        }
        if let Some(exceeded) = longest {
            return Err(exceeded);
        }
        if concurrency > 0 && self.open >= concurrency {
            let which = Limit::Concurrency;
            return Err(Exceeded { which, limit: concurrency, wait: Some(SOON) });
        }
        Ok(())
    }

    /// Counts a call that is let in.
    pub fn take(&mut self, now: Timestamp, limits: &Limits, need: TokenNeed) -> Counted {
        self.open = self.open.saturating_add(1);
        // Without a limit nothing is kept: one that is set later counts from then on.
        if limits.rpm > 0 {
            self.requests.add(now, 1);
        }
        if limits.tpm == 0 {
            return Counted { entry: u64::MAX, tokens: 0 };
        }
        let tokens = need.under(limits.tpm);
        Counted { entry: self.tokens.add(now, tokens), tokens }
    }

    /// A call is not under way any more.
    pub fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// What a call has really used.
    pub fn correct(&mut self, counted: Counted, tokens: u64) {
        self.tokens.correct(counted.entry, counted.tokens, tokens);
    }

    /// How the limits stand.
    pub fn standing(&mut self, now: Timestamp, limits: &Limits) -> Standing {
        let gauge = |window: &mut Window, limit: u64| {
            (limit > 0).then(|| Gauge {
                limit,
                remaining: limit.saturating_sub(window.used(now)),
                reset: window.reset(now),
            })
        };
        Standing {
            requests: gauge(&mut self.requests, limits.rpm),
            tokens: gauge(&mut self.tokens, limits.tpm),
        }
    }

    /// Whether nothing of it counts any more.
    pub fn is_idle(&mut self, now: Timestamp) -> bool {
        self.requests.forget(now);
        self.tokens.forget(now);
        self.open == 0 && self.requests.entries.is_empty() && self.tokens.entries.is_empty()
    }
}

#[cfg(test)]
#[path = "rate/tests.rs"]
mod tests;
