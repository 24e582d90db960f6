//! Chunks of a stream: what is looked at of one, and what is put right.

use super::super::{
    calls::Calls,
    change::{At, Change, changed},
    edit::{Edit, first_field},
    finish::{Finish, finish},
    mint,
    said::{Said, Slot},
    usage::usage,
};
use crate::sse;
use bytes::Bytes;
use gateway_domain::{
    Fault, FaultKind, ModelCall, TokenCounts, call::json::span, policy::estimate::TextSize,
};
use gateway_ports::{Json, Target, provider::Fields};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The fields of a chunk that are looked at.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    id: Slot<'a>,
    #[serde(default)]
    object: Slot<'a>,
    #[serde(default)]
    created: Slot<'a>,
    #[serde(default)]
    model: Slot<'a>,
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub(super) usage: Slot<'a>,
    pub(super) moderation: Option<IgnoredAny>,
    pub(super) error: Option<&'a RawValue>,
    x_groq: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    delta: Option<Said<'a>>,
    finish_reason: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

impl Choice<'_> {
    /// It is no part of the answer.
    pub(super) fn is_note(&self) -> bool {
        self.delta.is_none() && Slot(self.finish_reason).filled().is_none()
    }
}

impl<'a> Chunk<'a> {
    pub(super) fn choices(&self) -> &[Choice<'a>] {
        self.choices.as_deref().unwrap_or_default()
    }

    /// Whether it is an error of those servers that write it without a field for it.
    pub(super) fn is_error(&self) -> bool {
        self.choices.is_none() && self.object.0.is_some_and(|kind| kind.get() == "\"error\"")
    }

    /// What was used, and where that is said: some servers have places of their own for it.
    pub(super) fn used(&self) -> Option<(TokenCounts, &'a RawValue)> {
        #[derive(Deserialize)]
        struct Inside<'a> {
            #[serde(borrow)]
            usage: Option<&'a RawValue>,
        }
        let read = |raw: &'a RawValue| usage(raw).map(|counts| (counts, raw));
        let inside = |raw: &'a RawValue| serde_json::from_str::<Inside<'a>>(raw.get()).ok()?.usage;
        self.usage
            .filled()
            .and_then(read)
            .or_else(|| self.x_groq.and_then(inside).and_then(read))
            .or_else(|| self.choices().iter().find_map(|choice| choice.usage.and_then(read)))
    }

    /// The size of the text in it.
    pub(super) fn size(&self) -> TextSize {
        let mut size = TextSize::default();
        for said in self.choices().iter().filter_map(|choice| choice.delta) {
            size.add(said.size());
        }
        size
    }
}

/// Choices of an answer, at most.
const MOST_CHOICES: usize = 128;
/// What is kept of all calls of an answer, at most: their ids and names.
const MOST_KEPT: usize = 128 << 10;

/// What is known of an answer so far.
pub(super) struct Progress {
    /// The caller's name of the model, as JSON.
    model: String,
    /// The upstream has another one, and its answers are given the caller's.
    mapped: bool,
    /// The server may have words of its own.
    lenient: bool,
    seed: u64,
    id: Option<String>,
    created: Option<String>,
    now: i64,
    upstream_model: Option<String>,
    choices: BTreeMap<u64, State>,
}

#[derive(Default)]
struct State {
    begun: bool,
    finished: bool,
    calls: Calls,
}

impl Progress {
    pub(super) fn new(call: &ModelCall, target: &Target<'_>, lenient: bool) -> Self {
        Self {
            model: Json::of(call.model.as_str()).get().to_owned(),
            mapped: *target.model != call.model,
            lenient,
            seed: mint::seed(call.body()),
            id: None,
            created: None,
            now: target.now.as_secs(),
            upstream_model: None,
            choices: BTreeMap::new(),
        }
    }

    /// Whether a choice has ended. An answer whose stream ends behind that is complete.
    pub(super) fn is_finished(&self) -> bool {
        self.choices.values().any(|state| state.finished)
    }

    /// A chunk of this answer, with these choices and usage.
    pub(super) fn chunk(&self, choices: &str, usage: Option<&str>) -> Bytes {
        let id = self.id.clone();
        let id = id.unwrap_or_else(|| format!("\"{}\"", mint::answer_id(self.seed, b"")));
        let created = self.created.clone().unwrap_or_else(|| self.now.to_string());
        let model = self.model();
        let usage = usage.map(|usage| format!(r#","usage":{usage}"#)).unwrap_or_default();
        let chunk = format!(
            r#"{{"id":{id},"object":"chat.completion.chunk","created":{created},"model":{model},"choices":{choices}{usage}}}"#
        );
        sse::frame(chunk.into_bytes())
    }

    /// The model's name as the client sees it.
    fn model(&self) -> &str {
        self.upstream_model.as_deref().filter(|_| !self.mapped).unwrap_or(&self.model)
    }

    /// Looks at the next chunk, and says what has to be changed of it; nothing if it is as it
    /// should be.
    ///
    /// # Errors
    /// The fault, if the answer ended with one.
    pub(super) fn look(&mut self, data: &[u8], chunk: &Chunk<'_>) -> Result<Vec<Edit>, Fault> {
        let mut edits = Vec::new();
        self.look_around(data, chunk, &mut edits);
        for (at, choice) in chunk.choices().iter().enumerate() {
            let changes = self.look_at(at, choice)?;
            if !changes.is_empty() {
                edits.extend(changed(data, "choices", at, "delta", changes));
            }
        }
        Ok(edits)
    }

    /// What every chunk says of the answer as a whole.
    fn look_around(&mut self, data: &[u8], chunk: &Chunk<'_>, edits: &mut Vec<Edit>) {
        let mut fill = |name: &str, slot: Slot<'_>, value: &str| match slot.0 {
            Some(raw) => edits.push((span(data, raw.get()), value.to_owned())),
            None => edits.push(first_field(data, &format!(r#""{name}":{value},"#))),
        };
        let text = |slot: Slot<'_>| slot.filled().is_some_and(|raw| raw.get().starts_with('"'));
        let remember = |known: &mut Option<String>, slot: Slot<'_>| {
            if let (None, Some(raw)) = (&known, slot.0) {
                *known = Some(raw.get().to_owned());
            }
        };
        if text(chunk.id) {
            remember(&mut self.id, chunk.id);
        } else {
            let seed = self.seed;
            let id = self.id.get_or_insert_with(|| format!("\"{}\"", mint::answer_id(seed, data)));
            fill("id", chunk.id, id);
        }
        if !text(chunk.object) {
            fill("object", chunk.object, "\"chat.completion.chunk\"");
        }
        let created = chunk.created.0.map(RawValue::get);
        if created.is_some_and(is_time) {
            remember(&mut self.created, chunk.created);
        } else {
            let now = self.now;
            fill("created", chunk.created, self.created.get_or_insert_with(|| now.to_string()));
        }
        if text(chunk.model) {
            remember(&mut self.upstream_model, chunk.model);
            if self.mapped {
                fill("model", chunk.model, &self.model);
            }
        } else {
            let model = self.upstream_model.as_deref().filter(|_| !self.mapped);
            fill("model", chunk.model, model.unwrap_or(&self.model));
        }
    }

    /// Looks at one choice of a chunk.
    fn look_at(&mut self, at: usize, choice: &Choice<'_>) -> Result<Vec<Change>, Fault> {
        let mut changes = Vec::new();
        let given = choice.index.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let index = given.unwrap_or_else(|| u64::try_from(at).unwrap_or_default());
        if given.is_none() {
            changes.push(Change::set(At::Choice, "index", Json::of(&index)));
        }
        if self.choices.len() >= MOST_CHOICES && !self.choices.contains_key(&index) {
            return Err(too_much());
        }
        let state = self.choices.entry(index).or_default();
        if choice.delta.is_none() {
            changes.push(Change::set(At::Choice, "delta", Json::of(&Fields::default())));
        }
        let said = choice.delta.unwrap_or_default();
        match (state.begun, said.has_role()) {
            (false, false) => changes.push(Change::set(At::Said, "role", Json::of("assistant"))),
            // Some clients put the roles of all deltas together.
            (true, true) => changes.push(Change::take(At::Said, "role")),
            _ => {}
        }
        state.begun = true;
        if let Some(reasoning) = said.other_reasoning().filter(|_| self.lenient) {
            changes.push(Change::take(At::Said, "reasoning"));
            changes.push(Change::set(At::Said, "reasoning_content", reasoning.into()));
        }
        let pieces = said.calls();
        if !pieces.is_empty() {
            changes.extend(state.calls.look(&pieces, self.seed, index));
            if self.choices.values().map(|state| state.calls.kept()).sum::<usize>() > MOST_KEPT {
                return Err(too_much());
            }
        }
        let state = self.choices.entry(index).or_default();
        if let Some(reason) = choice.finish_reason {
            match finish(reason, self.lenient, !state.calls.is_empty())? {
                Finish::AsItIs => state.finished = true,
                Finish::NotYet => {
                    changes.push(Change::set(At::Choice, "finish_reason", Json::null()));
                }
                Finish::Is(reason) => {
                    state.finished = true;
                    changes.push(Change::set(At::Choice, "finish_reason", Json::of(reason)));
                }
            }
        }
        Ok(changes)
    }
}

fn too_much() -> Fault {
    Fault::new(FaultKind::Malformed, "the answer has more choices or calls than can be kept")
}

fn is_time(text: &str) -> bool {
    text != "0" && text.bytes().all(|b| b.is_ascii_digit())
}
