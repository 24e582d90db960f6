//! Streamed answers, written as chunks: a state machine over the neutral events.

use super::{
    Shape, json,
    object::{Call, Chunk, ChunkChoice, DeltaObject, Function, Usage},
};
use crate::sse;
use bytes::Bytes;
use gateway_domain::{Fault, TokenCounts};
use gateway_ports::{
    Answer, AnswerBody, ChatAnswer, Delta, FinishReason, Json, Message, StreamEvent,
    provider::Fields,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// Writes the events of one answer. Whatever a decoder says, each choice begins once with the role
/// and ends once with its reason, and the stream ends once.
#[derive(Debug)]
pub struct Writer {
    shape: Shape,
    choices: BTreeMap<usize, State>,
    verbatim: bool,
    usage: Option<TokenCounts>,
    estimated: Option<TokenCounts>,
    service_tier: Option<String>,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begun,
    Finished,
}

impl Writer {
    /// The writer of an answer of this shape.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            choices: BTreeMap::new(),
            verbatim: false,
            usage: None,
            estimated: None,
            service_tier: None,
            over: false,
        }
    }

    /// Writes an event; most bring bytes, some do not.
    ///
    /// # Errors
    /// The fault of an answer that failed, to be put into words and written by [`Writer::fail`].
    pub fn write(&mut self, event: StreamEvent) -> Result<Bytes, Fault> {
        if self.over {
            return Ok(Bytes::new());
        }
        match event {
            StreamEvent::Wire { bytes, .. } => {
                self.verbatim = true;
                return Ok(bytes);
            }
            StreamEvent::Delta { choice, delta } => return Ok(self.delta(choice, &delta).into()),
            StreamEvent::Usage(counts) => self.usage = Some(counts),
            StreamEvent::Estimated(counts) => self.estimated = Some(counts),
            StreamEvent::ServiceTier(tier) => self.service_tier = Some(tier),
            StreamEvent::Failed(fault) => {
                self.over = true;
                return Err(fault);
            }
            StreamEvent::Done => return Ok(self.done().into()),
        }
        Ok(Bytes::new())
    }

    /// Writes an error, as which the answer ends: nothing after it says that it is complete.
    pub fn fail<T: Serialize + ?Sized>(&mut self, error: &T) -> Bytes {
        self.over = true;
        sse::frame(json(error))
    }

    /// Writes an answer that came whole although a stream was asked for, to its end.
    pub fn whole(&mut self, answer: Answer) -> Bytes {
        let mut out = Vec::new();
        self.usage = answer.usage;
        match answer.body {
            AnswerBody::Verbatim(body) => out.extend(self.split(&body)),
            AnswerBody::Chat(ChatAnswer { choices, service_tier }) => {
                self.service_tier = service_tier;
                for (choice, message) in choices.into_iter().enumerate() {
                    out.extend(deltas(message).iter().flat_map(|delta| self.delta(choice, delta)));
                }
            }
            // Vectors are never streamed.
            AnswerBody::Embeddings(_) => {}
        }
        out.extend(self.done());
        out.into()
    }

    fn delta(&mut self, choice: usize, delta: &Delta) -> Vec<u8> {
        let mut out = Vec::new();
        match self.choices.get(&choice) {
            Some(State::Finished) => return out,
            Some(State::Begun) => {}
            None => {
                self.choices.insert(choice, State::Begun);
                let role = DeltaObject {
                    role: Some("assistant"),
                    content: Some(""),
                    ..DeltaObject::default()
                };
                out.extend(self.chunk(choice, role, None, None));
            }
        }
        let mut object = DeltaObject::default();
        let (mut logprobs, mut finish) = (None, None);
        match delta {
            Delta::Begin => return out,
            Delta::Text(text) => object.content = Some(text),
            Delta::Reasoning(text) => object.reasoning_content = Some(text),
            Delta::ThinkingBlock(block) => object.thinking_blocks = Some([block]),
            Delta::Refusal(text) => object.refusal = Some(text),
            Delta::ToolCall { index, id, name, arguments, extra_content } => {
                let function = Function { name: name.as_deref(), arguments };
                match (self.shape.legacy_functions, index) {
                    (false, _) => {
                        object.tool_calls = Some([Call {
                            index: Some(*index),
                            id: id.as_deref(),
                            kind: id.as_ref().map(|_| "function"),
                            function,
                            extra_content: extra_content.as_ref(),
                        }]);
                    }
                    (true, 0) => object.function_call = Some(function),
                    // The old dialect has one call.
                    (true, _) => return out,
                }
            }
            Delta::Annotation(annotation) => object.annotations = Some([annotation]),
            Delta::Logprobs(probabilities) => logprobs = Some(probabilities),
            Delta::Finish(reason) => {
                self.choices.insert(choice, State::Finished);
                finish = Some(self.shape.finish(*reason));
            }
        }
        out.extend(self.chunk(choice, object, logprobs, finish));
        out
    }

    fn chunk<D: Serialize>(
        &self,
        index: usize,
        delta: D,
        logprobs: Option<&Json>,
        finish_reason: Option<&str>,
    ) -> Bytes {
        self.chunk_of(&[ChunkChoice { index, delta, logprobs, finish_reason }], None)
    }

    fn chunk_of<D: Serialize>(
        &self,
        choices: &[ChunkChoice<'_, D>],
        usage: Option<&TokenCounts>,
    ) -> Bytes {
        sse::frame(json(&Chunk {
            id: &self.shape.id,
            object: "chat.completion.chunk",
            created: self.shape.created,
            model: &self.shape.model,
            choices,
            usage: self.shape.include_usage.then(|| usage.map(Usage::from)),
            service_tier: self.service_tier.as_deref(),
        }))
    }

    /// A completion of this dialect as chunks: each choice's message, then why it stopped.
    fn split(&mut self, completion: &[u8]) -> Vec<u8> {
        #[derive(Deserialize)]
        struct Whole {
            #[serde(default)]
            choices: Vec<Choice>,
        }
        #[derive(Deserialize)]
        struct Choice {
            index: Option<usize>,
            message: Option<Json>,
            logprobs: Option<Json>,
            finish_reason: Option<String>,
        }
        let whole = serde_json::from_slice(completion).unwrap_or(Whole { choices: Vec::new() });
        let mut bytes = Vec::new();
        for (at, choice) in whole.choices.into_iter().enumerate() {
            let index = choice.index.unwrap_or(at);
            let message = choice.message.and_then(|message| message.fields()).unwrap_or_default();
            let finish = choice.finish_reason.unwrap_or_else(|| String::from("stop"));
            let delta = message_as_delta(message);
            bytes.extend(self.chunk(index, delta, choice.logprobs.as_ref(), None));
            bytes.extend(self.chunk(index, DeltaObject::default(), None, Some(&finish)));
            self.choices.insert(index, State::Finished);
        }
        bytes
    }

    fn done(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        // A stream that passes through brings its own usage, if its upstream reported any.
        let usage = if self.verbatim { self.estimated } else { self.usage.or(self.estimated) };
        if !self.verbatim {
            if self.choices.is_empty() {
                out.extend(self.delta(0, &Delta::Begin));
            }
            let open = self.choices.iter().filter(|(_, state)| **state == State::Begun);
            for choice in open.map(|(choice, _)| *choice).collect::<Vec<_>>() {
                out.extend(self.delta(choice, &Delta::Finish(FinishReason::Stop)));
            }
        }
        if let Some(counts) = usage.filter(|_| self.shape.include_usage) {
            out.extend(self.chunk_of::<DeltaObject<'_>>(&[], Some(&counts)));
        }
        self.over = true;
        out.extend_from_slice(DONE);
        out
    }
}

/// A whole message as its pieces.
fn deltas(message: Message) -> Vec<Delta> {
    let calls = message.tool_calls.into_iter().enumerate().map(|(index, call)| Delta::ToolCall {
        index,
        id: Some(call.id),
        name: Some(call.name),
        arguments: call.arguments,
        extra_content: call.extra_content,
    });
    let thought = message.reasoning.map(Delta::Reasoning).into_iter();
    thought
        .chain(message.thinking_blocks.into_iter().map(Delta::ThinkingBlock))
        .chain(message.text.map(Delta::Text))
        .chain(message.refusal.map(Delta::Refusal))
        .chain(calls)
        .chain(message.annotations.into_iter().map(Delta::Annotation))
        .chain(message.logprobs.map(Delta::Logprobs))
        .chain([Delta::Finish(message.finish)])
        .collect()
}

/// A message's fields as those of a delta: with the role, and each call with its index.
fn message_as_delta(mut message: Fields) -> Fields {
    if message.get("role").is_none() {
        message.set("role", Json::of("assistant"));
    }
    let calls = message.get("tool_calls").and_then(Json::items).unwrap_or_default();
    if !calls.is_empty() {
        let indexed = calls.iter().enumerate().map(|(index, call)| {
            let mut call = call.fields().unwrap_or_default();
            call.set("index", Json::of(&index));
            call
        });
        message.set("tool_calls", Json::of(&indexed.collect::<Vec<_>>()));
    }
    message
}
