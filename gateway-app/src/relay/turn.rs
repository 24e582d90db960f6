//! A channel's turn: it is chosen, and what its call comes to is remembered of it.

use crate::{gateway::Parts, health::Told};
use gateway_domain::{
    Channel, ChannelId, Fault, ModelName,
    policy::{
        breaker::Sign,
        health::Attempt,
        select::{NoChannel, View},
    },
};
use gateway_ports::{HealthScope, Routing};
use std::sync::Arc;

/// A channel that a call goes to.
pub(super) struct Turn {
    parts: Arc<Parts>,
    attempt: Attempt,
    /// The next version that nobody else has.
    version: u64,
    over: bool,
}

/// Chooses a channel that was not tried yet, and marks it as tried. Another one than the first is
/// chosen only as far as the retry budget goes.
pub(super) async fn choose(
    parts: &Arc<Parts>,
    routing: &Routing,
    model: &ModelName,
    tried: &mut Vec<ChannelId>,
) -> Result<(Arc<Channel>, Turn), NoChannel> {
    let mut again = !tried.is_empty();
    loop {
        let random = parts.runtime.entropy.bytes();
        let (ticket, rest) = random.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let version = rest.first_chunk().map_or(1, |chunk| u64::from_le_bytes(*chunk) >> 12);
        let now = parts.runtime.clock.now();
        let (channel, attempt, change) = {
            let mut health = parts.watch.health();
            let view = View::new(&routing.channels, model, &health, now);
            let channel = view.select(tried, u64::from_le_bytes(*ticket)).cloned();
            let Some(channel) = channel else {
                return Err(view.check().err().unwrap_or(NoChannel::NoneEnabled));
            };
            if std::mem::take(&mut again) && !parts.watch.budget().take(now) {
                tracing::warn!("a call is not tried again: too many are");
                return Err(NoChannel::NoneEnabled);
            }
            tried.push(channel.id);
            let (attempt, change) = health.begin(&channel, model, now, version);
            (channel, attempt, change)
        };
        let mut turn = Turn { parts: parts.clone(), attempt, version: version + 1, over: false };
        if let Some(change) = change
            && parts.config.health_scope == HealthScope::Store
            && !parts.write(&change).await
        {
            // Somebody else's call sees whether it works again.
            turn.over = true;
            continue;
        }
        return Ok((channel, turn));
    }
}

impl Turn {
    /// What the call says about the channel.
    pub(super) fn hear(&mut self, sign: Sign) {
        if self.over {
            return;
        }
        self.over = sign != Sign::Began;
        let parts = &self.parts;
        let now = parts.runtime.clock.now();
        let change = parts.watch.health().hear(&self.attempt, sign, now, self.version);
        let Some(change) = change else {
            return;
        };
        self.version += 1;
        tracing::warn!("{}", Told(&change));
        let (parts, background) = (parts.clone(), parts.runtime.background.clone());
        background.spawn(Box::pin(async move {
            parts.write(&change).await;
        }));
    }

    /// The call failed.
    pub(super) fn failed(&mut self, fault: &Fault) {
        self.hear(Sign::of(fault));
    }
}

impl Drop for Turn {
    /// Nobody waited for the end.
    fn drop(&mut self) {
        self.hear(Sign::Nothing);
    }
}
