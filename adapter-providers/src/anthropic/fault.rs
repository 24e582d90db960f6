//! What went wrong, from Anthropic's errors: in an answer that is one, or in the midst of a stream.
//!
//! The type of an error says more than its status does, and some faults of the channel's account
//! come as if they were the caller's. What is deliberately not known here: what the client is told.

use gateway_domain::{Fault, FaultKind, Timestamp};
use gateway_ports::provider::{ErrorReply, fault_of_reply};
use http::HeaderMap;
use serde_json::Value;

/// Codes of an account that may not spend any more.
const SPENT_CODES: [&str; 3] =
    ["enforced_spend_limit_reached", "contract_spend_limit_reached", "organization_on_hold"];
/// The same in words, for older answers.
const SPENT_WORDS: [&str; 2] =
    ["credit balance is too low", "reached your specified api usage limits"];
/// A prompt that is longer than the model can read, in words: there is no code for it.
const TOO_LONG_WORDS: [&str; 3] =
    ["prompt is too long", "exceed context limit", "exceeds the context window"];
const MOST_CODE: usize = 64;

/// Reads an error answer.
pub(super) fn of_reply(reply: &ErrorReply<'_>) -> Fault {
    let mut fault = fault_of_reply(reply);
    let said = Said::read(reply.body);
    fault.kind = said.kind().unwrap_or(fault.kind);
    said.refine(fault)
}

/// Reads an error that came where an answer, or a piece of one, should have been.
pub(super) fn of_body(body: &[u8]) -> Fault {
    let headers = HeaderMap::new();
    let reply = ErrorReply { status: 500, headers: &headers, body, now: Timestamp::default() };
    let mut fault = fault_of_reply(&reply);
    let said = Said::read(body);
    fault.kind = said.kind().unwrap_or(match said.kind.as_str() {
        "invalid_request_error" => FaultKind::Rejected,
        _ => FaultKind::Server,
    });
    said.refine(fault)
}

/// What an error says besides its message.
#[derive(Debug, Default)]
struct Said {
    kind: String,
    code: String,
    message: String,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |pointer: &str| {
            body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Self {
            kind: text("/error/type"),
            code: text("/error/details/error_code"),
            message: text("/error/message").to_ascii_lowercase(),
        }
    }

    /// The sort of failure, where the type alone says it.
    fn kind(&self) -> Option<FaultKind> {
        Some(match self.kind.as_str() {
            "authentication_error" => FaultKind::Auth,
            "billing_error" => FaultKind::Payment,
            "permission_error" => FaultKind::Permission,
            "not_found_error" => FaultKind::NotFound,
            "request_too_large" => FaultKind::TooLarge,
            "rate_limit_error" => FaultKind::RateLimited,
            "timeout_error" => FaultKind::Timeout,
            "overloaded_error" => FaultKind::Overloaded,
            // Those of the types that are left say less than a status.
            _ => return None,
        })
    }

    /// Adds what only the code or the words tell.
    fn refine(&self, mut fault: Fault) -> Fault {
        let says = |words: &[&str]| words.iter().any(|words| self.message.contains(words));
        if SPENT_CODES.contains(&self.code.as_str()) || says(&SPENT_WORDS) {
            fault.kind = FaultKind::Payment;
        } else if fault.kind == FaultKind::Rejected {
            if self.message.contains("organization has been disabled") {
                fault.kind = FaultKind::Permission;
            } else if says(&TOO_LONG_WORDS) {
                fault.code = Some(String::from("context_length_exceeded"));
                fault.param = Some(String::from("messages"));
            } else if let Some(code) = self.code() {
                fault.code = Some(code);
            }
        }
        fault
    }

    /// The stable code, if it looks like one: it goes to the client.
    fn code(&self) -> Option<String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let fits = (1..=MOST_CODE).contains(&self.code.len()) && self.code.bytes().all(plain);
        fits.then(|| self.code.clone())
    }
}
