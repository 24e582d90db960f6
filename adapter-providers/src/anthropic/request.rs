//! The neutral request, written as a request for a message.
//!
//! What cannot be left out without giving another answer than was asked for is refused; what else
//! has no place in this dialect is left out and named. What is deliberately not known here: HTTP.

mod choice;
mod content;
mod context;
mod conversation;
mod format;
mod ids;
mod marks;
mod sampling;
mod schema;
mod thinking;
mod tools;
mod wire;

use super::{models::Model, options::Options};
use bytes::Bytes;
use context::Context;
use gateway_ports::{ChatRequest, Json, ProviderError, Target, provider::request::Stop};
use wire::{Choice, Metadata, Request};

type Result<T> = std::result::Result<T, ProviderError>;

/// A request, written.
#[derive(Debug)]
pub(super) struct Written {
    /// The body.
    pub(super) body: Bytes,
    /// The betas that it needs or that the channel wants.
    pub(super) betas: Vec<String>,
    /// The names of what is not in it, or in another form.
    pub(super) dropped: Vec<String>,
}

/// The fields of this dialect that a caller may use, besides those with rules of their own, and the
/// beta that each of them needs.
const PASSED_ON: [(&str, Option<&str>); 5] = [
    ("container", None),
    ("mcp_servers", Some("mcp-client-2025-11-20")),
    ("context_management", Some("context-management-2025-06-27")),
    ("speed", Some("fast-mode-2026-02-01")),
    ("inference_geo", None),
];

/// The caller's fields that are looked at, whatever becomes of them.
const LOOKED_AT: [&str; 24] = [
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "temperature",
    "top_p",
    "top_k",
    "logprobs",
    "top_logprobs",
    "stop",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "user",
    "safety_identifier",
    "service_tier",
    "modalities",
    "thinking",
    "cache_control",
    "output_config",
    "audio",
];

/// Fields without which the answer is the same: even a strict channel leaves them out.
const HINTS: [&str; 3] = ["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"];

/// Writes a request.
///
/// # Errors
/// [`ProviderError::Unsupported`] names what this provider does not have.
pub(super) fn write(
    asked: &ChatRequest,
    target: &Target<'_>,
    options: &Options<'_>,
) -> Result<Written> {
    refuse(asked)?;
    let model = Model::of(target.model.as_str(), options)?;
    let mut context = Context::new(options, &model);
    let wanted = choice::read(asked)?;
    let mut tools = tools::write(asked, &wanted, &mut context)?;
    let tool_choice = choice::write(&wanted, asked, &tools, &mut context);
    let forced = matches!(tool_choice, Some(Choice::Any { .. } | Choice::Tool { .. }));
    let mut talk = conversation::write(asked, &mut context)?;
    let plan = thinking::plan(
        asked,
        target.max_completion,
        thinking::Situation { forced, loop_without_thought: talk.ends_without_thought() },
        &mut context,
    )?;
    let output_config = format::write(asked, plan.effort, &mut talk.system, &mut context)?;
    let sampling = sampling::write(asked, plan.thinks, &mut context);
    let automatic = marks::automatic(asked, &context)?;
    marks::limit(automatic.is_some(), &mut tools, &mut talk);
    let passed_on = |name: &str| asked.other.get(name);
    for (name, beta) in PASSED_ON {
        if let (Some(_), Some(beta)) = (passed_on(name), beta) {
            context.needs_beta(beta);
        }
    }
    let request = Request {
        model: target.model.as_str(),
        max_tokens: plan.max_tokens,
        system: &talk.system,
        messages: &talk.turns,
        tools: &tools,
        tool_choice,
        thinking: plan.thinking,
        output_config,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: stop(asked, &mut context),
        stream: asked.stream.unwrap_or(false),
        metadata: user(asked, &mut context).map(|user_id| Metadata { user_id }),
        service_tier: tier(asked, &mut context),
        cache_control: automatic,
        container: passed_on("container"),
        mcp_servers: passed_on("mcp_servers"),
        context_management: passed_on("context_management"),
        speed: passed_on("speed"),
        inference_geo: passed_on("inference_geo"),
    };
    // Only a map with keys that are no strings could fail, and there is none.
    let body = serde_json::to_vec(&request).unwrap_or_default().into();
    let betas = context.betas();
    let dropped = dropped(asked, context)?;
    Ok(Written { body, betas, dropped })
}

/// Refuses what cannot be had from this provider, and without which the caller would read another
/// answer than it asked for.
fn refuse(asked: &ChatRequest) -> Result<()> {
    let audio = |kinds: &Vec<String>| kinds.iter().any(|kind| kind != "text");
    let wanted = [
        ("n", asked.n.is_some_and(|n| n > 1)),
        ("logprobs", asked.logprobs == Some(true)),
        ("top_logprobs", asked.top_logprobs.is_some_and(|n| n > 0)),
        ("modalities", asked.modalities.as_ref().is_some_and(audio)),
        ("audio", asked.audio.is_some()),
        ("web_search_options", asked.web_search_options.is_some()),
    ];
    match wanted.into_iter().find(|(_, wanted)| *wanted) {
        Some((name, _)) => Err(ProviderError::unsupported(
            name,
            ProviderError::UNSUPPORTED_VALUE,
            format!("{name}: Anthropic does not have this"),
        )),
        None => Ok(()),
    }
}

/// What was left out: the caller's fields in their order, then what is inside of them.
fn dropped(asked: &ChatRequest, context: Context<'_>) -> Result<Vec<String>> {
    let strict = context.options.strict;
    let (fields, parts) = context.notes();
    let untouched = |name: &str| {
        !LOOKED_AT.contains(&name) && !PASSED_ON.iter().any(|(passed, _)| *passed == name)
    };
    let left_out = asked.present().into_iter();
    let left_out = left_out.filter(|name| untouched(name) || fields.contains(name));
    let mut dropped: Vec<String> = left_out.map(str::to_owned).collect();
    let first = dropped.iter().find(|name| !HINTS.contains(&name.as_str()));
    if let Some(first) = first.filter(|_| strict) {
        return Err(ProviderError::unsupported(
            first.clone(),
            ProviderError::UNSUPPORTED_VALUE,
            format!("{first}: this model cannot take it as it is"),
        ));
    }
    dropped.extend(parts);
    Ok(dropped)
}

/// Texts of nothing but white space are refused by the API.
fn stop<'a>(asked: &'a ChatRequest, context: &mut Context<'_>) -> Vec<&'a str> {
    let texts = asked.stop.as_ref().map(Stop::texts).unwrap_or_default();
    let kept: Vec<&str> =
        texts.iter().map(String::as_str).filter(|text| !text.trim().is_empty()).collect();
    if kept.len() < texts.len() {
        context.dropped("stop");
    }
    kept
}

fn user<'a>(asked: &'a ChatRequest, context: &mut Context<'_>) -> Option<&'a str> {
    let named = |name: &'a Option<String>| name.as_deref().filter(|name| !name.is_empty());
    let (identifier, user) = (named(&asked.safety_identifier), named(&asked.user));
    if !context.options.send_user {
        // The operator's will, not something that cannot be had: it is named and never refused.
        for (field, name) in [("user", user), ("safety_identifier", identifier)] {
            if name.is_some() {
                context.dropped_part(field);
            }
        }
        return None;
    }
    if identifier.is_some() && user != identifier {
        context.dropped("user");
    }
    identifier.or(user)
}

fn tier(asked: &ChatRequest, context: &mut Context<'_>) -> Option<&'static str> {
    match asked.service_tier.as_deref()? {
        "auto" => Some("auto"),
        "default" => Some("standard_only"),
        _ => {
            context.dropped("service_tier");
            None
        }
    }
}

/// The object in one of the caller's fields of this dialect.
fn object<'a>(asked: &'a ChatRequest, name: &str) -> Result<Option<&'a Json>> {
    match asked.other.get(name) {
        Some(json) if !json.is_object() => Err(ProviderError::unsupported(
            name,
            ProviderError::INVALID_TYPE,
            format!("{name} must be an object"),
        )),
        found => Ok(found),
    }
}
