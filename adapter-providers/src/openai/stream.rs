//! Streamed answers: passed on event by event, read for usage, errors and their end.

use super::{
    answer::{Texts, fault_of_body, is_error, usage},
    edit::{self, Edit},
};
use crate::sse::{self, SseReader};
use bytes::Bytes;
use gateway_domain::{Fault, FaultKind, call::json::span, policy::estimate::TextSize};
use gateway_ports::{StreamDecoder, StreamEvent};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    model: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
    moderation: Option<IgnoredAny>,
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Texts<'a>>,
    finish_reason: Option<Cow<'a, str>>,
}

/// What becomes of one event.
enum Verdict {
    /// It is passed on as it is.
    Pass { text: TextSize, meaningful: bool },
    /// It is passed on changed.
    Changed { bytes: Bytes, text: TextSize, meaningful: bool },
    /// It is not for the client.
    Drop,
    /// The answer is complete.
    Done,
    /// The answer failed.
    Failed(Fault),
}

pub(super) struct Decoder {
    reader: SseReader,
    ends: Vec<usize>,
    include_usage: bool,
    public_name: Option<String>,
    finished: bool,
    over: bool,
}

impl Decoder {
    pub(super) fn new(include_usage: bool, public_name: Option<String>) -> Self {
        Self {
            reader: SseReader::default(),
            ends: Vec::new(),
            include_usage,
            public_name,
            finished: false,
            over: false,
        }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<StreamEvent>) {
        self.over = true;
        out.push(StreamEvent::Failed(fault));
    }

    /// Judges one event, and reports the usage in it.
    fn judge(&mut self, event: &[u8], out: &mut Vec<StreamEvent>) -> Verdict {
        let Some(data) = sse::parse(event).data else {
            let blank = event.iter().all(u8::is_ascii_whitespace);
            let comment = Verdict::Pass { text: TextSize::default(), meaningful: false };
            return if blank { Verdict::Drop } else { comment };
        };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Verdict::Drop;
        }
        if data.starts_with(b"[DONE]") {
            return Verdict::Done;
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            // JSON of another shape may be an extension: it is passed on unread.
            return if serde_json::from_slice::<IgnoredAny>(data).is_ok() && data.starts_with(b"{") {
                Verdict::Pass { text: TextSize::default(), meaningful: true }
            } else {
                Verdict::Failed(Fault::new(
                    FaultKind::Malformed,
                    "the stream is not what the API promises",
                ))
            };
        };
        if chunk.error.is_some_and(is_error) {
            return Verdict::Failed(Fault { kind: FaultKind::Server, ..fault_of_body(data) });
        }
        let mut text = TextSize::default();
        let choices = chunk.choices.unwrap_or_default();
        for choice in &choices {
            text.add(choice.delta.as_ref().map(Texts::size).unwrap_or_default());
            self.finished |= choice.finish_reason.as_deref().is_some_and(|r| !r.is_empty());
        }
        let counts = chunk.usage.and_then(usage);
        if let Some(counts) = counts {
            out.push(StreamEvent::Usage(counts));
        }
        if choices.is_empty()
            && chunk.moderation.is_none()
            && !(self.include_usage && counts.is_some())
        {
            return Verdict::Drop;
        }
        let edits = self.edits(data, chunk.model);
        if edits.is_empty() {
            return Verdict::Pass { text, meaningful: !choices.is_empty() };
        }
        Verdict::Changed {
            bytes: wire(edit::apply(data, edits)),
            text,
            meaningful: !choices.is_empty(),
        }
    }

    /// What a client must see otherwise: the model's name if it was mapped, and no usage, not even
    /// `null`, if it was not asked for.
    fn edits(&self, data: &[u8], model: Option<&RawValue>) -> Vec<Edit> {
        let mut edits = Vec::new();
        if let (Some(name), Some(model)) = (&self.public_name, model) {
            edits.push((span(data, model.get()), name.clone()));
        }
        if !self.include_usage
            && memchr::memmem::find(data, b"\"usage\"").is_some()
            && let Some(field) = usage_field(data)
        {
            edits.push((field, String::new()));
        }
        edits
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        if self.over {
            return;
        }
        let mut ends = std::mem::take(&mut self.ends);
        match self.reader.feed(bytes, &mut ends) {
            Ok(run) => {
                let mut passing = Passing { run, ..Passing::default() };
                let mut start = 0;
                for end in ends.iter().copied() {
                    let event = passing.run.slice(start..end);
                    match self.judge(&event, out) {
                        Verdict::Pass { text, meaningful } => {
                            passing.extend(start, end, text, meaningful);
                        }
                        Verdict::Drop => passing.flush(out),
                        Verdict::Changed { bytes, text, meaningful } => {
                            passing.flush(out);
                            out.push(StreamEvent::Wire { bytes, text, meaningful });
                        }
                        Verdict::Done => {
                            passing.flush(out);
                            out.push(StreamEvent::Done);
                            self.over = true;
                        }
                        Verdict::Failed(fault) => {
                            passing.flush(out);
                            self.fail(fault, out);
                        }
                    }
                    start = end;
                    if self.over {
                        break;
                    }
                }
                passing.flush(out);
            }
            Err(sse::TooLarge) => {
                self.fail(
                    Fault::new(FaultKind::Malformed, "an event of the stream is too large"),
                    out,
                );
            }
        }
        self.ends = ends;
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.over {
            return;
        }
        // An upstream may forget the last blank line.
        let mut rest = self.reader.finish().to_vec();
        if sse::parse(&rest).data.is_some_and(|data| !data.trim_ascii().is_empty()) {
            rest.extend_from_slice(b"\n\n");
            self.feed(Bytes::from(rest), out);
        }
        if !self.over {
            if self.finished {
                self.over = true;
                out.push(StreamEvent::Done);
            } else {
                self.fail(Fault::new(FaultKind::Malformed, "the upstream's stream broke off"), out);
            }
        }
    }
}

/// A run of neighbouring events that are passed on together.
#[derive(Default)]
struct Passing {
    run: Bytes,
    range: Option<std::ops::Range<usize>>,
    text: TextSize,
    meaningful: bool,
}

impl Passing {
    fn extend(&mut self, start: usize, end: usize, text: TextSize, meaningful: bool) {
        self.range = Some(self.range.as_ref().map_or(start, |r| r.start)..end);
        self.text.add(text);
        self.meaningful |= meaningful;
    }

    fn flush(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some(range) = self.range.take() {
            out.push(StreamEvent::Wire {
                bytes: self.run.slice(range),
                text: std::mem::take(&mut self.text),
                meaningful: std::mem::take(&mut self.meaningful),
            });
        }
    }
}

/// Where the `usage` field of a chunk stands, whatever its value.
fn usage_field(data: &[u8]) -> Option<std::ops::Range<usize>> {
    #[derive(Deserialize)]
    struct OnlyUsage<'a> {
        // Not `Option`: `null` has a place too.
        #[serde(borrow)]
        usage: &'a RawValue,
    }
    let found: OnlyUsage<'_> = serde_json::from_slice(data).ok()?;
    edit::field(data, "usage", &span(data, found.usage.get()))
}

/// One event of this JSON. Line feeds, which only stand between its tokens, would end the line.
fn wire(mut data: Vec<u8>) -> Bytes {
    for byte in &mut data {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Bytes::from([b"data: ".as_slice(), &data, b"\n\n"].concat())
}
