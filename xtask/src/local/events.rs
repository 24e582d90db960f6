//! Event streams of completions as a client reads them: how many chunks, whether whole, and what
//! each says. A proxy may cut a stream anywhere.

use anyhow::{Result, ensure};

/// What content chunks have and the end of a stream has not.
const CONTENT: &[u8] = b"\"content\":\"";

/// The last event.
const END: &[u8] = b"data: [DONE]";

/// A stream that is being read.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The beginning of an event whose end has not come.
    rest: Vec<u8>,
    chunks: u64,
    ended: bool,
}

impl Events {
    /// Reads a piece and shows the content of each chunk that is complete with it.
    pub(crate) fn feed(&mut self, piece: &[u8], mut each: impl FnMut(&[u8])) {
        if self.rest.is_empty() {
            let left = self.read(piece, &mut each);
            self.rest.extend_from_slice(left);
        } else {
            let mut all = std::mem::take(&mut self.rest);
            all.extend_from_slice(piece);
            let left = self.read(&all, &mut each).len();
            all.drain(..all.len() - left);
            self.rest = all;
        }
    }

    /// Reads whole events and returns what is left.
    fn read<'a>(&mut self, mut bytes: &'a [u8], each: &mut impl FnMut(&[u8])) -> &'a [u8] {
        while let Some((event, rest)) = split(bytes, b"\n\n") {
            bytes = rest;
            if let Some((_, content)) = split(event, CONTENT) {
                let end = content.iter().position(|byte| *byte == b'"');
                each(content.get(..end.unwrap_or(0)).unwrap_or_default());
                self.chunks += 1;
            }
            self.ended = event == END;
        }
        bytes
    }

    /// Whether the last event has come.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended && self.rest.is_empty()
    }

    /// An error unless the stream was whole.
    pub(crate) fn check(&self, chunks: u64) -> Result<()> {
        ensure!(self.is_whole(), "a stream was cut off after {} chunks", self.chunks);
        ensure!(self.chunks == chunks, "a stream had {} chunks instead of {chunks}", self.chunks);
        Ok(())
    }
}

/// What stands before and after the first of these marks.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let first = *mark.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(mark) {
            return Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?));
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"data: {\"content\":\"12\"}\n\ndata: {\"content\":\"34\"}\n\ndata: {\"usage\":1}\n\ndata: [DONE]\n\n";

    #[test]
    fn chunks_are_read_wherever_they_are_cut() {
        for size in 1..=TEXT.len() {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for piece in TEXT.chunks(size) {
                events.feed(piece, |content| seen.push(content.to_vec()));
            }
            assert_eq!(seen, [b"12", b"34"], "in pieces of {size}");
            events.check(2).unwrap();
        }
    }

    #[test]
    fn a_stream_without_its_end_is_not_whole() {
        for length in 0..TEXT.len() {
            let mut events = Events::default();
            events.feed(TEXT.get(..length).unwrap(), |_| {});
            assert!(events.check(2).is_err(), "the first {length} bytes");
        }
    }
}
