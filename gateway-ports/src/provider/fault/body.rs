//! The bodies of error answers, of all the shapes there are.

use serde_json::Value;

/// What an error body says.
#[derive(Debug, Default)]
pub(super) struct ErrorBody {
    /// For people.
    pub(super) message: String,
    /// For programs, if it says something that is not the status once more.
    pub(super) code: Option<String>,
    /// The caller's field.
    pub(super) param: Option<String>,
    /// Everything in it that names the sort of error: codes, types, reasons.
    pub(super) words: Vec<String>,
    /// An HTTP status in it.
    pub(super) status: Option<u16>,
}

impl ErrorBody {
    /// Reads a body: an object with `error`, `errors`, `message` or `detail`, the same in an array,
    /// or text. HTML says nothing to anyone.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(parsed) = serde_json::from_slice::<Value>(body) else {
            return Self { message: plain(body), ..Self::default() };
        };
        let root = parsed.get(0).unwrap_or(&parsed);
        let error = root.get("error").filter(|error| !error.is_null()).or_else(|| {
            // A list of errors: the first one is the one.
            root.get("errors").and_then(|errors| errors.get(0))
        });
        let error = error.unwrap_or(root);
        let message = [error, root]
            .into_iter()
            .find_map(message)
            .or_else(|| root.as_str().map(str::to_owned))
            .unwrap_or_default();
        let code = text(error, "code").filter(|code| !code.bytes().all(|b| b.is_ascii_digit()));
        Self {
            message,
            code: code.map(str::to_owned),
            param: text(error, "param").map(str::to_owned).or_else(|| place(root)),
            words: words(error),
            status: [error, root].into_iter().find_map(status),
        }
    }

    /// Whether one of these words names the sort of error.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        self.words.iter().any(|own| words.contains(&own.as_str()))
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn message(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let plain = ["message", "msg", "detail"].into_iter().find_map(|field| text(value, field));
    plain.map(str::to_owned).or_else(|| {
        // A list of what is wrong, one thing for each field.
        let details = value.get("detail")?.as_array()?.iter();
        let all: Vec<&str> = details.filter_map(|detail| text(detail, "msg")).collect();
        (!all.is_empty()).then(|| all.join("; "))
    })
}

/// The field that a list of details is about: `["body", "messages", 0]`.
fn place(root: &Value) -> Option<String> {
    let steps = root.get("detail")?.get(0)?.get("loc")?.as_array()?;
    let step = |step: &Value| match step {
        Value::String(name) => Some(name.clone()),
        Value::Number(index) => Some(format!("[{index}]")),
        _ => None,
    };
    let steps: Vec<String> = steps.iter().filter_map(step).filter(|name| name != "body").collect();
    (!steps.is_empty()).then(|| steps.join("."))
}

fn words(error: &Value) -> Vec<String> {
    let own = ["code", "type", "status"].into_iter().filter_map(|field| text(error, field));
    let inner = error.get("innererror").and_then(|inner| text(inner, "code"));
    let details = error.get("details");
    let stable = details.and_then(|details| text(details, "error_code"));
    let list = details.and_then(Value::as_array).into_iter().flatten();
    let reasons = list.filter_map(|detail| text(detail, "reason"));
    own.chain(inner).chain(stable).chain(reasons).map(str::to_owned).collect()
}

/// An HTTP status, where servers write it.
fn status(value: &Value) -> Option<u16> {
    let number = |value: &Value| {
        value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    };
    ["code", "status", "statusCode", "status_code"]
        .into_iter()
        .filter_map(|field| value.get(field).and_then(number))
        .filter_map(|number| u16::try_from(number).ok())
        .find(|number| (400..600).contains(number))
}

fn plain(body: &[u8]) -> String {
    const MOST: usize = 2000;
    let text = String::from_utf8_lossy(body.get(..body.len().min(MOST)).unwrap_or_default());
    if text.trim_start().starts_with('<') { String::new() } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_shape_gives_its_message() {
        for (body, message) in [
            (r#"{"error":{"message":"no","type":"t","param":"p","code":"c"}}"#, "no"),
            (r#"{"error":{"code":"401","message":"no"}}"#, "no"),
            (
                r#"{"type":"error","error":{"type":"api_error","message":"no"},"request_id":"r"}"#,
                "no",
            ),
            (r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#, "no"),
            (r#"{"statusCode":429,"message":"no"}"#, "no"),
            (r#"{"object":"error","message":"no","code":400}"#, "no"),
            (r#"{"error":"no"}"#, "no"),
            (r#"{"error":null,"message":"no"}"#, "no"),
            (r#"{"error":{},"message":"no"}"#, "no"),
            (r#"{"message":"no"}"#, "no"),
            (r#"{"code":1,"msg":"no"}"#, "no"),
            (r#"{"detail":"no"}"#, "no"),
            (r#"{"detail":[{"loc":["body"],"msg":"no"},{"msg":"yes"}]}"#, "no; yes"),
            (r#"{"success":false,"errors":[{"code":7000,"message":"no"}]}"#, "no"),
            ("\"no\"", "no"),
            ("no", "no"),
            ("<html>no</html>", ""),
            (" \n<!doctype html>", ""),
            ("", ""),
            (r#"{"x":1}"#, ""),
            ("[]", ""),
            ("null", ""),
        ] {
            assert_eq!(ErrorBody::read(body.as_bytes()).message, message, "{body}");
        }
    }

    #[test]
    fn codes_places_and_statuses_are_found() {
        let read = |body: &str| ErrorBody::read(body.as_bytes());
        for (body, code, param, status) in [
            (r#"{"error":{"code":"c","param":"p"}}"#, Some("c"), Some("p"), None),
            (r#"{"error":{"code":"","param":null}}"#, None, None, None),
            (r#"{"error":{"code":"429"}}"#, None, None, Some(429)),
            (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, None, None, Some(429)),
            (r#"{"error":{"code":1213}}"#, None, None, None),
            (
                r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"no"}]}"#,
                None,
                Some("messages.[0].role"),
                None,
            ),
            (r#"{"statusCode":503}"#, None, None, Some(503)),
        ] {
            let found = read(body);
            assert_eq!(
                (found.code.as_deref(), found.param.as_deref(), found.status),
                (code, param, status),
                "{body}"
            );
        }
        let azure = r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
        assert!(read(azure).says(&["ResponsibleAIPolicyViolation"]));
        let anthropic = r#"{"error":{"type":"x","details":{"error_code":"organization_on_hold"}}}"#;
        assert!(read(anthropic).says(&["organization_on_hold"]));
        let google = r#"{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}"#;
        assert!(read(google).says(&["API_KEY_INVALID"]));
    }
}
