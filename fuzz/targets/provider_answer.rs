//! No whole answer and no error makes a provider panic, and what its client sees is JSON.
#![no_main]

use adapter_providers::openai::write::{self, Shape, Writer};
use bytes::Bytes;
use gateway_domain::{ModelCall, Timestamp};
use gateway_ports::provider::{ErrorReply, fault_of_event};
use http::HeaderMap;
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let embeddings = r#"{"model":"m","input":"x","encoding_format":"base64"}"#;
    let embeddings = ModelCall::embeddings(embeddings.into()).expect("it is one");
    for call in [fuzz::call(true), embeddings] {
        let shape = || Shape::new(&call, "chatcmpl-fuzz".into(), 1_790_000_000);
        for provider in fuzz::providers() {
            let model = if how & 1 == 0 { "m" } else { "up" };
            let body = Bytes::copy_from_slice(data);
            let answer =
                fuzz::with_target(model, json!({}), |target| provider.decode(&call, target, body));
            if let Ok(answer) = answer {
                let whole = write::whole(&shape(), answer.clone());
                assert!(serde_json::from_slice::<Value>(&whole).is_ok(), "{whole:?}");
                let streamed = Writer::new(shape()).whole(answer);
                assert!(streamed.ends_with(b"data: [DONE]\n\n"));
            }
            let headers = HeaderMap::new();
            let now = Timestamp::default();
            let status = 300 + u16::from(*how);
            let fault = provider.fault(&ErrorReply { status, headers: &headers, body: data, now });
            assert!(fault.message.chars().count() <= 500);
        }
    }
    fault_of_event(data);
});
