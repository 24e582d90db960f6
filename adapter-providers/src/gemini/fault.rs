//! What went wrong, in Google's shapes: an object or an array of one, with a status in words and
//! details that say why, and how long to wait.
//!
//! What every provider has in common is read by `fault_of_reply`; here is what only Google says.

use gateway_domain::{Fault, FaultKind, Timestamp};
use gateway_ports::provider::{ErrorReply, fault_of_reply, scrub};
use http::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// A provider that asks for more than a day is not believed.
const MOST_WAIT: Duration = Duration::from_secs(86_400);
const REDACTED: &str = "[redacted]";

/// Reads an error answer.
pub(super) fn read(reply: &ErrorReply<'_>) -> Fault {
    let general = fault_of_reply(reply);
    let body: Value = serde_json::from_slice(reply.body).unwrap_or_default();
    let error = body.get(0).unwrap_or(&body).get("error").unwrap_or(&Value::Null);
    let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let status = text(error, "status");
    let message = general.message.as_str();
    let kind = match general.kind {
        // Google says 400 for a key that it does not know.
        FaultKind::Rejected if is_bad_key(details, message) => FaultKind::Auth,
        // For an account in the wrong country, or without billing.
        FaultKind::Rejected if status == "FAILED_PRECONDITION" => FaultKind::Permission,
        FaultKind::Rejected if status == "CANCELLED" => FaultKind::Server,
        FaultKind::Rejected if message.contains("payload size exceeds") => FaultKind::TooLarge,
        // No status of HTTP's says more than Google's own.
        FaultKind::Malformed => kind_of(status).unwrap_or(FaultKind::Malformed),
        kind => kind,
    };
    let mut fault = Fault {
        kind,
        message: scrubbed(message),
        retry_after: wait(details).or(general.retry_after),
        ..general
    };
    if kind == FaultKind::Rejected && is_too_long(message) {
        fault.code = Some(String::from("context_length_exceeded"));
        fault.param = Some(String::from("messages"));
    }
    if kind == FaultKind::RateLimited && is_daily(details) {
        fault.code = Some(String::from("insufficient_quota"));
    }
    fault
}

/// The fault of an error that came where an answer should have been.
pub(super) fn of_error(error: &str) -> Fault {
    let body = format!("{{\"error\":{error}}}");
    let code =
        serde_json::from_str::<Value>(error).ok().and_then(|error| error.get("code")?.as_u64());
    let status = code.and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    let headers = HeaderMap::new();
    read(&ErrorReply {
        // With none of its own, what counts is what it says in words.
        status: status.unwrap_or(200),
        headers: &headers,
        body: body.as_bytes(),
        now: Timestamp::default(),
    })
}

/// A message without keys, and without the number of the operator's project.
pub(super) fn scrubbed(message: &str) -> String {
    const LONGEST_NUMBER: usize = 8;
    let clean = scrub(message);
    if !clean.to_ascii_lowercase().contains("project") {
        return clean;
    }
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        out.push_str(if number.len() > LONGEST_NUMBER { REDACTED } else { number });
        let next = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (between, after) = behind.split_at(next);
        out.push_str(between);
        rest = after;
    }
    out
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The details of a type, like `RetryInfo`.
fn of_type<'v>(details: &'v [Value], name: &str) -> impl Iterator<Item = &'v Value> {
    details.iter().filter(move |detail| text(detail, "@type").ends_with(name))
}

fn is_bad_key(details: &[Value], message: &str) -> bool {
    of_type(details, "ErrorInfo").any(|info| text(info, "reason") == "API_KEY_INVALID")
        || ["API key not valid", "API key expired", "API Key not found"]
            .iter()
            .any(|phrase| message.contains(phrase))
}

/// "The input token count (N) exceeds the maximum number of tokens allowed (M)."
fn is_too_long(message: &str) -> bool {
    message.contains("input token count") && message.contains("exceeds")
}

/// Whether a quota is used up for the day: then waiting for seconds does not help.
fn is_daily(details: &[Value]) -> bool {
    let violations =
        of_type(details, "QuotaFailure").filter_map(|quota| quota.get("violations")?.as_array());
    violations.flatten().any(|violation| text(violation, "quotaId").contains("PerDay"))
}

/// How long to wait: `"17.4s"`, as whole seconds.
fn wait(details: &[Value]) -> Option<Duration> {
    let delay = of_type(details, "RetryInfo").find_map(|info| info.get("retryDelay")?.as_str())?;
    let seconds = Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()?;
    let whole = seconds.as_secs() + u64::from(seconds.subsec_nanos() > 0);
    Some(Duration::from_secs(whole)).filter(|wait| *wait <= MOST_WAIT)
}

fn kind_of(status: &str) -> Option<FaultKind> {
    Some(match status {
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => FaultKind::Rejected,
        "FAILED_PRECONDITION" | "PERMISSION_DENIED" => FaultKind::Permission,
        "UNAUTHENTICATED" => FaultKind::Auth,
        "NOT_FOUND" => FaultKind::NotFound,
        "RESOURCE_EXHAUSTED" => FaultKind::RateLimited,
        "UNAVAILABLE" => FaultKind::Overloaded,
        "DEADLINE_EXCEEDED" => FaultKind::Timeout,
        "INTERNAL" | "UNKNOWN" | "ABORTED" | "CANCELLED" => FaultKind::Server,
        _ => return None,
    })
}
