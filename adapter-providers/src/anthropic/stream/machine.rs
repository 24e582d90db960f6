//! The events of a streamed message as pieces of an answer: a state machine.
//!
//! What was used is reported once the end of the message is told, and when it breaks off: a report
//! before that would count the few tokens that the message began with, and whoever leaves in
//! mid-stream would pay for no more.

use super::open::{self, Block, Open, Thought};
use crate::anthropic::{
    answer::{self, Meaning, id_or_place, text},
    usage::Usage,
};
use gateway_domain::{TokenCounts, policy::estimate::TextSize};
use gateway_ports::{Delta, FinishReason, Json, StreamEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One event.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type", default, deserialize_with = "name")]
    pub(super) name: Cow<'a, str>,
    pub(super) error: Option<&'a RawValue>,
    index: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    content_block: Option<&'a RawValue>,
    delta: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

/// A name of the wrong type is none.
fn name<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Cow<'de, str>, D::Error> {
    let raw = <&RawValue>::deserialize(d)?;
    Ok(text(Some(raw)).into())
}

#[derive(Default, Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    text: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
    signature: Option<&'a RawValue>,
    partial_json: Option<&'a RawValue>,
    stop_reason: Option<&'a RawValue>,
    stop_details: Option<&'a RawValue>,
}

#[derive(Default)]
pub(super) struct Machine {
    open: Open,
    calls: usize,
    started: bool,
    begun: bool,
    finished: bool,
    usage: Usage,
    reported: Option<TokenCounts>,
    produced: TextSize,
}

impl Machine {
    /// Whether it was told why the message ends.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes an event and appends what it brings; true if it was the last one.
    ///
    /// # Errors
    /// What is wrong with the stream.
    pub(super) fn take(
        &mut self,
        event: &Event<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<bool, &'static str> {
        match event.name.as_ref() {
            "message_start" => self.start(event.message),
            "content_block_start" => self.open(event, out)?,
            "content_block_delta" => self.piece(event, out),
            "content_block_stop" => {
                if let Some(block) = self.open.remove(place(event)) {
                    self.close(block, out);
                }
            }
            "message_delta" => self.message_delta(event, out),
            "message_stop" => {
                if !self.started {
                    return Err("the stream ends before it began");
                }
                self.stop("", None, out);
                return Ok(true);
            }
            // Pings, and events that came later than this.
            _ => {}
        }
        Ok(false)
    }

    /// The stream broke off: what is known of the prompt counts, and of the answer what came of it.
    pub(super) fn broke_off(&mut self, out: &mut Vec<StreamEvent>) {
        let Some(counts) = self.usage.counts().filter(|_| self.begun) else { return };
        let completion = counts.completion.max(self.produced.tokens());
        let counts = TokenCounts { completion, ..counts };
        if self.reported.is_none() {
            out.push(StreamEvent::Usage(counts));
        }
    }

    fn start(&mut self, message: Option<&RawValue>) {
        #[derive(Deserialize)]
        struct Start<'a> {
            #[serde(borrow)]
            usage: Option<&'a RawValue>,
        }
        self.started = true;
        let start = message.and_then(|raw| serde_json::from_str::<Start<'_>>(raw.get()).ok());
        start.and_then(|start| start.usage).into_iter().for_each(|usage| self.usage.merge(usage));
    }

    /// The answer begins with its first block, not with the message: an error in between is one of
    /// a message that nobody has seen, and another channel may be tried.
    fn begin(&mut self, out: &mut Vec<StreamEvent>) {
        self.started = true;
        if !self.begun {
            self.begun = true;
            out.extend(self.usage.tier().map(|tier| StreamEvent::ServiceTier(tier.to_owned())));
            out.push(Delta::Begin.into());
        }
    }

    fn emit(&mut self, delta: Delta, out: &mut Vec<StreamEvent>) {
        self.begin(out);
        if !self.finished {
            self.produced.add(delta.text());
            out.push(delta.into());
        }
    }

    fn open(&mut self, event: &Event<'_>, out: &mut Vec<StreamEvent>) -> Result<(), &'static str> {
        self.begin(out);
        let at = place(event);
        if let Some(unclosed) = self.open.remove(at) {
            self.close(unclosed, out);
        }
        let meaning = event.content_block.map_or(Meaning::Nothing, Meaning::of);
        let block = match meaning {
            Meaning::Text(text) => {
                self.say(Delta::Text, text, out);
                Block::Text
            }
            Meaning::Thinking(text) => {
                self.say(Delta::Reasoning, text, out);
                Block::Thinking(Thought::begun(event.content_block))
            }
            Meaning::Redacted => {
                let block = event.content_block.map_or_else(Json::null, Json::from);
                self.emit(Delta::ThinkingBlock(block), out);
                Block::Ignored
            }
            Meaning::Call { id, name, input } => {
                let index = self.calls;
                self.calls += 1;
                let id = Some(id_or_place(id, index));
                let (name, arguments) = (Some(name), String::new());
                let call = Delta::ToolCall { index, id, name, arguments, extra_content: None };
                self.emit(call, out);
                Block::Call { place: index, told: false, input }
            }
            Meaning::Nothing => Block::Ignored,
        };
        self.open.insert(at, block)
    }

    /// A piece of text of some sort; an empty one says nothing.
    fn say(&mut self, sort: fn(String) -> Delta, text: String, out: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.emit(sort(text), out);
        }
    }

    fn piece(&mut self, event: &Event<'_>, out: &mut Vec<StreamEvent>) {
        let piece = event.delta.and_then(|raw| serde_json::from_str::<Piece<'_>>(raw.get()).ok());
        let piece = piece.unwrap_or_default();
        let (kind, at) = (text(piece.kind), place(event));
        // A block whose beginning was left out is what its pieces are.
        match (kind.as_str(), self.open.get_mut(at)) {
            ("text_delta", Some(Block::Text) | None) => {
                self.say(Delta::Text, text(piece.text), out);
            }
            ("thinking_delta", Some(Block::Thinking(_))) => {
                let text = text(piece.thinking);
                self.open.add(at, open::Piece::Text(&text));
                self.say(Delta::Reasoning, text, out);
            }
            ("thinking_delta", None) => self.say(Delta::Reasoning, text(piece.thinking), out),
            ("signature_delta", Some(Block::Thinking(_))) => {
                self.open.add(at, open::Piece::Signature(&text(piece.signature)));
            }
            ("input_json_delta", Some(Block::Call { place, told, .. })) => {
                let arguments = text(piece.partial_json);
                if !arguments.is_empty() {
                    *told = true;
                    let place = *place;
                    self.arguments(place, arguments, out);
                }
            }
            _ => {}
        }
    }

    fn arguments(&mut self, index: usize, arguments: String, out: &mut Vec<StreamEvent>) {
        let (id, name) = (None, None);
        let call = Delta::ToolCall { index, id, name, arguments, extra_content: None };
        self.emit(call, out);
    }

    fn close(&mut self, block: Block, out: &mut Vec<StreamEvent>) {
        match block {
            Block::Call { place, told: false, input } => {
                let arguments = input.unwrap_or_else(|| String::from("{}"));
                self.arguments(place, arguments, out);
            }
            Block::Thinking(thought) => {
                if let Some(block) = thought.whole() {
                    self.emit(Delta::ThinkingBlock(block), out);
                }
            }
            Block::Call { .. } | Block::Text | Block::Ignored => {}
        }
    }

    fn message_delta(&mut self, event: &Event<'_>, out: &mut Vec<StreamEvent>) {
        event.usage.into_iter().for_each(|usage| self.usage.merge(usage));
        let piece = event.delta.and_then(|raw| serde_json::from_str::<Piece<'_>>(raw.get()).ok());
        let piece = piece.unwrap_or_default();
        let reason = text(piece.stop_reason);
        if !reason.is_empty() || self.finished {
            self.stop(&reason, piece.stop_details, out);
        }
    }

    /// The message ends, for this reason; then what was used is known. A second reason is not
    /// heard.
    fn stop(&mut self, reason: &str, stop_details: Option<&RawValue>, out: &mut Vec<StreamEvent>) {
        while let Some(block) = self.open.pop_first() {
            self.close(block, out);
        }
        if !self.finished {
            let finish: FinishReason = answer::finish(reason);
            if let Some(why) = answer::refusal(finish, stop_details) {
                self.emit(Delta::Refusal(why), out);
            }
            self.emit(Delta::Finish(finish), out);
            self.finished = true;
        }
        let counts = self.usage.counts();
        if counts != self.reported {
            self.reported = counts;
            out.extend(counts.map(StreamEvent::Usage));
        }
    }
}

/// The block that an event is about: a key, and nothing that can be counted with.
fn place(event: &Event<'_>) -> u64 {
    event.index.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(0)
}
