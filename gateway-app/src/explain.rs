//! Why a call would be let in or not, and where it would go: asked of the rules that the relay asks,
//! without calling anybody and without holding anything.
//!
//! "No available channel" and "quota insufficient" are what users of gateways ask about most.

use crate::{Gateway, GatewayError, gateway::Parts, relay::price};
use bytes::Bytes;
use gateway_domain::{
    ChannelId, FrozenPrice, ModelCall, Operation, Role, TokenId, User,
    policy::{
        admission::{admit_model, key_rules},
        estimate::{Reservation, ceiling, reservation, tokens},
        funds::{Purse, Short, afford},
        plan::{Plan, Skip},
        select::{View, check_served, shares},
    },
};
use gateway_ports::{Principal, Refusal, Routing};
use std::net::IpAddr;

/// A call that somebody asks about.
#[derive(Clone, Debug)]
pub struct Question {
    /// With which key.
    pub token_id: TokenId,
    /// At which endpoint.
    pub operation: Operation,
    /// The request's body.
    pub body: Bytes,
    /// From where.
    pub address: Option<IpAddr>,
}

/// A rule, and what it says: nothing, if it cannot be asked because of one before it.
#[derive(Debug)]
pub struct Rule {
    /// Its name; it does not change.
    pub name: &'static str,
    /// What the call would be told.
    pub outcome: Option<Result<(), GatewayError>>,
}

/// A channel that would be tried.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which.
    pub id: ChannelId,
    /// Its name for people.
    pub name: String,
    /// What its upstream calls the model.
    pub upstream_model: String,
    /// Its weight.
    pub weight: u32,
    /// Whether the call would be the one that sees whether it works again.
    pub probe: bool,
    /// Its share of the calls that reach its tier.
    pub share: f64,
}

/// Channels of one priority.
#[derive(Clone, Debug)]
pub struct Tier {
    /// The priority.
    pub priority: i64,
    /// The channels, one of which is tried first, by their shares.
    pub channels: Vec<Candidate>,
}

/// A channel that would not be tried.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Which.
    pub id: ChannelId,
    /// Its name for people.
    pub name: String,
    /// Why.
    pub why: Skip,
}

/// What a call would cost at most.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The price of its model.
    pub price: FrozenPrice,
    /// The estimate of its prompt, in tokens.
    pub prompt_tokens: u64,
    /// What it would ask the ledger for.
    pub reservation: Reservation,
    /// What would be held: less than asked for, where less is free and that is enough.
    pub held: Option<gateway_domain::Credits>,
    /// The completion tokens that each answer may have: the caller's own limit, or the gateway's.
    pub max_completion: Option<u64>,
}

/// What would become of a call.
#[derive(Debug, Default)]
pub struct Explanation {
    /// Every rule, in the order in which the relay asks them: the first that denies decides.
    pub rules: Vec<Rule>,
    /// The channels that would be tried, the highest priority first.
    pub tiers: Vec<Tier>,
    /// The others.
    pub skipped: Vec<Skipped>,
    /// What it would cost, if the model has a price.
    pub cost: Option<Cost>,
}

impl Explanation {
    /// What the call would be told instead of an answer.
    pub fn denied(&self) -> Option<&GatewayError> {
        self.rules.iter().find_map(|rule| rule.outcome.as_ref()?.as_ref().err())
    }

    /// Writes down what a rule says, and passes on what it gave.
    fn rule<T>(
        &mut self,
        name: &'static str,
        outcome: Option<Result<T, impl Into<GatewayError>>>,
    ) -> Option<T> {
        let (given, outcome) = match outcome {
            Some(Ok(given)) => (Some(given), Some(Ok(()))),
            Some(Err(error)) => (None, Some(Err(error.into()))),
            None => (None, None),
        };
        self.rules.push(Rule { name, outcome });
        given
    }
}

impl Gateway {
    /// What would become of a call with one of one's own keys, or for an admin with anybody's.
    pub async fn explain(
        &self,
        asker: &User,
        question: Question,
    ) -> Result<Explanation, GatewayError> {
        let found = self.0.store.tokens.find_any(question.token_id).await?;
        let visible = |p: &Principal| p.user.id == asker.id || asker.role >= Role::Admin;
        let principal = found.filter(visible).ok_or_else(GatewayError::not_found)?;
        let routing = self.0.routing().await?;
        Ok(explain(&self.0, &routing, &principal, question))
    }
}

/// Asks the rules in the order of a call's way: its key, its body, its model, its money.
fn explain(
    parts: &Parts,
    routing: &Routing,
    principal: &Principal,
    question: Question,
) -> Explanation {
    let Principal { user, token } = principal;
    let now = parts.runtime.clock.now();
    let mut told = Explanation::default();
    for (name, outcome) in key_rules(user, token, question.address, now) {
        told.rule(name, Some(outcome));
    }
    let parsed = match question.operation {
        Operation::Chat => ModelCall::chat(question.body),
        Operation::Embeddings => ModelCall::embeddings(question.body),
    };
    let call = told.rule("request", Some(parsed));
    let call = call.as_ref();
    told.rule("model_served", call.map(|call| check_served(&routing.channels, &call.model)));
    told.rule("model_allowed", call.map(|call| admit_model(token, &call.model)));
    let price = told.rule("model_priced", call.map(|call| price(parts, routing, call)));
    let available = call.map(|call| parts.check_available(routing, &call.model));
    told.rule("channel_available", available);
    let completion = parts.config.default_completion;
    let limits = call.map(|call| parts.limiter.check(principal, tokens(call, completion), now));
    told.rule("limits", limits);
    let needed = call.zip(price).map(|(call, p)| reservation(call, completion, &p.price));
    let (balance, cap) = (Purse::of_user(user), Purse::of_token(token));
    let least = needed.map(|needed| needed.least);
    told.rule("balance", least.map(|least| exhausted(balance.afford(least))));
    told.rule("cap", least.map(|least| exhausted(cap.afford(least))));
    // What is not there cannot be held.
    let free = least.map(|least| afford(balance, cap, least));
    let held = free.filter(|free| *free != Err(Short::Exhausted));
    let free = told.rule("held", held.map(|free| free.map_err(Refusal::from)));
    if let Some(call) = call {
        (told.tiers, told.skipped) = channels(parts, routing, call);
    }
    told.cost = call.zip(price).zip(needed).map(|((call, price), reservation)| {
        let held = free.map(|free| free.min(reservation.amount));
        let limit = held.unwrap_or(reservation.amount);
        let max_completion = ceiling(call, limit, completion, &price.price).or(call.max_completion);
        let prompt_tokens = call.prompt.estimate();
        Cost { price, prompt_tokens, reservation, held, max_completion }
    });
    told
}

fn exhausted(free: Result<gateway_domain::Credits, Short>) -> Result<(), Refusal> {
    match free {
        Err(Short::Exhausted) => Err(Refusal::Exhausted),
        Ok(_) | Err(Short::Held) => Ok(()),
    }
}

/// The channels in the order in which the relay would choose them if each failed, and the others.
fn channels(parts: &Parts, routing: &Routing, call: &ModelCall) -> (Vec<Tier>, Vec<Skipped>) {
    let health = parts.watch.health();
    let now = parts.runtime.clock.now();
    let Plan { order, skipped } = View::new(&routing.channels, &call.model, &health, now).plan(0);
    let mut tiers: Vec<Tier> = Vec::new();
    for planned in order {
        let channel = planned.channel;
        let candidate = Candidate {
            id: channel.id,
            name: channel.name.clone(),
            upstream_model: channel.model_mapping.upstream(&call.model).to_string(),
            weight: channel.weight,
            probe: planned.probe.is_some(),
            share: 0.0,
        };
        match tiers.last_mut().filter(|tier| tier.priority == channel.priority) {
            Some(tier) => tier.channels.push(candidate),
            None => tiers.push(Tier { priority: channel.priority, channels: vec![candidate] }),
        }
    }
    for tier in &mut tiers {
        let weights: Vec<u32> = tier.channels.iter().map(|channel| channel.weight).collect();
        for (channel, share) in tier.channels.iter_mut().zip(shares(&weights)) {
            channel.share = share;
        }
    }
    let skipped = skipped.into_iter().map(|(channel, why)| Skipped {
        id: channel.id,
        name: channel.name.clone(),
        why,
    });
    (tiers, skipped.collect())
}
