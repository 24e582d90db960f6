//! Which channel is tried next: the highest priority that is left, then by weight.

use crate::{Channel, ChannelId, ModelName};

/// Why no channel can be chosen for a model at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChannel {
    /// Nobody serves a model of this name.
    UnknownModel,
    /// Channels serve it, or would, but none of them is enabled.
    NoneEnabled,
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

/// The channel to try next for a model, among those that are not in `tried`. `random` decides
/// between channels of one priority, each by its weight.
pub fn select<'a, C: AsRef<Channel>>(
    channels: &'a [C],
    model: &ModelName,
    tried: &[ChannelId],
    random: u64,
) -> Option<&'a C> {
    let usable = |channel: &Channel| {
        channel.enabled && !tried.contains(&channel.id) && channel.serves(model)
    };
    let tier = channels
        .iter()
        .map(AsRef::as_ref)
        .filter(|channel| usable(channel))
        .map(|channel| channel.priority)
        .max()?;
    let candidates = || {
        channels.iter().filter(|c| {
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

/// The share of a tier's calls that each of its channels gets while all of them can be chosen: by
/// their weights, as [`select`] chooses; evenly where none has any.
pub fn shares(weights: &[u32]) -> Vec<f64> {
    let even = weights.iter().all(|&weight| weight == 0);
    let tickets = |weight: &u32| if even { 1.0 } else { f64::from(*weight) };
    let total: f64 = weights.iter().map(tickets).sum();
    weights.iter().map(|weight| tickets(weight) / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelMapping, ModelSet, ProviderKind, Timestamp};
    use std::sync::Arc;

    fn channel(id: i64, models: &str, priority: i64, weight: u32, enabled: bool) -> Arc<Channel> {
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

    fn order(channels: &[Arc<Channel>], model: &ModelName, seed: u64) -> Vec<i64> {
        let mut tried = Vec::new();
        while let Some(next) = select(channels, model, &tried, seed) {
            tried.push(next.id);
        }
        tried.iter().map(|id| id.0).collect()
    }

    #[test]
    fn higher_priority_is_always_tried_first() {
        let model = ModelName::new("m").unwrap();
        let channels = [
            channel(1, "m", 0, 100, true),
            channel(2, "m", 10, 1, true),
            channel(3, "m", 5, 1, true),
            channel(4, "m", 99, 1, false),
            channel(5, "other", 99, 1, true),
        ];
        for seed in 0..200 {
            assert_eq!(order(&channels, &model, seed), [2, 3, 1]);
        }
    }

    #[test]
    fn weights_share_a_tier() {
        let model = ModelName::new("m").unwrap();
        let channels =
            [channel(1, "m", 0, 3, true), channel(2, "", 0, 1, true), channel(3, "m", 0, 0, true)];
        let mut hits = [0; 4];
        for random in 0..4000 {
            let chosen = select(&channels, &model, &[], random).unwrap();
            hits[usize::try_from(chosen.id.0).unwrap()] += 1;
        }
        assert_eq!(hits, [0, 3000, 1000, 0]);
        assert_eq!(shares(&[3, 1, 0]), [0.75, 0.25, 0.0]);
        assert_eq!(shares(&[0, 0]), [0.5, 0.5]);
        assert_eq!(shares(&[]), [] as [f64; 0]);
        assert_eq!(
            select(&channels, &model, &[ChannelId(1), ChannelId(2)], 7).unwrap().id,
            ChannelId(3)
        );
    }

    #[test]
    fn unknown_models_and_disabled_channels_are_told_apart() {
        let model = ModelName::new("m").unwrap();
        let none: [Arc<Channel>; 0] = [];
        assert_eq!(check_served(&none, &model), Err(NoChannel::NoneEnabled));
        assert_eq!(
            check_served(&[channel(1, "m", 0, 1, false)], &model),
            Err(NoChannel::NoneEnabled)
        );
        assert_eq!(
            check_served(&[channel(1, "x", 0, 1, true)], &model),
            Err(NoChannel::UnknownModel)
        );
        assert_eq!(
            check_served(&[channel(1, "M", 0, 1, true)], &model),
            Err(NoChannel::UnknownModel)
        );
        assert_eq!(
            check_served(&[channel(1, "x", 0, 1, true), channel(2, "m", 0, 1, true)], &model),
            Ok(())
        );
    }
}
