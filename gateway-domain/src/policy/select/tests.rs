//! Choosing channels, by what they are and by what is known of them.

use super::*;
use crate::{
    ModelMapping, ModelSet, ProviderKind,
    policy::{
        breaker::{BreakerRules, Sign},
        plan::Skip,
    },
};
use std::sync::Arc;

pub(in crate::policy) fn channel(
    id: i64,
    models: &str,
    priority: i64,
    weight: u32,
    enabled: bool,
) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(id),
        name: String::new(),
        kind: ProviderKind::CUSTOM,
        base_url: String::new(),
        sealed_key: String::new(),
        key_hint: String::new(),
        models: ModelSet::parse(models).unwrap(),
        model_mapping: ModelMapping::default(),
        config: serde_json::Map::new(),
        enabled,
        priority,
        weight,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    })
}

const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW + seconds * 1000)
}

fn model() -> ModelName {
    ModelName::new("m").unwrap()
}

/// What is known after these channels gave these signs.
fn health(heard: &[(&Channel, Sign, u32)]) -> Health {
    let mut health = Health::new(BreakerRules::default());
    for (number, (channel, sign, times)) in (0i64..).zip(heard) {
        for _ in 0..*times {
            let (attempt, _) = health.begin(channel, &model(), at(0), 1);
            health.hear(&attempt, *sign, Timestamp::from_millis(NOW + number), 1);
        }
    }
    health
}

fn order(channels: &[Arc<Channel>], health: &Health, now: i64, seed: u64) -> Vec<i64> {
    let model = model();
    let plan = View::new(channels, &model, health, at(now)).plan(seed);
    plan.order.iter().map(|planned| planned.channel.id.0).collect()
}

const BAD: Sign = Sign::Failed(FaultKind::Server, None);
const DEAD: Sign = Sign::Dead(FaultKind::Auth);

fn limited(seconds: u64) -> Sign {
    Sign::Wait(FaultKind::RateLimited, Some(Duration::from_secs(seconds)))
}

#[test]
fn higher_priority_is_always_tried_first() {
    let channels = [
        channel(1, "m", 0, 100, true),
        channel(2, "m", 10, 1, true),
        channel(3, "m", 5, 1, true),
        channel(4, "m", 99, 1, false),
        channel(5, "other", 99, 1, true),
    ];
    for seed in 0..200 {
        assert_eq!(order(&channels, &Health::default(), 0, seed), [2, 3, 1]);
    }
}

#[test]
fn weights_share_a_tier() {
    let model = model();
    let channels =
        [channel(1, "m", 0, 3, true), channel(2, "", 0, 1, true), channel(3, "m", 0, 0, true)];
    let health = Health::default();
    let view = View::new(&channels, &model, &health, at(0));
    let mut hits = [0; 4];
    for random in 0..4000 {
        let chosen = view.select(&[], random).unwrap();
        hits[usize::try_from(chosen.id.0).unwrap()] += 1;
    }
    assert_eq!(hits, [0, 3000, 1000, 0]);
    assert_eq!(shares(&[3, 1, 0]), [0.75, 0.25, 0.0]);
    assert_eq!(shares(&[0, 0]), [0.5, 0.5]);
    assert_eq!(shares(&[]), [] as [f64; 0]);
    assert_eq!(view.select(&[ChannelId(1), ChannelId(2)], 7).unwrap().id, ChannelId(3));
}

#[test]
fn unknown_models_and_disabled_channels_are_told_apart() {
    let model = model();
    let none: [Arc<Channel>; 0] = [];
    assert_eq!(check_served(&none, &model), Err(NoChannel::NoneEnabled));
    assert_eq!(check_served(&[channel(1, "m", 0, 1, false)], &model), Err(NoChannel::NoneEnabled));
    assert_eq!(check_served(&[channel(1, "x", 0, 1, true)], &model), Err(NoChannel::UnknownModel));
    assert_eq!(check_served(&[channel(1, "M", 0, 1, true)], &model), Err(NoChannel::UnknownModel));
    assert_eq!(
        check_served(&[channel(1, "x", 0, 1, true), channel(2, "m", 0, 1, true)], &model),
        Ok(())
    );
}

#[test]
fn what_is_open_is_passed_over_until_it_is_probed() {
    let channels = [channel(1, "m", 9, 1, true), channel(2, "m", 1, 1, true)];
    let health = health(&[(&channels[0], BAD, 5)]);
    assert_eq!(order(&channels, &health, 0, 0), [2]);
    assert_eq!(order(&channels, &health, 9, 0), [2]);
    assert_eq!(order(&channels, &health, 10, 0), [1, 2]);
    // A channel that was saved since is another one.
    let saved = Channel { updated_at: at(1), ..(*channels[0]).clone() };
    assert_eq!(order(&[Arc::new(saved), channels[1].clone()], &health, 1, 0), [1, 2]);
}

#[test]
fn a_dead_key_is_out_for_ever_but_for_the_last_one() {
    let channels = [
        channel(1, "m", 9, 1, true),
        channel(2, "m", 8, 1, true),
        channel(3, "m", 7, 1, true),
        channel(4, "x", 7, 1, true),
    ];
    let (one, two, three) = (&channels[0], &channels[1], &channels[2]);
    let far = 1_000_000_000;
    assert_eq!(order(&channels, &health(&[(one, DEAD, 1)]), far, 0), [2, 3]);
    // Of those that are all dead it is the one that worked longest.
    let all = health(&[(one, DEAD, 1), (three, DEAD, 1), (two, DEAD, 1)]);
    assert_eq!(order(&channels, &all, far, 0), [2]);
    // One that is open comes back: it is another that is left.
    let mixed = health(&[(one, DEAD, 1), (two, BAD, 5), (three, BAD, 5)]);
    assert!(order(&channels, &mixed, 0, 0).is_empty());
    assert_eq!(order(&channels, &health(&[(one, DEAD, 3)]), 0, 0), [2, 3]);
    assert_eq!(order(&channels[..1], &health(&[(one, DEAD, 3)]), 0, 0), [1]);
}

#[test]
fn when_none_is_left_it_says_when_to_come_again() {
    let channels = [channel(1, "m", 9, 1, true), channel(2, "m", 1, 1, true)];
    let (one, two) = (&channels[0], &channels[1]);
    let model = model();
    let seconds = Duration::from_secs;
    let missing = Sign::Failed(FaultKind::NotFound, None);
    for (heard, expected) in [
        (vec![(&**one, BAD, 5)], Ok(())),
        (vec![(&**one, BAD, 5), (two, BAD, 5)], Err(NoChannel::AllFail(seconds(10)))),
        (vec![(&**one, limited(7), 1), (two, limited(9), 1)], Err(NoChannel::Limited(seconds(7)))),
        (vec![(&**one, BAD, 5), (two, limited(9), 1)], Err(NoChannel::Limited(seconds(9)))),
        (vec![(&**one, DEAD, 1), (two, BAD, 5)], Err(NoChannel::AllFail(seconds(10)))),
        (vec![(&**one, DEAD, 1), (two, DEAD, 1)], Ok(())),
        (vec![(&**one, missing, 5), (two, missing, 5)], Err(NoChannel::NotThere)),
    ] {
        let health = health(&heard);
        let checked = View::new(&channels, &model, &health, at(0)).check();
        let whole = |none| match none {
            // Signs came some milliseconds apart.
            NoChannel::AllFail(wait) => NoChannel::AllFail(seconds(wait.as_secs())),
            NoChannel::Limited(wait) => NoChannel::Limited(seconds(wait.as_secs())),
            other => other,
        };
        assert_eq!(checked.map_err(whole), expected, "{heard:?}");
    }
    // While a probe is under way, soon.
    let mut health = health(&[(one, BAD, 5), (two, BAD, 5)]);
    for channel in &channels {
        assert!(health.begin(channel, &model, at(20), 1).0.probe);
    }
    let checked = View::new(&channels, &model, &health, at(20)).check();
    assert_eq!(checked, Err(NoChannel::AllFail(seconds(1))));
}

#[test]
fn a_plan_names_every_channel_once_and_says_why_it_is_left_out() {
    let channels = [
        channel(1, "m", 9, 1, true),
        channel(2, "m", 8, 1, true),
        channel(3, "m", 7, 1, false),
        channel(4, "x", 7, 1, true),
        channel(5, "m", 6, 1, true),
        channel(6, "m", 5, 1, true),
        channel(7, "m", 4, 1, true),
    ];
    let health =
        health(&[(&channels[0], DEAD, 1), (&channels[4], BAD, 5), (&channels[5], limited(60), 1)]);
    let model = model();
    let now = 30;
    let plan = View::new(&channels, &model, &health, at(now)).plan(3);
    let order: Vec<_> = plan.order.iter().map(|p| (p.channel.id.0, p.probe.is_some())).collect();
    assert_eq!(order, [(2, false), (5, true), (7, false)]);
    let skipped: Vec<_> = plan
        .skipped
        .iter()
        .map(|(channel, why)| match why {
            Skip::Disabled => (channel.id.0, "disabled"),
            Skip::NotServed => (channel.id.0, "other models"),
            Skip::Out(trip) if trip.state == TripState::Dead => (channel.id.0, "dead"),
            Skip::Out(trip) => {
                assert_eq!((trip.state, trip.why), (TripState::Cooling, FaultKind::RateLimited));
                assert!(trip.until > at(59));
                (channel.id.0, "cooling down")
            }
        })
        .collect();
    assert_eq!(skipped, [(1, "dead"), (3, "disabled"), (4, "other models"), (6, "cooling down")]);
}
