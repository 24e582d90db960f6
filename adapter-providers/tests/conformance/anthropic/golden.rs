//! Golden files: a request, a reply, streams and an error, each with what becomes of it.

use super::{bench, sonnet};
use crate::harness::{chat, chat_with};
use adapter_providers::Anthropic;
use gateway_domain::Timestamp;
use gateway_ports::{Provider, provider::ErrorReply};
use http::HeaderMap;
use serde_json::{Value, json};

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/anthropic/", $file))
    };
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_request_of_an_agent_is_written_whole() {
    let call = golden!("agent_request/call.json");
    let (sent, dropped) = sonnet().sent(call);
    let expected = value(golden!("agent_request/sent.json"));
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(sent.get(name), Some(value), "{name}");
    }
    assert_eq!(sent, expected);
    assert_eq!(json!(dropped), value(golden!("agent_request/dropped.json")));
    let text = sonnet().sent_text(call);
    assert!(text.contains(r#""input":{"number":12345678901234567890,"a":1e2}"#), "{text}");
    assert!(!text.contains("null"), "nothing is written as null: {text}");
    let request = sonnet().encode(&chat(call)).unwrap().request;
    assert_eq!(request.uri(), "https://api.anthropic.com/v1/messages");
    for (name, value) in [
        ("x-api-key", "sk-channel-secret"),
        ("anthropic-version", "2023-06-01"),
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
    ] {
        assert_eq!(request.headers()[name], value);
    }
    assert!(request.headers()["x-api-key"].is_sensitive());
    assert!(!request.headers().contains_key("authorization"));
    assert!(!request.headers().contains_key("anthropic-beta"));
}

#[test]
fn a_reply_with_everything_in_it_is_read_whole() {
    let seen = sonnet().decoded(&chat_with(""), golden!("tool_reply/upstream.json")).unwrap();
    assert_eq!(seen, value(golden!("tool_reply/client.json")));
}

#[test]
fn streams_are_what_the_reference_says() {
    for (name, fields, upstream, client) in [
        (
            "thinking",
            r#","stream":true,"stream_options":{"include_usage":true}"#,
            golden!("thinking_stream/upstream.sse"),
            golden!("thinking_stream/client.sse"),
        ),
        (
            "refused",
            r#","stream":true"#,
            golden!("refused_stream/upstream.sse"),
            golden!("refused_stream/client.sse"),
        ),
    ] {
        for end in ["\n", "\r\n", "\r"] {
            let upstream = upstream.replace('\n', end);
            let seen = bench("claude-x").streamed(&chat_with(fields), upstream.as_bytes());
            assert_eq!(seen.text, client, "{name}, {end:?}");
            assert!(seen.is_complete() && seen.fault.is_none(), "{name}");
        }
    }
}

#[test]
fn an_error_is_a_fault() {
    let expected = value(golden!("spent_error/fault.json"));
    let fault = Anthropic.fault(&ErrorReply {
        status: 400,
        headers: &HeaderMap::new(),
        body: golden!("spent_error/upstream.json").as_bytes(),
        now: Timestamp::default(),
    });
    let found = json!({
        "status": 400, "kind": fault.kind, "retryable": fault.kind.is_retryable(),
        "message": fault.message, "code": fault.code, "param": fault.param,
    });
    assert_eq!(found, expected);
}
