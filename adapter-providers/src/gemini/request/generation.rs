//! How the answer is sampled, where it ends, and which shape it has: `generationConfig`.

use super::{Model, Notes, Result, thinking::ThinkingConfig};
use crate::gemini::schema::Schemas;
use gateway_ports::{
    ChatRequest, Json, ProviderError,
    provider::{
        Fields,
        request::{ResponseFormat, Stop},
    },
};
use serde::Serialize;
use serde_json::Number;

/// The most texts at which an answer may stop.
const MOST_STOPS: usize = 5;
/// The most alternatives of a token.
const MOST_LOGPROBS: u64 = 20;
const JSON: &str = "application/json";
const JSON_ONLY: &str = "Respond with one valid JSON object and nothing else.";
const SCHEMA_ONLY: &str =
    "Respond with JSON that fulfils this JSON schema, and with nothing else:\n";

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_modalities: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_schema: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_resolution: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_config: Option<ThinkingConfig>,
}

impl GenerationConfig<'_> {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Writes the configuration, and an instruction to the model for what it cannot say.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    model: &Model<'_>,
    (with_tools, schemas): (bool, &mut Schemas),
    notes: &mut Notes,
) -> Result<(GenerationConfig<'a>, Option<String>)> {
    let mut config = GenerationConfig {
        max_output_tokens: request.limit().or(model.limit),
        temperature: request.temperature.as_ref(),
        top_p: request.top_p.as_ref(),
        stop_sequences: stops(request.stop.as_ref(), notes),
        candidate_count: candidates(request, model)?,
        seed: request.seed.as_ref().and_then(seed),
        response_modalities: modalities(request),
        ..GenerationConfig::default()
    };
    for name in ["max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "modalities"] {
        notes.pass(name);
    }
    notes.pass_if(config.seed.is_some(), "seed");
    // Whether several calls may come in one answer cannot be said, and they may by default.
    notes.pass_if(request.parallel_tool_calls == Some(true), "parallel_tool_calls");
    let is_number = |value: &Json| value.read::<Number>().is_some();
    config.top_k = request.other.get("top_k").filter(|value| is_number(value)).cloned();
    notes.pass_if(config.top_k.is_some(), "top_k");
    config.presence_penalty =
        penalty("presence_penalty", request.presence_penalty.as_ref(), model, notes);
    config.frequency_penalty =
        penalty("frequency_penalty", request.frequency_penalty.as_ref(), model, notes);
    notes.pass("logprobs");
    if request.logprobs == Some(true) {
        let wanted = request.top_logprobs.unwrap_or(0);
        config.response_logprobs = Some(true);
        config.logprobs = Some(wanted.min(MOST_LOGPROBS)).filter(|most| *most > 0);
        notes.pass_if(wanted <= MOST_LOGPROBS, "top_logprobs");
    }
    let instruction = format(request, model, &mut config, (with_tools, schemas), notes)?;
    Ok((config, instruction))
}

fn stops<'a>(stop: Option<&'a Stop>, notes: &mut Notes) -> Vec<&'a str> {
    let all = stop.map(Stop::texts).unwrap_or_default();
    let texts = all.iter().map(String::as_str).filter(|text| !text.is_empty());
    let taken: Vec<&str> = texts.take(MOST_STOPS).collect();
    notes.pass_if(taken.len() == all.len(), "stop");
    taken
}

fn candidates(request: &ChatRequest, model: &Model<'_>) -> Result<Option<u64>> {
    match request.n {
        None | Some(0 | 1) => Ok(None),
        more if model.rules.candidates => Ok(more),
        Some(_) => Err(ProviderError::unsupported(
            "n",
            ProviderError::UNSUPPORTED_VALUE,
            "this model gives one answer at a time",
        )),
    }
}

/// A seed has 32 bits; those of a longer one that are left are always the same.
fn seed(seed: &Number) -> Option<i32> {
    let low = match (seed.as_i64(), seed.as_u64()) {
        (Some(signed), _) => signed.rem_euclid(1 << 32),
        (None, Some(unsigned)) => i64::try_from(unsigned % (1 << 32)).ok()?,
        (None, None) => return None,
    };
    u32::try_from(low).ok().map(u32::cast_signed)
}

/// A penalty of nothing is the same as none, and most models refuse any other.
fn penalty<'a>(
    name: &'static str,
    value: Option<&'a Number>,
    model: &Model<'_>,
    notes: &mut Notes,
) -> Option<&'a Number> {
    let is_zero = value.and_then(Number::as_f64) == Some(0.0);
    let taken = value.filter(|_| model.rules.penalties);
    notes.pass_if(is_zero || taken.is_some(), name);
    taken
}

/// Text alone need not be asked for.
fn modalities(request: &ChatRequest) -> Option<Vec<String>> {
    let kinds = request.modalities.as_ref()?.iter().map(|kind| kind.to_ascii_uppercase());
    Some(kinds.collect()).filter(|kinds: &Vec<String>| kinds.iter().any(|kind| kind != "TEXT"))
}

fn format(
    request: &ChatRequest,
    model: &Model<'_>,
    config: &mut GenerationConfig<'_>,
    (with_tools, schemas): (bool, &mut Schemas),
    notes: &mut Notes,
) -> Result<Option<String>> {
    let format = match &request.response_format {
        None | Some(ResponseFormat::Text) => {
            notes.pass("response_format");
            return Ok(None);
        }
        Some(ResponseFormat::JsonObject) => None,
        Some(ResponseFormat::JsonSchema(format)) => Some(format),
        Some(ResponseFormat::Other(_)) => {
            return Err(ProviderError::unsupported(
                "response_format",
                ProviderError::UNSUPPORTED_VALUE,
                "response_format must be text, json_object or json_schema",
            ));
        }
    };
    let schema = format.and_then(|format| format.schema.as_ref());
    // Older models refuse this together with tools: then they are only told.
    if with_tools && !model.rules.json_with_tools {
        let told = |schema: &Json| format!("{SCHEMA_ONLY}{}", schema.get());
        return Ok(Some(schema.map_or_else(|| JSON_ONLY.to_owned(), told)));
    }
    notes.pass("response_format");
    config.response_mime_type = Some(JSON);
    if let Some(schema) = schema {
        write_schema(schema, model, config, (schemas, notes))?;
    }
    // The answer fulfils the schema, strict or not; a description is the one thing that is missed.
    if format.is_some_and(|format| format.description.is_some()) {
        notes.lose("response_format.json_schema.description");
    }
    Ok(None)
}

fn write_schema(
    schema: &Json,
    model: &Model<'_>,
    config: &mut GenerationConfig<'_>,
    (schemas, notes): (&mut Schemas, &mut Notes),
) -> Result<()> {
    const PARAM: &str = "response_format.json_schema.schema";
    let no_object = || {
        ProviderError::unsupported(
            PARAM,
            ProviderError::INVALID_TYPE,
            format!("{PARAM} must be an object"),
        )
    };
    if model.rules.json_schema {
        config.response_json_schema = Some(schemas.json(schema).ok_or_else(no_object)?);
    } else {
        config.response_schema = Some(schemas.classic(schema).ok_or_else(no_object)?);
    }
    for keyword in schemas.lost() {
        notes.lose(format!("{PARAM}.{keyword}"));
    }
    Ok(())
}
