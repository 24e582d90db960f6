//! Cutting and replacing in a JSON text that is otherwise passed on as it lies.

use gateway_domain::call::json::span;
use serde_json::value::RawValue;
use std::{borrow::Cow, ops::Range};

/// Where something stands, and what replaces it.
pub(super) type Edit = (Range<usize>, String);

/// The fields of an object, values unread.
pub(super) type Entry<'a> = (Cow<'a, str>, &'a RawValue);

/// A text with some of its parts replaced.
pub(super) fn apply(text: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    // What is put in stands before what is cut out behind it.
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut done = 0;
    for (range, replacement) in edits {
        out.extend_from_slice(text.get(done..range.start).unwrap_or_default());
        out.extend_from_slice(replacement.as_bytes());
        done = done.max(range.end);
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    out
}

/// Puts a field and its comma before all others; there must be another one.
pub(super) fn first_field(object: &[u8], field: &str) -> Edit {
    let brace = object.iter().position(|b| *b == b'{').map_or(0, |at| at + 1);
    (brace..brace, field.to_owned())
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

/// Where the names of an object's fields begin; `entries` are all of its fields, in a `text` of
/// nothing else.
fn starts(text: &[u8], entries: &[Entry<'_>]) -> Vec<usize> {
    let ends = entries.iter().map(|(_, value)| span(text, value.get()).end);
    let behind = |from: usize| {
        let between = text.get(from..).unwrap_or_default().iter();
        from + between.take_while(|b| b.is_ascii_whitespace() || matches!(b, b',' | b'{')).count()
    };
    [0].into_iter().chain(ends).take(entries.len()).map(behind).collect()
}

/// Takes fields out of an object, with the commas that go with them; `entries` are all of its
/// fields, in a `text` of nothing else.
pub(super) fn without(
    text: &[u8],
    entries: &[Entry<'_>],
    gone: impl Fn(&str) -> bool,
) -> Vec<Edit> {
    let starts = starts(text, entries);
    let mut edits: Vec<Edit> = Vec::new();
    // Where the last field that stays ends: what is cut begins there, or at the object's first field.
    let mut kept: Option<usize> = None;
    let mut cut: Option<Range<usize>> = None;
    for ((name, value), start) in entries.iter().zip(starts) {
        let end = span(text, value.get()).end;
        if gone(name) {
            let from = cut.map_or(kept.unwrap_or(start), |cut| cut.start);
            cut = Some(from..end);
            continue;
        }
        if let Some(cut) = cut.take() {
            // Without a field before it the comma behind it goes too.
            let end = if kept.is_some() { cut.end } else { start };
            edits.push((cut.start..end, String::new()));
        }
        kept = Some(end);
    }
    edits.extend(cut.map(|cut| (cut, String::new())));
    edits
}

/// Gives a field another name; `entries` are all of the object's fields, in a `text` of nothing
/// else.
pub(super) fn rename(text: &[u8], entries: &[Entry<'_>], from: &str, to: &str) -> Option<Edit> {
    let starts = starts(text, entries);
    let ((_, value), start) = entries.iter().zip(starts).find(|((name, _), _)| name == from)?;
    Some((start..span(text, value.get()).start, format!("\"{to}\":")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_domain::call::json::Entries;

    #[test]
    fn fields_are_taken_out_with_their_commas() {
        let text = r#" { "a" : 1 , "b":{"a":2}, "\u0063":[3] ,"d":4 } "#;
        for (gone, expected) in [
            ("", text),
            ("a", r#" { "b":{"a":2}, "\u0063":[3] ,"d":4 } "#),
            ("b", r#" { "a" : 1, "\u0063":[3] ,"d":4 } "#),
            ("d", r#" { "a" : 1 , "b":{"a":2}, "\u0063":[3] } "#),
            ("ab", r#" { "\u0063":[3] ,"d":4 } "#),
            ("bc", r#" { "a" : 1 ,"d":4 } "#),
            ("ac", r#" { "b":{"a":2} ,"d":4 } "#),
            ("abd", r#" { "\u0063":[3] } "#),
            ("abcd", " {  } "),
        ] {
            let Entries(entries) = serde_json::from_str(text).unwrap();
            let edits = without(text.as_bytes(), &entries, |name| gone.contains(name));
            let left = String::from_utf8(apply(text.as_bytes(), edits)).unwrap();
            assert_eq!(left, expected, "without {gone}");
        }
    }

    #[test]
    fn fields_are_renamed_where_they_stand() {
        let text = r#"{"a" : 1,"\u0062": {"a":2}}"#;
        let Entries(entries) = serde_json::from_str(text).unwrap();
        for (from, expected) in
            [("a", r#"{"x":1,"\u0062": {"a":2}}"#), ("b", r#"{"a" : 1,"x":{"a":2}}"#)]
        {
            let edits = rename(text.as_bytes(), &entries, from, "x").into_iter().collect();
            assert_eq!(apply(text.as_bytes(), edits), expected.as_bytes());
        }
    }

    #[test]
    fn what_is_put_in_stands_before_what_is_cut() {
        let text = br#"{"a":1,"b":2}"#;
        let cut = (1..7, String::new());
        let put = first_field(text, "\"x\":0,");
        for edits in [vec![cut.clone(), put.clone()], vec![put, cut]] {
            assert_eq!(apply(text, edits), br#"{"x":0,"b":2}"#);
        }
    }
}
