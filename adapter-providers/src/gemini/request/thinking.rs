//! How much the model is to think, in the words of its generation.

use super::{Extensions, Model, Notes};
use crate::gemini::models::{Rules, Thinking};
use gateway_ports::{ChatRequest, Json};
use serde::Serialize;

/// Never both a budget and a level: Gemini refuses them together.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<Json>,
}

pub(super) fn write(
    request: &ChatRequest,
    model: &Model<'_>,
    extensions: &Extensions,
    notes: &mut Notes,
) -> Option<ThinkingConfig> {
    // Who says it in Gemini's own words means it.
    if let Some(asked) = &extensions.thinking_config {
        let mut asked = asked.fields().unwrap_or_default();
        let mut field = |name, wire| asked.take(wire).or(asked.take(name));
        let mut config = ThinkingConfig {
            include_thoughts: field("include_thoughts", "includeThoughts"),
            thinking_budget: field("thinking_budget", "thinkingBudget"),
            thinking_level: field("thinking_level", "thinkingLevel"),
        };
        if !asked.is_empty() || config == ThinkingConfig::default() {
            notes.lose("thinking_config");
        }
        if config.thinking_level.is_some() && config.thinking_budget.take().is_some() {
            notes.lose("thinking_config.thinking_budget");
        }
        return Some(config);
    }
    let effort = request.reasoning_effort.as_deref()?;
    let mut config = match model.rules.thinking {
        Thinking::Fixed => return None,
        Thinking::Budget => ThinkingConfig {
            thinking_budget: Some(Json::of(&budget(effort, &model.rules)?)),
            ..ThinkingConfig::default()
        },
        Thinking::Level => ThinkingConfig {
            thinking_level: Some(Json::of(level(effort, &model.rules)?)),
            ..ThinkingConfig::default()
        },
    };
    if effort != "none" {
        config.include_thoughts = Some(Json::of(&true));
    }
    // Where thinking cannot be switched off, the caller has to know.
    let off = model.rules.thinking == Thinking::Budget && !model.rules.pro;
    notes.pass_if(effort != "none" || off, "reasoning_effort");
    Some(config)
}

fn budget(effort: &str, rules: &Rules) -> Option<u32> {
    Some(match (effort, rules.pro) {
        ("none" | "minimal", true) => 128,
        ("none", false) => 0,
        ("minimal", false) => 512,
        ("low", _) => 1024,
        ("medium", _) => 8192,
        ("high", _) | ("xhigh" | "max", false) => 24_576,
        ("xhigh" | "max", true) => 32_768,
        _ => return None,
    })
}

fn level(effort: &str, rules: &Rules) -> Option<&'static str> {
    Some(match effort {
        "none" | "minimal" if !rules.pro => "MINIMAL",
        "none" | "minimal" | "low" => "LOW",
        "medium" if rules.medium => "MEDIUM",
        "xhigh" | "max" if rules.xhigh => "XHIGH",
        "medium" | "high" | "xhigh" | "max" => "HIGH",
        _ => return None,
    })
}
