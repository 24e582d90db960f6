//! Answers without a dialect.

use bytes::Bytes;
use gateway_domain::{Fault, TokenCounts, policy::estimate::TextSize};

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answer itself.
    pub body: AnswerBody,
    /// What the provider says it used.
    pub usage: Option<TokenCounts>,
    /// The size of the text in it, for an estimate where no usage is reported.
    pub text: TextSize,
}

/// The answer itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// It is `OpenAI`'s dialect already: it is passed on as it came.
    Verbatim(Bytes),
    /// A message, to be written in `OpenAI`'s dialect.
    Message(Message),
}

/// An answer to a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text; `None` if there are only tool calls.
    pub text: Option<String>,
    /// The model's reasoning, where the provider shows it.
    pub reasoning: Option<String>,
    /// The tools that the model wants called.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub finish: FinishReason,
}

impl Answer {
    /// An answer of nothing but text.
    pub fn of_text(text: impl Into<String>, usage: Option<TokenCounts>) -> Self {
        let text = text.into();
        let size = TextSize::of(&text);
        let message = Message {
            text: Some(text),
            reasoning: None,
            tool_calls: Vec::new(),
            finish: FinishReason::Stop,
        };
        Self { body: AnswerBody::Message(message), usage, text: size }
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, as JSON text.
    pub arguments: String,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It reached the limit.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// A filter held it back.
    ContentFilter,
}

impl FinishReason {
    /// The name in `OpenAI`'s dialect.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

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
    /// A piece of text.
    Text(String),
    /// A piece of reasoning.
    Reasoning(String),
    /// A piece of a tool call.
    ToolCall {
        /// Which call of this answer, from 0.
        index: usize,
        /// The call's id, with its first piece only.
        id: Option<String>,
        /// The tool's name, with the first piece only.
        name: Option<String>,
        /// A piece of the arguments.
        arguments: String,
    },
    /// Why the model stopped.
    Finish(FinishReason),
    /// What was used so far; the last one counts.
    Usage(TokenCounts),
    /// The gateway's own estimate of what was used, where the provider reported nothing. Comes
    /// from the relay, never from a decoder.
    Estimated(TokenCounts),
    /// The answer failed. Nothing comes after it.
    Failed(Fault),
    /// The answer is complete. Nothing comes after it.
    Done,
}

impl StreamEvent {
    /// The size of the text in it.
    pub fn text(&self) -> TextSize {
        match self {
            Self::Wire { text, .. } => *text,
            Self::Text(text) | Self::Reasoning(text) => TextSize::of(text),
            Self::ToolCall { name, arguments, .. } => {
                let mut size = TextSize::of(arguments);
                size.add(TextSize::of(name.as_deref().unwrap_or_default()));
                size
            }
            Self::Finish(_)
            | Self::Usage(_)
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
            Self::Usage(_) | Self::Estimated(_) | Self::Failed(_) | Self::Done => false,
            Self::Text(_) | Self::Reasoning(_) | Self::ToolCall { .. } | Self::Finish(_) => true,
        }
    }
}
