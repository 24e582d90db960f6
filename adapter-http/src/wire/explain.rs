//! Explanations on the wire.

use super::{Whole, price::PriceDto};
use bytes::Bytes;
use gateway_app::{
    GatewayError,
    explain::{Cost, Explanation, Question, Rule, Skipped, Tier},
};
use gateway_domain::{
    Credits, Operation, Timestamp, TokenId,
    policy::{health::HealthState, plan::Skip},
    relay::MOST_ATTEMPTS,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::net::IpAddr;
use utoipa::ToSchema;

/// Where a call would be made.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endpoint {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/embeddings`
    Embeddings,
}

/// A call that somebody asks about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    /// The key that it would be made with.
    #[schema(value_type = i64)]
    token_id: Whole,
    endpoint: Endpoint,
    /// The body that it would have.
    #[schema(value_type = serde_json::Value)]
    request: Box<RawValue>,
    /// The address that it would come from; one's own if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
}

impl ExplainRequest {
    pub(crate) fn into_domain(self, own_address: Option<IpAddr>) -> Question {
        Question {
            token_id: TokenId(self.token_id.0),
            operation: match self.endpoint {
                Endpoint::Chat => Operation::Chat,
                Endpoint::Embeddings => Operation::Embeddings,
            },
            body: Bytes::copy_from_slice(self.request.get().as_bytes()),
            address: self.address.or(own_address),
        }
    }
}

/// What a call would be told.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerdictDto {
    status: u16,
    code: String,
    message: String,
}

impl From<&GatewayError> for VerdictDto {
    fn from(error: &GatewayError) -> Self {
        Self {
            status: error.kind.status(),
            code: error.code.clone().into_owned(),
            message: error.message.clone(),
        }
    }
}

/// A rule.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleDto {
    rule: &'static str,
    /// `allow`, `deny`, or `unknown`: it cannot be asked because of one before it.
    outcome: &'static str,
    /// What the call would be told if this rule decided.
    error: Option<VerdictDto>,
}

impl From<&Rule> for RuleDto {
    fn from(rule: &Rule) -> Self {
        let (outcome, error) = match &rule.outcome {
            Some(Ok(())) => ("allow", None),
            Some(Err(error)) => ("deny", Some(error.into())),
            None => ("unknown", None),
        };
        Self { rule: rule.name, outcome, error }
    }
}

/// A channel that would be tried.
#[derive(Serialize, ToSchema)]
pub(crate) struct CandidateDto {
    channel_id: i64,
    /// For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    upstream_model: String,
    weight: u32,
    /// Whether the call would be the one that sees whether the channel works again.
    probe: bool,
    /// The share of the calls that reach its tier: from 0 to 1.
    share: f64,
}

/// Channels of one priority; one of them is tried first, by their shares.
#[derive(Serialize, ToSchema)]
pub(crate) struct TierDto {
    priority: i64,
    channels: Vec<CandidateDto>,
}

/// A channel that would not be tried.
#[derive(Serialize, ToSchema)]
pub(crate) struct SkippedDto {
    channel_id: i64,
    /// For admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `disabled`; `cooling_down`, `open`, `half_open` or `dead_key` as in a channel's `health`; or
    /// for admins also `model_not_served`.
    reason: &'static str,
    /// When that is over, if it passes by itself.
    until: Option<String>,
}

/// What a call would cost at most.
#[derive(Serialize, ToSchema)]
pub(crate) struct CostDto {
    /// Units per million tokens.
    price: PriceDto,
    /// The version of the price table that it is from; 0: the default price.
    price_version: u64,
    /// The estimate of the prompt, in tokens.
    prompt_tokens: u64,
    /// The most that it can cost, in units.
    amount: u64,
    /// The least that is worth holding: with less, the call is refused.
    least: u64,
    /// What would be held; `null`: nothing.
    held: Option<u64>,
    /// The completion tokens that each answer may have; `null`: there are none.
    max_completion: Option<u64>,
}

impl From<Cost> for CostDto {
    fn from(cost: Cost) -> Self {
        Self {
            price: cost.price.price.into(),
            price_version: cost.price.version,
            prompt_tokens: cost.prompt_tokens,
            amount: cost.reservation.amount.units(),
            least: cost.reservation.least.units(),
            held: cost.held.map(Credits::units),
            max_completion: cost.max_completion,
        }
    }
}

/// What would become of a call.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplanationDto {
    /// Whether it would be sent to an upstream.
    allowed: bool,
    /// What it would be told instead.
    error: Option<VerdictDto>,
    /// Every rule, in the order in which they are asked: the first that denies decides.
    rules: Vec<RuleDto>,
    /// The channels that would be tried, the highest priority first.
    tiers: Vec<TierDto>,
    /// How many of them, at most.
    most_attempts: u32,
    /// The others.
    skipped: Vec<SkippedDto>,
    /// `null` if the request cannot be read or its model has no price.
    cost: Option<CostDto>,
}

impl ExplanationDto {
    pub(crate) fn new(told: Explanation, for_admin: bool) -> Self {
        let denied = told.denied().map(VerdictDto::from);
        let shown = |skipped: &Skipped| for_admin || skipped.why != Skip::NotServed;
        Self {
            allowed: denied.is_none(),
            error: denied,
            rules: told.rules.iter().map(RuleDto::from).collect(),
            tiers: told.tiers.into_iter().map(|tier| TierDto::new(tier, for_admin)).collect(),
            most_attempts: MOST_ATTEMPTS,
            skipped: told
                .skipped
                .into_iter()
                .filter(shown)
                .map(|skipped| SkippedDto::new(skipped, for_admin))
                .collect(),
            cost: told.cost.map(CostDto::from),
        }
    }
}

impl SkippedDto {
    fn new(skipped: Skipped, for_admin: bool) -> Self {
        let (reason, until) = match skipped.why {
            Skip::Disabled => ("disabled", None),
            Skip::NotServed => ("model_not_served", None),
            Skip::Out(trip) => (HealthState::from(trip.state).as_str(), Some(trip.until)),
        };
        Self {
            channel_id: skipped.id.0,
            name: for_admin.then_some(skipped.name),
            reason,
            until: until.filter(|until| *until < Timestamp::MAX).map(Timestamp::to_rfc3339),
        }
    }
}

impl TierDto {
    fn new(tier: Tier, for_admin: bool) -> Self {
        let channels = tier.channels.into_iter().map(|channel| CandidateDto {
            channel_id: channel.id.0,
            name: for_admin.then_some(channel.name),
            upstream_model: channel.upstream_model,
            weight: channel.weight,
            probe: channel.probe,
            share: channel.share,
        });
        Self { priority: tier.priority, channels: channels.collect() }
    }
}
