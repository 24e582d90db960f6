//! A stream is the same however its bytes are split, and everything that its client sees is an
//! object.
#![no_main]

use adapter_providers::OpenAi;
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (how, data) = data.split_at(data.len().min(4));
    let &[first, ..] = how else { return };
    let provider = if first & 1 == 0 { OpenAi::custom() } else { OpenAi::official() };
    let call = fuzz::call(first & 2 == 0);
    let model = if first & 4 == 0 { "m" } else { "up" };
    let whole = fuzz::seen(&provider, model, &call, &[data]);
    assert_eq!(whole, fuzz::seen(&provider, model, &call, &fuzz::cut(data, how)));
    for event in whole.0.split_terminator("\n\n") {
        // What came on several lines is passed on like that.
        let lines = event.split('\n').filter_map(|line| line.strip_prefix("data:"));
        let data = lines.collect::<Vec<_>>().join("\n");
        if !data.is_empty() && data.trim() != "[DONE]" {
            assert!(serde_json::from_str::<Value>(&data).is_ok_and(|v| v.is_object()), "{event:?}");
        }
    }
});
