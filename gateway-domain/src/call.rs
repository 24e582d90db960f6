//! What a caller asks for: an `OpenAI` request body, read once.
//!
//! A body is checked where a wrong value would cost money or hide a mistake, measured for the
//! reservation, and otherwise left alone: unknown fields survive, and the bytes themselves are kept,
//! so that a provider of the same dialect gets what the caller wrote. What is deliberately not known
//! here: HTTP, and every other dialect.

mod chat;
mod embeddings;
pub mod json;

use crate::{ModelName, policy::estimate::PromptSize};
use bytes::Bytes;
use std::ops::Range;

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A chat completion.
    Chat,
    /// Embeddings.
    Embeddings,
}

/// Why a body is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It is not JSON, not an object, nested too deeply, or has a field twice.
    #[error("the body is not valid JSON: {0}")]
    Json(String),
    /// A field has a value that cannot be.
    #[error("{message}")]
    Field {
        /// The field, as `messages[3]`.
        param: String,
        /// What is wrong with it, for people.
        message: String,
    },
}

impl CallError {
    fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field { param: param.into(), message: message.into() }
    }
}

/// A request to a model, checked and measured, with its body untouched.
#[derive(Clone, Debug)]
pub struct ModelCall {
    /// What is asked.
    pub operation: Operation,
    /// The model, as the caller named it.
    pub model: ModelName,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the caller asked for usage in the stream.
    pub include_usage: bool,
    /// What the prompt is made of.
    pub prompt: PromptSize,
    /// The limit of completion tokens that the caller set, for one choice.
    pub max_completion: Option<u64>,
    /// Whether embeddings are wanted in base64.
    pub base64: bool,
    /// How many answers are wanted.
    pub choices: u64,
    body: Bytes,
    model_span: Range<usize>,
    stream_options_span: Option<Range<usize>>,
}

/// Fields that would let a caller choose the upstream or its credentials in a careless proxy.
/// They are taken out before anything else looks at the body.
const FORBIDDEN: [&str; 4] = ["api_base", "base_url", "api_key", "extra_headers"];

impl ModelCall {
    /// Reads a chat completion request.
    pub fn chat(body: Bytes) -> Result<Self, CallError> {
        json::check(&body)?;
        chat::parse(body)
    }

    /// Reads an embeddings request.
    pub fn embeddings(body: Bytes) -> Result<Self, CallError> {
        json::check(&body)?;
        embeddings::parse(body)
    }

    /// The body, as the caller wrote it.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Where in the body the model's name stands, quotes included.
    pub fn model_span(&self) -> Range<usize> {
        self.model_span.clone()
    }

    /// Where in the body the value of a field of this name stands, at the top and even if it is
    /// null. For fields that are rare: it reads the body again.
    pub fn field_span(&self, name: &str) -> Option<Range<usize>> {
        memchr::memmem::find(&self.body, name.as_bytes())?;
        let json::Entries(entries) = serde_json::from_slice(&self.body).ok()?;
        let (_, value) = entries.iter().find(|(key, _)| key == name)?;
        Some(json::span(&self.body, value.get()))
    }

    /// Where in the body the value of `stream_options` stands, if it is there.
    pub fn stream_options_span(&self) -> Option<Range<usize>> {
        self.stream_options_span.clone()
    }
}

#[cfg(test)]
mod tests;
