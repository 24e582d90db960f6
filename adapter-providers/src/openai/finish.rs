//! Why a choice ended: the words of servers, in those of the dialect.

use gateway_domain::{Fault, FaultKind};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Why a choice ended, in the words of the dialect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// As the server says.
    AsItIs,
    /// It has not ended: the server writes nothing where `null` should be.
    NotYet,
    /// The server has another word for it.
    Is(&'static str),
}

/// Reads why a choice ended. `lenient`: the server may have words of its own. `calls`: the choice
/// has tool calls.
///
/// # Errors
/// The fault, if it ended with one.
pub(super) fn finish(raw: &RawValue, lenient: bool, calls: bool) -> Result<Finish, Fault> {
    let reason: Cow<'_, str> = serde_json::from_str(raw.get()).unwrap_or_default();
    if reason.is_empty() {
        return Ok(Finish::NotYet);
    }
    if !lenient {
        return Ok(Finish::AsItIs);
    }
    let failed = |kind| Err(Fault::new(kind, "the upstream gave up in the middle of its answer"));
    let name = match reason.to_ascii_lowercase().as_str() {
        "error" => return failed(FaultKind::Server),
        "insufficient_system_resource" => return failed(FaultKind::Overloaded),
        "length" | "max_tokens" | "model_length" | "max_length" => "length",
        "tool_calls" | "tool_use" | "tool_call" => "tool_calls",
        "function_call" => "function_call",
        "content_filter" | "safety" | "refusal" => "content_filter",
        // Some servers say so although they call tools.
        _ if calls => "tool_calls",
        _ => "stop",
    };
    Ok(if name == reason { Finish::AsItIs } else { Finish::Is(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_servers_become_those_of_the_dialect() {
        for (reason, calls, expected) in [
            ("\"stop\"", false, Finish::AsItIs),
            ("\"stop\"", true, Finish::Is("tool_calls")),
            ("\"tool_calls\"", true, Finish::AsItIs),
            ("\"function_call\"", true, Finish::AsItIs),
            ("\"length\"", true, Finish::AsItIs),
            ("\"\"", false, Finish::NotYet),
            ("5", false, Finish::NotYet),
            ("\"eos\"", false, Finish::Is("stop")),
            ("\"end_turn\"", false, Finish::Is("stop")),
            ("\"stop_sequence\"", false, Finish::Is("stop")),
            ("\"STOP\"", false, Finish::Is("stop")),
            ("\"novel\"", false, Finish::Is("stop")),
            ("\"max_tokens\"", false, Finish::Is("length")),
            ("\"model_length\"", false, Finish::Is("length")),
            ("\"tool_use\"", true, Finish::Is("tool_calls")),
        ] {
            let raw = serde_json::from_str(reason).unwrap();
            assert_eq!(finish(raw, true, calls).unwrap(), expected, "{reason}, calls: {calls}");
        }
        for (reason, kind) in [
            ("\"error\"", FaultKind::Server),
            ("\"insufficient_system_resource\"", FaultKind::Overloaded),
        ] {
            let raw = serde_json::from_str(reason).unwrap();
            assert_eq!(finish(raw, true, false).unwrap_err().kind, kind, "{reason}");
        }
        let novel = serde_json::from_str("\"novel\"").unwrap();
        assert_eq!(finish(novel, false, true).unwrap(), Finish::AsItIs);
    }
}
