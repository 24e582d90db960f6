//! Answers that are errors: case 37, and what else section 9.2 of the reference says of them.

use adapter_providers::Anthropic;
use gateway_domain::{Fault, FaultKind, Timestamp};
use gateway_ports::{Provider, provider::ErrorReply};
use http::HeaderMap;

fn read(status: u16, body: &str, headers: &HeaderMap) -> Fault {
    let now = Timestamp::default();
    Anthropic.fault(&ErrorReply { status, headers, body: body.as_bytes(), now })
}

fn error(kind: &str, message: &str, code: &str) -> String {
    let details = if code.is_empty() {
        String::new()
    } else {
        format!(r#","details":{{"error_code":"{code}"}}"#)
    };
    format!(
        r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"{details}}},"request_id":"req_1"}}"#
    )
}

#[test]
fn case_37_every_error_is_whose_fault_it_is() {
    for (status, kind, message, code, expected) in [
        (400, "invalid_request_error", "max_tokens: must be", "", FaultKind::Rejected),
        (401, "authentication_error", "invalid x-api-key", "", FaultKind::Auth),
        (402, "billing_error", "pay", "", FaultKind::Payment),
        (403, "permission_error", "no", "", FaultKind::Permission),
        (404, "not_found_error", "model: claude-9", "", FaultKind::NotFound),
        (409, "conflict_error", "wait", "", FaultKind::Conflict),
        (413, "request_too_large", "too large", "", FaultKind::TooLarge),
        (429, "rate_limit_error", "slow down", "", FaultKind::RateLimited),
        (429, "rate_limit_error", "tier", "ramp_limit_exceeded", FaultKind::RateLimited),
        (500, "api_error", "oops", "", FaultKind::Server),
        (503, "api_error", "oops", "", FaultKind::Overloaded),
        (504, "timeout_error", "slow", "", FaultKind::Timeout),
        (529, "overloaded_error", "busy", "", FaultKind::Overloaded),
        // The type says more than the status of a proxy.
        (500, "overloaded_error", "busy", "", FaultKind::Overloaded),
        (400, "authentication_error", "no", "", FaultKind::Auth),
        (500, "invalid_request_error", "no", "", FaultKind::Server),
        // An account that may not spend is not the caller's fault.
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the API",
            "",
            FaultKind::Payment,
        ),
        (400, "invalid_request_error", "limit", "enforced_spend_limit_reached", FaultKind::Payment),
        (400, "invalid_request_error", "limit", "contract_spend_limit_reached", FaultKind::Payment),
        (400, "invalid_request_error", "hold", "organization_on_hold", FaultKind::Payment),
        (
            400,
            "invalid_request_error",
            "This organization has been disabled.",
            "",
            FaultKind::Permission,
        ),
    ] {
        let fault = read(status, &error(kind, message, code), &HeaderMap::new());
        assert_eq!(fault.kind, expected, "{status} {kind} {message} {code}");
        assert_eq!(fault.message, message);
    }
}

#[test]
fn case_37_other_shapes_go_by_their_status() {
    for (status, body, expected) in [
        (529, "", FaultKind::Overloaded),
        (502, "<html>no</html>", FaultKind::Server),
        (413, "<html>no</html>", FaultKind::TooLarge),
        (400, r#"{"detail":"no"}"#, FaultKind::Rejected),
        (401, r#"{"error":"no"}"#, FaultKind::Auth),
        (429, "[]", FaultKind::RateLimited),
        (302, "", FaultKind::Redirect),
    ] {
        assert_eq!(read(status, body, &HeaderMap::new()).kind, expected, "{status} {body}");
    }
}

#[test]
fn a_prompt_that_is_too_long_has_the_code_that_clients_know() {
    for message in [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    ] {
        let fault = read(400, &error("invalid_request_error", message, ""), &HeaderMap::new());
        assert_eq!(
            (fault.kind, fault.code.as_deref(), fault.param.as_deref()),
            (FaultKind::Rejected, Some("context_length_exceeded"), Some("messages")),
            "{message}"
        );
    }
    let fault = read(
        400,
        &error("invalid_request_error", "big", "image_dimensions_too_large"),
        &HeaderMap::new(),
    );
    assert_eq!(fault.code.as_deref(), Some("image_dimensions_too_large"));
    let fault =
        read(400, &error("invalid_request_error", "odd", "sk-ant-api03-ABCDEF"), &HeaderMap::new());
    assert_eq!(fault.code, None);
}

#[test]
fn keys_are_not_repeated_and_the_wait_is_kept() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "17".parse().unwrap());
    let fault = read(
        429,
        &error(
            "rate_limit_error",
            "key sk-ant-api03-abcdefghijklmnop of 01234567-89ab-cdef-0123-456789abcdef",
            "",
        ),
        &headers,
    );
    assert_eq!(fault.message, "key [redacted] of [redacted]");
    assert_eq!(fault.retry_after.map(|wait| wait.as_secs()), Some(17));
}
