//! The conversation: what the operator says apart, then turns of the user and of the model.
//!
//! Neighbouring messages of one side are one turn. Answers of tools are a turn of their own, in the
//! order of the calls that they answer, each with the name of its function, which the caller does
//! not repeat.

use super::{
    Model, Notes, Result,
    parts::{self, At, FunctionCall, FunctionResponse, Output, Part},
};
use crate::gemini::{ids, models::Signatures, names::Names};
use gateway_ports::{
    ChatRequest, ProviderError,
    provider::request::{CallMade, ChatMessage, Content, PartKind, Role},
};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::{borrow::Cow, collections::BTreeMap};

/// What stands for a message of which nothing is left.
const NOTHING: &str = ".";
/// Google's own word for a call whose signature is not at hand: the conversation began elsewhere, or
/// its client did not keep what it does not know.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Model,
    Tools,
}

pub(super) struct Turn<'a> {
    side: Side,
    parts: Vec<Part<'a>>,
}

impl Serialize for Turn<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = s.serialize_struct("Content", 2)?;
        // Gemini knows no role of tools.
        fields.serialize_field("role", if self.side == Side::Model { "model" } else { "user" })?;
        fields.serialize_field("parts", &self.parts)?;
        fields.end()
    }
}

pub(super) struct Conversation<'a> {
    /// What the operator says.
    pub(super) system: Vec<Part<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
}

/// Where in the conversation a call was made: in which message, and which of its calls it is.
type Place = (usize, usize);

struct Writer<'a, 'm> {
    model: &'m Model<'m>,
    names: &'a Names,
    conversation: Conversation<'a>,
    /// The calls so far, by their ids: the latest of each.
    calls: BTreeMap<&'a str, (Place, &'a CallMade)>,
    /// Answers of tools that are not in a turn yet, each with the call that it answers.
    answers: Vec<(Place, Part<'a>)>,
}

pub(super) fn write<'a>(
    request: &'a ChatRequest,
    model: &Model<'_>,
    names: &'a Names,
    notes: &mut Notes,
) -> Result<Conversation<'a>> {
    let mut writer = Writer {
        model,
        names,
        conversation: Conversation { system: Vec::new(), turns: Vec::new() },
        calls: BTreeMap::new(),
        answers: Vec::new(),
    };
    for (index, message) in request.messages.iter().enumerate() {
        writer.message(index, message, notes)?;
    }
    writer.answers_end();
    let Conversation { mut system, mut turns } = writer.conversation;
    if turns.is_empty() {
        // Gemini wants to be asked something.
        let last = system.pop().unwrap_or_else(|| Part::text(NOTHING));
        turns.push(Turn { side: Side::User, parts: vec![last] });
    }
    if model.rules.signatures == Signatures::Required {
        let escape = model.options.text("thought_signature_escape")?.unwrap_or(NO_SIGNATURE);
        for turn in &mut turns {
            let first = turn.parts.iter_mut().find(|part| part.function_call.is_some());
            if let Some(part) = first.filter(|part| part.thought_signature.is_none()) {
                part.thought_signature = Some(Cow::Owned(escape.to_owned()));
            }
        }
    }
    Ok(Conversation { system, turns })
}

impl<'a> Writer<'a, '_> {
    fn message(&mut self, index: usize, message: &'a ChatMessage, notes: &mut Notes) -> Result<()> {
        // A tool's name is that of the call that it answers.
        let is_tool = matches!(message.role, Role::Tool | Role::Function);
        for (name, lost) in [
            ("name", message.name.is_some() && !is_tool),
            ("reasoning_content", message.reasoning.is_some()),
            ("thinking_blocks", !message.thinking_blocks.is_empty()),
            ("audio", message.audio.is_some()),
            ("cache_control", message.cache.control.is_some()),
            ("prompt_cache_breakpoint", message.cache.breakpoint.is_some()),
        ] {
            if lost {
                notes.lose(format!("messages.{name}"));
            }
        }
        match message.role {
            Role::System | Role::Developer => {
                let texts = texts(index, message)?;
                let texts = texts.into_iter().filter(|text| !text.trim().is_empty());
                self.conversation.system.extend(texts.map(Part::text));
            }
            Role::User => {
                let mut parts = self.parts(index, message, notes)?;
                if parts.is_empty() {
                    parts.push(Part::text(NOTHING));
                }
                self.push(Side::User, parts);
            }
            Role::Assistant => {
                let mut parts = self.parts(index, message, notes)?;
                let refusal = message.refusal.as_deref().filter(|text| !text.is_empty());
                parts.extend(refusal.map(Part::text));
                let legacy = message.function_call.iter();
                for (number, call) in message.tool_calls.iter().chain(legacy).enumerate() {
                    let id = if call.id.is_empty() { &call.name } else { &call.id };
                    self.calls.insert(id, ((index, number), call));
                    parts.push(self.call(call, notes));
                }
                if !parts.is_empty() {
                    self.push(Side::Model, parts);
                }
            }
            Role::Tool | Role::Function => {
                let answer = self.answer(index, message)?;
                self.answers.push(answer);
            }
        }
        Ok(())
    }

    fn push(&mut self, side: Side, parts: Vec<Part<'a>>) {
        if side != Side::Tools {
            self.answers_end();
        }
        match self.conversation.turns.last_mut().filter(|turn| turn.side == side) {
            Some(turn) => turn.parts.extend(parts),
            None => self.conversation.turns.push(Turn { side, parts }),
        }
    }

    /// Puts the answers of tools into a turn, in the order of their calls.
    fn answers_end(&mut self) {
        let mut answers = std::mem::take(&mut self.answers);
        if !answers.is_empty() {
            answers.sort_by_key(|(place, _)| *place);
            self.push(Side::Tools, answers.into_iter().map(|(_, part)| part).collect());
        }
    }

    fn parts(
        &self,
        index: usize,
        message: &'a ChatMessage,
        notes: &mut Notes,
    ) -> Result<Vec<Part<'a>>> {
        match &message.content {
            Content::None => Ok(Vec::new()),
            Content::Text(text) => Ok(Some(text.as_str())
                .filter(|text| !text.is_empty())
                .map(Part::text)
                .into_iter()
                .collect()),
            Content::Parts(all) => {
                let mut written = Vec::new();
                for (number, part) in all.iter().enumerate() {
                    written.extend(parts::write(part, At(index, number), self.model, notes)?);
                }
                Ok(written)
            }
        }
    }

    fn call(&self, call: &'a CallMade, notes: &mut Notes) -> Part<'a> {
        let args = call.input().unwrap_or_else(|wrapped| {
            notes.lose("messages.tool_calls.function.arguments");
            wrapped
        });
        let signature = Some(&self.model.rules.signatures)
            .filter(|signatures| **signatures != Signatures::Unknown)
            .and_then(|_| call.thought_signature());
        Part {
            function_call: Some(FunctionCall {
                id: self.id(call),
                name: self.names.changed(&call.name),
                args,
            }),
            thought_signature: signature.map(Cow::Owned),
            ..Part::default()
        }
    }

    /// The id of a call if Gemini gave it; others mean nothing to it.
    fn id(&self, call: &'a CallMade) -> Option<&'a str> {
        Some(call.id.as_str()).filter(|id| self.model.rules.call_ids && ids::is_native(id))
    }

    fn answer(&self, index: usize, message: &'a ChatMessage) -> Result<(Place, Part<'a>)> {
        let (param, id) = match message.role {
            Role::Function => ("name", message.name.as_deref()),
            _ => ("tool_call_id", message.tool_call_id.as_deref()),
        };
        let refused = |why: &str| {
            let param = format!("messages.[{index}].{param}");
            let message = format!("{param} {why}");
            ProviderError::unsupported(param, ProviderError::INVALID_VALUE, message)
        };
        let id = id.ok_or_else(|| refused("is missing"))?;
        let called = self.calls.get(id);
        let (place, id, name) = match (called, message.role) {
            (Some((place, call)), _) => (*place, self.id(call), call.name.as_str()),
            (None, Role::Function) => ((index, 0), None, id),
            (None, _) => return Err(refused("answers no call that was made before")),
        };
        let texts = texts(index, message)?;
        let output = match texts.as_slice() {
            [one] => Cow::Borrowed(*one),
            several => Cow::Owned(several.concat()),
        };
        let response = Output { output };
        let function_response =
            Some(FunctionResponse { id, name: self.names.changed(name), response });
        Ok((place, Part { function_response, ..Part::default() }))
    }
}

/// The texts of a message that may have nothing else.
fn texts(index: usize, message: &ChatMessage) -> Result<Vec<&str>> {
    if let Content::Parts(parts) = &message.content {
        let is_text = |kind: &PartKind| matches!(kind, PartKind::Text(_) | PartKind::Refusal(_));
        if let Some(number) = parts.iter().position(|part| !is_text(&part.kind)) {
            return Err(At(index, number).refused(
                ProviderError::UNSUPPORTED_CONTENT,
                "is no text, and this model takes nothing else here",
            ));
        }
    }
    Ok(message.content.texts())
}
