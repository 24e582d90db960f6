//! Which field of a JSON text an error is about, found by where the reader stopped.
//!
//! The text is read again for that, and only when there is an error: a reader that keeps a path
//! while it reads would be a second reader for every shape of request there is, which a Worker is
//! too small for.

/// A container that is being read.
enum Frame<'a> {
    Object(Option<&'a [u8]>),
    Array(usize),
}

/// The path of the value that an error is about, as `a.b[2]`; empty for the whole.
/// The text is valid JSON up to the error.
pub(crate) fn path(text: &[u8], error: &serde_json::Error) -> String {
    let before = text.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1));
    let stop = before.map(<[u8]>::len).sum::<usize>().saturating_add(error.column());
    // An error that was made without a place has that of the object around it. What an object
    // lacks is its own error; anything else is one of its last field.
    let of_whole = error.to_string().starts_with("missing field");
    at(text, stop, of_whole)
}

/// The path of the innermost value that begins at or before so many bytes, and does not end
/// before them; where that is an object's end, of the object or of its last field.
fn at(text: &[u8], stop: usize, of_whole: bool) -> String {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut position = 0;
    while let Some(&byte) = text.get(position) {
        let start = position;
        position += 1;
        match byte {
            b'{' | b'[' => {
                if stop <= start {
                    return written(&frames);
                }
                frames.push(if byte == b'{' { Frame::Object(None) } else { Frame::Array(0) });
            }
            b'}' | b']' => {
                let field = written(&frames);
                frames.pop();
                if stop <= position {
                    return if byte == b']' || of_whole { written(&frames) } else { field };
                }
            }
            b',' => match frames.last_mut() {
                Some(Frame::Array(index)) => *index += 1,
                Some(Frame::Object(key)) => *key = None,
                None => {}
            },
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => {
                position = end_of_scalar(text, start, byte);
                let key = text.get(start + 1..position.saturating_sub(1));
                match frames.last_mut() {
                    Some(Frame::Object(known @ None)) => *known = key,
                    _ if stop <= position => return written(&frames),
                    _ => {}
                }
            }
        }
    }
    String::new()
}

fn end_of_scalar(text: &[u8], start: usize, first: u8) -> usize {
    let rest = text.get(start + 1..).unwrap_or_default();
    if first != b'"' {
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b':') || b.is_ascii_whitespace();
        return start + 1 + rest.iter().position(ends).unwrap_or(rest.len());
    }
    let mut escaped = false;
    let end = rest.iter().position(|b| {
        let ends = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        ends
    });
    start + 1 + end.map_or(rest.len(), |end| end + 1)
}

fn written(frames: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in frames {
        match frame {
            Frame::Object(Some(key)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&String::from_utf8_lossy(key));
            }
            Frame::Object(None) => {}
            Frame::Array(index) => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only the errors of reading it matter")]
    enum Either {
        Number(i64),
        Grant { grant: i64 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Yes,
        No,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Shape {
        name: String,
        number: Option<i64>,
        small: u8,
        list: Vec<Inner>,
        deep: Option<Box<Shape>>,
        map: BTreeMap<String, String>,
        either: Option<Either>,
        word: Option<Word>,
        pair: Option<(i64, bool)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of reading it matter")]
    struct Inner {
        id: i64,
        tags: Option<Vec<bool>>,
    }

    /// What a reader says that keeps the path while it reads.
    fn reference(text: &str) -> Option<String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = serde_path_to_error::deserialize::<_, Shape>(&mut reader);
        let error = read.err().filter(|error| error.inner().is_data())?;
        let path = error.path().to_string();
        Some(if path == "." { String::new() } else { path })
    }

    fn found(text: &str) -> String {
        let error = serde_json::from_str::<Shape>(text).unwrap_err();
        path(text.as_bytes(), &error)
    }

    #[test]
    fn the_field_is_the_one_that_a_reader_with_a_path_names() {
        for text in [
            r#"{"name":5}"#,
            r#"{"name":null}"#,
            r#"{"name":true,"number":1}"#,
            r#"{"number":"x"}"#,
            r#"{"number":1.5}"#,
            r#"{ "number" : 9223372036854775808 }"#,
            r#"{"small":256}"#,
            r#"{"small":-1}"#,
            r#"{"name":[1,2]}"#,
            r#"{"name":{"a":{"b":[1]}}}"#,
            r#"{"name":{}}"#,
            r#"{"list":5}"#,
            r#"{"list":{}}"#,
            r#"{"list":[{"id":1},{"id":"x"}]}"#,
            r#"{"list":[{"id":1},{}]}"#,
            r#"{"list":[{"id":1,"tags":[true,false,3]}]}"#,
            r#"{"list":[1]}"#,
            r#"{"name":"a,b]}\"{[","list":[{"id":1},[]]}"#,
            r#"{"deep":{"deep":{"number":[]}}}"#,
            "{\n  \"name\": \"x\",\n  \"deep\": {\n    \"small\": true\n  }\n}",
            r#"{"map":{"a":"b","c":4}}"#,
            r#"{"map":{"with \"quotes\"":4}}"#,
            r#"{"either":{"grant":"x"}}"#,
            r#"{"deep":{"either":{"grant":"x"}}}"#,
            r#"{"either":"x"}"#,
            r#"{"either":[1,[2]]}"#,
            r#"{"word":"perhaps"}"#,
            r#"{"pair":[1]}"#,
            r#"{"pair":[1,2]}"#,
        ] {
            let expected = reference(text).unwrap_or_else(|| panic!("no error of data: {text}"));
            let expected = expected.replace("with \"quotes\"", "with \\\"quotes\\\"");
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn an_error_without_a_place_is_one_of_the_last_field() {
        // A reader with a path knows less here.
        assert_eq!(found(r#"{"either":{"grant":"x"},"number":1}"#), "either.grant");
    }

    #[test]
    fn what_is_no_json_has_no_path_that_does_harm() {
        for text in ["", "{", "[", "\"", "{\"a\":", "nonsense", "}}]]", "{\"a\\"] {
            for stop in 0..=text.len() + 1 {
                let _ = at(text.as_bytes(), stop, stop % 2 == 0);
            }
        }
    }
}
