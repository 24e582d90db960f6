//! No call makes a provider panic, and what a provider sends is JSON.
#![no_main]

use bytes::Bytes;
use gateway_domain::ModelCall;
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let config = match how % 3 {
        0 => json!({}),
        1 => json!({"drop": ["user", "tools", "n", "seed", "stream_options", "max_tokens"],
            "rename_max_tokens": "to_completion", "developer_as_system": true,
            "strip_extensions": true, "shorten_tool_call_ids": true, "style": "v1"}),
        _ => json!({"drop": ["max_completion_tokens"], "rename_max_tokens": "to_legacy"}),
    };
    let body = || Bytes::copy_from_slice(data);
    for call in [ModelCall::chat(body()), ModelCall::embeddings(body())].into_iter().flatten() {
        for provider in fuzz::providers() {
            for model in [call.model.as_str(), "up"] {
                let encoded = fuzz::with_target(model, config.clone(), |target| {
                    provider.encode(&call, target)
                });
                if let Ok(encoded) = encoded {
                    let sent = serde_json::from_slice::<Value>(encoded.request.body());
                    assert!(sent.is_ok(), "{}: {:?}", provider.name(), encoded.request.body());
                }
            }
        }
    }
});
