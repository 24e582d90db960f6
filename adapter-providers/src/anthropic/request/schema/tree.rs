//! A schema as a tree, read once: going down by reading every level again takes as long as it is
//! deep. Numbers and strings stay the text that they are, and keys stay in their order.

use std::{borrow::Cow, fmt};

/// Deeper than any request may be.
const MOST_DEPTH: usize = 256;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// The names are as they are written, without their quotes.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    Array(Vec<Node<'a>>),
    /// Anything else, as it is written.
    Leaf(Cow<'a, str>),
}

impl Node<'_> {
    pub(super) const fn leaf(text: &'static str) -> Self {
        Self::Leaf(Cow::Borrowed(text))
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self, Self::Leaf(_))
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(text) => f.write_str(text),
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (at, (name, node)) in entries.iter().enumerate() {
                    write!(f, "{}\"{name}\":{node}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Reads a text that is known to be JSON; `None` if it is not, or too deep.
pub(super) fn read(text: &str) -> Option<Node<'_>> {
    let mut rest = text;
    value(&mut rest, 0)
}

fn value<'a>(rest: &mut &'a str, depth: usize) -> Option<Node<'a>> {
    if depth > MOST_DEPTH {
        return None;
    }
    *rest = rest.trim_start();
    match rest.as_bytes().first()? {
        b'{' => {
            let mut entries = Vec::new();
            items(rest, '}', |rest| {
                let name = string(rest)?;
                let name = name.strip_prefix('"')?.strip_suffix('"')?;
                *rest = rest.trim_start().strip_prefix(':')?;
                entries.push((Cow::Borrowed(name), value(rest, depth + 1)?));
                Some(())
            })?;
            Some(Node::Object(entries))
        }
        b'[' => {
            let mut all = Vec::new();
            items(rest, ']', |rest| {
                all.push(value(rest, depth + 1)?);
                Some(())
            })?;
            Some(Node::Array(all))
        }
        b'"' => string(rest).map(|text| Node::Leaf(text.into())),
        _ => {
            let ends = |c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace();
            let (text, behind) = rest.split_at_checked(rest.find(ends).unwrap_or(rest.len()))?;
            *rest = behind;
            Some(Node::Leaf(text.into()))
        }
    }
}

/// What stands between brackets.
fn items<'a>(
    rest: &mut &'a str,
    close: char,
    mut item: impl FnMut(&mut &'a str) -> Option<()>,
) -> Option<()> {
    let (_, inside) = rest.split_at_checked(1)?;
    *rest = inside.trim_start();
    if let Some(behind) = rest.strip_prefix(close) {
        *rest = behind;
        return Some(());
    }
    loop {
        *rest = rest.trim_start();
        item(rest)?;
        *rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix(close) {
            *rest = behind;
            return Some(());
        }
        *rest = rest.strip_prefix(',')?;
    }
}

/// A string with its quotes.
fn string<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let mut escaped = false;
    let mut end = None;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                end = Some(at + 1);
                break;
            }
            _ => {}
        }
    }
    let (text, behind) = rest.split_at_checked(end?)?;
    *rest = behind;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tree_is_the_text_without_white_space() {
        for (text, expected) in [
            (
                " { \"a\\\"\\u0062\" : [ 1e2 , -1.50 ,{}, [] ] , \"\": \"x ,\\\\\" } ",
                r#"{"a\"\u0062":[1e2,-1.50,{},[]],"":"x ,\\"}"#,
            ),
            ("12345678901234567890", "12345678901234567890"),
            ("[true,false,null]", "[true,false,null]"),
            (r#""a""#, r#""a""#),
        ] {
            assert_eq!(read(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[\\[\\]{}:,\"\\\\a1 \u{e9}]{0,40}") {
            let _ = read(&text);
        }
    }
}
