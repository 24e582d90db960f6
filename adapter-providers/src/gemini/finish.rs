//! Why an answer ended, in the gateway's words.

use gateway_ports::FinishReason;

/// What a `finishReason` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The answer is as good as it gets.
    Finished(FinishReason),
    /// The model failed to write an answer, and has one only if it wrote something before.
    Malformed,
}

/// Reads a `finishReason`.
pub(super) fn ending(reason: &str) -> Ending {
    Ending::Finished(match reason {
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        "SAFETY"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "LANGUAGE"
        | "RECITATION"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => return Ending::Malformed,
        _ => FinishReason::Stop,
    })
}
