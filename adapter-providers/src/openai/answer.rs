//! Whole answers: passed on as they came, read for what they used.

use super::{edit, embeddings};
use bytes::Bytes;
use gateway_domain::{
    Fault, FaultKind, ModelCall, ModelName, Operation, Timestamp, TokenCounts, call::json::span,
    policy::estimate::TextSize,
};
use gateway_ports::{
    Answer, AnswerBody,
    provider::{ErrorReply, fault_of_reply},
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Usage as a provider writes it; what is no whole number is not believed.
#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    completion_tokens: Option<&'a RawValue>,
    prompt_tokens_details: Option<Details<'a>>,
    completion_tokens_details: Option<Details<'a>>,
}

/// The parts of a count, under the provider's own names.
#[expect(clippy::struct_field_names, reason = "the names are the provider's")]
#[derive(Default, Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    cache_write_tokens: Option<&'a RawValue>,
    reasoning_tokens: Option<&'a RawValue>,
}

/// Reads a `usage` object; `None` if it does not say how long the prompt was.
pub(super) fn usage(raw: &RawValue) -> Option<TokenCounts> {
    let number =
        |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<u64>(raw.get()).ok());
    let usage: Usage<'_> = serde_json::from_str(raw.get()).ok()?;
    let prompt = usage.prompt_tokens_details.unwrap_or_default();
    let completion = usage.completion_tokens_details.unwrap_or_default();
    let completion_tokens = match usage.completion_tokens {
        Some(raw) => number(Some(raw))?,
        None => 0,
    };
    Some(TokenCounts {
        prompt: number(usage.prompt_tokens)?,
        completion: completion_tokens,
        cached: number(prompt.cached_tokens).unwrap_or(0),
        cache_write: number(prompt.cache_write_tokens).unwrap_or(0),
        reasoning: number(completion.reasoning_tokens).unwrap_or(0),
    })
}

/// The size of a text in JSON, without building it.
pub(super) fn text_size(raw: &RawValue) -> TextSize {
    match serde_json::from_str::<Cow<'_, str>>(raw.get()) {
        Ok(text) => TextSize::of(&text),
        Err(_) if raw.get() == "null" => TextSize::default(),
        Err(_) => TextSize::of(raw.get()),
    }
}

/// The text in a message or a delta, whatever fields carry it.
#[derive(Default, Deserialize)]
pub(super) struct Texts<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    refusal: Option<&'a RawValue>,
    tool_calls: Option<&'a RawValue>,
    function_call: Option<&'a RawValue>,
}

impl Texts<'_> {
    pub(super) fn size(&self) -> TextSize {
        let mut size = TextSize::default();
        for raw in [
            self.content,
            self.reasoning_content.or(self.reasoning),
            self.refusal,
            self.tool_calls,
            self.function_call,
        ]
        .into_iter()
        .flatten()
        {
            size.add(text_size(raw));
        }
        size
    }
}

/// Whether the value of `error` says that there is one.
pub(super) fn is_error(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "false" | "\"\"" | "{}")
}

/// The fault of an error that came where an answer should have been.
pub(super) fn fault_of_body(body: &[u8]) -> Fault {
    let headers = HeaderMap::new();
    let reply = ErrorReply { status: 500, headers: &headers, body, now: Timestamp::default() };
    let fault = fault_of_reply(&reply);
    Fault { kind: FaultKind::Malformed, ..fault }
}

pub(super) fn decode(
    call: &ModelCall,
    upstream_model: &ModelName,
    body: Bytes,
) -> Result<Answer, Fault> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        choices: Option<Vec<Choice<'a>>>,
        data: Option<Vec<Item<'a>>>,
        model: Option<&'a RawValue>,
        usage: Option<&'a RawValue>,
        error: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Choice<'a> {
        #[serde(borrow)]
        message: Option<Texts<'a>>,
    }
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow)]
        embedding: Option<&'a RawValue>,
    }
    let malformed = |what: &str| Fault::new(FaultKind::Malformed, what);
    let whole: Whole<'_> = serde_json::from_slice(&body)
        .map_err(|_| malformed("the answer is not what the API promises"))?;
    if whole.error.is_some_and(is_error) {
        return Err(fault_of_body(&body));
    }
    let mut edits = Vec::new();
    let mut text = TextSize::default();
    match (call.operation, &whole.choices, &whole.data) {
        (Operation::Chat, Some(choices), _) if !choices.is_empty() => {
            for choice in choices {
                text.add(choice.message.as_ref().map(Texts::size).unwrap_or_default());
            }
        }
        (Operation::Embeddings, _, Some(data)) if !data.is_empty() => {
            let vectors = data.iter().filter_map(|item| item.embedding).filter(|_| call.base64);
            for vector in vectors.filter(|vector| vector.get().starts_with('[')) {
                let encoded = embeddings::base64(vector)
                    .ok_or_else(|| malformed("an embedding has a number that is none"))?;
                edits.push((span(&body, vector.get()), encoded));
            }
        }
        (Operation::Chat, ..) => return Err(malformed("the answer has no choices")),
        (Operation::Embeddings, ..) => return Err(malformed("the answer has no data")),
    }
    if let (Some(name), Some(model)) = (edit::public_name(call, upstream_model), whole.model) {
        edits.push((span(&body, model.get()), name));
    }
    let usage = whole.usage.and_then(usage);
    let body = if edits.is_empty() { body } else { Bytes::from(edit::apply(&body, edits)) };
    Ok(Answer { body: AnswerBody::Verbatim(body), usage, text })
}
