//! The few bytes of a passing body that are changed.

use bytes::Bytes;
use gateway_domain::{
    ModelCall, ModelName,
    call::json::{Entries, span},
};
use std::ops::Range;

const ASK_FOR_USAGE: &str = r#"{"include_usage":true}"#;

/// The body to send: with the upstream's name of the model, and asking for usage in a stream. A
/// body that needs neither is the caller's, byte for byte.
pub(super) fn body(call: &ModelCall, upstream_model: &ModelName) -> Bytes {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
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
    edits.sort_by_key(|(range, _)| range.start);
    let body = call.body();
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut done = 0;
    for (range, text) in edits {
        out.extend_from_slice(body.get(done..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        done = range.end;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    Bytes::from(out)
}

/// How to ask for usage: replace what `stream_options` says of it, or add it.
fn usage_edit(call: &ModelCall) -> (Range<usize>, String) {
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

/// A JSON object's text without one of its fields, whose value is at `value`; `None` if the field's
/// name is not written plainly.
pub(super) fn without_field(text: &[u8], name: &str, value: &Range<usize>) -> Option<Vec<u8>> {
    let before = text.get(..value.start)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let before = before.strip_suffix(b"\"")?.strip_suffix(name.as_bytes())?.strip_suffix(b"\"")?;
    let before = before.trim_ascii_end();
    let after = text.get(value.end..)?;
    let (before, after) = match before.strip_suffix(b",") {
        Some(before) => (before, after),
        None => {
            let rest = after.trim_ascii_start();
            (before, rest.strip_prefix(b",").unwrap_or(rest))
        }
    };
    Some([before, after].concat())
}
