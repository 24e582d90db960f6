//! Streamed messages, read: the framing of the events, and where the stream ends.

mod machine;
mod open;

use super::{answer::is_error, fault};
use crate::sse::{self, SseReader};
use bytes::Bytes;
use gateway_domain::{Fault, FaultKind};
use gateway_ports::{StreamDecoder, StreamEvent};
use machine::{Event, Machine};
use std::borrow::Cow;

/// Reads one streamed message.
#[derive(Default)]
pub(super) struct Decoder {
    reader: SseReader,
    machine: Machine,
    over: bool,
}

impl Decoder {
    /// Reads one event.
    fn read(&mut self, event: &[u8], out: &mut Vec<StreamEvent>) {
        let parsed = sse::parse(event);
        let Some(data) = parsed.text() else { return };
        let data = data.trim();
        if data.is_empty() {
            return;
        }
        // Not of this dialect, but proxies put it there.
        if data.starts_with("[DONE]") {
            return self.end(out);
        }
        let Ok(mut event) = serde_json::from_str::<Event<'_>>(data) else {
            return self.fail(malformed("the stream is not what the API promises"), out);
        };
        let name = parsed.name.map(String::from_utf8_lossy).unwrap_or_default();
        event.name = if event.name.is_empty() { name } else { event.name };
        if event.name == "error" || event.error.is_some_and(is_error) {
            return self.fail(fault::of_body(data.as_bytes()), out);
        }
        match self.machine.take(&event, out) {
            Ok(false) => {}
            Ok(true) => {
                self.over = true;
                out.push(StreamEvent::Done);
            }
            Err(what) => self.fail(malformed(what), out),
        }
    }

    /// There is nothing more. A message whose end was told is complete without its last event.
    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        if self.machine.is_finished() {
            self.over = true;
            out.push(StreamEvent::Done);
        } else {
            self.fail(malformed("the upstream's stream broke off"), out);
        }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<StreamEvent>) {
        self.over = true;
        self.machine.broke_off(out);
        out.push(StreamEvent::Failed(fault));
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        if self.over {
            return;
        }
        match self.reader.split(bytes) {
            Ok(events) => {
                for event in events {
                    if self.over {
                        return;
                    }
                    self.read(&event, out);
                }
            }
            Err(sse::TooLarge) => {
                self.fail(malformed("an event of the stream is too large"), out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.over {
            return;
        }
        // An upstream may forget the last blank line; half an event is none.
        let rest = self.reader.finish();
        let text = sse::parse(&rest).text().map(Cow::into_owned).unwrap_or_default();
        let is_whole = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if is_whole {
            self.read(&rest, out);
        }
        if !self.over {
            self.end(out);
        }
    }
}

fn malformed(what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, what)
}
