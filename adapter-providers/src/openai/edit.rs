//! The few bytes of a passing body that are changed.

use bytes::Bytes;
use gateway_domain::{
    ModelCall, ModelName,
    call::json::{Entries, span},
};
use std::ops::Range;

const ASK_FOR_USAGE: &str = r#"{"include_usage":true}"#;

/// Where something stands, and what replaces it.
pub(super) type Edit = (Range<usize>, String);

/// The body to send: with the upstream's name of the model, and asking for usage in a stream. A
/// body that needs neither is the caller's, byte for byte.
pub(super) fn body(call: &ModelCall, upstream_model: &ModelName) -> Bytes {
    let mut edits: Vec<Edit> = Vec::new();
    if *upstream_model != call.model
        && let Ok(name) = serde_json::to_string(upstream_model.as_str())
    {
        edits.push((call.model_span(), name));
    }
    if call.stream && !call.include_usage {
        edits.push(usage_edit(call));
    }
    if edits.is_empty() {
        return call.body().clone();
    }
    Bytes::from(apply(call.body(), edits))
}

/// A text with some of its parts replaced.
pub(super) fn apply(text: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut done = 0;
    for (range, replacement) in edits {
        out.extend_from_slice(text.get(done..range.start).unwrap_or_default());
        out.extend_from_slice(replacement.as_bytes());
        done = range.end;
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    out
}

/// How to ask for usage: replace what `stream_options` says of it, or add it.
fn usage_edit(call: &ModelCall) -> Edit {
    let body = call.body();
    let Some(options) = call.stream_options_span() else {
        // `null` is not remembered as a value, so the field may be there: the new one comes last.
        return match null_options(body) {
            Some(range) => (range, ASK_FOR_USAGE.to_owned()),
            None => {
                let brace = body.iter().position(|b| *b == b'{').map_or(0, |at| at + 1);
                (brace..brace, format!(r#""stream_options":{ASK_FOR_USAGE},"#))
            }
        };
    };
    let text = body.get(options.clone()).unwrap_or_default();
    match serde_json::from_slice::<Entries<'_>>(text) {
        Ok(Entries(entries)) => match entries.iter().find(|(key, _)| key == "include_usage") {
            Some((_, value)) => (span(body, value.get()), String::from("true")),
            None if entries.is_empty() => (options, ASK_FOR_USAGE.to_owned()),
            None => {
                let inside = options.start + 1;
                (inside..inside, String::from(r#""include_usage":true,"#))
            }
        },
        Err(_) => (options, ASK_FOR_USAGE.to_owned()),
    }
}

fn null_options(body: &[u8]) -> Option<Range<usize>> {
    memchr::memmem::find(body, b"stream_options")?;
    let Entries(entries) = serde_json::from_slice(body).ok()?;
    let (_, value) = entries.iter().find(|(key, _)| key == "stream_options")?;
    Some(span(body, value.get()))
}

/// Where one of an object's fields stands, with the comma that goes with it; `value` is where its
/// value stands. `None` if the field's name is not written plainly.
pub(super) fn field(text: &[u8], name: &str, value: &Range<usize>) -> Option<Range<usize>> {
    let before = text.get(..value.start)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let before = before.strip_suffix(b"\"")?.strip_suffix(name.as_bytes())?.strip_suffix(b"\"")?;
    let before = before.trim_ascii_end();
    if let Some(before) = before.strip_suffix(b",") {
        return Some(before.len()..value.end);
    }
    let after = text.get(value.end..)?;
    let rest = after.trim_ascii_start();
    let rest = rest.strip_prefix(b",").unwrap_or(rest);
    Some(before.len()..value.end + (after.len() - rest.len()))
}

/// The caller's name of the model as JSON, if the upstream has another one: then answers are
/// given the caller's.
pub(super) fn public_name(call: &ModelCall, upstream_model: &ModelName) -> Option<String> {
    if *upstream_model == call.model {
        return None;
    }
    serde_json::to_string(call.model.as_str()).ok()
}
