//! How verdicts about channels must be kept.

use super::fixture::{NOW, at, entry, entry_at};
use crate::{
    AuditAction::{ChannelCreate, ChannelDelete, ChannelUpdate},
    ChannelChange, NewChannel, Store,
};
use futures_util::future::join_all;
use gateway_domain::{
    ChannelId, FaultKind, ModelMapping, ModelName, ModelSet, ProviderKind, Timestamp,
    policy::{
        breaker::{Trip, TripState},
        health::{Change, Verdict},
    },
};

async fn channel(store: &Store) -> ChannelId {
    let new = NewChannel {
        name: "one".to_owned(),
        kind: ProviderKind::CUSTOM,
        base_url: "https://example.com/v1".to_owned(),
        models: ModelSet::default(),
        model_mapping: ModelMapping::default(),
        config: serde_json::Map::new(),
        priority: 0,
        weight: 1,
    };
    store.channels.insert(&new, &entry(ChannelCreate)).await.unwrap()
}

/// A verdict that cools down for a minute.
fn verdict(channel: ChannelId, model: Option<&str>, version: u64) -> Verdict {
    let now = at(NOW);
    Verdict {
        channel,
        model: model.map(|name| ModelName::new(name).unwrap()),
        revision: now,
        trip: Trip {
            state: TripState::Cooling,
            why: FaultKind::RateLimited,
            since: now,
            at: now,
            until: at(NOW + 60_000),
        },
        version,
    }
}

async fn set(store: &Store, verdict: &Verdict, replaced: u64) -> bool {
    let change = Change::Set(verdict.clone(), replaced);
    store.health.write(&change, false, at(NOW)).await.unwrap()
}

async fn listed(store: &Store) -> Vec<Verdict> {
    let mut all = store.health.list(at(NOW)).await.unwrap();
    all.sort_by(|a, b| (a.channel, &a.model).cmp(&(b.channel, &b.model)));
    all
}

pub(super) async fn a_verdict_is_read_as_it_was_written(store: &Store) {
    assert_eq!(listed(store).await, []);
    let (one, two) = (channel(store).await, channel(store).await);
    let dead = Trip::dead(FaultKind::Auth, at(NOW));
    let most = (1 << 53) - 1;
    let all = [
        Verdict { trip: dead, ..verdict(one, None, 1) },
        verdict(one, Some("gpt-4o"), most),
        verdict(one, Some("ü, \"quoted\""), 3),
        verdict(two, Some("gpt-4o"), 4),
    ];
    for verdict in &all {
        assert!(set(store, verdict, 0).await);
    }
    assert_eq!(listed(store).await, all);
}

pub(super) async fn an_expired_verdict_is_gone(store: &Store) {
    let one = channel(store).await;
    let old = verdict(one, Some("m"), 1);
    assert!(set(store, &old, 0).await);
    let end = old.trip.expires_at();
    let just_before = Timestamp::from_millis(end.as_millis() - 1);
    assert_eq!(store.health.list(just_before).await.unwrap().len(), 1);
    assert_eq!(store.health.list(end).await.unwrap(), []);
    // And another may be written instead, whatever it knows of.
    let change = Change::Set(verdict(one, Some("m"), 2), 0);
    assert!(!store.health.write(&change, false, just_before).await.unwrap());
    assert!(store.health.write(&change, false, end).await.unwrap());
}

pub(super) async fn a_verdict_replaces_only_the_one_that_it_names(store: &Store) {
    let one = channel(store).await;
    assert!(set(store, &verdict(one, Some("m"), 1), 0).await);
    assert!(!set(store, &verdict(one, Some("m"), 2), 0).await);
    assert!(!set(store, &verdict(one, Some("m"), 2), 7).await);
    assert_eq!(listed(store).await, [verdict(one, Some("m"), 1)]);
    assert!(set(store, &verdict(one, Some("m"), 2), 1).await);
    assert_eq!(listed(store).await, [verdict(one, Some("m"), 2)]);
    let forced = Change::Set(verdict(one, Some("m"), 3), 9);
    assert!(store.health.write(&forced, true, at(NOW)).await.unwrap());
    assert_eq!(listed(store).await, [verdict(one, Some("m"), 3)]);
}

pub(super) async fn of_racing_verdicts_one_counts(store: &Store) {
    let one = channel(store).await;
    assert!(set(store, &verdict(one, Some("m"), 1), 0).await);
    let racing: Vec<Verdict> = (10..20).map(|n| verdict(one, Some("m"), n)).collect();
    let won = join_all(racing.iter().map(|verdict| set(store, verdict, 1))).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).and_then(|n| racing.get(n).cloned());
    assert_eq!(listed(store).await, [winner.unwrap()]);
}

pub(super) async fn a_verdict_that_is_delivered_twice_counts_once(store: &Store) {
    let one = channel(store).await;
    for _ in 0..2 {
        assert!(set(store, &verdict(one, Some("m"), 1), 0).await);
    }
    for _ in 0..2 {
        assert!(set(store, &verdict(one, Some("m"), 2), 1).await);
    }
    assert_eq!(listed(store).await.len(), 1);
}

pub(super) async fn what_is_cleared_is_gone_unless_it_changed(store: &Store) {
    let one = channel(store).await;
    let clear = |version| Change::Clear(one, ModelName::new("m").ok(), version);
    for verdict in [verdict(one, Some("m"), 1), verdict(one, Some("n"), 1), verdict(one, None, 1)] {
        assert!(set(store, &verdict, 0).await);
    }
    store.health.write(&clear(2), false, at(NOW)).await.unwrap();
    assert_eq!(listed(store).await.len(), 3);
    for _ in 0..2 {
        store.health.write(&clear(1), false, at(NOW)).await.unwrap();
    }
    let left = [verdict(one, None, 1), verdict(one, Some("n"), 1)];
    assert_eq!(listed(store).await, left);
    let channel = Change::Clear(one, None, 7);
    store.health.write(&channel, true, at(NOW)).await.unwrap();
    assert_eq!(listed(store).await, left[1..]);
}

pub(super) async fn a_verdict_about_an_earlier_channel_is_replaced(store: &Store) {
    let one = channel(store).await;
    assert!(set(store, &verdict(one, None, 1), 0).await);
    let newer = Verdict { revision: at(NOW + 1), ..verdict(one, None, 2) };
    assert!(set(store, &newer, 0).await);
    assert_eq!(listed(store).await, [newer]);
}

pub(super) async fn a_channel_that_is_saved_or_deleted_has_no_verdicts(store: &Store) {
    let (one, two, three) = (channel(store).await, channel(store).await, channel(store).await);
    for channel in [one, two, three] {
        for model in [None, Some("m")] {
            assert!(set(store, &verdict(channel, model, 1), 0).await);
        }
    }
    let update = entry_at(at(NOW + 5), ChannelUpdate);
    assert!(store.channels.update(one, &ChannelChange::default(), &update).await.unwrap());
    assert!(store.channels.delete(two, &entry(ChannelDelete)).await.unwrap());
    let left = listed(store).await;
    assert!(left.len() == 2 && left.iter().all(|verdict| verdict.channel == three), "{left:?}");
    assert!(!set(store, &verdict(two, None, 2), 0).await, "it is not there");
    assert_eq!(listed(store).await.len(), 2);
}
