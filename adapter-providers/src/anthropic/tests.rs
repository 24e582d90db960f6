//! Properties: no input is too odd, and a stream is the same however it is cut.

use super::*;
use gateway_domain::{ModelName, Timestamp};
use gateway_ports::StreamEvent;
use proptest::{prelude::*, sample::select};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

fn with_target<T>(model: &str, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let key = SecretString::from("sk-secret");
    run(&Target {
        base_url: "https://h.example.com",
        key: &key,
        model: &ModelName::new(model.to_owned()).unwrap(),
        max_completion: Some(4096),
        config: &Map::new(),
        now: Timestamp::from_millis(0),
    })
}

fn call() -> ModelCall {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    ModelCall::chat(Bytes::from_static(body.as_bytes())).unwrap()
}

fn events(pieces: &[&[u8]]) -> Vec<StreamEvent> {
    let mut decoder = with_target("m", |target| Anthropic.decoder(&call(), target));
    let mut out = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut out);
    }
    decoder.finish(&mut out);
    let ended = out.len();
    decoder.feed(Bytes::from_static(b"data: {}\n\n"), &mut out);
    decoder.finish(&mut out);
    assert_eq!(out.len(), ended, "nothing comes after the end");
    out
}

/// Values that mean something in either dialect, and the empty one.
const WORDS: &str = " text thinking redacted_thinking tool_use tool_result image_url file function custom \
    mcp_toolset user assistant tool system c1 f high none auto required enabled \
    json_schema json_object data:image/png;base64,AAAA https://h/a.pdf {\"a\":1} [ refusal \
    end_turn text_delta input_json_delta signature_delta thinking_delta \u{1f600} object \
    #/$defs/A";
/// Names of fields that do.
const KEYS: &str = "type text content role tool_calls tool_call_id id name function arguments input \
    thinking signature data thinking_blocks image_url url file file_data file_id filename \
    cache_control parameters schema properties $ref $defs items anyOf oneOf enum minimum \
    error message usage input_tokens output_tokens stop_reason stop_details explanation \
    index delta content_block partial_json details error_code budget_tokens function_call \
    refusal";

/// JSON in the words of both dialects, so that it gets further than nonsense would.
fn odd_json() -> impl Strategy<Value = Value> {
    let word = select(WORDS.split(' ').collect::<Vec<_>>());
    let leaf = prop_oneof![
        4 => word.prop_map(|word| json!(word)),
        1 => any::<i64>().prop_map(|n| json!(n)),
        1 => any::<f64>().prop_map(|n| json!(n)),
        1 => any::<bool>().prop_map(|b| json!(b)),
        1 => Just(Value::Null),
    ];
    let key = select(KEYS.split(' ').collect::<Vec<_>>());
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| {
                fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

fn event_name() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "ping",
            "error",
            "novel",
        ][..],
    )
}

/// A stream of events that mostly make sense.
fn stream() -> impl Strategy<Value = String> {
    let block = prop_oneof![
        Just(json!({"type": "text", "text": ""})),
        Just(json!({"type": "thinking", "thinking": "", "signature": ""})),
        Just(json!({"type": "redacted_thinking", "data": "d"})),
        Just(json!({"type": "tool_use", "id": "i", "name": "f", "input": {}})),
        Just(json!({"type": "server_tool_use", "id": "s", "name": "w", "input": {}})),
    ];
    let delta = prop_oneof![
        "[a\u{1f600}\u{2028}]{0,3}".prop_map(|text| json!({"type": "text_delta", "text": text})),
        "[a\u{e9}]{0,3}".prop_map(|text| json!({"type": "thinking_delta", "thinking": text})),
        Just(json!({"type": "signature_delta", "signature": "s"})),
        Just(json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
        Just(json!({"type": "input_json_delta", "partial_json": ""})),
    ];
    let event = prop_oneof![
        3 => (0u64..4, block).prop_map(|(index, block)| json!({"type": "content_block_start", "index": index, "content_block": block})),
        6 => (0u64..4, delta).prop_map(|(index, delta)| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        2 => (0u64..4).prop_map(|index| json!({"type": "content_block_stop", "index": index})),
        1 => (0u64..99).prop_map(|n| json!({"type": "message_start", "message": {"usage": {"input_tokens": n, "output_tokens": 1}}})),
        1 => (0u64..99, any::<bool>()).prop_map(|(n, end)| json!({"type": "message_delta", "delta": {"stop_reason": end.then_some("tool_use")}, "usage": {"output_tokens": n}})),
        1 => select(&["message_stop", "ping", "novel"][..]).prop_map(|name| json!({"type": name})),
        1 => (event_name(), odd_json()).prop_map(|(name, value)| json!({"type": name, "message": value, "delta": value, "usage": value, "content_block": value})),
    ];
    (prop::collection::vec(event, 0..14), select(&["\n", "\r\n", "\r"][..])).prop_map(
        |(events, end)| {
            let event = |event: Value| {
                format!("event: {}{end}data: {event}{end}{end}", event["type"].as_str().unwrap())
            };
            events.into_iter().map(event).collect()
        },
    )
}

proptest! {
    #[test]
    fn a_stream_may_be_cut_anywhere(stream in stream(), cuts in prop::collection::vec(0usize..4000, 0..6)) {
        let whole = events(&[stream.as_bytes()]);
        let ends = whole.iter().filter(|event| matches!(event, StreamEvent::Done | StreamEvent::Failed(_)));
        prop_assert_eq!(ends.count(), 1);
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        prop_assert_eq!(&events(&single), &whole);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let (mut pieces, mut start) = (Vec::new(), 0);
        for cut in cuts.into_iter().chain([stream.len()]) {
            pieces.push(&stream.as_bytes()[start..cut]);
            start = cut;
        }
        prop_assert_eq!(&events(&pieces), &whole);
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        events(&[&bytes]);
        let framed = [b"data: ".as_slice(), &bytes, b"\n\n"].concat();
        events(&[&framed]);
        let _ = with_target("m", |target| Anthropic.decode(&call(), target, Bytes::from(bytes.clone())));
        let headers = http::HeaderMap::new();
        let _ = Anthropic.fault(&ErrorReply { status: 400, headers: &headers, body: &bytes, now: gateway_domain::Timestamp::default() });
    }

    #[test]
    fn no_json_is_too_odd_for_an_answer(value in odd_json(), status in 100u16..700) {
        let body = Bytes::from(value.to_string());
        let _ = with_target("m", |target| Anthropic.decode(&call(), target, body.clone()));
        let whole = json!({"type": "message", "content": [value.clone(), value.clone()], "usage": value, "stop_reason": value, "stop_details": value});
        let _ = with_target("m", |target| Anthropic.decode(&call(), target, Bytes::from(whole.to_string())));
        let headers = http::HeaderMap::new();
        let error = json!({"type": "error", "error": value}).to_string();
        for body in [body.as_ref(), error.as_bytes()] {
            let _ = Anthropic.fault(&ErrorReply { status, headers: &headers, body, now: gateway_domain::Timestamp::default() });
        }
    }

    #[test]
    fn no_json_is_too_odd_for_a_request(
        messages in prop::collection::vec((select(&["user", "assistant", "tool", "system", "function"][..]), odd_json(), odd_json()), 1..6),
        field in select(&["tools", "functions", "tool_choice", "response_format", "thinking", "stop", "output_config", "cache_control", "temperature", "top_k", "reasoning_effort", "metadata"][..]),
        value in odd_json(),
        model in select(&["claude-haiku-4-5", "claude-opus-4-6", "claude-opus-5-5", "novel"][..]),
    ) {
        let message = |(role, content, calls): (&str, Value, Value)| {
            let content = if content.is_string() || content.is_array() { content } else { json!([{"type": "text", "text": "a"}, content]) };
            json!({"role": role, "content": content, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": calls}}], "tool_call_id": "c1", "name": "f"})
        };
        let messages: Vec<Value> = messages.into_iter().map(message).collect();
        let body = json!({"model": "m", "messages": messages, field: value});
        let Ok(call) = ModelCall::chat(Bytes::from(body.to_string())) else { return Ok(()) };
        if let Ok(encoded) = with_target(model, |target| Anthropic.encode(&call, target)) {
            let sent: Value = serde_json::from_slice(encoded.request.body()).unwrap();
            prop_assert!(sent["max_tokens"].as_u64().unwrap() > 0);
            let turns = sent["messages"].as_array().unwrap();
            prop_assert_eq!(&turns[0]["role"], "user");
            for pair in turns.windows(2) {
                prop_assert_ne!(&pair[0]["role"], &pair[1]["role"]);
            }
            prop_assert!(turns.iter().all(|turn| !turn["content"].as_array().unwrap().is_empty()));
        }
    }
}
