//! What the targets have in common: a call, a channel, and a stream as its client sees it.

use adapter_providers::openai::write::{Shape, Writer};
use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, ModelName, Timestamp, TokenCounts};
use gateway_ports::{Provider, StreamEvent, Target};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// Every provider of the gateway.
pub fn providers() -> Vec<std::sync::Arc<dyn Provider>> {
    let providers = adapter_providers::defaults().expect("the kinds differ");
    providers.iter().cloned().collect()
}

/// A chat call with tools, which streams; its client asks for usage or not.
pub fn call(include_usage: bool) -> ModelCall {
    let body = json!({
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "stream": true,
        "stream_options": {"include_usage": include_usage},
    });
    ModelCall::chat(body.to_string().into()).expect("it is one")
}

/// Runs something with a channel; its model is the caller's or not, its options are these.
pub fn with_target<T>(model: &str, config: Value, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let config = config.as_object().cloned().unwrap_or_else(Map::new);
    run(&Target {
        base_url: "https://up.example.com/v1",
        key: &SecretString::from("key"),
        model: &ModelName::new(model).expect("it is a name"),
        max_completion: Some(77),
        config: &config,
        now: Timestamp::from_millis(1_790_000_000_000),
    })
}

/// What a client sees of a stream, and what the gateway knows of it.
pub fn seen(
    provider: &dyn Provider,
    model: &str,
    call: &ModelCall,
    pieces: &[&[u8]],
) -> (String, Option<TokenCounts>, Option<Fault>) {
    let mut decoder = with_target(model, json!({}), |target| provider.decoder(call, target));
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events);
    }
    decoder.finish(&mut events);
    let ends = |event: &StreamEvent| matches!(event, StreamEvent::Done | StreamEvent::Failed(_));
    assert_eq!(events.iter().position(ends), Some(events.len() - 1), "one end, at the end");
    let mut writer = Writer::new(Shape::new(call, "chatcmpl-fuzz".into(), 1_790_000_000));
    let (mut text, mut usage, mut failed) = (Vec::new(), None, None);
    for event in events {
        if let StreamEvent::Usage(counts) = event {
            usage = Some(counts);
        }
        match writer.write(event) {
            Ok(bytes) => text.extend_from_slice(&bytes),
            Err(fault) => failed = Some(fault),
        }
    }
    let text = String::from_utf8_lossy(&text).replace("\r\n", "\n").replace('\r', "\n");
    (text, usage, failed)
}

/// The same bytes in pieces, whose sizes these bytes say.
pub fn cut<'a>(mut bytes: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() || sizes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(usize::from(*size % 32) + 1));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
