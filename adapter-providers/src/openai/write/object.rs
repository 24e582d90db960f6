//! The objects of this dialect, field by field.

use super::embeddings;
use gateway_domain::TokenCounts;
use gateway_ports::{Json, ToolCall};
use serde::Serialize;

/// A `chat.completion`.
#[derive(Serialize)]
pub(super) struct Completion<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: &'a str,
    pub(super) choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: usize,
    pub(super) message: Message<'a>,
    pub(super) logprobs: Option<&'a Json>,
    pub(super) finish_reason: &'static str,
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    thinking_blocks: &'a [Json],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Function<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    annotations: &'a [Json],
}

impl<'a> Message<'a> {
    pub(super) fn new(message: &'a gateway_ports::Message, legacy: bool) -> Self {
        let calls = if legacy { &[] } else { message.tool_calls.as_slice() };
        let call = message.tool_calls.first().filter(|_| legacy);
        let silent = message.tool_calls.is_empty() && message.refusal.is_none();
        Self {
            role: "assistant",
            content: message.text.as_deref().or(silent.then_some("")),
            refusal: message.refusal.as_deref(),
            reasoning_content: message.reasoning.as_deref(),
            thinking_blocks: &message.thinking_blocks,
            tool_calls: calls.iter().map(Call::whole).collect(),
            function_call: call.map(Function::whole),
            annotations: &message.annotations,
        }
    }
}

/// A `chat.completion.chunk`.
#[derive(Serialize)]
pub(super) struct Chunk<'a, D> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: i64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [ChunkChoice<'a, D>],
    /// Not there at all, null, or there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<Usage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct ChunkChoice<'a, D> {
    pub(super) index: usize,
    pub(super) delta: D,
    pub(super) logprobs: Option<&'a Json>,
    pub(super) finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub(super) struct DeltaObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_blocks: Option<[&'a Json; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<[&'a Json; 1]>,
}

/// A tool call, or a piece of one.
#[derive(Serialize)]
pub(super) struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<&'a Json>,
}

impl<'a> Call<'a> {
    fn whole(call: &'a ToolCall) -> Self {
        Self {
            index: None,
            id: Some(&call.id),
            kind: Some("function"),
            function: Function::whole(call),
            extra_content: call.extra_content.as_ref(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

impl<'a> Function<'a> {
    fn whole(call: &'a ToolCall) -> Self {
        Self { name: Some(&call.name), arguments: &call.arguments }
    }
}

/// Usage as this dialect counts it: the details are parts of the whole.
#[derive(Serialize)]
pub(super) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<&TokenCounts> for Usage {
    fn from(counts: &TokenCounts) -> Self {
        Self {
            prompt_tokens: counts.prompt,
            completion_tokens: counts.completion,
            total_tokens: counts.prompt.saturating_add(counts.completion),
            prompt_tokens_details: PromptDetails {
                cached_tokens: counts.cached,
                cache_write_tokens: Some(counts.cache_write).filter(|written| *written > 0),
            },
            completion_tokens_details: CompletionDetails { reasoning_tokens: counts.reasoning },
        }
    }
}

/// Vectors.
#[derive(Serialize)]
pub(super) struct EmbeddingsList<'a> {
    pub(super) object: &'static str,
    pub(super) data: Vec<EmbeddingObject<'a>>,
    pub(super) model: &'a str,
    pub(super) usage: EmbeddingsUsage,
}

#[derive(Serialize)]
pub(super) struct EmbeddingObject<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Numbers(&'a [f32]),
    Base64(String),
}

impl<'a> EmbeddingObject<'a> {
    pub(super) fn new(index: usize, vector: &'a [f32], base64: bool) -> Self {
        let embedding = if base64 {
            Vector::Base64(embeddings::encoded(vector))
        } else {
            Vector::Numbers(vector)
        };
        Self { object: "embedding", index, embedding }
    }
}

#[derive(Serialize)]
pub(super) struct EmbeddingsUsage {
    pub(super) prompt_tokens: u64,
    pub(super) total_tokens: u64,
}
