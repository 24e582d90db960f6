//! Streamed answers: cases 30, 32, 35 and 36.

use super::sonnet;
use crate::harness::{Seen, chat_with};
use gateway_domain::{FaultKind, TokenCounts};
use serde_json::{Value, json};

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"usage":{"input_tokens":12,"cache_read_input_tokens":30,"output_tokens":1}}}"#;
const END: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":25}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

/// Events as the API writes them, each under its own name.
fn events(data: &[&str]) -> String {
    let event = |data: &&str| {
        let value: Value = serde_json::from_str(data).unwrap();
        format!("event: {}\ndata: {data}\n\n", value["type"].as_str().unwrap_or("x"))
    };
    data.iter().map(event).collect()
}

fn streamed(data: &[&str]) -> Seen {
    let call = chat_with(r#","stream":true,"stream_options":{"include_usage":true}"#);
    sonnet().streamed(&call, events(data).as_bytes())
}

fn begins(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

fn ends(index: u64) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

fn says(index: u64, text: &str) -> String {
    delta(index, &format!(r#"{{"type":"text_delta","text":"{text}"}}"#))
}

fn all(parts: &[String]) -> Vec<&str> {
    let parts = parts.iter().map(String::as_str);
    [START].into_iter().chain(parts).chain([END, STOP]).collect()
}

#[test]
fn case_30_tools_are_counted_by_themselves() {
    let seen = streamed(&all(&[
        begins(0, r#"{"type":"thinking","thinking":"","signature":""}"#),
        delta(0, r#"{"type":"thinking_delta","thinking":"Hm."}"#),
        delta(0, r#"{"type":"signature_delta","signature":"c2ln"}"#),
        ends(0),
        begins(1, r#"{"type":"text","text":""}"#),
        says(1, "a"),
        ends(1),
        begins(2, r#"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#),
        ends(2),
        begins(3, r#"{"type":"tool_use","id":"toolu_2","name":"g","input":{}}"#),
        delta(3, r#"{"type":"input_json_delta","partial_json":"{\"x\":"}"#),
        delta(3, r#"{"type":"input_json_delta","partial_json":"1}"}"#),
        ends(3),
    ]));
    let message = seen.message(0);
    assert_eq!(
        (&message["role"], &message["content"], &message["reasoning_content"]),
        (&json!("assistant"), &json!("a"), &json!("Hm."))
    );
    assert_eq!(
        message["tool_calls"],
        json!([{"id": "toolu_1", "name": "f", "arguments": "{}"}, {"id": "toolu_2", "name": "g", "arguments": "{\"x\":1}"}])
    );
    assert!(seen.is_complete());
}

#[test]
fn case_30_odd_blocks_are_tolerated() {
    let call =
        |name: &str, arguments: &str| json!([{"id": "i", "name": name, "arguments": arguments}]);
    let tool = r#"{"type":"tool_use","id":"i","name":"f","input":{}}"#;
    for (name, parts, content, calls) in [
        (
            "text at the beginning",
            vec![begins(0, r#"{"type":"text","text":"a"}"#), says(0, "b"), says(0, ""), ends(0)],
            "ab",
            json!([]),
        ),
        (
            "arguments at the beginning",
            vec![
                begins(0, r#"{"type":"tool_use","id":"i","name":"f","input":{"a":1.0}}"#),
                ends(0),
            ],
            "",
            call("f", r#"{"a":1.0}"#),
        ),
        (
            "only empty arguments",
            vec![
                begins(0, tool),
                delta(0, r#"{"type":"input_json_delta","partial_json":""}"#),
                ends(0),
            ],
            "",
            call("f", "{}"),
        ),
        ("a tool that never ends", vec![begins(0, tool)], "", call("f", "{}")),
        (
            "a block on top of another",
            vec![begins(0, tool), begins(0, r#"{"type":"text","text":"a"}"#)],
            "a",
            call("f", "{}"),
        ),
        (
            "a tool of the provider",
            vec![
                begins(0, r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#),
                delta(0, r#"{"type":"input_json_delta","partial_json":"{}"}"#),
                ends(0),
                begins(1, r#"{"type":"web_search_tool_result","content":[]}"#),
                says(1, "x"),
                ends(1),
                begins(2, tool),
                ends(2),
            ],
            "",
            call("f", "{}"),
        ),
        ("no beginning", vec![says(7, "a")], "a", json!([])),
        (
            "wrong types",
            vec![
                r#"{"type":"content_block_start"}"#.into(),
                r#"{"type":"content_block_delta","index":"x","delta":5}"#.into(),
                begins(1, "5"),
                delta(1, r#"{"type":5}"#),
                r#"{"type":7}"#.into(),
                ends(9),
                says(4, "a"),
            ],
            "a",
            json!([]),
        ),
        ("another beginning", vec![says(0, "a"), START.to_owned(), says(0, "b")], "ab", json!([])),
    ] {
        let seen = streamed(&all(&parts));
        let message = seen.message(0);
        assert_eq!(
            (&message["content"], &message["tool_calls"]),
            (&json!(content), &calls),
            "{name}"
        );
        assert!(seen.is_complete() && seen.fault.is_none(), "{name}");
    }
}

#[test]
fn case_30_thoughts_come_whole_as_well() {
    let blocks = |seen: &Seen| -> Vec<Value> {
        let chunks = seen.chunks();
        let blocks = chunks.iter().filter_map(|chunk| {
            chunk["choices"][0]["delta"]["thinking_blocks"].as_array().cloned()
        });
        blocks.flatten().collect()
    };
    let seen = streamed(&all(&[
        begins(0, r#"{"type":"redacted_thinking","data":"ZGF0YQ=="}"#),
        ends(0),
        begins(1, r#"{"type":"thinking","thinking":"","signature":""}"#),
        delta(1, r#"{"type":"signature_delta","signature":"c2ln"}"#),
        ends(1),
        begins(2, r#"{"type":"thinking","thinking":"a","signature":"","x":1}"#),
        delta(2, r#"{"type":"thinking_delta","thinking":"b"}"#),
        delta(2, r#"{"type":"signature_delta","signature":"s2"}"#),
    ]));
    assert_eq!(
        blocks(&seen),
        [
            json!({"type": "redacted_thinking", "data": "ZGF0YQ=="}),
            json!({"type": "thinking", "thinking": "", "signature": "c2ln"}),
            json!({"type": "thinking", "thinking": "ab", "signature": "s2", "x": 1}),
        ]
    );
    assert_eq!(seen.message(0)["reasoning_content"], "ab");
}

#[test]
fn case_32_usage_is_of_everything_so_far() {
    let first =
        r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":null,"output_tokens":5}}"#;
    let second = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":null,"output_tokens":25,"output_tokens_details":{"thinking_tokens":20}}}"#;
    let third = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":26}}"#;
    let text = begins(0, r#"{"type":"text","text":"a"}"#);
    for (name, ends, completion) in
        [("two", vec![first, second], 25), ("three", vec![first, second, third], 26)]
    {
        let data: Vec<&str> = [START, &text].into_iter().chain(ends).chain([STOP]).collect();
        let seen = streamed(&data);
        let counts =
            TokenCounts { prompt: 42, completion, cached: 30, cache_write: 0, reasoning: 20 };
        assert_eq!(seen.usage, Some(counts), "{name}");
        let chunks = seen.chunks();
        let finishes =
            chunks.iter().filter(|chunk| chunk["choices"][0]["finish_reason"].is_string());
        assert_eq!(finishes.count(), 1, "{name}");
        let usage: Vec<&Value> = chunks.iter().filter(|chunk| chunk["usage"].is_object()).collect();
        assert_eq!(
            (usage.len(), &usage[0]["usage"]["completion_tokens"]),
            (1, &json!(completion)),
            "{name}"
        );
    }
}

#[test]
fn the_end_may_be_told_in_other_ways() {
    let text = says(0, "a");
    for (name, stream, complete) in [
        ("no reason", events(&[START, &text, STOP]), true),
        ("nothing said", events(&[START, END, STOP]), true),
        ("nothing at all", events(&[START, STOP]), true),
        ("no last event", events(&[START, &text, END]), true),
        ("no last blank line", events(&[START, &text, END, STOP]).trim_end().to_owned(), true),
        ("another dialect's end", events(&[START, &text, END]) + "data: [DONE]\n\n", true),
        (
            "names only",
            events(&[START, &text, END, STOP]).replace(r#""type":"message_stop""#, r#""x":1"#),
            true,
        ),
        (
            "no names",
            format!("data: {START}\n\ndata: {text}\n\ndata: {END}\n\ndata: {STOP}\n\n"),
            true,
        ),
        ("another dialect's end too early", events(&[START, &text]) + "data: [DONE]\n\n", false),
        ("an end without a beginning", events(&[STOP]), false),
    ] {
        let seen = sonnet().streamed(&chat_with(r#","stream":true"#), stream.as_bytes());
        assert_eq!(seen.is_complete(), complete, "{name}: {seen:?}");
    }
}

#[test]
fn case_35_an_error_before_the_answer_is_one_of_the_channel() {
    let error = |kind: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"m"}},"request_id":"r"}}"#)
    };
    for (name, before, kind, expected) in [
        ("first", vec![], "overloaded_error", FaultKind::Overloaded),
        ("behind a ping", vec![r#"{"type":"ping"}"#], "overloaded_error", FaultKind::Overloaded),
        (
            "behind the beginning",
            vec![START, r#"{"type":"ping"}"#],
            "overloaded_error",
            FaultKind::Overloaded,
        ),
        ("a rate", vec![], "rate_limit_error", FaultKind::RateLimited),
        ("the key", vec![], "authentication_error", FaultKind::Auth),
        ("the caller", vec![], "invalid_request_error", FaultKind::Rejected),
        ("anything", vec![START], "novel_error", FaultKind::Server),
    ] {
        let error = error(kind);
        let data: Vec<&str> = before.into_iter().chain([error.as_str()]).collect();
        let seen = streamed(&data);
        assert_eq!(seen.fault.as_ref().map(|fault| fault.kind), Some(expected), "{name}");
        assert_eq!(seen.chunks().len(), 1, "nothing came before the error: {name}");
        assert_eq!(seen.usage, None, "{name}");
    }
}

#[test]
fn case_36_a_broken_stream_ends_with_an_error_and_what_was_used_is_known() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"m sk-ant-api03-abcdefghijklmnop"}}"#;
    let begun = events(&[
        START,
        &begins(0, r#"{"type":"text","text":""}"#),
        &says(0, "a"),
        &says(0, "b".repeat(400).as_str()),
    ]);
    for (name, rest, kind) in [
        ("an error event", events(&[error]), FaultKind::Overloaded),
        (
            "an error without a name",
            format!("data: {}\n\n", error.replace(r#""type":"error","#, "")),
            FaultKind::Overloaded,
        ),
        ("the end without a reason", String::new(), FaultKind::Malformed),
        (
            "half an event",
            String::from("event: message_delta\ndata: {\"type\":\"message_del"),
            FaultKind::Malformed,
        ),
        ("garbage", String::from("data: garbage\n\n"), FaultKind::Malformed),
        ("another type", String::from("data: [1]\n\n"), FaultKind::Malformed),
    ] {
        let call = chat_with(r#","stream":true,"stream_options":{"include_usage":true}"#);
        let seen = sonnet().streamed(&call, format!("{begun}{rest}").as_bytes());
        let chunks = seen.chunks();
        assert!(
            !seen.is_complete() && seen.message(0)["finish_reason"].is_null(),
            "{name}: {seen:?}"
        );
        assert_eq!(seen.fault.as_ref().map(|fault| fault.kind), Some(kind), "{name}");
        assert_eq!(chunks.len(), 4, "the role, two texts, the error: {name}: {chunks:?}");
        assert!(chunks[3]["error"].is_object(), "{name}");
        assert!(!seen.text.contains("abcdefghijklmnop"), "{name}");
        // The prompt as it was reported; of the answer what came, not the 1 that it began with.
        let usage = seen.usage.unwrap();
        assert_eq!((usage.prompt, usage.cached, usage.completion), (42, 30, 101), "{name}");
    }
}
