//! The neutral request, written as `generateContent` takes it.
//!
//! Gemini refuses fields that it does not know, so only what is known here is written, and whatever
//! else the caller sent is named as left out. What is deliberately not known here: addresses and
//! keys.

mod contents;
mod extensions;
mod generation;
mod parts;
mod thinking;
mod tools;

use super::{
    models::{Options, Rules, wrong},
    names::Names,
    schema::Schemas,
};
use bytes::Bytes;
use contents::Turn;
use extensions::Extensions;
use gateway_ports::{ChatRequest, Json, ProviderError};
use generation::GenerationConfig;
use parts::Part;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tools::{ToolConfig, Tools};

type Result<T> = std::result::Result<T, ProviderError>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<System<'a>>,
    contents: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tools<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_settings: Option<Json>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    generation_config: GenerationConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
struct System<'a> {
    parts: Vec<Part<'a>>,
}

/// What was made of the caller's fields.
#[derive(Default)]
struct Notes {
    /// The fields that are passed on.
    passed: Vec<&'static str>,
    /// Parts of fields that are not, or not as they were.
    lost: BTreeSet<String>,
}

impl Notes {
    fn pass(&mut self, name: &'static str) {
        self.passed.push(name);
    }

    fn pass_if(&mut self, passed: bool, name: &'static str) {
        if passed {
            self.pass(name);
        }
    }

    fn lose(&mut self, name: impl Into<String>) {
        self.lost.insert(name.into());
    }
}

/// A model, and what its channel says of it.
pub(super) struct Model<'a> {
    /// What it can do.
    pub(super) rules: Rules,
    /// The channel's options for it.
    pub(super) options: Options<'a>,
    /// The limit of completion tokens that is paid for, where the caller set none.
    pub(super) limit: Option<u64>,
}

/// Writes a request. Also says what of it was left out, by the names of the caller's fields.
pub(super) fn write(request: &ChatRequest, model: &Model<'_>) -> Result<(Bytes, Vec<String>)> {
    refuse(request)?;
    let mut notes = Notes::default();
    let extensions = Extensions::of(request, &mut notes);
    let names = Names::of(tools::functions(request).map(|function| function.name.as_str()));
    let mut schemas = Schemas::default();
    let cached = extensions.cached_content.is_some();
    let (mut declared, mut tool_config) = (None, None);
    let tools = tools::write(request, model, (&names, &mut schemas), &mut notes)?;
    // A cached prompt has tools of its own.
    if let Some((tools, config)) = tools.filter(|_| !cached) {
        for name in ["tools", "functions", "tool_choice", "function_call"] {
            notes.pass(name);
        }
        (declared, tool_config) = (Some([tools]), Some(config));
    }
    let mut conversation = contents::write(request, model, &names, &mut notes)?;
    if cached && !conversation.system.is_empty() {
        conversation.system.clear();
        notes.lose("messages.system");
    }
    let (mut config, instruction) =
        generation::write(request, model, (declared.is_some(), &mut schemas), &mut notes)?;
    config.thinking_config = thinking::write(request, model, &extensions, &mut notes);
    config.media_resolution = extensions.media_resolution;
    conversation.system.extend(instruction.map(Part::text));
    let body = Body {
        system_instruction: Some(conversation.system)
            .filter(|parts| !parts.is_empty())
            .map(|parts| System { parts }),
        contents: conversation.turns,
        tools: declared,
        tool_config,
        safety_settings: safety(model.options, extensions.safety_settings, &mut notes)?,
        generation_config: config,
        cached_content: extensions.cached_content,
        service_tier: service_tier(request, &mut notes),
    };
    let mut dropped = request.dropped(&notes.passed);
    dropped.extend(notes.lost);
    // Only a map with keys that are no strings could fail, and there is none.
    Ok((serde_json::to_vec(&body).unwrap_or_default().into(), dropped))
}

/// Refuses what would be answered by something else than was asked for.
fn refuse(request: &ChatRequest) -> Result<()> {
    let no = |param: &str, why: &str| {
        Err(ProviderError::unsupported(param, ProviderError::UNSUPPORTED_VALUE, why))
    };
    if request.web_search_options.is_some() {
        return no("web_search_options", "this model cannot be asked to search the web");
    }
    if request.audio.is_some() {
        return no("audio", "this model cannot answer with audio");
    }
    for kind in request.modalities.iter().flatten() {
        if !["text", "image"].contains(&kind.as_str()) {
            return no("modalities", "this model answers with text or images only");
        }
    }
    Ok(())
}

fn service_tier(request: &ChatRequest, notes: &mut Notes) -> Option<&'static str> {
    let tier = match request.service_tier.as_deref()? {
        "flex" => Some("flex"),
        "default" => Some("standard"),
        "priority" | "fast" => Some("priority"),
        "auto" => None,
        _ => return None,
    };
    notes.pass("service_tier");
    tier
}

/// What is filtered: as the operator says, or as the caller does if the operator does not.
fn safety(options: Options<'_>, asked: Option<Json>, notes: &mut Notes) -> Result<Option<Json>> {
    const CATEGORIES: [&str; 4] = [
        "HARM_CATEGORY_HARASSMENT",
        "HARM_CATEGORY_HATE_SPEECH",
        "HARM_CATEGORY_SEXUALLY_EXPLICIT",
        "HARM_CATEGORY_DANGEROUS_CONTENT",
    ];
    let settings = match options.get("safety_settings") {
        None => return Ok(asked),
        Some(settings @ Value::Array(_)) => Json::of(settings),
        Some(Value::String(threshold)) => {
            let all = CATEGORIES.map(|name| json!({"category": name, "threshold": threshold}));
            Json::of(&all)
        }
        Some(_) => return Err(wrong("safety_settings", "a threshold or an array of settings")),
    };
    if asked.is_some() {
        notes.lose("safety_settings");
    }
    Ok(Some(settings))
}
