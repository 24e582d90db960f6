//! Answers of servers that speak OpenAI's dialect in a way of their own, and how they are put right.

use crate::harness::{Bench, NOW, chat_with, embeddings};
use adapter_providers::OpenAi;
use gateway_domain::{FaultKind, ModelCall};
use serde_json::{Value, json};

fn custom() -> Bench<OpenAi> {
    Bench::new(OpenAi::custom(), "https://up.example.com/v1", "m")
}

fn official() -> Bench<OpenAi> {
    Bench::new(OpenAi::official(), "https://api.openai.com/v1", "m")
}

/// What every chunk of a well-formed stream begins with.
const HEAD: &str = r#""id":"c","object":"chat.completion.chunk","created":1790000000,"model":"m""#;

fn stream(chunks: &[&str]) -> String {
    let frames = chunks.iter().flat_map(|chunk| ["data: ", *chunk, "\n\n"]);
    frames.chain(["data: [DONE]\n\n"]).collect()
}

fn asking() -> ModelCall {
    chat_with(r#","stream":true,"stream_options":{"include_usage":true}"#)
}

/// A stream of these choices, one chunk each, as a client puts it together.
fn put_together(choices: &[&str]) -> Value {
    let chunks: Vec<String> =
        choices.iter().map(|choice| format!(r#"{{{HEAD},"choices":[{choice}]}}"#)).collect();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let seen = custom().streamed(&asking(), stream(&chunks).as_bytes());
    assert!(seen.is_complete(), "{seen:?}");
    seen.message(0)
}

#[test]
fn the_pieces_of_streamed_calls_are_numbered_and_named_as_clients_rely_on() {
    let one = json!([{"id": "a", "name": "f", "arguments": "{\"x\":1}"}]);
    let two = json!([
        {"id": "a", "name": "f", "arguments": "{\"x\":1}"},
        {"id": "b", "name": "f", "arguments": "{\"x\":2}"}
    ]);
    for (name, deltas, expected) in [
        (
            "as it should be",
            vec![
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]"#,
                r#"[{"index":0,"function":{"arguments":"{\"x\":"}}]"#,
                r#"[{"index":0,"function":{"arguments":"1}"}}]"#,
            ],
            &one,
        ),
        (
            "id, type and name in every piece",
            vec![
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}}]"#,
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"1}"}}]"#,
            ],
            &one,
        ),
        (
            "blank id, type and name behind the first piece",
            vec![
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}}]"#,
                r#"[{"index":0,"id":"","type":"","function":{"name":"","arguments":"1}"}}]"#,
            ],
            &one,
        ),
        (
            "no index",
            vec![
                r#"[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]"#,
                r#"[{"function":{"arguments":"1}"}}]"#,
                r#"[{"id":"b","function":{"name":"f","arguments":"{\"x\":2"}}]"#,
                r#"[{"id":"b","function":{"arguments":"}"}}]"#,
            ],
            &two,
        ),
        (
            "one index for all",
            vec![
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]"#,
                r#"[{"index":0,"id":"b","type":"function","function":{"name":"f","arguments":"{\"x\":2}"}}]"#,
            ],
            &two,
        ),
        (
            "one index for all, in one delta",
            vec![
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}]"#,
            ],
            &two,
        ),
        (
            "indexes from 1, interleaved",
            vec![
                r#"[{"index":1,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\""}}]"#,
                r#"[{"index":2,"id":"b","type":"function","function":{"name":"f","arguments":"{\"x\""}}]"#,
                r#"[{"index":1,"function":{"arguments":":1}"}},{"index":2,"function":{"arguments":":2}"}}]"#,
            ],
            &two,
        ),
        (
            "arguments as objects",
            vec![
                r#"[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","function":{"name":"f","arguments":{"x":2}}}]"#,
            ],
            &two,
        ),
    ] {
        let mut choices: Vec<String> = deltas
            .iter()
            .map(|calls| {
                format!(r#"{{"index":0,"delta":{{"tool_calls":{calls}}},"finish_reason":null}}"#)
            })
            .collect();
        choices.push(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#.to_owned());
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        let message = put_together(&choices);
        assert_eq!(&message["tool_calls"], expected, "{name}");
        assert_eq!(message["finish_reason"], "tool_calls", "{name}");
    }
}

#[test]
fn calls_without_ids_get_their_own() {
    for (name, calls) in [
        (
            "no index",
            r#"[{"function":{"name":"f","arguments":"1"}},{"function":{"name":"f","arguments":"2"}}]"#,
        ),
        (
            "one index",
            r#"[{"index":0,"id":"","function":{"name":"f","arguments":"1"}},{"index":0,"id":"","function":{"name":"f","arguments":"2"}}]"#,
        ),
    ] {
        let message = put_together(&[
            &format!(r#"{{"index":0,"delta":{{"tool_calls":{calls}}},"finish_reason":null}}"#),
            r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#,
        ]);
        let calls = message["tool_calls"].as_array().unwrap();
        assert_eq!(calls.len(), 2, "{name}: {message}");
        let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
        assert!(
            ids[0] != ids[1] && ids.iter().all(|id| (1..=40).contains(&id.len())),
            "{name}: {ids:?}"
        );
        assert_eq!(
            (&calls[0]["arguments"], &calls[1]["arguments"]),
            (&json!("1"), &json!("2")),
            "{name}"
        );
    }
}

#[test]
fn deltas_that_servers_write_in_their_own_way_are_put_right() {
    let stop = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    for (name, choices, field, expected) in [
        ("no role", vec![r#"{"index":0,"delta":{"content":"a"}}"#, stop], "role", "assistant"),
        (
            "a blank role",
            vec![r#"{"index":0,"delta":{"role":"","content":"a"}}"#, stop],
            "role",
            "assistant",
        ),
        (
            "a role in every delta",
            vec![
                r#"{"index":0,"delta":{"role":"assistant","content":"a"}}"#,
                r#"{"index":0,"delta":{"role":"assistant","content":"b"}}"#,
                stop,
            ],
            "content",
            "ab",
        ),
        ("no index", vec![r#"{"delta":{"content":"a"}}"#, stop], "content", "a"),
        (
            "no delta at the end",
            vec![r#"{"index":0,"delta":{"content":"a"}}"#, r#"{"index":0,"finish_reason":"stop"}"#],
            "finish_reason",
            "stop",
        ),
        (
            "a blank reason",
            vec![
                r#"{"index":0,"delta":{"content":"a"},"finish_reason":""}"#,
                r#"{"index":0,"delta":{"content":"b"},"finish_reason":""}"#,
                stop,
            ],
            "content",
            "ab",
        ),
        (
            "a word of its own",
            vec![
                r#"{"index":0,"delta":{"content":"a"}}"#,
                r#"{"index":0,"delta":{},"finish_reason":"max_tokens"}"#,
            ],
            "finish_reason",
            "length",
        ),
        (
            "reasoning by another name",
            vec![r#"{"index":0,"delta":{"reasoning":"r","reasoning_content":null}}"#, stop],
            "reasoning_content",
            "r",
        ),
        (
            "reasoning by both names",
            vec![r#"{"index":0,"delta":{"reasoning":"r","reasoning_content":"r"}}"#, stop],
            "reasoning_content",
            "r",
        ),
    ] {
        let message = put_together(&choices);
        assert_eq!(message[field], expected, "{name}: {message}");
        assert_eq!(message["role"], "assistant", "{name}");
    }
    for reason in ["error", "insufficient_system_resource"] {
        let chunks = [
            format!(r#"{{{HEAD},"choices":[{{"index":0,"delta":{{"content":"a"}}}}]}}"#),
            format!(
                r#"{{{HEAD},"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#
            ),
        ];
        let seen = custom().streamed(&asking(), stream(&[&chunks[0], &chunks[1]]).as_bytes());
        assert!(!seen.is_complete() && seen.fault.is_some(), "{reason}: {seen:?}");
    }
}

#[test]
fn chunks_without_a_name_get_the_one_of_their_answer() {
    for (name, first) in [
        ("nothing", ""),
        ("blanks", r#""id":"","object":"","created":0,"model":"","#),
        ("nulls", r#""id":null,"object":null,"created":null,"model":null,"#),
        ("wrong types", r#""id":7,"object":{},"created":"now","model":[],"#),
    ] {
        let chunks = [
            format!(
                r#"{{{first}"choices":[{{"index":0,"delta":{{"role":"assistant","content":"a"}}}}]}}"#
            ),
            format!(r#"{{{first}"choices":[{{"index":0,"delta":{{"content":"b"}}}}]}}"#),
            format!(r#"{{{first}"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}"#),
        ];
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        let seen = custom().streamed(&asking(), stream(&chunks).as_bytes());
        let chunks = seen.chunks();
        let id = &chunks[0]["id"];
        assert!(id.as_str().unwrap().starts_with("chatcmpl-"), "{name}: {id}");
        for chunk in &chunks[..3] {
            assert_eq!(
                (&chunk["id"], &chunk["object"], &chunk["model"], &chunk["created"]),
                (id, &json!("chat.completion.chunk"), &json!("m"), &json!(NOW)),
                "{name}: {chunk}"
            );
        }
        assert_eq!(seen.message(0)["content"], "ab", "{name}");
    }
    let known = format!(r#"{{{HEAD},"choices":[{{"index":0,"delta":{{"content":"a"}}}}]}}"#);
    let blank = r#"{"id":"","created":0,"model":"","choices":[{"index":0,"finish_reason":"content_filter","content_filter_results":{}}]}"#;
    let seen = custom().streamed(&asking(), stream(&[&known, blank]).as_bytes());
    let last = &seen.chunks()[1];
    assert_eq!(
        (&last["id"], &last["created"], &last["model"]),
        (&json!("c"), &json!(1_790_000_000), &json!("m"))
    );
    assert_eq!(last["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn usage_is_where_clients_look_for_it_wherever_the_server_has_it() {
    let text = r#""choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]"#;
    let stop = r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]"#;
    let usage = r#""usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}"#;
    let early = r#""usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}"#;
    let zero = r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let none = r#""choices":[]"#;
    for (name, chunks) in [
        ("in its own chunk", vec![format!("{text}"), format!("{stop}"), format!("{none},{usage}")]),
        ("in the last chunk", vec![format!("{text}"), format!("{stop},{usage}")]),
        ("in every chunk", vec![format!("{text},{early}"), format!("{stop},{usage}")]),
        ("before the end", vec![format!("{text}"), format!("{none},{usage}"), format!("{stop}")]),
        (
            "in several chunks of its own",
            vec![
                format!("{text}"),
                format!("{none},{early}"),
                format!("{stop}"),
                format!("{none},{usage}"),
            ],
        ),
        ("with zeros first", vec![format!("{text},{zero}"), format!("{stop},{usage}")]),
        (
            "with no choices at all",
            vec![format!("{text}"), format!("{stop}"), format!(r#""choices":null,{usage}"#)],
        ),
        (
            "without a total",
            vec![
                format!("{text}"),
                format!("{stop}"),
                format!(r#"{none},"usage":{{"prompt_tokens":9,"completion_tokens":5}}"#),
            ],
        ),
        ("in a vendor's field", vec![format!("{text}"), format!(r#"{stop},"x_groq":{{{usage}}}"#)]),
        (
            "in the choice",
            vec![
                format!("{text}"),
                format!(r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"stop",{usage}}}]"#),
            ],
        ),
    ] {
        let chunks: Vec<String> = chunks.iter().map(|rest| format!("{{{HEAD},{rest}}}")).collect();
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        for end in ["data: [DONE]\n\n", ""] {
            let text = stream(&chunks).replace("data: [DONE]\n\n", end);
            let seen = custom().streamed(&asking(), text.as_bytes());
            assert_eq!(seen.usage.map(|c| (c.prompt, c.completion)), Some((9, 5)), "{name}");
            assert!(seen.is_complete(), "{name}: {seen:?}");
            let all = seen.chunks();
            let (last, others) = all[..all.len() - 1].split_last().unwrap();
            assert_eq!(last["usage"]["total_tokens"], 14, "{name}: {last}");
            assert!(last["choices"].as_array().is_none_or(Vec::is_empty), "{name}: {last}");
            assert_eq!((&last["id"], &last["model"]), (&json!("c"), &json!("m")), "{name}");
            for chunk in others {
                assert!(
                    chunk["usage"].is_null() && chunk["choices"][0].is_object(),
                    "{name}: {chunk}"
                );
            }
            let seen = custom().streamed(&chat_with(r#","stream":true"#), text.as_bytes());
            assert_eq!(seen.usage.map(|c| c.completion), Some(5), "{name}");
            for chunk in seen.chunks() {
                assert!(chunk.get("usage").is_none(), "{name}: {chunk}");
            }
        }
    }
}

#[test]
fn whole_answers_are_put_right() {
    let calls = |calls: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"content":null,"tool_calls":{calls}}},"finish_reason":"stop"}}]}}"#
        )
    };
    for (name, answer, pointer, expected) in [
        ("no object", r#"{"choices":[{"message":{"content":"a"}}]}"#.to_owned(), "/object", json!("chat.completion")),
        ("no model", r#"{"choices":[{"message":{"content":"a"}}]}"#.to_owned(), "/model", json!("m")),
        ("no date", r#"{"choices":[{"message":{"content":"a"}}]}"#.to_owned(), "/created", json!(NOW)),
        ("no index", r#"{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}"#.to_owned(), "/choices/1/index", json!(1)),
        ("no role", r#"{"choices":[{"message":{"content":"a"}}]}"#.to_owned(), "/choices/0/message/role", json!("assistant")),
        ("no reason", r#"{"choices":[{"message":{"content":"a"}}]}"#.to_owned(), "/choices/0/finish_reason", json!("stop")),
        (
            "a word of its own",
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"model_length"}]}"#.to_owned(),
            "/choices/0/finish_reason",
            json!("length"),
        ),
        ("stop with calls", calls(r#"[{"id":"a","function":{"name":"f","arguments":"{}"}}]"#), "/choices/0/finish_reason", json!("tool_calls")),
        ("no type", calls(r#"[{"id":"a","function":{"name":"f","arguments":"{}"}}]"#), "/choices/0/message/tool_calls/0/type", json!("function")),
        (
            "arguments as an object",
            calls(r#"[{"id":"a","function":{"name":"f","arguments":{"b":1,"a":12345678901234567890}}}]"#),
            "/choices/0/message/tool_calls/0/function/arguments",
            json!(r#"{"b":1,"a":12345678901234567890}"#),
        ),
        (
            "no arguments",
            calls(r#"[{"id":"a","function":{"name":"f"}}]"#),
            "/choices/0/message/tool_calls/0/function/arguments",
            json!("{}"),
        ),
        (
            "reasoning by another name",
            r#"{"choices":[{"message":{"content":"a","reasoning":"r"}}]}"#.to_owned(),
            "/choices/0/message/reasoning_content",
            json!("r"),
        ),
        (
            "no total",
            r#"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":5}}"#.to_owned(),
            "/usage/total_tokens",
            json!(14),
        ),
    ] {
        let value = custom().decoded(&chat_with(""), &answer).unwrap();
        assert_eq!(value.pointer(pointer), Some(&expected), "{name}: {value}");
        let id = value["id"].as_str().unwrap();
        assert!(id.starts_with("chatcmpl-") && id.len() <= 40, "{name}: {id}");
    }
    let ids = calls(r#"[{"function":{"name":"f"}},{"id":"","function":{"name":"f"}}]"#);
    let value = custom().decoded(&chat_with(""), &ids).unwrap();
    let calls = &value["choices"][0]["message"]["tool_calls"];
    assert!(calls[0]["id"].is_string() && calls[0]["id"] != calls[1]["id"], "{calls}");
    for (answer, kind, message) in [
        (r#"{"choices":[{"message":{},"finish_reason":"error"}]}"#, FaultKind::Server, "gave up"),
        (
            r#"{"object":"error","message":"no such thing","code":400}"#,
            FaultKind::Malformed,
            "no such thing",
        ),
        ("{}", FaultKind::Malformed, "no choices"),
    ] {
        let fault = custom().decoded(&chat_with(""), answer).unwrap_err();
        assert!(fault.kind == kind && fault.message.contains(message), "{answer}: {fault:?}");
    }
    let vectors = r#"{"data":[{"embedding":[1]},{"index":1,"embedding":[2]}]}"#;
    let value = custom().decoded(&embeddings(r#"{"model":"m","input":"x"}"#), vectors).unwrap();
    assert_eq!(
        (&value["object"], &value["data"][0]["index"]),
        (&json!("list"), &json!(0)),
        "{value}"
    );
}

#[test]
fn what_openai_says_itself_is_not_put_right() {
    // A function that the caller chose ends with `stop`, and new reasons may come.
    for reason in ["stop", "novel"] {
        let answer = format!(
            r#"{{"id":"c","object":"chat.completion","created":7,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":null,"tool_calls":[{{"id":"a","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},"finish_reason":"{reason}"}}]}}"#
        );
        let value = official().decoded(&chat_with(""), &answer).unwrap();
        assert_eq!(value["choices"][0]["finish_reason"], reason);
    }
}
