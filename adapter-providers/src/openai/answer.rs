//! Whole answers: passed on as they came, read for what they used, and put right where a server
//! writes them in its own way.

use super::{
    calls::whole_calls,
    change::{At, Change, changed, items_of},
    edit::{self, Edit, first_field},
    embeddings,
    finish::{Finish, finish},
    mint,
    said::{Said, Slot},
    usage::{usage, with_total},
};
use bytes::Bytes;
use gateway_domain::{
    Fault, FaultKind, ModelCall, Operation, call::json::span, policy::estimate::TextSize,
};
use gateway_ports::{Answer, AnswerBody, Json, Target, provider::fault_of_event};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Whether the value of `error` says that there is one.
pub(super) fn is_error(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "false" | "\"\"" | "{}")
}

/// The fault of an error that came where an answer should have been: not what the dialect says, if
/// it does not say what it is.
fn fault_of_body(body: &[u8]) -> Fault {
    let fault = fault_of_event(body);
    let kind = Some(fault.kind).filter(|kind| *kind != FaultKind::Server);
    Fault { kind: kind.unwrap_or(FaultKind::Malformed), ..fault }
}

/// The fields of an answer that are looked at.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    id: Slot<'a>,
    #[serde(default)]
    object: Slot<'a>,
    #[serde(default)]
    created: Slot<'a>,
    #[serde(default)]
    model: Slot<'a>,
    choices: Option<Vec<Choice<'a>>>,
    data: Option<Vec<Item<'a>>>,
    #[serde(default)]
    usage: Slot<'a>,
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    message: Option<Said<'a>>,
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    embedding: Option<&'a RawValue>,
    #[serde(default)]
    index: Slot<'a>,
}

/// Reads a whole answer. `lenient`: the server may have words of its own.
pub(super) fn decode(
    call: &ModelCall,
    target: &Target<'_>,
    lenient: bool,
    body: Bytes,
) -> Result<Answer, Fault> {
    // A few bytes that are no text are not worth an answer.
    let body = match String::from_utf8_lossy(&body) {
        Cow::Borrowed(_) => body,
        Cow::Owned(text) => Bytes::from(text),
    };
    let whole: Whole<'_> = serde_json::from_slice(&body)
        .map_err(|_| malformed("the answer is not what the API promises"))?;
    if whole.error.is_some_and(is_error) {
        return Err(fault_of_body(&body));
    }
    let mut edits = Vec::new();
    let mut text = TextSize::default();
    match call.operation {
        Operation::Chat => {
            let choices = whole.choices.as_deref().filter(|choices| !choices.is_empty());
            let choices = choices.ok_or_else(|| no_answer(&body, "the answer has no choices"))?;
            let seed = mint::seed(call.body());
            for (at, choice) in choices.iter().enumerate() {
                text.add(choice.message.unwrap_or_default().size());
                let changes = look_at(at, choice, lenient, seed)?;
                if !changes.is_empty() {
                    edits.extend(changed(&body, "choices", at, "message", changes));
                }
            }
            let id = || Json::of(&mint::answer_id(seed, &body)).get().to_owned();
            fill(&body, "id", whole.id, is_text, id, &mut edits);
            let object = || String::from("\"chat.completion\"");
            fill(&body, "object", whole.object, is_text, object, &mut edits);
            let now = || target.now.as_secs().to_string();
            fill(&body, "created", whole.created, is_number, now, &mut edits);
        }
        Operation::Embeddings => {
            let items = whole.data.as_deref().filter(|items| !items.is_empty());
            let items = items.ok_or_else(|| no_answer(&body, "the answer has no data"))?;
            for (at, item) in items.iter().enumerate() {
                vector(&body, call, at, item, &mut edits)?;
            }
            let object = || String::from("\"list\"");
            fill(&body, "object", whole.object, is_text, object, &mut edits);
        }
    }
    // A model that the upstream knows under another name answers under the caller's.
    let right = |raw: &RawValue| is_text(raw) && *target.model == call.model;
    let name = || Json::of(call.model.as_str()).get().to_owned();
    fill(&body, "model", whole.model, right, name, &mut edits);
    let used = whole.usage.0.and_then(|raw| usage(raw).map(|counts| (counts, raw)));
    if let Some((counts, raw)) = used
        && let Some(total) = with_total(raw, &counts)
    {
        edits.push((span(&body, raw.get()), total.get().to_owned()));
    }
    let usage = used.map(|(counts, _)| counts);
    let body = if edits.is_empty() { body } else { Bytes::from(edit::apply(&body, edits)) };
    Ok(Answer { body: AnswerBody::Verbatim(body), usage, text })
}

fn malformed(what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, what)
}

/// The fault of a body without an answer in it, in the server's words if it has any.
fn no_answer(body: &[u8], what: &str) -> Fault {
    Some(fault_of_body(body)).filter(|fault| !fault.message.is_empty()).unwrap_or(malformed(what))
}

fn is_text(raw: &RawValue) -> bool {
    raw.get().starts_with('"')
}

fn is_number(raw: &RawValue) -> bool {
    raw.get().bytes().all(|b| b.is_ascii_digit())
}

/// Gives a field a value that has none that is right.
fn fill(
    body: &[u8],
    name: &str,
    slot: Slot<'_>,
    right: impl FnOnce(&RawValue) -> bool,
    value: impl FnOnce() -> String,
    edits: &mut Vec<Edit>,
) {
    match slot.0 {
        Some(_) if slot.filled().is_some_and(right) => {}
        Some(raw) => edits.push((span(body, raw.get()), value())),
        None => edits.push(first_field(body, &format!(r#""{name}":{},"#, value()))),
    }
}

/// Looks at one choice, and says what has to be changed of it.
fn look_at(at: usize, choice: &Choice<'_>, lenient: bool, seed: u64) -> Result<Vec<Change>, Fault> {
    let mut changes = Vec::new();
    let given: Option<u64> = choice.index.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let index = given.unwrap_or_else(|| u64::try_from(at).unwrap_or_default());
    if given.is_none() {
        changes.push(Change::set(At::Choice, "index", Json::of(&index)));
    }
    let said = choice.message.unwrap_or_default();
    if !said.has_role() {
        changes.push(Change::set(At::Said, "role", Json::of("assistant")));
    }
    if let Some(reasoning) = said.other_reasoning().filter(|_| lenient) {
        changes.push(Change::take(At::Said, "reasoning"));
        changes.push(Change::set(At::Said, "reasoning_content", reasoning.into()));
    }
    let calls = said.calls();
    changes.extend(whole_calls(&calls, seed, index));
    let reason = match choice.finish_reason {
        Some(raw) => finish(raw, lenient, !calls.is_empty())?,
        None => Finish::NotYet,
    };
    match reason {
        Finish::AsItIs => {}
        Finish::Is(reason) => {
            changes.push(Change::set(At::Choice, "finish_reason", Json::of(reason)));
        }
        // It is whole, so it has ended.
        Finish::NotYet => {
            let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
            changes.push(Change::set(At::Choice, "finish_reason", Json::of(reason)));
        }
    }
    Ok(changes)
}

/// Looks at one vector: it is in base64 if that was asked for, and has its number.
fn vector(
    body: &[u8],
    call: &ModelCall,
    at: usize,
    item: &Item<'_>,
    edits: &mut Vec<Edit>,
) -> Result<(), Fault> {
    if let Some(vector) = item.embedding.filter(|raw| call.base64 && raw.get().starts_with('[')) {
        let encoded = embeddings::base64(vector)
            .ok_or_else(|| malformed("an embedding has a number that is none"))?;
        edits.push((span(body, vector.get()), encoded));
    }
    if item.index.0.is_none()
        && let Some(raw) = items_of(body, "data").get(at)
    {
        let start = span(body, raw.get()).start;
        let (place, field) = first_field(raw.get().as_bytes(), &format!(r#""index":{at},"#));
        edits.push((start + place.start..start + place.end, field));
    }
    Ok(())
}
