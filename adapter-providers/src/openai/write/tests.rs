//! What a client sees of neutral answers.

use super::*;
use gateway_domain::{Fault, FaultKind};
use gateway_ports::{ChatAnswer, Delta, Json, Message, StreamEvent, ToolCall};
use serde_json::{Value, json};

fn shape(include_usage: bool) -> Shape {
    Shape {
        id: "c".into(),
        created: 7,
        model: "m".into(),
        include_usage,
        legacy_functions: false,
        base64: false,
        prompt_tokens: 11,
    }
}

fn parsed(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text:?}");
    text.split_terminator("\n\n")
        .map(|event| {
            let data = event.strip_prefix("data: ").unwrap();
            assert!(!data.contains('\n'), "{data}");
            serde_json::from_str(data).unwrap_or_else(|_| json!(data))
        })
        .collect()
}

fn written(shape: Shape, events: Vec<StreamEvent>) -> Vec<Value> {
    let mut writer = Writer::new(shape);
    let bytes = events.into_iter().flat_map(|event| {
        writer.write(event).unwrap_or_else(|fault| writer.fail(&json!({"error": fault.message})))
    });
    parsed(&bytes.collect::<Vec<u8>>())
}

fn tool(index: usize, id: Option<&str>, name: Option<&str>, arguments: &str) -> StreamEvent {
    let (id, name) = (id.map(str::to_owned), name.map(str::to_owned));
    Delta::ToolCall { index, id, name, arguments: arguments.into(), extra_content: None }.into()
}

fn events() -> Vec<StreamEvent> {
    vec![
        Delta::Text("a".into()).into(),
        tool(0, Some("i"), Some("f"), ""),
        tool(0, None, None, "{}"),
        StreamEvent::Usage(TokenCounts::of(9, 5)),
        Delta::Finish(FinishReason::ToolCalls).into(),
        StreamEvent::Done,
    ]
}

#[test]
fn neutral_events_become_chunks() {
    let chunks = written(shape(true), events());
    assert_eq!(chunks.len(), 7);
    let delta = |at: usize| &chunks[at]["choices"][0]["delta"];
    assert_eq!(*delta(0), json!({"role": "assistant", "content": ""}));
    assert_eq!(*delta(1), json!({"content": "a"}));
    assert_eq!(
        *delta(2),
        json!({"tool_calls": [{"index": 0, "id": "i", "type": "function", "function": {"name": "f", "arguments": ""}}]})
    );
    assert_eq!(*delta(3), json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}));
    assert_eq!(
        (delta(4), &chunks[4]["choices"][0]["finish_reason"]),
        (&json!({}), &json!("tool_calls"))
    );
    assert!(chunks[..5].iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert_eq!(
        (&chunks[5]["usage"]["total_tokens"], &chunks[5]["choices"]),
        (&json!(14), &json!([]))
    );
    assert_eq!(chunks[6], "[DONE]");
    let plain = written(shape(false), events());
    assert_eq!(plain.len(), 6);
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn every_choice_begins_and_ends_once_whatever_a_decoder_says() {
    let delta = |choice, delta| StreamEvent::Delta { choice, delta };
    let stop = || Delta::Finish(FinishReason::Stop);
    let chunks = written(
        shape(false),
        vec![
            delta(1, Delta::Begin),
            delta(1, Delta::Begin),
            delta(0, Delta::Text("a".into())),
            delta(0, stop()),
            delta(0, Delta::Finish(FinishReason::Length)),
            delta(0, Delta::Text("late".into())),
            StreamEvent::Done,
            StreamEvent::Done,
            delta(0, Delta::Text("later".into())),
        ],
    );
    let seen: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            let choice = &chunk["choices"][0];
            (
                choice["index"].as_u64(),
                choice["delta"]["content"].as_str(),
                choice["finish_reason"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Some(1), Some(""), None),
            (Some(0), Some(""), None),
            (Some(0), Some("a"), None),
            (Some(0), None, Some("stop")),
            (Some(1), None, Some("stop")),
            (None, None, None),
        ]
    );
    let empty = written(shape(false), vec![StreamEvent::Done]);
    assert_eq!(empty.len(), 3, "an empty answer begins and ends too: {empty:?}");
}

#[test]
fn a_failed_answer_ends_with_its_error_and_nothing_else() {
    let chunks = written(
        shape(true),
        vec![
            Delta::Text("a".into()).into(),
            StreamEvent::Usage(TokenCounts::of(1, 1)),
            StreamEvent::Failed(Fault::new(FaultKind::Server, "broken")),
            StreamEvent::Done,
        ],
    );
    assert_eq!(chunks.len(), 3);
    assert_eq!(chunks[2], json!({"error": "broken"}));
}

fn message() -> Message {
    Message {
        text: None,
        reasoning: Some("r".into()),
        thinking_blocks: vec![Json::new(r#"{"type":"thinking","signature":"s"}"#).unwrap()],
        tool_calls: vec![ToolCall {
            id: "i".into(),
            name: "f".into(),
            arguments: r#"{"n":12345678901234567890}"#.into(),
            extra_content: Json::new("{\"google\":\n{\"thought_signature\":\"QUJD\"}}"),
        }],
        finish: FinishReason::ToolCalls,
        ..Message::default()
    }
}

#[test]
fn a_whole_answer_is_one_object() {
    let counts =
        TokenCounts { prompt: 142, completion: 25, cached: 30, cache_write: 100, reasoning: 20 };
    let chat = ChatAnswer { choices: vec![message()], service_tier: Some("default".into()) };
    let bytes = whole(&shape(false), Answer::of_chat(chat, Some(counts)));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        value,
        json!({
            "id": "c", "object": "chat.completion", "created": 7, "model": "m", "service_tier": "default",
            "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "content": null, "refusal": null, "reasoning_content": "r",
                "thinking_blocks": [{"type": "thinking", "signature": "s"}],
                "tool_calls": [{"id": "i", "type": "function",
                    "function": {"name": "f", "arguments": "{\"n\":12345678901234567890}"},
                    "extra_content": {"google": {"thought_signature": "QUJD"}}}],
            }}],
            "usage": {"prompt_tokens": 142, "completion_tokens": 25, "total_tokens": 167,
                "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 100},
                "completion_tokens_details": {"reasoning_tokens": 20}},
        })
    );
}

#[test]
fn an_answer_without_text_has_null_or_an_empty_string() {
    let content = |message: Message| {
        let bytes = whole(&shape(false), Answer::of_chat(message.into(), None));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        value["choices"][0]["message"]["content"].clone()
    };
    assert_eq!(content(Message::default()), "");
    assert_eq!(content(message()), Value::Null);
    assert_eq!(content(Message { refusal: Some("no".into()), ..Message::default() }), Value::Null);
}

#[test]
fn a_client_of_the_old_functions_gets_the_old_call() {
    let legacy = || Shape { legacy_functions: true, ..shape(false) };
    let bytes = whole(&legacy(), Answer::of_chat(message().into(), None));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let choice = &value["choices"][0];
    assert_eq!(choice["finish_reason"], "function_call");
    assert_eq!(choice["message"]["function_call"]["name"], "f");
    assert!(choice["message"].get("tool_calls").is_none());
    let mut two = events();
    two.insert(3, tool(1, Some("j"), Some("g"), "{}"));
    let chunks = written(legacy(), two);
    assert_eq!(chunks.len(), 6);
    assert_eq!(
        chunks[2]["choices"][0]["delta"],
        json!({"function_call": {"name": "f", "arguments": ""}})
    );
    assert_eq!(chunks[4]["choices"][0]["finish_reason"], "function_call");
}

#[test]
fn a_whole_answer_can_be_written_as_a_stream() {
    let mut answer = Answer::of_chat(message().into(), Some(TokenCounts::of(1, 2)));
    let chunks = parsed(&Writer::new(shape(true)).whole(answer.clone()));
    assert_eq!(chunks.len(), 7, "role, reasoning, block, call, finish, usage, end: {chunks:?}");
    let call = &chunks[3]["choices"][0]["delta"]["tool_calls"][0];
    assert_eq!(call["extra_content"]["google"]["thought_signature"], "QUJD");
    answer.body = AnswerBody::Verbatim(Bytes::from_static(
        br#"{"choices":[{"message":{"content":"a","tool_calls":[{"id":"i","function":{}},{"id":"j"}]},"logprobs":{"x":1e2},"finish_reason":"length"}]}"#,
    ));
    let chunks = parsed(&Writer::new(shape(true)).whole(answer));
    assert_eq!(chunks.len(), 4, "{chunks:?}");
    let delta = &chunks[0]["choices"][0]["delta"];
    assert_eq!(
        (&delta["role"], &delta["tool_calls"][1]["index"]),
        (&json!("assistant"), &json!(1))
    );
    assert_eq!(chunks[1]["choices"][0]["finish_reason"], "length");
    assert_eq!(chunks[2]["usage"]["total_tokens"], 3);
}

#[test]
fn vectors_are_numbers_or_base64() {
    let vectors = || Answer::of_embeddings(vec![vec![0.1, -0.25], vec![1.0, 2.0]], None);
    let text = |shape: &Shape| String::from_utf8(whole(shape, vectors()).to_vec()).unwrap();
    assert_eq!(
        text(&shape(false)),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.25]},{"object":"embedding","index":1,"embedding":[1.0,2.0]}],"model":"m","usage":{"prompt_tokens":11,"total_tokens":11}}"#
    );
    let base64 = text(&Shape { base64: true, ..shape(false) });
    assert!(base64.contains(r#""embedding":"AACAPwAAAEA=""#), "{base64}");
}
