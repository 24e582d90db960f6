//! Streamed answers: passed on event by event, read for usage, errors and their end.
//!
//! An event that is as it should be is passed on as it came, byte for byte, and neighbouring ones
//! together. What a server wrote in its own way is put right where it stands. Usage is in one chunk
//! at the end, or nowhere, wherever the server has it.

mod chunk;

use super::{answer::is_error, edit, usage::with_total};
use crate::sse::{self, SseReader};
use bytes::Bytes;
use chunk::{Chunk, Progress};
use gateway_domain::{Fault, FaultKind, ModelCall, call::json::span, policy::estimate::TextSize};
use gateway_ports::{Json, StreamDecoder, StreamEvent, Target, provider::fault_of_event};
use serde::de::IgnoredAny;

/// What becomes of one event.
enum Verdict {
    /// It is passed on as it is, or as these bytes.
    Pass { changed: Option<Bytes>, text: TextSize, meaningful: bool },
    /// It has usage for the client, so it is passed on last: as it is, or as these bytes.
    Keep { changed: Option<Bytes> },
    /// It is not for the client.
    Drop,
    /// The answer is complete.
    Done,
    /// The answer failed.
    Failed(Fault),
}

/// Usage that the client is still to see.
enum Owed {
    /// In the event that it came in.
    Event(Bytes),
    /// In an event that is yet to be written.
    Usage(Json),
}

pub(super) struct Decoder {
    reader: SseReader,
    ends: Vec<usize>,
    include_usage: bool,
    progress: Progress,
    owed: Option<Owed>,
    over: bool,
}

impl Decoder {
    pub(super) fn new(call: &ModelCall, target: &Target<'_>, lenient: bool) -> Self {
        Self {
            reader: SseReader::default(),
            ends: Vec::new(),
            include_usage: call.include_usage,
            progress: Progress::new(call, target, lenient),
            owed: None,
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
            let text = TextSize::default();
            let comment = Verdict::Pass { changed: None, text, meaningful: false };
            return if blank { Verdict::Drop } else { comment };
        };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Verdict::Drop;
        }
        if data.starts_with(b"[DONE]") {
            return Verdict::Done;
        }
        let Ok(text) = std::str::from_utf8(data) else {
            // A few bytes that are no text are not worth an answer.
            let text = sse::frame(String::from_utf8_lossy(data).into_owned().into_bytes());
            return match self.judge(&text, out) {
                Verdict::Pass { changed, text: size, meaningful } => {
                    Verdict::Pass { changed: changed.or(Some(text)), text: size, meaningful }
                }
                Verdict::Keep { changed } => Verdict::Keep { changed: changed.or(Some(text)) },
                verdict => verdict,
            };
        };
        match serde_json::from_str::<Chunk<'_>>(text) {
            Ok(chunk) => self.judge_chunk(data, &chunk, out),
            // JSON of another shape may be an extension: it is passed on unread.
            Err(_) if data.starts_with(b"{") && is_json(text) => {
                Verdict::Pass { changed: None, text: TextSize::default(), meaningful: true }
            }
            Err(_) => {
                let what = "the stream is not what the API promises";
                Verdict::Failed(Fault::new(FaultKind::Malformed, what))
            }
        }
    }

    fn judge_chunk(
        &mut self,
        data: &[u8],
        chunk: &Chunk<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Verdict {
        if chunk.error.is_some_and(is_error) || chunk.is_error() {
            return Verdict::Failed(fault_of_event(data));
        }
        let usage = chunk.used();
        if let Some((counts, _)) = usage {
            out.push(StreamEvent::Usage(counts));
        }
        let wanted = usage.filter(|_| self.include_usage);
        let of_usage = chunk.choices().is_empty() && chunk.moderation.is_none() && wanted.is_some();
        if let Some((counts, raw)) = wanted.filter(|_| !of_usage) {
            let usage = with_total(raw, &counts).unwrap_or_else(|| raw.into());
            self.owed = Some(Owed::Usage(usage));
        }
        // Azure's notes on what its filter thought of an answer say nothing of the answer.
        let notes = chunk.choices().iter().all(chunk::Choice::is_note);
        if notes && chunk.moderation.is_none() && !of_usage {
            return Verdict::Drop;
        }
        let mut edits = match self.progress.look(data, chunk) {
            Ok(edits) => edits,
            Err(fault) => return Verdict::Failed(fault),
        };
        if let Some(field) = chunk.usage.0 {
            let place = span(data, field.get());
            match wanted {
                Some((counts, raw)) if of_usage => {
                    let total = with_total(raw, &counts);
                    edits.extend(total.map(|total| (place, total.get().to_owned())));
                }
                _ if self.include_usage => {
                    if field.get() != "null" {
                        edits.push((place, String::from("null")));
                    }
                }
                // Not even `null` for who did not ask.
                _ => edits.extend(edit::field(data, "usage", &place).map(|at| (at, String::new()))),
            }
        }
        let changed = (!edits.is_empty()).then(|| sse::frame(edit::apply(data, edits)));
        if of_usage {
            return Verdict::Keep { changed };
        }
        Verdict::Pass { changed, text: chunk.size(), meaningful: !chunk.choices().is_empty() }
    }

    /// The answer is complete: what the client is still to see of it, and its end.
    fn conclude(&mut self, out: &mut Vec<StreamEvent>) {
        self.over = true;
        let wire =
            |bytes, meaningful| StreamEvent::Wire { bytes, text: TextSize::default(), meaningful };
        match self.owed.take() {
            Some(Owed::Event(event)) => out.push(wire(event, false)),
            Some(Owed::Usage(usage)) => {
                out.push(wire(self.progress.chunk("[]", Some(usage.get())), false));
            }
            None => {}
        }
        out.push(StreamEvent::Done);
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
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
                        Verdict::Pass { changed: None, text, meaningful } => {
                            passing.extend(start, end, text, meaningful);
                        }
                        Verdict::Pass { changed: Some(bytes), text, meaningful } => {
                            passing.flush(out);
                            out.push(StreamEvent::Wire { bytes, text, meaningful });
                        }
                        Verdict::Keep { changed } => {
                            passing.flush(out);
                            self.owed = Some(Owed::Event(changed.unwrap_or(event)));
                        }
                        Verdict::Drop => passing.flush(out),
                        Verdict::Done => {
                            passing.flush(out);
                            self.conclude(out);
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
            if self.progress.is_finished() {
                self.conclude(out);
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
