//! A request's own fields, and those of a request for embeddings.

use super::{
    message,
    object::{Object, Path, each},
    tool,
};
use gateway_domain::ModelCall;
use gateway_ports::{
    ChatRequest, EmbeddingsRequest, ProviderError,
    provider::{
        EmbeddingsInput,
        request::{JsonSchema, ResponseFormat, Stop},
    },
};
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, ProviderError>;

/// Reads a request for a chat completion.
///
/// # Errors
/// [`ProviderError::Unsupported`] names the field that is not what it must be.
pub fn read(call: &ModelCall) -> Result<ChatRequest> {
    let mut fields = object(call)?;
    let mut tools = tool::tools(fields.raw("tools"))?;
    tools.extend(tool::functions(fields.raw("functions"))?);
    let mut tool_choice = tool::choice(fields.raw("tool_choice"))?;
    let mut legacy_choice = false;
    if tool_choice.is_none() {
        tool_choice = tool::legacy_choice(fields.raw("function_call"))?;
        legacy_choice = tool_choice.is_some();
    }
    Ok(ChatRequest {
        model: fields.required("model")?,
        messages: each(
            fields.raw("messages"),
            Path::Field(&Path::Root, "messages"),
            message::read,
        )?,
        tools,
        tool_choice,
        legacy_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        response_format: response_format(fields.raw("response_format"))?,
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        seed: fields.number("seed")?,
        logit_bias: fields.json("logit_bias"),
        logprobs: fields.flag("logprobs")?,
        top_logprobs: fields.whole("top_logprobs")?,
        stop: stop(fields.raw("stop"))?,
        n: fields.whole("n")?,
        max_tokens: fields.whole("max_tokens")?,
        max_completion_tokens: fields.whole("max_completion_tokens")?,
        reasoning_effort: fields.text("reasoning_effort")?,
        stream: fields.flag("stream")?,
        stream_options: fields.json("stream_options"),
        user: fields.text("user")?,
        safety_identifier: fields.text("safety_identifier")?,
        service_tier: fields.text("service_tier")?,
        metadata: fields.json("metadata"),
        modalities: fields.texts("modalities")?,
        audio: fields.json("audio"),
        prompt_cache_key: fields.text("prompt_cache_key")?,
        prompt_cache_options: fields.json("prompt_cache_options"),
        prompt_cache_retention: fields.json("prompt_cache_retention"),
        web_search_options: fields.json("web_search_options"),
        other: fields.rest(),
    })
}

/// Reads a request for embeddings.
///
/// # Errors
/// [`ProviderError::Unsupported`] names the field that is not what it must be.
pub fn read_embeddings(call: &ModelCall) -> Result<EmbeddingsRequest> {
    let mut fields = object(call)?;
    let input = fields.raw("input");
    Ok(EmbeddingsRequest {
        model: fields.required("model")?,
        input: embeddings_input(input)?,
        dimensions: fields.whole("dimensions")?,
        encoding_format: fields.text("encoding_format")?,
        user: fields.text("user")?,
        other: fields.rest(),
    })
}

fn object(call: &ModelCall) -> Result<Object<'_, 'static>> {
    let raw = serde_json::from_slice(call.body()).map_err(|_| {
        Path::Root.error(ProviderError::INVALID_TYPE, "the request is no JSON object")
    })?;
    Object::new(raw, Path::Root)
}

fn stop(raw: Option<&RawValue>) -> Result<Option<Stop>> {
    let path = Path::Field(&Path::Root, "stop");
    let Some(raw) = raw else { return Ok(None) };
    let expected = "a string or an array of strings";
    if raw.get().starts_with('"') {
        return path.read(raw, expected).map(Stop::One).map(Some);
    }
    path.read(raw, expected).map(Stop::Many).map(Some)
}

fn response_format(raw: Option<&RawValue>) -> Result<Option<ResponseFormat>> {
    let path = Path::Field(&Path::Root, "response_format");
    let Some(raw) = raw else { return Ok(None) };
    let mut fields = Object::new(raw, path)?;
    let kind = fields.required("type")?;
    Ok(Some(match kind.as_str() {
        "text" => ResponseFormat::Text,
        "json_object" => ResponseFormat::JsonObject,
        "json_schema" => {
            let inside = Path::Field(&path, "json_schema");
            let mut schema = Object::inside(fields.raw("json_schema"), inside)?;
            ResponseFormat::JsonSchema(JsonSchema {
                name: schema.text("name")?,
                description: schema.text("description")?,
                schema: schema.json("schema"),
                strict: schema.flag("strict")?,
                other: schema.rest(),
            })
        }
        _ => ResponseFormat::Other(raw.into()),
    }))
}

fn embeddings_input(raw: Option<&RawValue>) -> Result<EmbeddingsInput> {
    let path = Path::Field(&Path::Root, "input");
    let raw = raw.ok_or_else(|| path.error(ProviderError::INVALID_VALUE, "is missing"))?;
    let text = raw.get();
    let texts = || serde_json::from_str(text).ok().map(EmbeddingsInput::Texts);
    let tokens = || serde_json::from_str(text).ok().map(EmbeddingsInput::Tokens);
    let lists = || serde_json::from_str(text).ok().map(EmbeddingsInput::TokenLists);
    match serde_json::from_str(text) {
        Ok(one) => Ok(EmbeddingsInput::Text(one)),
        Err(_) => texts().or_else(tokens).or_else(lists).ok_or_else(|| {
            path.error(
                ProviderError::INVALID_TYPE,
                "must be a string, or an array of strings, of tokens or of token lists",
            )
        }),
    }
}
