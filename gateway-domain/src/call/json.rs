//! JSON as it lies: spans of a text, instead of a tree built from it.

use super::{CallError, FORBIDDEN};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};

/// The deepest nesting that is taken.
pub const MAX_DEPTH: usize = 128;

/// The entries of an object in their order, values unread.
pub struct Entries<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    entries.push((key.0, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        d.deserialize_map(Fields)
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Where a part of a text stands in it. The part must be a slice of that text.
pub fn span(text: &[u8], part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

/// Refuses what no reader downstream should have to meet: no object, or nested too deeply.
pub(super) fn check(body: &[u8]) -> Result<(), CallError> {
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(CallError::Json(String::from("expected an object")));
    }
    // What nobody here reads is passed on all the same, and must be JSON as well.
    if std::str::from_utf8(body).is_err() {
        return Err(CallError::Json(String::from("it is not UTF-8")));
    }
    if nested_too_deeply(body) {
        return Err(CallError::Json(format!("nested deeper than {MAX_DEPTH}")));
    }
    Ok(())
}

fn nested_too_deeply(body: &[u8]) -> bool {
    // Most bodies have fewer brackets than that in all, and counting is fast.
    if body.iter().filter(|b| matches!(**b, b'{' | b'[')).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The body without the fields that only a careless proxy would obey.
pub(super) fn without_forbidden(body: &[u8]) -> Result<Bytes, CallError> {
    let Entries(entries) =
        serde_json::from_slice(body).map_err(|e| CallError::Json(e.to_string()))?;
    let mut out = Vec::with_capacity(body.len());
    out.push(b'{');
    for (key, value) in entries.iter().filter(|(key, _)| !FORBIDDEN.contains(&key.as_ref())) {
        if out.len() > 1 {
            out.push(b',');
        }
        let key = serde_json::to_string(key).map_err(|e| CallError::Json(e.to_string()))?;
        out.extend_from_slice(key.as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    Ok(Bytes::from(out))
}

/// Visitor methods for every JSON value that the visitor has no use for.
macro_rules! otherwise {
    ($value:expr; $($kind:ident)*) => { $($crate::call::json::otherwise!(@$kind $value);)* };
    (@scalar $value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok($value) }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok($value) }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok($value) }
        fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok($value) }
    };
    (@unsigned $value:expr) => {
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok($value) }
    };
    (@text $value:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok($value) }
    };
    (@array $value:expr) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
    (@object $value:expr) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}
pub(crate) use otherwise;
