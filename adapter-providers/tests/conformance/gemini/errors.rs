//! Errors and how long to wait: cases 37 and 38.

use super::*;

fn fault(status: u16, headers: &HeaderMap, body: &str) -> gateway_domain::Fault {
    let now = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
    Gemini.fault(&ErrorReply { status, headers, body: body.as_bytes(), now })
}

/// An error as Google writes it.
fn error(code: u16, status: &str, message: &str, details: &Value) -> Value {
    json!({"error": {"code": code, "message": message, "status": status, "details": details}})
}

fn reason(reason: &str) -> Value {
    json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}])
}

/// The same fault from an error answer, in an array or not, and from an error in place of an answer.
fn assert_fault(name: &str, body: &Value, kind: FaultKind, said: [Option<&str>; 2]) {
    let status = u16::try_from(body["error"]["code"].as_u64().unwrap()).unwrap();
    for body in [body.clone(), json!([body])] {
        let fault = fault(status, &HeaderMap::new(), &body.to_string());
        assert_eq!(fault.kind, kind, "{name}: {body}");
        assert_eq!([fault.code.as_deref(), fault.param.as_deref()], said, "{name}: {body}");
        let answer = bench(FLASH_2).decoded(&chat_with(""), &body.to_string());
        assert_eq!(answer.unwrap_err().kind, kind, "{name}, with a status of success: {body}");
    }
}

#[test]
fn case_37_what_is_the_channels_fault_sends_the_call_to_another() {
    let bad = "INVALID_ARGUMENT";
    let key = "API key not valid. Please pass a valid API key.";
    let expired = "API key expired. Please renew the API key.";
    let region = "User location is not supported for the API use.";
    let none = json!([]);
    for (name, error, kind) in [
        ("a bad key", error(400, bad, key, &reason("API_KEY_INVALID")), FaultKind::Auth),
        ("by its reason", error(400, bad, "no", &reason("API_KEY_INVALID")), FaultKind::Auth),
        ("by its message", error(400, bad, key, &none), FaultKind::Auth),
        ("an expired key", error(400, bad, expired, &json!(null)), FaultKind::Auth),
        ("a bad token", error(401, "UNAUTHENTICATED", "no", &none), FaultKind::Auth),
        ("a region", error(400, "FAILED_PRECONDITION", region, &none), FaultKind::Permission),
        (
            "a permission",
            error(403, "PERMISSION_DENIED", "no", &reason("SERVICE_DISABLED")),
            FaultKind::Permission,
        ),
        ("a model", error(404, "NOT_FOUND", "models/x is not found", &none), FaultKind::NotFound),
        ("a rate", error(429, "RESOURCE_EXHAUSTED", "no", &none), FaultKind::RateLimited),
        ("overload", error(503, "UNAVAILABLE", "no", &none), FaultKind::Overloaded),
        ("a failure", error(500, "INTERNAL", "no", &none), FaultKind::Server),
        ("too late", error(504, "DEADLINE_EXCEEDED", "no", &none), FaultKind::Timeout),
        ("given up", error(499, "CANCELLED", "no", &none), FaultKind::Server),
    ] {
        assert_fault(name, &error, kind, [None, None]);
        assert!(kind.is_retryable(), "{name}");
    }
    let daily = json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]);
    let daily = error(429, "RESOURCE_EXHAUSTED", "quota", &daily);
    assert_fault("a day", &daily, FaultKind::RateLimited, [Some("insufficient_quota"), None]);
    assert_eq!(fault(502, &HeaderMap::new(), "no").kind, FaultKind::Server);
}

#[test]
fn case_37_what_is_the_callers_fault_stays_theirs() {
    let bad = |message: &str| error(400, "INVALID_ARGUMENT", message, &json!([]));
    let too_long =
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).";
    let too_large = "Request payload size exceeds the limit: 20971520 bytes.";
    let length = [Some("context_length_exceeded"), Some("messages")];
    for (name, message, kind, said) in [
        ("the request", "Invalid value at 'x'", FaultKind::Rejected, [None, None]),
        ("too many tokens", too_long, FaultKind::Rejected, length),
        ("too many bytes", too_large, FaultKind::TooLarge, [None, None]),
    ] {
        assert_fault(name, &bad(message), kind, said);
        assert!(!kind.is_retryable(), "{name}");
    }
}

#[test]
fn case_37_no_message_has_a_key_or_a_project_in_it() {
    let leak = "Key AIzaSyA0123456789abcdefghijklmnopqrstuv of project 123456789012 (projects/123456789012) leaked";
    let leak = error(403, "PERMISSION_DENIED", leak, &json!([]));
    let message = fault(403, &HeaderMap::new(), &leak.to_string()).message;
    assert_eq!(message, "Key [redacted] of project [redacted] (projects/[redacted]) leaked");
}

#[test]
fn case_38_how_long_to_wait_is_read_wherever_it_stands() {
    let retry = |delay: &str| {
        json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}})
    };
    for (name, header, body, seconds) in [
        ("tenths", None, retry("17.4s"), Some(18)),
        ("whole", None, retry("17s"), Some(17)),
        ("less than one", None, retry("0.001s"), Some(1)),
        ("none", None, retry("0s"), Some(0)),
        ("too long", None, retry("1e9s"), None),
        ("negative", None, retry("-3s"), None),
        ("no number", None, retry("NaNs"), None),
        ("no unit", None, retry("5"), None),
        ("no details", Some("7"), json!({"error": {"message": "m"}}), Some(7)),
        ("both", Some("7"), retry("17.4s"), Some(18)),
        ("an unreadable one and a header", Some("7"), retry("soon"), Some(7)),
    ] {
        let mut headers = HeaderMap::new();
        headers
            .extend(header.map(|value: &str| (http::header::RETRY_AFTER, value.parse().unwrap())));
        for body in [body.clone(), json!([body])] {
            let fault = fault(429, &headers, &body.to_string());
            assert_eq!(fault.kind, FaultKind::RateLimited, "{name}");
            assert_eq!(
                fault.retry_after.map(|wait| wait.as_millis()),
                seconds.map(|s: u128| s * 1000),
                "{name}: {body}"
            );
        }
    }
}

#[test]
fn golden_an_error() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../fixtures/gemini/error/fault.json")).unwrap();
    let status = u16::try_from(golden["status"].as_u64().unwrap()).unwrap();
    let fault = fault(
        status,
        &HeaderMap::new(),
        include_str!("../../../fixtures/gemini/error/upstream.json"),
    );
    let seen = json!({
        "status": status, "kind": fault.kind, "message": fault.message, "code": fault.code, "param": fault.param,
        "retry_after": fault.retry_after.map(|wait| wait.as_secs()),
    });
    assert_eq!(seen, golden);
}
