//! Changes to a choice that a server wrote in its own way.
//!
//! Whoever looks at a choice gives a list of changes, which is empty for one that is as it should
//! be. Only what is on the list is written again, the rest of the choice to the letter.

use super::edit::Edit;
use gateway_domain::call::json::{Entries, span};
use gateway_ports::{Json, provider::Fields};
use serde_json::value::RawValue;

/// In which part of a choice a field is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Choice,
    /// The message or the delta.
    Said,
    /// One of the tool calls in it.
    Call(usize),
    /// The function in one of the tool calls.
    Function(usize),
}

/// A field that becomes something else, or is taken out.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) at: At,
    pub(super) field: &'static str,
    pub(super) to: Option<Json>,
}

impl Change {
    pub(super) fn set(at: At, field: &'static str, to: Json) -> Self {
        Self { at, field, to: Some(to) }
    }

    pub(super) fn take(at: At, field: &'static str) -> Self {
        Self { at, field, to: None }
    }
}

/// One of the choices in the list `choices` of an answer, with these changes; `said` is the name
/// of the field of its message or delta.
pub(super) fn changed(
    answer: &[u8],
    choices: &str,
    at: usize,
    said: &str,
    changes: Vec<Change>,
) -> Option<Edit> {
    let raw = *items_of(answer, choices).get(at)?;
    Some((span(answer, raw.get()), rewritten(raw, said, changes)?))
}

/// The items of the list in a field of an object, as they lie in it.
pub(super) fn items_of<'a>(object: &'a [u8], name: &str) -> Vec<&'a RawValue> {
    let Ok(Entries(entries)) = serde_json::from_slice(object) else { return Vec::new() };
    let list = entries.into_iter().find(|(key, _)| key == name);
    list.and_then(|(_, raw)| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn rewritten(choice: &RawValue, said: &str, changes: Vec<Change>) -> Option<String> {
    let mut choice = Json::from(choice).fields()?;
    let mut message = choice.get(said).and_then(Json::fields).unwrap_or_default();
    let calls = message.get("tool_calls").and_then(Json::items).unwrap_or_default();
    let mut calls: Vec<Fields> =
        calls.iter().map(|call| call.fields().unwrap_or_default()).collect();
    let (mut said_changed, mut calls_changed) = (false, false);
    for Change { at, field, to } in changes {
        said_changed |= at != At::Choice;
        match at {
            At::Choice => put(&mut choice, field, to),
            At::Said => put(&mut message, field, to),
            At::Call(index) | At::Function(index) => {
                calls_changed = true;
                let Some(call) = calls.get_mut(index) else { continue };
                if at == At::Call(index) {
                    put(call, field, to);
                    continue;
                }
                let mut function = call.get("function").and_then(Json::fields).unwrap_or_default();
                put(&mut function, field, to);
                call.set("function", Json::of(&function));
            }
        }
    }
    if calls_changed {
        message.set("tool_calls", Json::of(&calls));
    }
    if said_changed {
        choice.set(said, Json::of(&message));
    }
    Some(Json::of(&choice).get().to_owned())
}

fn put(object: &mut Fields, field: &str, to: Option<Json>) {
    match to {
        Some(value) => object.set(field, value),
        None => {
            object.take(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_of_a_choice_is_to_the_letter() {
        let choice = r#"{"x":1e2,"delta":{"tool_calls":[{"id":"a","function":{"arguments":{"b":1,"a":2}}}],"y":null}}"#;
        let changes = vec![
            Change::set(At::Choice, "index", Json::of(&0)),
            Change::take(At::Said, "y"),
            Change::set(At::Call(0), "index", Json::of(&0)),
            Change::set(At::Function(0), "arguments", Json::of(r#"{"b":1,"a":2}"#)),
            Change::set(At::Call(7), "index", Json::of(&0)),
        ];
        let changed = rewritten(serde_json::from_str(choice).unwrap(), "delta", changes).unwrap();
        assert_eq!(
            changed,
            r#"{"x":1e2,"delta":{"tool_calls":[{"id":"a","function":{"arguments":"{\"b\":1,\"a\":2}"},"index":0}]},"index":0}"#
        );
    }
}
