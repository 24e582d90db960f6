//! Whole messages, read.
//!
//! Blocks of tools that run at the provider are not for the client, who would try to run them; so
//! are blocks of a type that is not known.

use super::{fault, usage::Usage};
use gateway_domain::{Fault, FaultKind};
use gateway_ports::{Answer, ChatAnswer, FinishReason, Json, Message, ToolCall};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A block of content, whatever its type.
#[derive(Default, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    text: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    input: Option<&'a RawValue>,
}

/// What a block means to a client.
pub(super) enum Meaning {
    Text(String),
    Thinking(String),
    Redacted,
    Call { id: String, name: String, input: Option<String> },
    Nothing,
}

impl Meaning {
    /// Reads a block.
    pub(super) fn of(block: &RawValue) -> Self {
        let Ok(block) = serde_json::from_str::<Block<'_>>(block.get()) else {
            return Self::Nothing;
        };
        match text(block.kind).as_str() {
            "text" => Self::Text(text(block.text)),
            "thinking" => Self::Thinking(text(block.thinking)),
            "redacted_thinking" => Self::Redacted,
            // A call without a name cannot be made.
            "tool_use" => match text(block.name) {
                name if name.is_empty() => Self::Nothing,
                name => Self::Call { id: text(block.id), name, input: input(block.input) },
            },
            _ => Self::Nothing,
        }
    }
}

/// A text; empty if it is none.
pub(super) fn text(raw: Option<&RawValue>) -> String {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// The arguments of a call, to the letter, if they are an object that has any.
fn input(raw: Option<&RawValue>) -> Option<String> {
    let text = raw?.get();
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    (!inside.trim().is_empty()).then(|| text.to_owned())
}

/// The id that a client is told. There always is one: the caller has to name it with the result.
pub(super) fn id_or_place(id: String, place: usize) -> String {
    if id.is_empty() { format!("call_{place}") } else { id }
}

/// Why the model stopped.
pub(super) fn finish(stop_reason: &str) -> FinishReason {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        // `end_turn`, `stop_sequence`, `pause_turn` of tools that run at the provider, and later ones.
        _ => FinishReason::Stop,
    }
}

/// Why the model refused, if it did and says so.
pub(super) fn refusal(finish: FinishReason, stop_details: Option<&RawValue>) -> Option<String> {
    #[derive(Deserialize)]
    struct Details<'a> {
        #[serde(borrow)]
        explanation: Option<&'a RawValue>,
    }
    if finish != FinishReason::ContentFilter {
        return None;
    }
    let details: Details<'_> = serde_json::from_str(stop_details?.get()).ok()?;
    Some(text(details.explanation)).filter(|text| !text.is_empty())
}

/// Whether the value of `error` says that there is one.
pub(super) fn is_error(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "false" | "\"\"" | "{}")
}

/// Reads a whole answer.
///
/// # Errors
/// For an error that came with a status of success, and for what is no message.
pub(super) fn decode(body: &[u8]) -> Result<Answer, Fault> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
        stop_reason: Option<&'a RawValue>,
        stop_details: Option<&'a RawValue>,
        usage: Option<&'a RawValue>,
        error: Option<&'a RawValue>,
    }
    let malformed = |what: &str| Fault::new(FaultKind::Malformed, what);
    let whole: Whole<'_> = serde_json::from_slice(body)
        .map_err(|_| malformed("the answer is not what the API promises"))?;
    if whole.error.is_some_and(is_error) {
        let fault = fault::of_body(body);
        let unclear = fault.kind == FaultKind::Server;
        return Err(Fault {
            kind: if unclear { FaultKind::Malformed } else { fault.kind },
            ..fault
        });
    }
    let blocks = whole.content.map(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()));
    let Some(Ok(blocks)) = blocks else { return Err(malformed("the answer has no content")) };
    let mut message = message(&blocks);
    message.finish = finish(&text(whole.stop_reason));
    message.refusal = refusal(message.finish, whole.stop_details);
    let mut usage = Usage::default();
    whole.usage.into_iter().for_each(|report| usage.merge(report));
    let service_tier = usage.tier().map(str::to_owned);
    let chat = ChatAnswer { service_tier, ..ChatAnswer::from(message) };
    Ok(Answer::of_chat(chat, usage.counts()))
}

fn message(blocks: &[&RawValue]) -> Message {
    let mut message = Message::default();
    let (mut said, mut thought) = (String::new(), String::new());
    for block in blocks {
        match Meaning::of(block) {
            Meaning::Text(text) => said.push_str(&text),
            Meaning::Thinking(text) => {
                thought.push_str(&text);
                message.thinking_blocks.push(Json::from(*block));
            }
            Meaning::Redacted => message.thinking_blocks.push(Json::from(*block)),
            Meaning::Call { id, name, input } => message.tool_calls.push(ToolCall {
                id: id_or_place(id, message.tool_calls.len()),
                name,
                arguments: input.unwrap_or_else(|| String::from("{}")),
                extra_content: None,
            }),
            Meaning::Nothing => {}
        }
    }
    message.text = Some(said).filter(|text| !text.is_empty());
    message.reasoning = Some(thought).filter(|text| !text.is_empty());
    message
}
