//! Servers that speak OpenAI's dialect in a way of their own: what a channel's options change of a
//! request.

use crate::harness::{Bench, chat, chat_with, embeddings};
use adapter_providers::OpenAi;
use gateway_ports::ProviderError;
use serde_json::{Value, json};

fn custom() -> Bench<OpenAi> {
    Bench::new(OpenAi::custom(), "https://up.example.com/v1", "m")
}

fn with(config: Value) -> Bench<OpenAi> {
    Bench { config, ..custom() }
}

fn official() -> Bench<OpenAi> {
    Bench::new(OpenAi::official(), "https://api.openai.com/v1", "m")
}

const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

#[test]
fn a_channel_says_what_its_server_is_not_sent() {
    let streamed =
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"seed":1}"#;
    for (name, config, body, expected, dropped) in [
        (
            "fields",
            json!({"drop": ["seed", "user", "absent"]}),
            r#"{"seed":7,"model":"m","x":[1e2],"user":null}"#,
            r#"{"model":"m","x":[1e2]}"#,
            vec!["seed"],
        ),
        (
            "the last field",
            json!({"drop": ["seed"]}),
            r#"{"model":"m" , "seed" : 7 }"#,
            r#"{"model":"m" }"#,
            vec!["seed"],
        ),
        (
            "a field's name in a text",
            json!({"drop": ["hi"]}),
            r#"{"model":"m"}"#,
            r#"{"model":"m"}"#,
            vec![],
        ),
        (
            "options of streams",
            json!({"drop": ["stream_options"]}),
            streamed,
            r#"{"model":"m","stream":true,"seed":1}"#,
            vec!["stream_options"],
        ),
        (
            "options of streams that were not asked for",
            json!({"drop": ["stream_options"]}),
            r#"{"model":"m","stream":true}"#,
            r#"{"model":"m","stream":true}"#,
            vec![],
        ),
        (
            "the newer name",
            json!({"rename_max_tokens": "to_completion"}),
            r#"{"model":"m","max_tokens" : 5}"#,
            r#"{"model":"m","max_completion_tokens":5}"#,
            vec![],
        ),
        (
            "the older name",
            json!({"rename_max_tokens": "to_legacy"}),
            r#"{"max_completion_tokens":5,"max_tokens":null,"model":"m"}"#,
            r#"{"max_tokens":5,"model":"m"}"#,
            vec![],
        ),
        (
            "both names, newer",
            json!({"rename_max_tokens": "to_completion"}),
            r#"{"model":"m","max_tokens":5,"max_completion_tokens":6}"#,
            r#"{"model":"m","max_completion_tokens":6}"#,
            vec!["max_tokens"],
        ),
        (
            "both names, older",
            json!({"rename_max_tokens": "to_legacy"}),
            r#"{"model":"m","max_completion_tokens":6,"max_tokens":5}"#,
            r#"{"model":"m","max_tokens":6}"#,
            vec!["max_tokens"],
        ),
        (
            "neither name",
            json!({"rename_max_tokens": "to_legacy", "drop": ["max_completion_tokens"]}),
            r#"{"model":"m","max_completion_tokens":6}"#,
            r#"{"model":"m"}"#,
            vec!["max_completion_tokens"],
        ),
    ] {
        let messages = |body: &str| body.replacen('{', &format!("{{{MESSAGES},"), 1);
        let encoded = with(config).encode(&chat(&messages(body))).unwrap();
        let sent = std::str::from_utf8(encoded.request.body()).unwrap();
        assert_eq!(sent, messages(expected), "{name}");
        assert_eq!(encoded.dropped, dropped, "{name}");
    }
    let embed = embeddings(r#"{"model":"m","input":"x","encoding_format":"base64"}"#);
    let encoded = with(json!({"drop": ["encoding_format"]})).encode(&embed).unwrap();
    assert_eq!(encoded.request.body(), r#"{"model":"m","input":"x"}"#);
    assert_eq!(encoded.dropped, ["encoding_format"]);
}

#[test]
fn the_limit_that_is_paid_for_has_the_name_that_the_server_knows() {
    for (config, name) in [
        (json!({}), Some("max_tokens")),
        (json!({"rename_max_tokens": "to_completion"}), Some("max_completion_tokens")),
        (json!({"drop": ["max_tokens"]}), None),
    ] {
        let bench = Bench { max_completion: Some(77), ..with(config.clone()) };
        let (sent, _) = bench.sent(&format!(r#"{{"model":"m",{MESSAGES},"max_tokens":null}}"#));
        let limits = ["max_tokens", "max_completion_tokens"];
        let told: Vec<_> = limits.into_iter().filter(|limit| sent[limit] == 77).collect();
        assert_eq!(told, name.into_iter().collect::<Vec<_>>(), "{config}: {sent}");
    }
}

#[test]
fn options_that_make_no_sense_are_said() {
    for config in [
        json!({"drop": "seed"}),
        json!({"drop": [1]}),
        json!({"drop": ["messages"]}),
        json!({"drop": ["model"]}),
        json!({"rename_max_tokens": true}),
        json!({"rename_max_tokens": "other"}),
        json!({"developer_as_system": "yes"}),
        json!({"strip_extensions": 1}),
        json!({"shorten_tool_call_ids": {}}),
    ] {
        let refused = with(config.clone()).encode(&chat_with(""));
        assert!(matches!(refused, Err(ProviderError::Misconfigured(_))), "{config}: {refused:?}");
    }
    let fine = json!({"drop": null, "rename_max_tokens": null, "strip_extensions": null, "x": 1});
    assert!(with(fine).encode(&chat_with("")).is_ok());
}

const HISTORY: &str = r#"{"model":"m","cache_control":{"type":"ephemeral"},"messages":[
 {"role":"developer","content":[{"type":"text","text":"\"reasoning_content\"","cache_control":{"type":"ephemeral"}}]},
 {"role":"user", "content":"untouched"},
 {"role":"assistant","content":null,"reasoning_content":"r","reasoning":"r","reasoning_details":[],"thinking_blocks":[{"type":"thinking"}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"b\":1,\"a\":12345678901234567890}"},"extra_content":{"google":{"thought_signature":"s"}}}]},
 {"role":"tool","tool_call_id":"c","content":"ok","cache_control":{"type":"ephemeral"}}],
 "tools":[{"type":"function","function":{"name":"f","cache_control":{"type":"ephemeral"},"parameters":{"b":1e2,"a":1}},"cache_control":{"type":"ephemeral"}},{"type":"function","function":{"name":"g"} }]}"#;

#[test]
fn what_other_providers_left_in_a_history_is_not_for_openai() {
    assert_eq!(custom().sent_text(HISTORY), HISTORY, "a server of one's own may want it");
    let encoded = official().encode(&chat(HISTORY)).unwrap();
    let text = std::str::from_utf8(encoded.request.body()).unwrap();
    for field in
        ["cache_control", "\"reasoning", "thinking_blocks", "extra_content", "thought_signature"]
    {
        assert!(!text.contains(&format!("{field}\":")), "{field}: {text}");
    }
    assert!(text.contains(r#""text":"\"reasoning_content\"""#), "a text is a text: {text}");
    assert!(text.contains(r#"{"role":"user", "content":"untouched"}"#), "{text}");
    assert!(text.contains(r#"{"type":"function","function":{"name":"g"} }"#), "{text}");
    assert!(text.contains(r#"{\"b\":1,\"a\":12345678901234567890}"#), "{text}");
    assert!(text.contains(r#"{"b":1e2,"a":1}"#), "{text}");
    let mut dropped = encoded.dropped;
    dropped.sort();
    assert_eq!(
        dropped,
        [
            "cache_control",
            "extra_content",
            "reasoning",
            "reasoning_content",
            "reasoning_details",
            "thinking_blocks"
        ]
    );
    let kept = Bench { config: json!({"strip_extensions": false}), ..official() };
    assert_eq!(kept.sent_text(HISTORY), HISTORY);
}

#[test]
fn a_developer_is_the_system_where_that_is_what_the_server_knows() {
    let (sent, dropped) = with(json!({"developer_as_system": true})).sent(HISTORY);
    assert_eq!((&sent["messages"][0]["role"], dropped.len()), (&json!("system"), 0));
    assert_eq!(sent["messages"][2]["reasoning_content"], "r");
}

#[test]
fn long_ids_of_calls_are_shortened_alike_for_call_and_answer() {
    let (first, second) = (format!("call_{}", "x".repeat(60)), format!("call_{}y", "x".repeat(60)));
    let short = "call_0123456789012345678901234567890123x";
    assert_eq!(short.len(), 40);
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": first, "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": second, "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": short, "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": second, "content": "2"},
        {"role": "tool", "tool_call_id": first, "content": "1"},
        {"role": "tool", "tool_call_id": short, "content": "3"},
    ]})
    .to_string();
    let (sent, dropped) = official().sent(&body);
    let calls = &sent["messages"][1]["tool_calls"];
    let ids: Vec<&str> = (0..3).map(|i| calls[i]["id"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() <= 40) && ids[0] != ids[1], "{ids:?}");
    assert_eq!(ids[2], short);
    for (message, id) in [(2, ids[1]), (3, ids[0]), (4, short)] {
        assert_eq!(sent["messages"][message]["tool_call_id"], id);
    }
    assert!(dropped.is_empty());
    assert_eq!(custom().sent_text(&body), body);
    let asked = with(json!({"shorten_tool_call_ids": true}));
    assert_eq!(asked.sent(&body).0, sent);
}
