//! Answers written in this dialect: what a client of the gateway's own API sees.
//!
//! A whole answer is one object, a streamed one is written event by event by [`Writer`]. What is
//! in this dialect already passes through untouched. What is deliberately not known here: HTTP, and
//! how an error is put into words.

mod object;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::Writer;

use super::embeddings;
use bytes::Bytes;
use gateway_domain::{ModelCall, TokenCounts};
use gateway_ports::{Answer, AnswerBody, ChatAnswer, FinishReason};
use object::{
    Choice, Completion, EmbeddingObject, EmbeddingsList, EmbeddingsUsage, Message, Usage,
};
use serde::Serialize;

/// What every object of an answer says of itself, and how the caller wants it.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The answer's id.
    pub id: String,
    /// When it began, in seconds.
    pub created: i64,
    /// The model, as the caller named it.
    pub model: String,
    /// Whether a stream ends with usage.
    pub include_usage: bool,
    /// Whether calls are written in the old way, as `function_call`.
    pub legacy_functions: bool,
    /// Whether vectors are written in base64.
    pub base64: bool,
    /// About how many tokens the prompt has, for vectors without usage: clients count on it.
    pub prompt_tokens: u64,
}

impl Shape {
    /// The shape of the answer to a call.
    pub fn new(call: &ModelCall, id: String, created: i64) -> Self {
        Self {
            id,
            created,
            model: call.model.as_str().to_owned(),
            include_usage: call.include_usage,
            legacy_functions: call.field_span("functions").is_some(),
            base64: call.base64,
            prompt_tokens: call.prompt.estimate(),
        }
    }

    fn finish(&self, reason: FinishReason) -> &'static str {
        match reason {
            FinishReason::ToolCalls if self.legacy_functions => "function_call",
            reason => reason.as_str(),
        }
    }
}

/// Writes a whole answer; one that is in this dialect already is not touched.
pub fn whole(shape: &Shape, answer: Answer) -> Bytes {
    match answer.body {
        AnswerBody::Verbatim(bytes) => bytes,
        AnswerBody::Chat(chat) => json(&completion(shape, &chat, answer.usage.as_ref())).into(),
        AnswerBody::Embeddings(vectors) => {
            let prompt = answer.usage.map_or(shape.prompt_tokens, |counts| counts.prompt);
            json(&EmbeddingsList {
                object: "list",
                data: vectors
                    .0
                    .iter()
                    .enumerate()
                    .map(|(index, vector)| EmbeddingObject::new(index, vector, shape.base64))
                    .collect(),
                model: &shape.model,
                usage: EmbeddingsUsage { prompt_tokens: prompt, total_tokens: prompt },
            })
            .into()
        }
    }
}

fn completion<'a>(
    shape: &'a Shape,
    chat: &'a ChatAnswer,
    usage: Option<&TokenCounts>,
) -> Completion<'a> {
    let choice = |(index, message): (usize, &'a gateway_ports::Message)| Choice {
        index,
        message: Message::new(message, shape.legacy_functions),
        logprobs: message.logprobs.as_ref(),
        finish_reason: shape.finish(message.finish),
    };
    Completion {
        id: &shape.id,
        object: "chat.completion",
        created: shape.created,
        model: &shape.model,
        choices: chat.choices.iter().enumerate().map(choice).collect(),
        usage: usage.map(Usage::from),
        service_tier: chat.service_tier.as_deref(),
    }
}

/// Only a map with keys that are no strings could fail, and there is none.
fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
