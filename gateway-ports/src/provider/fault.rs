//! What went wrong, from any provider's error answer.

use gateway_domain::{Fault, FaultKind};
use http::{HeaderMap, header::RETRY_AFTER};
use serde_json::Value;
use std::time::Duration;

const MOST_CHARS: usize = 500;
/// A provider that asks for more than a day is not believed.
const MOST_WAIT: Duration = Duration::from_secs(86_400);

/// Reads an error answer of any of the usual shapes: an object with `error`, `message` or `detail`,
/// the same in an array, or text.
pub fn fault_of_reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Fault {
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
        retry_after: retry_after(headers),
    }
}

fn plain(body: &[u8]) -> String {
    let text =
        String::from_utf8_lossy(body.get(..body.len().min(4 * MOST_CHARS)).unwrap_or_default());
    if text.trim_start().starts_with('<') { String::new() } else { text.into_owned() }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| {
        headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse::<f64>().ok())
    };
    let wait = match number("retry-after-ms") {
        Some(ms) => ms / 1000.0,
        None => number(RETRY_AFTER.as_str())?,
    };
    Duration::try_from_secs_f64(wait).ok().filter(|wait| *wait <= MOST_WAIT)
}

/// A provider's message without anything that looks like a key, on one line, and short.
pub fn scrub(message: &str) -> String {
    let looks_secret = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        ["sk-", "sk_", "AIza", "Bearer", "org-", "proj_"]
            .iter()
            .any(|prefix| word.starts_with(prefix))
            || (word.len() >= 32
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.*".contains(&b))
                && word.bytes().any(|b| b.is_ascii_digit()))
    };
    let mut clean = String::new();
    for word in message.split_whitespace() {
        if clean.chars().count() >= MOST_CHARS {
            break;
        }
        if !clean.is_empty() {
            clean.push(' ');
        }
        // A key may stand behind `key=` or `key:` without a space.
        let cut = word.rfind(['=', ':', '"', '\'']).map_or(0, |at| at + 1);
        match (word.get(..cut), word.get(cut..)) {
            (Some(before), Some(after)) if looks_secret(after) => {
                clean.push_str(before);
                clean.push_str("[redacted]");
            }
            _ if looks_secret(word) => clean.push_str("[redacted]"),
            _ => clean.extend(word.chars().filter(|c| !c.is_control()).take(MOST_CHARS)),
        }
    }
    clean.chars().take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Fault {
        fault_of_reply(status, &HeaderMap::new(), body.as_bytes())
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
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let wait = fault_of_reply(429, &headers, b"").retry_after;
            assert_eq!(wait.map(|w| w.as_millis()), expected, "{name}: {value}");
        }
    }
}
