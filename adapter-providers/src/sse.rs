//! Server-sent events: where they end, and what is in one.
//!
//! Works on bytes and splits at CR, LF and CRLF only, so a read may end anywhere: inside a line
//! end, inside a character. Complete events are slices of what was read, never copies, unless a
//! read cut one in two.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// The largest event that is held until it is complete: an image may be in one. Besides a piece of
/// it, nothing of a stream is held here.
pub const MAX_EVENT: usize = 4 << 20;

/// An event is larger than [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Finds the events in a stream of bytes.
#[derive(Debug, Default)]
pub struct SseReader {
    /// The beginning of an event whose end has not come.
    partial: BytesMut,
    /// How much of `partial` is known to hold no end.
    scanned: usize,
    /// Where the current line of `partial` begins.
    line: usize,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// How much of a byte-order mark has come; past its length: the text has begun.
    mark: usize,
}

impl SseReader {
    /// Takes the next bytes. Returns a run of complete events, with where each of them ends.
    pub fn feed(&mut self, mut bytes: Bytes, ends: &mut Vec<usize>) -> Result<Bytes, TooLarge> {
        ends.clear();
        self.skip_mark(&mut bytes);
        if self.after_cr && self.partial.is_empty() && bytes.first() == Some(&b'\n') {
            bytes = bytes.slice(1..);
        }
        if bytes.is_empty() {
            return Ok(bytes);
        }
        if self.partial.is_empty() {
            let (mut line, mut scanned) = (0, 0);
            find_ends(&bytes, &mut line, &mut scanned, ends);
            let complete = ends.last().copied().unwrap_or(0);
            self.partial.extend_from_slice(bytes.get(complete..).unwrap_or_default());
            self.line = line - complete;
            self.scanned = scanned - complete;
            self.after_cr = bytes.last() == Some(&b'\r');
            bytes.truncate(complete);
            self.check_size()?;
            return Ok(bytes);
        }
        self.partial.extend_from_slice(&bytes);
        find_ends(&self.partial, &mut self.line, &mut self.scanned, ends);
        let complete = ends.last().copied().unwrap_or(0);
        self.line -= complete;
        self.scanned -= complete;
        self.after_cr = bytes.last() == Some(&b'\r');
        let run = self.partial.split_to(complete).freeze();
        self.check_size()?;
        Ok(run)
    }

    /// Takes the next bytes, like [`SseReader::feed`]. Returns the events that are complete, each
    /// with its blank line.
    pub fn split(&mut self, bytes: Bytes) -> Result<Vec<Bytes>, TooLarge> {
        let mut ends = Vec::new();
        let run = self.feed(bytes, &mut ends)?;
        let mut start = 0;
        let event = |end| run.slice(std::mem::replace(&mut start, end)..end);
        Ok(ends.into_iter().map(event).collect())
    }

    /// What is left when the stream has ended: an event without its blank line.
    pub fn finish(&mut self) -> Bytes {
        self.partial.split().freeze()
    }

    /// Takes a byte-order mark from the beginning of the stream, however it is split.
    fn skip_mark(&mut self, bytes: &mut Bytes) {
        const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
        while let (Some(expected), Some(byte)) = (MARK.get(self.mark), bytes.first()) {
            if byte != expected {
                // It was none: what was taken for it belongs to the text.
                self.partial.extend_from_slice(MARK.get(..self.mark).unwrap_or_default());
                self.mark = MARK.len();
                return;
            }
            *bytes = bytes.slice(1..);
            self.mark += 1;
        }
    }

    fn check_size(&self) -> Result<(), TooLarge> {
        if self.partial.len() > MAX_EVENT { Err(TooLarge) } else { Ok(()) }
    }
}

/// Appends where events end, and moves `line` to the beginning of the last line that has not ended
/// and `scanned` to where to look on.
fn find_ends(text: &[u8], line: &mut usize, scanned: &mut usize, ends: &mut Vec<usize>) {
    // A LF after the CR that the last look ended with.
    if *line == *scanned
        && *line > 0
        && text.get(*line - 1) == Some(&b'\r')
        && text.get(*line) == Some(&b'\n')
    {
        *line += 1;
        *scanned += 1;
    }
    while let Some(found) = text.get(*scanned..).and_then(|rest| memchr2(b'\n', b'\r', rest)) {
        let at = *scanned + found;
        let crlf = text.get(at) == Some(&b'\r') && text.get(at + 1) == Some(&b'\n');
        let next = at + if crlf { 2 } else { 1 };
        if at == *line {
            ends.push(next);
        }
        *line = next;
        *scanned = next;
    }
    *scanned = text.len().max(*line);
}

/// What one event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event` field.
    pub name: Option<&'a [u8]>,
    /// The `data` fields, joined by line feeds; `None` if there is none.
    pub data: Option<Cow<'a, [u8]>>,
}

impl SseEvent<'_> {
    /// The data as text; bytes that are none are replaced.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.data.as_deref().map(String::from_utf8_lossy)
    }
}

/// Reads one event.
pub fn parse(event: &[u8]) -> SseEvent<'_> {
    let mut parsed = SseEvent { name: None, data: None };
    let mut rest = event;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        let colon = memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                parsed.data = Some(match parsed.data.take() {
                    None => Cow::Borrowed(value),
                    Some(before) => {
                        let mut joined = before.into_owned();
                        joined.push(b'\n');
                        joined.extend_from_slice(value);
                        Cow::Owned(joined)
                    }
                });
            }
            b"event" => parsed.name = Some(value),
            _ => {}
        }
    }
    parsed
}

/// One event of this JSON. Line ends, which only stand between its tokens, would end the line.
pub fn frame(mut json: Vec<u8>) -> Bytes {
    for byte in &mut json {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Bytes::from([b"data: ".as_slice(), &json, b"\n\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> Vec<(Option<String>, Option<String>)> {
        let (mut reader, mut ends, mut out) = (SseReader::default(), Vec::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for piece in pieces {
            let run = reader.feed(Bytes::copy_from_slice(piece), &mut ends).unwrap();
            let mut start = 0;
            for end in &ends {
                let event = parse(&run[start..*end]);
                if event.name.is_some() || event.data.is_some() {
                    out.push((event.name.map(text), event.data.as_deref().map(text)));
                }
                start = *end;
            }
            assert_eq!(start, run.len());
        }
        let rest = reader.finish();
        let event = parse(&rest);
        if event.data.is_some() {
            out.push((event.name.map(text), event.data.as_deref().map(text)));
        }
        out
    }

    #[test]
    fn fields_are_read_by_the_standard() {
        let all: &[u8] = b"\xef\xbb\xbf: hi\n\nevent: e\ndata:a\ndata:  b\nid: 1\n\ndata\n\ndata: \xe2\x80\xa8x\n\nretry: 5\n\ndata: last";
        let expected = vec![
            (Some("e".into()), Some("a\n b".into())),
            (None, Some(String::new())),
            (None, Some("\u{2028}x".into())),
            (None, Some("last".into())),
        ];
        assert_eq!(events(&[all]), expected);
    }

    #[test]
    fn a_byte_order_mark_may_be_split_and_half_a_one_is_text() {
        let split: [&[u8]; 4] = [b"\xef", b"\xbb", b"\xbfdata: a\n", b"\n"];
        assert_eq!(events(&split), [(None, Some("a".into()))]);
        let half: [&[u8]; 2] = [b"\xef", b"data: a\n\ndata: b\n\n"];
        assert_eq!(events(&half), [(None, Some("b".into()))]);
    }

    #[test]
    fn lines_end_at_cr_lf_and_crlf_and_nowhere_else() {
        let data = |events: Vec<(Option<String>, Option<String>)>| {
            events.into_iter().filter_map(|(_, data)| data).collect::<Vec<_>>()
        };
        for (pieces, expected) in [
            (vec!["data: a\r\n\r\ndata: b\r\n\r\n"], vec!["a", "b"]),
            (vec!["data: a\r", "\n\r", "\ndata: b\r", "\n", "\r", "\n"], vec!["a", "b"]),
            (vec!["data: a\r\rdata: b\n\n"], vec!["a", "b"]),
            (vec!["data: a\r\n\ndata: b\n\r\n"], vec!["a", "b"]),
            (vec!["data: a\r", "\r", "\n", "\n", "data: b\n\n"], vec!["a", "b"]),
            (vec!["data: a\rdata: b\r", "\r"], vec!["a\nb"]),
            (vec!["data: a\u{2028}\u{2029}\u{85}b\n\n"], vec!["a\u{2028}\u{2029}\u{85}b"]),
            (vec!["data:a\n", "data: b\n", "data\n", "data:  c\n\n"], vec!["a\nb\n\n c"]),
            (vec![": a\n\n:b\n\ndata: c"], vec!["c"]),
        ] {
            let bytes: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(data(events(&bytes)), expected, "{pieces:?}");
        }
    }

    #[test]
    fn a_large_event_is_taken_and_bytes_that_are_no_text_are_replaced() {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        let text = format!("data: {}\n\n", "x".repeat(MAX_EVENT - 100));
        for piece in text.as_bytes().chunks(1 << 20) {
            out.extend(reader.split(Bytes::copy_from_slice(piece)).unwrap());
        }
        assert_eq!(out.iter().map(Bytes::len).collect::<Vec<_>>(), [text.len()]);
        assert_eq!(parse(b"data: a\xffb\n\n").text().unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn json_on_several_lines_is_framed_on_one() {
        assert_eq!(frame(b"{\n\"a\":\r\n1}".to_vec()), &b"data: { \"a\":  1}\n\n"[..]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let (mut reader, mut ends) = (SseReader::default(), Vec::new());
        let piece = Bytes::from(vec![b'x'; MAX_EVENT / 2]);
        assert!(reader.feed(piece.clone(), &mut ends).is_ok());
        assert!(reader.feed(piece.clone(), &mut ends).is_ok());
        assert_eq!(reader.feed(piece, &mut ends), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn bytes_may_be_split_anywhere(
            lines in proptest::collection::vec("(data: ?[a-z\u{1f600}\u{2028}]{0,5}|event: x|: c|)", 0..12),
            end in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let text = lines.iter().flat_map(|line| [line.as_str(), end]).collect::<String>();
            let whole = events(&[text.as_bytes()]);
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(&events(&single), &whole);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let (mut pieces, mut start) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[start..cut]);
                start = cut;
            }
            prop_assert_eq!(&events(&pieces), &whole);
        }
    }
}
