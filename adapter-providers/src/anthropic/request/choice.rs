//! Which tools the model may or must call.

use super::{
    Context,
    wire::{Choice, Tool},
};
use gateway_ports::{
    ChatRequest, ProviderError,
    provider::request::{self, ToolChoice, ToolKind},
};
use std::collections::HashSet;

/// The caller's choice, checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// None was made.
    Nothing,
    Auto,
    None,
    Required,
    Tool(&'a str),
    /// Some of the tools only, and whether one must be called.
    Some(HashSet<String>, bool),
}

impl Wanted<'_> {
    /// Whether a tool of this name is offered to the model.
    pub(super) fn offers(&self, name: &str) -> bool {
        match self {
            Self::Some(names, _) => names.contains(name),
            _ => true,
        }
    }
}

/// The field that the choice came in.
fn field(asked: &ChatRequest) -> &'static str {
    if asked.legacy_choice { "function_call" } else { "tool_choice" }
}

/// Reads the choice.
///
/// # Errors
/// For a tool that is not there, and for a choice that this dialect does not know.
pub(super) fn read(asked: &ChatRequest) -> Result<Wanted<'_>, ProviderError> {
    let refused = |code, message: String| ProviderError::unsupported(field(asked), code, message);
    let wanted = match &asked.tool_choice {
        None => Wanted::Nothing,
        Some(ToolChoice::Auto) => Wanted::Auto,
        Some(ToolChoice::None) => Wanted::None,
        Some(ToolChoice::Required) => Wanted::Required,
        Some(ToolChoice::Function(name)) => Wanted::Tool(name),
        Some(choice @ ToolChoice::Allowed { required, .. }) => {
            Wanted::Some(choice.names().into_iter().collect(), *required)
        }
        Some(ToolChoice::Custom(_) | ToolChoice::Other(_)) => {
            let message = format!("{} is not one that Anthropic knows", field(asked));
            return Err(refused(ProviderError::UNSUPPORTED_VALUE, message));
        }
    };
    let functions = asked.tools.iter().filter(|t| matches!(t.kind, ToolKind::Function(_)));
    let functions: HashSet<&str> = functions.map(request::Tool::name).collect();
    let is_missing = match &wanted {
        Wanted::Tool(name) => !functions.contains(name),
        Wanted::Some(names, _) => {
            names.is_empty() || names.iter().any(|name| !functions.contains(name.as_str()))
        }
        _ => false,
    };
    if is_missing {
        let message = format!("{} names a tool that is not among the tools", field(asked));
        return Err(refused(ProviderError::INVALID_VALUE, message));
    }
    Ok(wanted)
}

/// Writes the choice. Without tools there is nothing to choose, and the API refuses one.
pub(super) fn write<'a>(
    wanted: &Wanted<'a>,
    asked: &ChatRequest,
    tools: &[Tool<'_>],
    context: &mut Context<'_>,
) -> Option<Choice<'a>> {
    if tools.is_empty() {
        if *wanted == Wanted::Required {
            context.dropped(field(asked));
        }
        return None;
    }
    let disable_parallel_tool_use = (asked.parallel_tool_calls == Some(false)).then_some(true);
    match *wanted {
        Wanted::Nothing => {
            disable_parallel_tool_use?;
            Some(Choice::Auto { disable_parallel_tool_use })
        }
        Wanted::Auto | Wanted::Some(_, false) => Some(Choice::Auto { disable_parallel_tool_use }),
        Wanted::Required | Wanted::Some(_, true) => Some(Choice::Any { disable_parallel_tool_use }),
        Wanted::Tool(name) => Some(Choice::Tool { name, disable_parallel_tool_use }),
        // The tools stay: the conversation may have calls of them.
        Wanted::None => Some(Choice::None),
    }
}
