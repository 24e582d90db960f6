//! Events are the same however their bytes are split.
#![no_main]

use adapter_providers::sse::{SseReader, parse};
use bytes::Bytes;

type Event = (Option<Vec<u8>>, Option<Vec<u8>>);

fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let (mut reader, mut out) = (SseReader::default(), Vec::new());
    let mut take = |event: &[u8]| {
        let event = parse(event);
        if event.name.is_some() || event.data.is_some() {
            let _ = event.text();
            out.push((event.name.map(<[u8]>::to_vec), event.data.map(|data| data.into_owned())));
        }
    };
    for piece in pieces {
        for event in reader.split(Bytes::copy_from_slice(piece)).expect("it is small") {
            take(&event);
        }
    }
    take(&reader.finish());
    out
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (sizes, data) = data.split_at(data.len().min(4));
    if !sizes.is_empty() {
        assert_eq!(events(&[data]), events(&fuzz::cut(data, sizes)));
    }
});
