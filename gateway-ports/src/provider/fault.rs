//! What went wrong, from any provider's error answer.

use gateway_domain::{Fault, FaultKind, Timestamp};
use http::{HeaderMap, header::RETRY_AFTER};
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

const MOST_CHARS: usize = 500;
const REDACTED: &str = "[redacted]";
/// A provider that asks for more than a day is not believed.
const MOST_WAIT: Duration = Duration::from_secs(86_400);

/// An answer that is an error.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

/// Reads an error answer of any of the usual shapes: an object with `error`, `message` or `detail`,
/// the same in an array, or text.
pub fn fault_of_reply(reply: &ErrorReply<'_>) -> Fault {
    let ErrorReply { status, headers, body, now } = *reply;
    let kind = FaultKind::of_status(status).unwrap_or(FaultKind::Malformed);
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let root = parsed.as_ref().map(|value| value.get(0).unwrap_or(value));
    let error = root.and_then(|root| root.get("error"));
    let text = |value: Option<&Value>, field: &str| {
        value.and_then(|v| v.get(field)).and_then(Value::as_str).map(str::to_owned)
    };
    let message = text(error, "message")
        .or_else(|| error.and_then(Value::as_str).map(str::to_owned))
        .or_else(|| text(root, "message"))
        .or_else(|| text(root, "detail"))
        .unwrap_or_else(|| if parsed.is_some() { String::new() } else { plain(body) });
    // A provider may say 400 for a key it does not know.
    let status_text = text(error, "status").unwrap_or_default();
    let kind = match kind {
        FaultKind::Rejected if message.contains("API key not valid") => FaultKind::Auth,
        FaultKind::Rejected if status_text == "FAILED_PRECONDITION" => FaultKind::Permission,
        kind => kind,
    };
    Fault {
        kind,
        message: scrub(&message),
        code: text(error, "code"),
        param: text(error, "param"),
        retry_after: retry_after(headers, now),
    }
}

fn plain(body: &[u8]) -> String {
    let text =
        String::from_utf8_lossy(body.get(..body.len().min(4 * MOST_CHARS)).unwrap_or_default());
    if text.trim_start().starts_with('<') { String::new() } else { text.into_owned() }
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let seconds = |number: f64| Duration::try_from_secs_f64(number).ok();
    let wait = match (
        text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok()),
        text(RETRY_AFTER.as_str()),
    ) {
        (Some(ms), _) => seconds(ms / 1000.0),
        (None, Some(after)) => match after.parse() {
            Ok(number) => seconds(number),
            Err(_) => until(after, now),
        },
        (None, None) => None,
    };
    wait.filter(|wait| *wait <= MOST_WAIT)
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let at = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(at.as_millis()).ok()?).since(now))
}

/// A provider's message without anything that looks like a key, on one line, and short.
pub fn scrub(message: &str) -> String {
    let part_of_key = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut clean = String::new();
    let mut rest = line.as_str();
    while !rest.is_empty() && clean.len() < 4 * MOST_CHARS {
        let end = rest.find(|c| !part_of_key(c)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        clean.push_str(if looks_secret(run) { REDACTED } else { run });
        let next = behind.find(part_of_key).unwrap_or(behind.len());
        let (between, after) = behind.split_at(next);
        clean.extend(between.chars().filter(|c| !c.is_control()));
        rest = after;
    }
    clean.chars().take(MOST_CHARS).collect()
}

fn looks_secret(run: &str) -> bool {
    const PREFIXES: [&str; 5] = ["sk-", "sk_", "AIza", "org-", "proj_"];
    let run = run.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    PREFIXES.iter().any(|prefix| run.starts_with(prefix))
        || (run.len() >= 32 && run.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &HeaderMap, body: &str) -> Fault {
        let now = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
        fault_of_reply(&ErrorReply { status, headers, body: body.as_bytes(), now })
    }

    fn read(status: u16, body: &str) -> Fault {
        reply(status, &HeaderMap::new(), body)
    }

    #[test]
    fn every_usual_shape_gives_its_message() {
        for (body, message) in [
            (r#"{"error":{"message":"no","type":"t","param":"p","code":"c"}}"#, "no"),
            (r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#, "no"),
            (r#"{"error":"no"}"#, "no"),
            (r#"{"message":"no"}"#, "no"),
            (r#"{"detail":"no"}"#, "no"),
            ("no", "no"),
            ("<html>no</html>", ""),
            ("", ""),
            (r#"{"x":1}"#, ""),
        ] {
            assert_eq!(read(400, body).message, message, "{body}");
        }
        let fault =
            read(400, r#"{"error":{"message":"m","param":"max_tokens","code":"too_large"}}"#);
        assert_eq!(
            (fault.kind, fault.param.as_deref(), fault.code.as_deref()),
            (FaultKind::Rejected, Some("max_tokens"), Some("too_large"))
        );
        assert_eq!(
            read(400, r#"{"error":{"message":"API key not valid. Please pass one."}}"#).kind,
            FaultKind::Auth
        );
    }

    #[test]
    fn keys_never_pass() {
        for message in [
            "Incorrect API key provided: sk-abcdefghijklmnop1234.",
            "key=AIzaSyA1234567890",
            "token 'sk-proj-1234567890'",
            "see 0123456789abcdef0123456789abcdef",
            "\"Bearer\" sk-ant-api03-xyz",
        ] {
            let clean = scrub(message);
            assert!(
                clean.contains("[redacted]")
                    && !clean.contains("1234567890")
                    && !clean.contains("abcdefghijkl"),
                "{clean}"
            );
        }
        let quoted = scrub(r#"bad request {"api_key":"sk-live1234567890"},"model":"m"}"#);
        assert_eq!(quoted, r#"bad request {"api_key":"[redacted]"},"model":"m"}"#);
        assert_eq!(scrub("plain\r\nwords"), "plain words");
        assert!(scrub(&"word ".repeat(1000)).chars().count() <= MOST_CHARS);
    }

    #[test]
    fn retry_after_is_read_and_bounded() {
        for (name, value, expected) in [
            ("retry-after", "7", Some(7000)),
            ("retry-after-ms", "1500", Some(1500)),
            ("retry-after", "-1", None),
            ("retry-after", "1e99", None),
            ("retry-after", "soon", None),
            ("retry-after", "Sun, 22 Nov 2026 10:00:07 GMT", Some(7000)),
            ("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let wait = reply(429, &headers, "").retry_after;
            assert_eq!(wait.map(|w| w.as_millis()), expected, "{name}: {value}");
        }
    }
}
