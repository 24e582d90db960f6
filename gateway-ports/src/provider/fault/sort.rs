//! Which sort of fault an error is: by its status, and where providers say one thing by the status
//! and another in the body, by both.

use super::body::ErrorBody;
use gateway_domain::FaultKind;

/// The account is out of money, or was stopped for it.
const MONEY: [&str; 9] = [
    "insufficient_quota",
    "insufficient_user_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "exceeded_current_quota_error",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "organization_on_hold",
];
const KEY: [&str; 3] = ["API_KEY_INVALID", "invalid_api_key", "authentication_error"];
const MODEL: [&str; 3] = ["model_not_found", "DeploymentNotFound", "invalid_model"];
const FILTER: [&str; 2] = ["content_filter", "ResponsibleAIPolicyViolation"];
const OVERLOADED: [&str; 5] = [
    "overloaded_error",
    "server_is_overloaded",
    "slow_down",
    "engine_overloaded_error",
    "UNAVAILABLE",
];
const LIMITED: [&str; 3] = ["rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"];
const TIMEOUT: [&str; 2] = ["timeout_error", "DEADLINE_EXCEEDED"];

/// The code of a request that is too long for its model.
pub(super) const CONTEXT_LENGTH: &str = "context_length_exceeded";
/// The code of a request that a filter held back.
pub(super) const CONTENT_FILTER: &str = "content_filter";

/// The sort of an error that came with a status.
pub(super) fn of_reply(status: u16, body: &ErrorBody) -> FaultKind {
    let kind = FaultKind::of_status(status).unwrap_or(FaultKind::Malformed);
    let says = |words: &[&str]| body.says(words);
    let mentions = |text: &str| contains(&body.message, text);
    if (400..500).contains(&status) && (says(&MONEY) || mentions("credit balance is too low")) {
        return if status == 429 { FaultKind::Quota } else { FaultKind::Payment };
    }
    match kind {
        FaultKind::Rejected
            if says(&KEY) || mentions("API key not valid") || mentions("API key expired") =>
        {
            FaultKind::Auth
        }
        // The account's region, or that it does not pay.
        FaultKind::Rejected if says(&["FAILED_PRECONDITION"]) => FaultKind::Permission,
        FaultKind::Rejected if says(&MODEL) || mentions("model not exist") => FaultKind::NotFound,
        // Without a word of a model it is the address that is wrong.
        FaultKind::NotFound if !(says(&MODEL) || mentions("model") || mentions("deployment")) => {
            FaultKind::Misconfigured
        }
        // Too large for what is left of the account's minute.
        FaultKind::TooLarge if says(&LIMITED) => FaultKind::RateLimited,
        FaultKind::Server if says(&OVERLOADED) => FaultKind::Overloaded,
        kind => kind,
    }
}

/// The sort of an error that came in an answer of success.
pub(super) fn of_event(body: &ErrorBody) -> FaultKind {
    let words: [(&[&str], FaultKind); 7] = [
        (&MONEY, FaultKind::Quota),
        (&KEY, FaultKind::Auth),
        (&MODEL, FaultKind::NotFound),
        (&LIMITED, FaultKind::RateLimited),
        (&OVERLOADED, FaultKind::Overloaded),
        (&TIMEOUT, FaultKind::Timeout),
        (&["permission_error"], FaultKind::Permission),
    ];
    if let Some((_, kind)) = words.into_iter().find(|(words, _)| body.says(words)) {
        return kind;
    }
    if body.says(&["invalid_request_error"]) || code(FaultKind::Rejected, body).is_some() {
        return FaultKind::Rejected;
    }
    match body.status.map(|status| of_reply(status, body)) {
        // Servers that answer 200 have numbers of their own: 400 alone does not make it the
        // caller's fault.
        None | Some(FaultKind::Rejected) => FaultKind::Server,
        Some(kind) => kind,
    }
}

/// The code that programs know for what the caller's request was refused for, whatever the provider
/// calls it.
pub(super) fn code(kind: FaultKind, body: &ErrorBody) -> Option<&'static str> {
    if kind != FaultKind::Rejected {
        return None;
    }
    if body.says(&FILTER) {
        return Some(CONTENT_FILTER);
    }
    let mentions = |text: &str| contains(&body.message, text);
    let too_long = body.says(&[CONTEXT_LENGTH, "exceed_context_size_error"])
        || mentions("prompt is too long")
        || mentions("maximum context length")
        || mentions("available context size")
        || (mentions("input token count") && mentions("exceeds"));
    too_long.then_some(CONTEXT_LENGTH)
}

/// Whether a text has another in it, whatever the case of its ASCII letters.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
