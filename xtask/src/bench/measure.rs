//! Rounds and their medians: every kind once a round, in turns, so that whatever else the machine
//! does falls on all of them.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::load::Sample;
use super::rig::{Cpus, Kind, Length, Rig};
use super::scenario::Scenario;
use crate::local::server::Server;

/// Settlements follow their answers at once.
const SETTLED_WITHIN_SECONDS: u32 = 10;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    rounds: usize,
    round: Duration,
    open_streams: Duration,
}

impl Plan {
    /// A full run takes about three minutes, a quick one about half a minute.
    pub(super) fn new(quick: bool) -> Self {
        if quick {
            Self {
                rounds: 3,
                round: Duration::from_millis(350),
                open_streams: Duration::from_millis(800),
            }
        } else {
            Self {
                rounds: 5,
                round: Duration::from_millis(1500),
                open_streams: Duration::from_secs(4),
            }
        }
    }
}

/// What one kind did in one scenario.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    #[serde(skip)]
    pub(super) scenario: Scenario,
    #[serde(skip)]
    pub(super) kind: Kind,
    pub(super) median: Sample,
    pub(super) rounds: Vec<Sample>,
}

/// Measures one scenario on everything that there is to compare.
pub(super) fn measure(rig: &Rig, scenario: Scenario, plan: &Plan) -> Result<Vec<Outcome>> {
    // CPU time is steadiest when all share one CPU: nobody waits for another one to wake up. A
    // thousand paced streams, though, are a question of time, and use what there is.
    let (cpus, length, rounds) = if scenario == Scenario::OpenStreams {
        (rig.all_cpus(), plan.open_streams, 1)
    } else {
        (rig.one_cpu(), plan.round, plan.rounds)
    };
    rig.pin_mock(&cpus)?;
    // Fresh processes for each scenario: memory of an earlier one would be in the figures.
    let mut stages = Vec::new();
    for kind in rig.kinds() {
        stages.push(Stage::start(rig, kind, &cpus)?);
    }
    for round in 0..rounds {
        // Another one begins each round.
        let first = round % stages.len();
        stages.rotate_left(first);
        for stage in &mut stages {
            let server = stage.server.as_ref();
            stage.rounds.push(rig.load(server, scenario, &cpus, Length::Time(length))?);
        }
        stages.rotate_right(first);
    }
    let mut outcomes = Vec::new();
    for stage in stages {
        stage.check_log(rig)?;
        let Stage { kind, rounds, .. } = stage;
        outcomes.push(Outcome { scenario, kind, median: median_sample(&rounds), rounds });
    }
    Ok(outcomes)
}

/// A process that is measured, or none where the mock is asked directly.
struct Stage {
    kind: Kind,
    server: Option<Server>,
    /// Calls that the gateway had in its log before.
    logged: u64,
    rounds: Vec<Sample>,
}

impl Stage {
    fn start(rig: &Rig, kind: Kind, cpus: &Cpus) -> Result<Self> {
        let server = rig.start(kind, cpus)?;
        let mut stage = Self { kind, server, logged: 0, rounds: Vec::new() };
        stage.logged = stage.log(rig)?.unwrap_or(0);
        Ok(stage)
    }

    /// How many calls the gateway has in its log.
    fn log(&self, rig: &Rig) -> Result<Option<u64>> {
        match (self.kind, &self.server, rig.account()) {
            (Kind::Gateway, Some(server), Some(account)) => {
                account.logged(server.address).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What a gateway costs that forgets calls is worth nothing: each that was answered must be in
    /// its log, and no other, as soon as all are settled.
    fn check_log(&self, rig: &Rig) -> Result<()> {
        let answered: u64 = self.rounds.iter().map(|round| round.answered).sum();
        for _ in 0..SETTLED_WITHIN_SECONDS * 10 {
            match self.log(rig)? {
                Some(logged) if logged != self.logged + answered => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                _ => return Ok(()),
            }
        }
        let logged = self.log(rig)?.unwrap_or(0);
        let logged = logged.saturating_sub(self.logged);
        bail!("the gateway answered {answered} calls and has {logged} in its log")
    }
}

/// The median of each figure by itself.
fn median_sample(rounds: &[Sample]) -> Sample {
    let of = |read: fn(&Sample) -> f64| median(rounds.iter().map(read).collect());
    Sample {
        requests: rounds.iter().map(|sample| sample.requests).sum(),
        answered: rounds.iter().map(|sample| sample.answered).sum(),
        requests_per_second: of(|sample| sample.requests_per_second),
        cpu_us_per_request: of(|sample| sample.cpu_us_per_request),
        cpu_us_per_chunk: of(|sample| sample.cpu_us_per_chunk),
        p50_us: of(|sample| sample.p50_us),
        p99_us: of(|sample| sample.p99_us),
        pieces_per_chunk: of(|sample| sample.pieces_per_chunk),
        kib_per_stream: of(|sample| sample.kib_per_stream),
        on_time: of(|sample| sample.on_time),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or_default();
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = values.get(middle.wrapping_sub(1)).copied();
    f64::midpoint(lower.unwrap_or(upper), upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_not_the_mean() {
        let is = |values: &[f64], expected: f64| {
            let difference = median(values.to_vec()) - expected;
            assert!(difference.abs() < 1e-9, "{values:?}");
        };
        is(&[3.0, 1.0, 100.0], 3.0);
        is(&[1.0, 4.0, 2.0, 100.0], 3.0);
        is(&[7.0], 7.0);
        is(&[], 0.0);
    }
}
