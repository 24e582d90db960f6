//! What is known of channels, in one process and in two that share a board.

use super::*;
use crate::{FaultKind, policy::select::tests::channel};
use proptest::prelude::*;
use std::sync::Arc;

const BAD: Sign = Sign::Failed(FaultKind::Server, None);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1000)
}

fn model(name: &str) -> ModelName {
    ModelName::new(name).unwrap()
}

/// One call, and what others are told of it.
fn call(
    health: &mut Health,
    channel: &Channel,
    name: &str,
    sign: Sign,
    now: i64,
    version: u64,
) -> Option<Change> {
    let (attempt, _) = health.begin(channel, &model(name), at(now), version);
    health.hear(&attempt, sign, at(now), version)
}

fn opened(channel: &Channel, name: &str, now: i64, version: u64) -> (Health, Verdict) {
    let mut health = Health::new(BreakerRules::default());
    let changes: Vec<Change> =
        (0..5).filter_map(|_| call(&mut health, channel, name, BAD, now, version)).collect();
    let [Change::Set(verdict, 0)] = &changes[..] else { panic!("{changes:?}") };
    (health.clone(), verdict.clone())
}

fn state(health: &Health, channel: &Channel, now: i64) -> HealthState {
    health.report(channel, at(now)).state
}

#[test]
fn a_model_that_fails_takes_no_other_model_with_it() {
    let one = channel(1, "a,b", 0, 1, true);
    let (health, verdict) = opened(&one, "a", 0, 7);
    assert!(matches!(health.model(&one, &model("a"), at(1)), Standing::Out(_)));
    assert_eq!(health.model(&one, &model("b"), at(1)), Standing::Ready);
    assert_eq!((verdict.version, verdict.model), (7, Some(model("a"))));
    let report = health.report(&one, at(1));
    assert_eq!((report.state, report.models.len()), (HealthState::Open, 1));
    assert_eq!(state(&health, &one, 10), HealthState::HalfOpen);
    let disabled = Channel { enabled: false, ..(*one).clone() };
    assert_eq!(state(&health, &disabled, 1), HealthState::Disabled);
}

#[test]
fn what_always_works_is_not_remembered() {
    let one = channel(1, "", 0, 1, true);
    let mut health = Health::default();
    for name in ["a", "b", "c"] {
        assert_eq!(call(&mut health, &one, name, Sign::Fine, 0, 1), None);
    }
    assert!(health.channels.is_empty());
}

#[test]
fn made_up_names_fill_no_memory() {
    let one = channel(1, "", 0, 1, true);
    let (mut health, _) = opened(&one, "real", 0, 1);
    for number in 0..3000 {
        call(&mut health, &one, &format!("made-up-{number}"), BAD, 1, 1);
    }
    assert!(health.channels[&one.id].models.len() <= MOST_MODELS);
    assert!(matches!(health.model(&one, &model("real"), at(2)), Standing::Out(_)));
}

#[test]
fn a_dead_key_takes_the_whole_channel_out_until_it_is_saved() {
    let one = channel(1, "a,b", 0, 1, true);
    let mut health = Health::default();
    let change = call(&mut health, &one, "a", Sign::Dead(FaultKind::Auth), 0, 3);
    let Some(Change::Set(verdict, 0)) = change else { panic!("{change:?}") };
    assert_eq!((verdict.model.clone(), verdict.trip.expires_at()), (None, Timestamp::MAX));
    assert_eq!(call(&mut health, &one, "b", Sign::Dead(FaultKind::Auth), 0, 4), None, "known");
    assert_eq!(state(&health, &one, 1_000_000), HealthState::DeadKey);
    // A call that was under way when it was saved says nothing about the new key.
    let (old, _) = health.begin(&one, &model("a"), at(1), 5);
    let saved = Channel { updated_at: at(1), ..(*one).clone() };
    assert_eq!(state(&health, &saved, 2), HealthState::Ok);
    health.begin(&saved, &model("a"), at(2), 6);
    let (new, _) = health.begin(&saved, &model("a"), at(2), 6);
    health.hear(&new, BAD, at(2), 6);
    assert_eq!(health.hear(&old, Sign::Dead(FaultKind::Auth), at(2), 7), None);
    assert_eq!(state(&health, &saved, 2), HealthState::Ok);
    // Nor does what others said of the old one.
    health.adopt(&[verdict], at(60));
    assert_eq!(state(&health, &saved, 60), HealthState::Ok);
}

#[test]
fn the_last_channel_whose_key_works_after_all_is_well_again() {
    let one = channel(1, "a", 0, 1, true);
    let mut health = Health::default();
    call(&mut health, &one, "a", Sign::Dead(FaultKind::Auth), 0, 3);
    let change = call(&mut health, &one, "a", Sign::Fine, 1, 4);
    assert_eq!(change, Some(Change::Clear(one.id, None, 3)));
    assert_eq!(state(&health, &one, 1), HealthState::Ok);
}

#[test]
fn others_are_told_of_changes_and_of_nothing_else() {
    let one = channel(1, "a", 0, 1, true);
    let (mut health, _) = opened(&one, "a", 0, 1);
    let (probe, change) = health.begin(&one, &model("a"), at(10), 2);
    assert!(matches!(&change, Some(change @ Change::Set(_, 1)) if change.is_probe()));
    assert_eq!(
        health.hear(&probe, Sign::Fine, at(11), 3),
        Some(Change::Clear(one.id, Some(model("a")), 2))
    );
    for now in 12..30 {
        assert_eq!(call(&mut health, &one, "a", Sign::Fine, now, 4), None);
        assert_eq!(call(&mut health, &one, "a", Sign::Nothing, now, 4), None);
    }
    // A second is over before anybody hears of it.
    let second = Sign::Wait(FaultKind::RateLimited, None);
    assert_eq!(call(&mut health, &one, "a", second, 30, 5), None);
    let minute = Sign::Wait(FaultKind::RateLimited, Some(Duration::from_secs(60)));
    assert!(matches!(call(&mut health, &one, "a", minute, 31, 6), Some(Change::Set(_, 0))));
}

#[test]
fn what_others_found_is_taken_over_but_for_what_is_newer_here() {
    let one = channel(1, "a", 0, 1, true);
    let (mut here, ours) = opened(&one, "a", 0, 1);
    // Read before it was written: it stays.
    here.adopt(&[], at(1));
    assert_eq!(state(&here, &one, 2), HealthState::Open);
    // Somebody else's probe went well, and the verdict is gone.
    here.adopt(&[], at(8));
    assert_eq!(state(&here, &one, 8), HealthState::Ok);

    let mut there = Health::default();
    there.adopt(std::slice::from_ref(&ours), at(3));
    assert_eq!(state(&there, &one, 4), HealthState::Open);
    // Its probe replaces the verdict that it knows of.
    let (probe, change) = there.begin(&one, &model("a"), at(10), 9);
    assert!(probe.probe && matches!(change, Some(Change::Set(_, 1))));
    // What was read before that is old.
    there.adopt(&[ours], at(10));
    assert_eq!(
        there.begin(&one, &model("a"), at(11), 9),
        (Attempt { probe: false, ..probe }, None)
    );
}

proptest! {
    /// However two processes share a board, in whatever order they look at it: never do both probe
    /// at once if each probes only when the board took its word.
    #[test]
    fn two_processes_that_share_a_board_never_probe_at_once(
        steps in prop::collection::vec((0i64..9, 0usize..2, 0u8..4), 1..150),
    ) {
        let one = Arc::clone(&channel(1, "a", 0, 1, true));
        let rules = BreakerRules { probe: Duration::from_secs(100_000), ..BreakerRules::default() };
        let mut processes = [Health::new(rules), Health::new(rules)];
        let mut board: Option<Verdict> = None;
        let mut probing: Option<(usize, Attempt)> = None;
        let (mut now, mut version) = (0, 0);
        let write = |board: &mut Option<Verdict>, change: Change| match change {
            Change::Set(verdict, replaced) => {
                let free = board.as_ref().is_none_or(|known| known.version == replaced);
                if free { *board = Some(verdict); }
                free
            }
            Change::Clear(_, _, replaced) => {
                if board.as_ref().is_some_and(|known| known.version == replaced) { *board = None; }
                true
            }
        };
        for (passed, who, what) in steps {
            now += passed;
            version += 1;
            let health = &mut processes[who];
            match what {
                0 => health.adopt(board.as_slice(), at(now)),
                1 => {
                    // The probe that is under way is over.
                    if let Some((who, attempt)) = probing.take() {
                        let sign = if passed % 2 == 0 { BAD } else { Sign::Fine };
                        let change = processes[who].hear(&attempt, sign, at(now), version);
                        if let Some(change) = change { write(&mut board, change); }
                    }
                }
                _ => {
                    let (attempt, change) = health.begin(&one, &model("a"), at(now), version);
                    let won = change.is_none_or(|change| write(&mut board, change));
                    if attempt.probe && won {
                        prop_assert!(probing.is_none(), "two probes at {now}");
                        probing = Some((who, attempt));
                    } else if !attempt.probe
                        && let Some(change) = health.hear(&attempt, BAD, at(now), version)
                    {
                        write(&mut board, change);
                    }
                }
            }
        }
    }
}
