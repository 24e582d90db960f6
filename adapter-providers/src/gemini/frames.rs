//! The objects in a streamed body: in server-sent events, as they should be, or bare.
//!
//! An error in mid-stream may come as an object on lines of its own, printed for people. A proxy
//! that loses the query turns the stream into one array. Bytes may be split anywhere. What is
//! deliberately not known here: what the objects say.

use crate::sse::{self, MAX_EVENT, SseReader, TooLarge};
use bytes::Bytes;
use memchr::memchr2;

/// One object of a stream, or its end marker, which Gemini has not but proxies have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Object(Vec<u8>),
    Done,
}

/// Why no more objects can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// One is larger than what is held.
    TooLarge,
    /// There is something that is none.
    Garbage,
}

impl From<TooLarge> for Broken {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

/// Finds the objects in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    form: Form,
    sse: SseReader,
    bare: Bare,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Nothing has come yet.
    #[default]
    Unknown,
    Events,
    Bare,
}

impl Frames {
    /// Takes the next bytes and appends the objects that they complete.
    pub(super) fn feed(&mut self, mut bytes: Bytes, out: &mut Vec<Frame>) -> Result<(), Broken> {
        if self.form == Form::Unknown {
            // A byte-order mark or an empty line says nothing.
            let silent = |b: &u8| b.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(b);
            let Some(start) = bytes.iter().position(|b| !silent(b)) else { return Ok(()) };
            bytes = bytes.slice(start..);
            let bare = matches!(bytes.first(), Some(b'{' | b'['));
            self.form = if bare { Form::Bare } else { Form::Events };
        }
        if self.form == Form::Bare {
            return self.bare.feed(&bytes, out);
        }
        self.sse.split(bytes)?.iter().try_for_each(|event| self.event(event, out))
    }

    /// The stream has ended: appends what is complete without its blank line. What is cut is left.
    pub(super) fn finish(&mut self, out: &mut Vec<Frame>) {
        let rest = self.sse.finish();
        let mut frames = Vec::new();
        // What is broken at the very end was cut.
        let _cut = self.event(&rest, &mut frames);
        let whole = |frame: &Frame| match frame {
            Frame::Object(json) => serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok(),
            Frame::Done => true,
        };
        out.extend(frames.into_iter().filter(whole));
    }

    fn event(&mut self, event: &[u8], out: &mut Vec<Frame>) -> Result<(), Broken> {
        if let Some(data) = sse::parse(event).data {
            let data = data.trim_ascii();
            if data.starts_with(b"[DONE]") {
                out.push(Frame::Done);
            } else if !data.is_empty() {
                // Whatever began on bare lines before it has no end.
                if self.bare.is_open() {
                    return Err(Broken::Garbage);
                }
                out.push(Frame::Object(data.to_vec()));
            }
        }
        for line in lines(event).filter(|line| !is_field(line)) {
            let begins = matches!(line.trim_ascii_start().first(), Some(b'{' | b'['));
            if begins || self.bare.is_open() {
                self.bare.feed(line, out)?;
            }
        }
        Ok(())
    }
}

fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr2(b'\n', b'\r', text).unwrap_or(text.len());
        let line = text.get(..end).filter(|_| !text.is_empty())?;
        text = text.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// Whether a line is one of a server-sent event: a field that is known, or a comment.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    matches!(name, b"" | b"data" | b"event" | b"id" | b"retry")
}

/// Objects one after the other, or in an array.
#[derive(Debug, Default)]
struct Bare {
    /// The object that has not ended.
    object: Vec<u8>,
    /// How many brackets are open in it.
    depth: usize,
    in_array: bool,
    in_string: bool,
    escaped: bool,
}

impl Bare {
    fn is_open(&self) -> bool {
        self.in_array || !self.object.is_empty()
    }

    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), Broken> {
        for byte in bytes {
            if self.object.is_empty() {
                self.between(*byte)?;
            } else {
                self.inside(*byte, out);
            }
        }
        if self.object.len() > MAX_EVENT { Err(Broken::TooLarge) } else { Ok(()) }
    }

    fn between(&mut self, byte: u8) -> Result<(), Broken> {
        match byte {
            b'{' => {
                self.object.push(byte);
                self.depth = 1;
            }
            b'[' if !self.in_array => self.in_array = true,
            b']' if self.in_array => self.in_array = false,
            b',' if self.in_array => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => return Err(Broken::Garbage),
        }
        Ok(())
    }

    fn inside(&mut self, byte: u8, out: &mut Vec<Frame>) {
        self.object.push(byte);
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    out.push(Frame::Object(std::mem::take(&mut self.object)));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Found = (Vec<String>, Option<Broken>);

    fn found(pieces: &[&[u8]]) -> Found {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        let mut broken = None;
        for piece in pieces {
            broken = frames.feed(Bytes::copy_from_slice(piece), &mut out).err();
            if broken.is_some() {
                break;
            }
        }
        if broken.is_none() {
            frames.finish(&mut out);
        }
        let text = |frame| match frame {
            Frame::Object(json) => String::from_utf8_lossy(&json).into_owned(),
            Frame::Done => "[DONE]".into(),
        };
        (out.into_iter().map(text).collect(), broken)
    }

    #[test]
    fn objects_are_found_however_they_are_framed() {
        for (name, text, objects) in [
            (
                "events",
                "data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\n\r\n",
                vec!["{\"a\":1}", "{\"b\":2}"],
            ),
            (
                "no last blank line",
                "data: {\"a\":1}\n\ndata: {\"b\":2}",
                vec!["{\"a\":1}", "{\"b\":2}"],
            ),
            ("cut", "data: {\"a\":1}\n\ndata: {\"b\":", vec!["{\"a\":1}"]),
            ("end marker", "data: {\"a\":1}\n\ndata: [DONE]\n\n", vec!["{\"a\":1}", "[DONE]"]),
            (
                "comments and other fields",
                ": x\n\nevent: e\nid: 1\nnovel: {\ndata: {}\n\n",
                vec!["{}"],
            ),
            (
                "bare lines",
                "data: {}\n\n{\n  \"error\": {\n    \"m\": \"}\\\"{\"\n  }\n}\n",
                vec!["{}", "{  \"error\": {    \"m\": \"}\\\"{\"  }}"],
            ),
            ("bare lines at once", "data: {}\n{\n\"a\":\n\n1}\n\n", vec!["{}", "{\"a\":1}"]),
            ("bare lines at the end", "data: {}\n\n{\n\"a\":1\n}", vec!["{}", "{\"a\":1}"]),
            ("a bare object", "{\n\"a\":1}\n", vec!["{\n\"a\":1}"]),
            ("an array", "[{\"a\":[1]}\n,\r\n{\"b\":2}\n]\n", vec!["{\"a\":[1]}", "{\"b\":2}"]),
            ("a cut array", "[{\"a\":1},{\"b\"", vec!["{\"a\":1}"]),
            ("a byte-order mark", "\u{feff}\n data: {}\n\n", vec!["{}"]),
            ("nothing", "\n\n", vec![]),
        ] {
            assert_eq!(
                found(&[text.as_bytes()]),
                (objects.iter().map(|s| (*s).to_owned()).collect(), None),
                "{name}"
            );
        }
        for garbage in ["{} x", "[1]", "[[]]", "{}]", "data: {}\n\n{\n\ndata: {}\n\n"] {
            assert_eq!(found(&[garbage.as_bytes()]).1, Some(Broken::Garbage), "{garbage}");
        }
    }

    #[test]
    fn an_endless_object_is_refused() {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        frames.feed(Bytes::from_static(b"{\""), &mut out).unwrap();
        let piece = Bytes::from(vec![b'x'; MAX_EVENT / 2]);
        assert!(frames.feed(piece.clone(), &mut out).is_ok());
        assert_eq!(
            frames.feed(piece.clone(), &mut out).and_then(|()| frames.feed(piece, &mut out)),
            Err(Broken::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn bytes_may_be_split_anywhere(
            lines in proptest::collection::vec("(data: ?\\{\"[a\u{1f600}]?\"?\\}?|[{}\\[\\],\"\\\\ a]{0,4}|: c|event: x|data: \\[DONE\\]|)", 0..12),
            end in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
            size in 1usize..20,
        ) {
            let text = lines.iter().flat_map(|line| [line.as_str(), end]).collect::<String>();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(found(&pieces), found(&[text.as_bytes()]));
        }
    }
}
