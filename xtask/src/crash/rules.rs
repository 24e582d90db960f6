//! What must be true of the books after a run, call by call: the upstream's log and what clients
//! saw on one side, the usage rows on the other.
//!
//! Nothing here measures or asks: evidence in, breaches out.

mod case;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use self::case::Case;
use super::client::Seen;
use super::plan::{Payer, Plan, Tokens};
use super::upstream::Made;

/// What a busy machine may need between the end of something and its commit.
pub(super) const SLACK: Duration = Duration::from_secs(1);

/// What a run tests. Each is one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    OneRow,
    Exact,
    Crashes,
    Endings,
    Refusals,
    Sums,
    NothingOpen,
    Books,
}

impl Promise {
    pub(super) const ALL: [Self; 8] = [
        Self::OneRow,
        Self::Exact,
        Self::Crashes,
        Self::Endings,
        Self::Refusals,
        Self::Sums,
        Self::NothingOpen,
        Self::Books,
    ];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneRow => "no call has two rows, and what the upstream accepted has one",
            Self::Exact => "a complete call costs exactly what its upstream reported",
            Self::Crashes => "a call that died with the gateway costs its last checkpoint",
            Self::Endings => "however else a call ends, it is charged by the rule",
            Self::Refusals => "a refused call costs nothing and reaches no upstream",
            Self::Sums => "what users and keys have spent is the sum of their calls",
            Self::NothingOpen => "nothing is open afterwards",
            Self::Books => "the books add up whenever they are looked at",
        })
    }
}

/// A usage row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// By its key; `None`: by none of ours.
    pub(super) payer: Option<Payer>,
    pub(super) state: String,
    pub(super) end_reason: String,
    pub(super) tokens: Tokens,
    pub(super) quota: u64,
    pub(super) unbilled: u64,
    pub(super) estimated: bool,
}

/// A process of the gateway. Times are since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) from: Duration,
    /// When it was killed, or told to stop.
    pub(super) until: Duration,
    /// When it was gone.
    pub(super) gone: Duration,
    /// Killed, not told to stop.
    pub(super) killed: bool,
}

/// A user or a key, as the gateway shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) payers: Vec<Payer>,
    pub(super) used: u64,
    pub(super) requests: u64,
}

/// All that is known after a run.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) plan: Plan,
    pub(super) lives: Vec<Life>,
    pub(super) seen: BTreeMap<u64, Seen>,
    pub(super) made: BTreeMap<u64, Made>,
    pub(super) rows: BTreeMap<u64, Vec<Row>>,
    pub(super) accounts: Vec<Account>,
    /// Between two checkpoints.
    pub(super) checkpoint: Duration,
    /// For how long an upstream is listened to without its client.
    pub(super) drain: Duration,
}

/// A promise that was broken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) promise: Promise,
    pub(super) what: String,
}

impl Breach {
    pub(super) fn new(promise: Promise, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }
}

/// What a crash left uncharged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Loss {
    pub(super) tokens: u64,
    /// How old the last charge was.
    pub(super) age: Duration,
}

/// Compares everything.
pub(super) fn compare(evidence: &Evidence) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let numbers = evidence.seen.keys().chain(evidence.made.keys()).chain(evidence.rows.keys());
    let mut numbers: Vec<u64> = numbers.copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let mut found = Vec::new();
        Case::of(evidence, number).check(&mut found);
        breaches.extend(
            found.into_iter().map(|breach| Breach {
                what: format!("call {number:06}: {}", breach.what),
                ..breach
            }),
        );
    }
    let rows = || evidence.rows.values().flatten();
    for account in &evidence.accounts {
        let own = || rows().filter(|row| row.payer.is_some_and(|p| account.payers.contains(&p)));
        let quota: u64 = own().map(|row| row.quota).sum();
        let requests = own().count();
        if account.used != quota || u64::try_from(requests) != Ok(account.requests) {
            let Account { name, used, requests: shown, .. } = account;
            let what = format!(
                "{name} has used {used} in {shown} calls, and its {requests} rows say {quota}"
            );
            breaches.push(Breach::new(Promise::Sums, what));
        }
    }
    breaches
}

/// What the worst crash of a call left uncharged, in tokens and in time.
pub(super) fn worst_loss(evidence: &Evidence) -> Loss {
    let losses = evidence.rows.keys().filter_map(|number| Case::of(evidence, *number).loss());
    losses.fold(Loss::default(), |worst, loss| Loss {
        tokens: worst.tokens.max(loss.tokens),
        age: worst.age.max(loss.age),
    })
}
