//! How much the model thinks, and how many tokens it may write, which belong together: thoughts
//! count.

use super::{
    Context, object,
    wire::{Mode, Thinking as Written},
};
use crate::anthropic::models::Thinking;
use gateway_ports::{ChatRequest, Json, ProviderError};

/// A budget is at least so large, and smaller than the limit.
const LEAST_BUDGET: u64 = 1024;
/// The completion tokens where neither the caller nor the operator sets a limit.
const DEFAULT_MAX_TOKENS: u64 = 8192;
/// The same for a model of which nothing is known.
const DEFAULT_OF_UNKNOWN: u64 = 4096;

/// What is sent.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) thinking: Option<Written<'a>>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
    /// The model thinks because it was told to: then it takes no sampling parameters.
    pub(super) thinks: bool,
}

/// What else decides whether a model can think with a budget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// It must call a tool.
    pub(super) forced: bool,
    /// It goes on with a turn whose thoughts the caller did not keep.
    pub(super) loop_without_thought: bool,
}

impl Situation {
    /// Whether the API would refuse a budget.
    fn forbids_budget(self) -> bool {
        self.forced || self.loop_without_thought
    }
}

/// How many tokens the model may write.
#[derive(Clone, Copy)]
enum Limit {
    /// The caller says.
    Caller(u64),
    /// What is paid for says.
    Paid(u64),
    /// Nobody says; thoughts come on top.
    Free(u64),
}

/// Plans the model's thoughts and its limit.
pub(super) fn plan<'a>(
    asked: &'a ChatRequest,
    paid: Option<u64>,
    situation: Situation,
    context: &mut Context<'_>,
) -> Result<Plan<'a>, ProviderError> {
    let limit = limit(asked, paid, context);
    match object(asked, "thinking")? {
        Some(own) => Ok(verbatim(own, asked, limit, situation, context)),
        None => Ok(translated(asked, limit, situation, context)),
    }
}

fn limit(asked: &ChatRequest, paid: Option<u64>, context: &Context<'_>) -> Limit {
    let of_model = context.model.max_tokens.unwrap_or(u64::MAX);
    let of_channel = context.options.default_max_tokens;
    match (asked.limit(), paid) {
        (Some(limit), _) => Limit::Caller(limit.max(1)),
        (None, Some(paid)) => {
            Limit::Paid(paid.min(of_model).min(of_channel.unwrap_or(u64::MAX)).max(1))
        }
        (None, None) => {
            let usual = context.model.max_tokens.map_or(DEFAULT_OF_UNKNOWN, |_| DEFAULT_MAX_TOKENS);
            Limit::Free(of_channel.unwrap_or(usual).min(of_model).max(1))
        }
    }
}

impl Limit {
    /// The limit, with what thoughts add to it.
    fn tokens(self, budget: u64, context: &Context<'_>) -> u64 {
        match self {
            Self::Caller(limit) | Self::Paid(limit) => limit,
            Self::Free(limit) => {
                limit.saturating_add(budget).min(context.model.max_tokens.unwrap_or(u64::MAX))
            }
        }
    }

    /// A budget that fits; `None` if none does. Where the caller did not choose the limit, half of
    /// it is left for the answer.
    fn fit(self, budget: u64, context: &Context<'_>) -> Option<u64> {
        let most = match self {
            Self::Caller(limit) => limit - 1,
            Self::Paid(limit) => (limit / 2).max(LEAST_BUDGET).min(limit - 1),
            Self::Free(_) => self.tokens(budget, context) - 1,
        };
        Some(budget.min(most)).filter(|budget| *budget >= LEAST_BUDGET)
    }
}

/// The caller says it in this dialect, which comes before the word of its own.
fn verbatim<'a>(
    own: &'a Json,
    asked: &ChatRequest,
    limit: Limit,
    situation: Situation,
    context: &mut Context<'_>,
) -> Plan<'a> {
    if asked.reasoning_effort.is_some() {
        context.dropped("reasoning_effort");
    }
    let fields = own.fields().unwrap_or_default();
    let kind = fields.get("type").and_then(Json::as_text).unwrap_or_default();
    let budget = fields.get("budget_tokens").and_then(Json::read).unwrap_or(0);
    if kind == "enabled" && situation.forbids_budget() {
        context.dropped("thinking");
        let max_tokens = limit.tokens(0, context);
        return Plan { thinking: None, effort: None, max_tokens, thinks: false };
    }
    Plan {
        thinking: Some(Written::Verbatim(own)),
        effort: None,
        max_tokens: limit.tokens(budget, context),
        thinks: kind != "disabled",
    }
}

fn translated(
    asked: &ChatRequest,
    limit: Limit,
    situation: Situation,
    context: &mut Context<'_>,
) -> Plan<'static> {
    let mut plan =
        Plan { thinking: None, effort: None, max_tokens: limit.tokens(0, context), thinks: false };
    let Some(word) = asked.reasoning_effort.as_deref() else { return plan };
    let Some(level) = Level::of(word) else {
        context.dropped("reasoning_effort");
        return plan;
    };
    let way = context.model.thinking;
    let mode = match (way, level) {
        (Thinking::None | Thinking::Budget, Level::None) => return plan,
        (Thinking::None, _) => None,
        (Thinking::Budget, level) => Some(level.budget())
            .filter(|_| !situation.forbids_budget())
            .and_then(|budget| limit.fit(budget, context))
            .map(|budget_tokens| Mode::Enabled { budget_tokens }),
        (Thinking::BudgetOrAdaptive | Thinking::Adaptive, Level::None) => Some(Mode::Disabled),
        (Thinking::BetweenTools, Level::None) => Some(Mode::BetweenTools),
        (Thinking::Always, Level::None) => {
            // It always thinks: the least that can be asked for.
            context.dropped("reasoning_effort");
            plan.effort = Some("low");
            return plan;
        }
        // Newer models do not show their thoughts unless they are told to.
        _ => Some(Mode::Adaptive { display: "summarized" }),
    };
    match &mode {
        None => context.dropped("reasoning_effort"),
        Some(Mode::Enabled { budget_tokens }) => {
            plan.max_tokens = limit.tokens(*budget_tokens, context);
            plan.thinks = true;
        }
        Some(Mode::Adaptive { .. }) => {
            plan.effort = Some(level.effort(way));
            plan.thinks = true;
        }
        Some(Mode::Disabled | Mode::BetweenTools) => {}
    }
    plan.thinking = mode.map(Written::Set);
    plan
}

/// The words of the caller's dialect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    None,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Level {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "minimal" | "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    fn budget(self) -> u64 {
        match self {
            Self::None | Self::Low => LEAST_BUDGET,
            Self::Medium => 2048,
            Self::High => 4096,
            Self::XHigh => 8192,
            Self::Max => 16_384,
        }
    }

    fn effort(self, way: Thinking) -> &'static str {
        match self {
            Self::None | Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            // The models of that time go from high to max.
            Self::XHigh if way == Thinking::BudgetOrAdaptive => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }
}
