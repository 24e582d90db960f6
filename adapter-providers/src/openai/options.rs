//! What a channel's `config` says of how its server speaks the dialect.

use gateway_ports::ProviderError;
use serde_json::{Map, Value};

/// Without these a call would be another call.
const NEVER_DROPPED: [&str; 4] = ["model", "messages", "input", "stream"];

/// A channel's options; the module above documents them.
#[derive(Debug)]
pub(super) struct Options {
    /// Fields that the server must not be sent.
    pub(super) drop: Vec<String>,
    /// What the field for a limit of completion tokens is to be called, whatever the caller wrote.
    pub(super) limit: Option<Limit>,
    /// Whether the server knows `system` only.
    pub(super) developer_as_system: bool,
    /// Whether fields that other providers' answers brought into the history are taken out.
    pub(super) strip_extensions: bool,
    /// Whether ids of calls that are too long for `OpenAI` are shortened.
    pub(super) shorten_ids: bool,
}

/// The two names of the limit of completion tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// `max_tokens`, which every server knows but the newer models refuse.
    Legacy,
    /// `max_completion_tokens`.
    Completion,
}

impl Limit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "max_tokens",
            Self::Completion => "max_completion_tokens",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Completion,
            Self::Completion => Self::Legacy,
        }
    }
}

impl Options {
    /// Reads a channel's options. `official`: whether the models are `OpenAI`'s own, which refuse
    /// what is not in their dialect.
    pub(super) fn read(config: &Map<String, Value>, official: bool) -> Result<Self, ProviderError> {
        let limit = match config.get("rename_max_tokens") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_str() {
                Some("to_completion") => Some(Limit::Completion),
                Some("to_legacy") => Some(Limit::Legacy),
                _ => return Err(wrong("rename_max_tokens", "to_completion or to_legacy")),
            },
        };
        Ok(Self {
            drop: names(config, "drop")?,
            limit,
            developer_as_system: flag(config, "developer_as_system", false)?,
            strip_extensions: flag(config, "strip_extensions", official)?,
            shorten_ids: flag(config, "shorten_tool_call_ids", official)?,
        })
    }
}

fn flag(config: &Map<String, Value>, name: &str, default: bool) -> Result<bool, ProviderError> {
    match config.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(wrong(name, "true or false")),
    }
}

fn names(config: &Map<String, Value>, name: &str) -> Result<Vec<String>, ProviderError> {
    let expected = "a list of a request's fields, without model, messages, input and stream";
    let items = match config.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong(name, expected)),
    };
    let field = |item: &Value| {
        let field = item.as_str().filter(|field| !NEVER_DROPPED.contains(field));
        field.map(str::to_owned).ok_or_else(|| wrong(name, expected))
    };
    items.iter().map(field).collect()
}

fn wrong(option: &str, expected: &str) -> ProviderError {
    ProviderError::Misconfigured(format!("its config.{option} must be {expected}"))
}
