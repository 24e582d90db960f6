//! The objects of this dialect, field by field. Nothing is ever written as null: the API refuses it.

use gateway_ports::{Json, provider::Fields};
use serde::Serialize;
use serde_json::Number;
use std::borrow::Cow;

/// A request for a message.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    pub(super) model: &'a str,
    pub(super) max_tokens: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) system: &'a [Block<'a>],
    pub(super) messages: &'a [Turn<'a>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) tools: &'a [Tool<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Thinking<'a>>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    pub(super) output_config: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<&'a Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mcp_servers: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context_management: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) speed: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inference_geo: Option<&'a Json>,
}

#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) user_id: &'a str,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    User,
    Assistant,
}

/// A message.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) content: Vec<Block<'a>>,
}

/// A block of content: one that came from this dialect and goes back untouched, or one of ours.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Block<'a> {
    Verbatim(&'a Json),
    Own(Own<'a>),
}

#[derive(Debug, Serialize)]
pub(super) struct Own<'a> {
    #[serde(flatten)]
    pub(super) kind: Kind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Json>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Kind<'a> {
    Text {
        text: Cow<'a, str>,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    ToolUse {
        id: String,
        name: &'a str,
        input: Json,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Result<'a>>,
    },
}

/// What a tool gave.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Result<'a> {
    Text(&'a str),
    Blocks(Vec<Block<'a>>),
}

/// Where an image or a document is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
    Text { media_type: &'static str, data: String },
    File { file_id: &'a str },
}

impl<'a> Block<'a> {
    /// A block of ours, with its mark for the cache.
    pub(super) fn new(kind: Kind<'a>, cache_control: Option<Json>) -> Self {
        Self::Own(Own { kind, cache_control })
    }

    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::new(Kind::Text { text: text.into() }, None)
    }

    /// Whether it is a call of a tool.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::Own(Own { kind: Kind::ToolUse { .. }, .. }))
    }
}

/// A tool.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Tool<'a> {
    /// A set of tools of this dialect, as the caller wrote it.
    Verbatim(Fields),
    Function(Function<'a>),
}

#[derive(Debug, Serialize)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    pub(super) input_schema: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Json>,
}

/// Which tools are called.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Choice<'a> {
    Auto {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Any {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Tool {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    None,
}

/// How the model thinks: as the caller says in this dialect, or as it was translated.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Thinking<'a> {
    Verbatim(&'a Json),
    Set(Mode),
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Mode {
    Enabled { budget_tokens: u64 },
    Adaptive { display: &'static str },
    Disabled,
    BetweenTools,
}
