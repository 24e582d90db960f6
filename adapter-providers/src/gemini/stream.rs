//! Streamed answers: the objects of a stream, read one after the other to its end.

use super::{
    frames::{Broken, Frame, Frames},
    reader::{Reader, malformed},
};
use bytes::Bytes;
use gateway_domain::Fault;
use gateway_ports::{StreamDecoder, StreamEvent};

pub(super) struct Decoder {
    frames: Frames,
    reader: Reader,
    over: bool,
}

impl Decoder {
    pub(super) fn new(reader: Reader) -> Self {
        Self { frames: Frames::default(), reader, over: false }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<StreamEvent>) {
        self.over = true;
        out.push(StreamEvent::Failed(fault));
    }

    fn take(&mut self, frames: Vec<Frame>, out: &mut Vec<StreamEvent>) {
        for frame in frames {
            match frame {
                Frame::Object(json) => {
                    if let Err(fault) = self.reader.take(&json, out) {
                        self.fail(fault, out);
                    }
                }
                Frame::Done => self.end(out),
            }
            if self.over {
                break;
            }
        }
    }

    /// Gemini has no end marker: an answer is complete if each of its choices said why it ended.
    fn end(&mut self, out: &mut Vec<StreamEvent>) {
        match self.reader.end(out) {
            Ok(()) => {
                self.over = true;
                out.push(StreamEvent::Done);
            }
            Err(fault) => self.fail(fault, out),
        }
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        if self.over {
            return;
        }
        let mut frames = Vec::new();
        let fed = self.frames.feed(bytes, &mut frames);
        self.take(frames, out);
        if let (false, Err(broken)) = (self.over, fed) {
            let what = match broken {
                Broken::TooLarge => "an event of the stream is too large",
                Broken::Garbage => "the stream is not what the API promises",
            };
            self.fail(malformed(what), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if self.over {
            return;
        }
        let mut frames = Vec::new();
        self.frames.finish(&mut frames);
        self.take(frames, out);
        if !self.over {
            self.end(out);
        }
    }
}
