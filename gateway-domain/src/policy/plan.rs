//! What would become of a call of a model: which channels are tried in which order, and why the
//! others are not.

use super::{
    breaker::{Standing, Trip},
    select::View,
};
use crate::{Channel, ChannelId};

/// A channel that would be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned<'a, C> {
    /// The channel.
    pub channel: &'a C,
    /// What is wrong with it, if the call would be the one that sees whether it works again.
    pub probe: Option<Trip>,
}

/// Why a channel is not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It does not serve the model.
    NotServed,
    /// It is disabled.
    Disabled,
    /// Its breaker is open, it cools down, or its key is no good: the trip says which, and until
    /// when.
    Out(Trip),
}

/// What would become of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a, C> {
    /// The channels in the order in which they would be tried, as long as they fail: the first
    /// [`MOST_ATTEMPTS`](crate::relay::MOST_ATTEMPTS) of them, if the retry budget allows.
    pub order: Vec<Planned<'a, C>>,
    /// The other channels, each with the reason.
    pub skipped: Vec<(&'a C, Skip)>,
}

impl<'a, C: AsRef<Channel>> View<'a, C> {
    /// What would become of a call. Chance decides between channels of one priority, by weight;
    /// this is one of the orders that may come of it.
    pub fn plan(&self, random: u64) -> Plan<'a, C> {
        let mut tried: Vec<ChannelId> = Vec::new();
        let mut order = Vec::new();
        while let Some(channel) = self.select(&tried, random) {
            tried.push(channel.as_ref().id);
            let probe = match self.standing(channel.as_ref()) {
                Standing::Probe(trip) => Some(trip),
                Standing::Ready | Standing::Out(_) => None,
            };
            order.push(Planned { channel, probe });
        }
        let others = self.channels.iter().filter(|c| !tried.contains(&c.as_ref().id));
        let skipped = others.filter_map(|c| self.skip(c.as_ref()).map(|why| (c, why))).collect();
        Plan { order, skipped }
    }

    fn skip(&self, channel: &Channel) -> Option<Skip> {
        if !channel.serves(self.model) {
            return Some(Skip::NotServed);
        }
        if !channel.enabled {
            return Some(Skip::Disabled);
        }
        match self.standing(channel) {
            Standing::Out(trip) => Some(Skip::Out(trip)),
            Standing::Ready | Standing::Probe(_) => None,
        }
    }
}
