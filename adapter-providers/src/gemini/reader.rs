//! Answers, piece by piece: a state machine from Gemini's objects to neutral events.
//!
//! A whole answer is read like a stream of one piece, so that both say the same. What is
//! deliberately not known here: how the objects are framed.

use super::{
    fault,
    finish::{Ending, ending},
    ids::{self, Ids},
    logprobs::logprobs,
    names::Names,
    usage::Counters,
    wire::{Candidate, FunctionCall, Lenient, Part, Response, Text},
};
use gateway_domain::{Fault, FaultKind, TokenCounts};
use gateway_ports::{Delta, FinishReason, Json, StreamEvent};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// The most answers that a caller may ask for.
const MOST_CHOICES: usize = 128;
/// The most native ids that are remembered to be distinct; after them ids are made.
const MOST_IDS: usize = 1024;

/// What a channel wants done with an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes {
    /// A blocked prompt is an error, as Azure has it.
    pub(super) blocked_as_error: bool,
    /// Images are written into the text.
    pub(super) images_as_markdown: bool,
}

/// Reads the objects of one answer.
#[derive(Debug)]
pub(super) struct Reader {
    names: Names,
    ids: Ids,
    wishes: Wishes,
    choices: BTreeMap<usize, Choice>,
    counters: Counters,
    reported: Option<TokenCounts>,
}

#[derive(Debug, Default)]
struct Choice {
    /// Something of the answer was there: text or a call.
    spoke: bool,
    /// How many calls there were.
    calls: usize,
    /// The ids of Gemini's own among them.
    ids: BTreeSet<String>,
    /// Why it ended, as far as was said. Some models say it with every piece, so it is passed on
    /// only when nothing can come after it.
    finish: Option<FinishReason>,
}

impl Reader {
    pub(super) fn new(names: Names, ids: Ids, wishes: Wishes) -> Self {
        Self {
            names,
            ids,
            wishes,
            choices: BTreeMap::new(),
            counters: Counters::default(),
            reported: None,
        }
    }

    /// Takes one object, or an array of them, as streams are without their framing.
    ///
    /// # Errors
    /// The fault in it, or that it is none.
    pub(super) fn take(&mut self, json: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Fault> {
        // A few bytes that are no text are not worth an answer.
        let text = String::from_utf8_lossy(json);
        if !is_array(text.as_bytes()) {
            return self.object(&text, out);
        }
        let items: Vec<&RawValue> = serde_json::from_str(&text).map_err(|_| unreadable())?;
        items.into_iter().try_for_each(|item| self.object(item.get(), out))
    }

    fn object(&mut self, text: &str, out: &mut Vec<StreamEvent>) -> Result<(), Fault> {
        if !text.trim_start().starts_with('{') {
            return Err(unreadable());
        }
        let response: Response<'_> = serde_json::from_str(text).map_err(|_| unreadable())?;
        if let Some(error) = response.error.filter(|error| error.get() != "null") {
            return Err(fault::of_error(error.get()));
        }
        if let Lenient(Some(said)) = &response.usage_metadata {
            self.counters.take(said);
            let counts = self.counters.counts();
            if counts != self.reported {
                self.reported = counts;
                out.extend(counts.map(StreamEvent::Usage));
            }
        }
        let answer = text_of(&response.response_id);
        for (index, candidate) in numbered(&response.candidates.0) {
            self.candidate(index, candidate, answer, out)?;
        }
        let blocked = response.prompt_feedback.0.as_ref();
        let blocked = blocked.map(|feedback| text_of(&feedback.block_reason));
        let known = |reason: &&str| !reason.is_empty() && !reason.ends_with("_UNSPECIFIED");
        match blocked.filter(known) {
            Some(reason) if self.choices.is_empty() => self.blocked(reason),
            _ => Ok(()),
        }
    }

    /// Ends an answer that came whole: one that says something, but not why it ended, just ended.
    pub(super) fn end_of_whole(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Fault> {
        for choice in self.choices.values_mut().filter(|choice| choice.spoke) {
            choice.finish.get_or_insert(FinishReason::Stop);
        }
        self.end(out)
    }

    /// Ends an answer of which no more comes.
    ///
    /// # Errors
    /// It is not complete: one of its choices did not say why it ended.
    pub(super) fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Fault> {
        let finished = |(index, choice): (&usize, &Choice)| {
            let delta = Delta::Finish(choice.reason()?);
            Some(StreamEvent::Delta { choice: *index, delta })
        };
        let ends: Option<Vec<StreamEvent>> = self.choices.iter().map(finished).collect();
        let ends = ends.filter(|ends| !ends.is_empty());
        out.extend(ends.ok_or_else(|| malformed("the upstream's answer broke off"))?);
        Ok(())
    }

    /// A prompt that was not let through is an answer of nothing.
    fn blocked(&mut self, reason: &str) -> Result<(), Fault> {
        if self.wishes.blocked_as_error {
            let message = fault::scrubbed(&format!("the prompt was blocked: {reason}"));
            let code = Some(String::from("content_filter"));
            return Err(Fault { code, ..Fault::new(FaultKind::Rejected, message) });
        }
        self.choices.entry(0).or_default().finish = Some(FinishReason::ContentFilter);
        Ok(())
    }

    fn candidate(
        &mut self,
        index: usize,
        candidate: &Candidate<'_>,
        answer: &str,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Fault> {
        if index >= MOST_CHOICES {
            return Ok(());
        }
        let choice = self.choices.entry(index).or_default();
        let mut push = |delta| out.push(StreamEvent::Delta { choice: index, delta });
        for part in candidate.content.0.iter().flat_map(|content| &content.parts.0) {
            let delta = match &part.function_call.0 {
                Some(call) => {
                    let made = |number| self.ids.make(answer, index, number);
                    choice.call(call, part, &self.names, made)
                }
                None => said(part, self.wishes),
            };
            if let Some(delta) = delta {
                choice.spoke |= !matches!(delta, Delta::Reasoning(_));
                push(delta);
            }
        }
        if let Some(probabilities) = candidate.logprobs_result.0.as_ref().and_then(logprobs) {
            push(Delta::Logprobs(probabilities));
        }
        let reason = text_of(&candidate.finish_reason);
        if reason.is_empty() {
            return Ok(());
        }
        match ending(reason) {
            Ending::Finished(reason) => choice.finish = Some(reason),
            Ending::Malformed if choice.spoke => choice.finish = Some(FinishReason::Stop),
            Ending::Malformed => {
                let message = format!("{reason} {}", text_of(&candidate.finish_message));
                return Err(malformed(&fault::scrubbed(&message)));
            }
        }
        Ok(())
    }
}

impl Choice {
    /// Why it ended. That it wants tools called, Gemini does not say.
    fn reason(&self) -> Option<FinishReason> {
        match self.finish? {
            FinishReason::Stop if self.calls > 0 => Some(FinishReason::ToolCalls),
            reason => Some(reason),
        }
    }

    /// A call, which always comes whole. One without a name cannot be made.
    fn call(
        &mut self,
        call: &FunctionCall<'_>,
        part: &Part<'_>,
        names: &Names,
        made: impl Fn(usize) -> String,
    ) -> Option<Delta> {
        let name = text_of(&call.name);
        if name.is_empty() {
            return None;
        }
        let index = self.calls;
        self.calls += 1;
        let native = text_of(&call.id);
        let id =
            if ids::fits(native) && self.ids.len() < MOST_IDS && self.ids.insert(native.to_owned())
            {
                native.to_owned()
            } else {
                made(index)
            };
        Some(Delta::ToolCall {
            index,
            id: Some(id),
            name: Some(names.original(name.to_owned())),
            arguments: arguments(call.args),
            extra_content: signature(part),
        })
    }
}

/// What a part says that is no call; nothing for kinds that a client has no use for.
fn said(part: &Part<'_>, wishes: Wishes) -> Option<Delta> {
    let text = text_of(&part.text);
    if !text.is_empty() {
        let thought = part.thought.0 == Some(true);
        return Some(if thought {
            Delta::Reasoning(text.into())
        } else {
            Delta::Text(text.into())
        });
    }
    let wanted = wishes.images_as_markdown && part.thought.0 != Some(true);
    let image = part.inline_data.0.as_ref().filter(|_| wanted)?;
    let (kind, data) = (text_of(&image.mime_type), text_of(&image.data));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+/=-_.".contains(&b);
    (kind.starts_with("image/") && kind.bytes().chain(data.bytes()).all(plain))
        .then(|| Delta::Text(format!("![image](data:{kind};base64,{data})")))
}

/// The signature of the thought that led to a call, where Google's own layer has it.
fn signature(part: &Part<'_>) -> Option<Json> {
    let signature = text_of(&part.thought_signature);
    (!signature.is_empty())
        .then(|| Json::of(&serde_json::json!({"google": {"thought_signature": signature}})))
}

/// Arguments as text, without the white space that whole answers are set with.
fn arguments(args: Option<&RawValue>) -> String {
    let text = args.map_or("{}", RawValue::get);
    if text == "null" {
        return String::from("{}");
    }
    let (mut in_string, mut escaped) = (false, false);
    let kept = text.chars().filter(|c| {
        let keep = in_string || !c.is_ascii_whitespace();
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        keep
    });
    kept.collect()
}

/// The candidates with their numbers. The first one's is 0, which is not written.
fn numbered<'a, 'b>(candidates: &'b [Candidate<'a>]) -> Vec<(usize, &'b Candidate<'a>)> {
    let said: BTreeSet<usize> = candidates.iter().filter_map(|one| one.index.0).collect();
    let mut free = (0..).filter(|index| !said.contains(index));
    let numbered =
        candidates.iter().filter_map(|one| Some((one.index.0.or_else(|| free.next())?, one)));
    numbered.collect()
}

fn text_of<'a>(text: &'a Lenient<Text<'_>>) -> &'a str {
    text.0.as_ref().map_or("", |Text(text)| Cow::as_ref(text))
}

/// Whether a text is an array.
pub(super) fn is_array(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"[")
}

fn unreadable() -> Fault {
    malformed("the answer is not what the API promises")
}

pub(super) fn malformed(what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, what)
}
