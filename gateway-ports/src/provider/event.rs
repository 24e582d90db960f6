//! Pieces of streamed answers, without a dialect.

use super::{answer::FinishReason, json::Json};
use bytes::Bytes;
use gateway_domain::{Fault, TokenCounts, policy::estimate::TextSize};

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// Whole events in `OpenAI`'s dialect, to be passed on as they came.
    Wire {
        /// The events, each with its blank line.
        bytes: Bytes,
        /// The size of the text that they bring.
        text: TextSize,
        /// Whether they are part of the answer; a comment is not.
        meaningful: bool,
    },
    /// A piece of one of the answers.
    Delta {
        /// Which of the answers, from 0; there is one unless the caller asked for more.
        choice: usize,
        /// The piece.
        delta: Delta,
    },
    /// What was used so far, all of it; the last one counts.
    Usage(TokenCounts),
    /// With which priority the call is answered, in `OpenAI`'s words.
    ServiceTier(String),
    /// The gateway's own estimate of what was used, where the provider reported nothing. Comes
    /// from the relay, never from a decoder.
    Estimated(TokenCounts),
    /// The answer failed. Nothing comes after it.
    Failed(Fault),
    /// The answer is complete. Nothing comes after it.
    Done,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// The answer begins. May be left out: the first piece says so too.
    Begin,
    /// A piece of text.
    Text(String),
    /// A piece of reasoning.
    Reasoning(String),
    /// A whole block of reasoning, verbatim, that the provider wants back. Its text came as
    /// [`Delta::Reasoning`] already.
    ThinkingBlock(Json),
    /// A piece of a refusal.
    Refusal(String),
    /// A piece of a tool call.
    ToolCall {
        /// Which call of this answer, from 0, without a gap.
        index: usize,
        /// The call's id, with its first piece only.
        id: Option<String>,
        /// The tool's name as the caller named it, with the first piece only.
        name: Option<String>,
        /// A piece of the arguments.
        arguments: String,
        /// What the provider wants back with the call, verbatim; with any one piece.
        extra_content: Option<Json>,
    },
    /// What the answer cites, as `OpenAI` writes an annotation.
    Annotation(Json),
    /// The probabilities of some of the answer's tokens, as `OpenAI` writes `logprobs`.
    Logprobs(Json),
    /// Why the model stopped. No piece of this answer comes after it.
    Finish(FinishReason),
}

impl From<Delta> for StreamEvent {
    /// A piece of the only answer.
    fn from(delta: Delta) -> Self {
        Self::Delta { choice: 0, delta }
    }
}

impl StreamEvent {
    /// The size of the text in it.
    pub fn text(&self) -> TextSize {
        match self {
            Self::Wire { text, .. } => *text,
            Self::Delta { delta, .. } => delta.text(),
            Self::Usage(_)
            | Self::ServiceTier(_)
            | Self::Estimated(_)
            | Self::Failed(_)
            | Self::Done => TextSize::default(),
        }
    }

    /// Whether a client may see it as the beginning of an answer: from then on no other channel
    /// can be tried.
    pub fn is_meaningful(&self) -> bool {
        match self {
            Self::Wire { meaningful, .. } => *meaningful,
            Self::Delta { .. } => true,
            Self::Usage(_)
            | Self::ServiceTier(_)
            | Self::Estimated(_)
            | Self::Failed(_)
            | Self::Done => false,
        }
    }
}

impl Delta {
    /// The size of the text in it.
    pub fn text(&self) -> TextSize {
        match self {
            Self::Text(text) | Self::Reasoning(text) | Self::Refusal(text) => TextSize::of(text),
            Self::ToolCall { name, arguments, .. } => {
                let mut size = TextSize::of(arguments);
                size.add(TextSize::of(name.as_deref().unwrap_or_default()));
                size
            }
            Self::Begin
            | Self::ThinkingBlock(_)
            | Self::Annotation(_)
            | Self::Logprobs(_)
            | Self::Finish(_) => TextSize::default(),
        }
    }
}
