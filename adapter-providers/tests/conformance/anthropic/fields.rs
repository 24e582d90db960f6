//! How the other fields are sent: cases 4, 6, 12 and 13; and where it all goes.

use super::{asking, bench, sonnet, with};
use crate::harness::{chat, embeddings};
use gateway_ports::ProviderError;
use serde_json::{Value, json};

#[test]
fn case_4_there_is_always_a_limit() {
    for (name, model, fields, paid, config, expected) in [
        ("nobody says", "claude-sonnet-4-5", "", None, json!({}), 8192),
        ("an old model", "claude-3-haiku-20240307", "", None, json!({}), 4096),
        ("an unknown model", "novel", "", None, json!({}), 4096),
        (
            "the channel says",
            "claude-sonnet-4-5",
            "",
            None,
            json!({"default_max_tokens": 100}),
            100,
        ),
        ("what is paid for", "claude-sonnet-4-5", "", Some(77), json!({}), 77),
        ("more than the model has", "claude-3-haiku-20240307", "", Some(9000), json!({}), 4096),
        ("the old name", "claude-sonnet-4-5", r#","max_tokens":100"#, Some(77), json!({}), 100),
        (
            "both names",
            "claude-sonnet-4-5",
            r#","max_tokens":100,"max_completion_tokens":200"#,
            None,
            json!({}),
            200,
        ),
        ("null", "claude-sonnet-4-5", r#","max_tokens":null"#, Some(77), json!({}), 77),
        (
            "thoughts come on top",
            "claude-sonnet-4-5",
            r#","reasoning_effort":"high""#,
            None,
            json!({}),
            4096 + 8192,
        ),
        (
            "up to what the model has",
            "claude-opus-4-1",
            r#","thinking":{"type":"enabled","budget_tokens":30000}"#,
            None,
            json!({}),
            32000,
        ),
    ] {
        let mut bench = bench(model);
        (bench.config, bench.max_completion) = (config, paid);
        assert_eq!(bench.sent(&with(fields)).0["max_tokens"], expected, "{name}");
    }
}

#[test]
fn case_6_blank_stops_are_left_out() {
    for (stop, expected, dropped) in [
        (r#"["\n\n","END"]"#, json!(["END"]), vec!["stop"]),
        (r#"["  "]"#, Value::Null, vec!["stop"]),
        (r#""END""#, json!(["END"]), vec![]),
        ("null", Value::Null, vec![]),
        ("[]", Value::Null, vec![]),
    ] {
        let (sent, left_out) = sonnet().sent(&with(&format!(r#","stop":{stop}"#)));
        assert_eq!(
            (&sent["stop_sequences"], left_out),
            (&expected, dropped.into_iter().map(str::to_owned).collect()),
            "{stop}"
        );
    }
}

#[test]
fn case_12_the_shape_of_the_answer() {
    let format = |schema: &str| {
        format!(
            r#","response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true{schema}}}}}"#
        )
    };
    let schema = r#","schema":{"type":"object","properties":{"b":{"type":"integer","minimum":1},"a":{"oneOf":[{"type":"string"},{"type":"null"}]}}}"#;
    let sent = sonnet().sent_text(&with(&format(schema)));
    let expected = r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"b":{"type":"integer","description":"{minimum: 1}"},"a":{"anyOf":[{"type":"string"},{"type":"null"}]}},"additionalProperties":false}}}"#;
    assert!(sent.contains(expected), "{sent}");
    for fields in [format(""), r#","response_format":{"type":"json_object"}"#.to_owned()] {
        let (sent, dropped) = sonnet().sent(&with(&fields));
        assert_eq!(
            sent["system"][0]["text"],
            "Respond with one valid JSON object and nothing else."
        );
        assert!(sent.get("output_config").is_none());
        assert_eq!(dropped, ["response_format.type"]);
    }
    let (sent, dropped) = sonnet().sent(&with(r#","response_format":{"type":"text"}"#));
    assert!(
        sent.get("system").is_none() && sent.get("output_config").is_none() && dropped.is_empty()
    );
    for (model, fields, param) in [
        ("claude-opus-4-1", format(schema), "response_format"),
        (super::SONNET, format(r#","schema":[]"#), "response_format.json_schema.schema"),
        (super::SONNET, r#","response_format":{"type":"grammar"}"#.to_owned(), "response_format"),
    ] {
        assert_eq!(bench(model).refused(&with(&fields)).0, param, "{fields}");
    }
    let own = format!(r#"{},"output_config":{{"effort":"low"}}"#, format(schema));
    let (sent, _) =
        bench("claude-opus-5").sent(&with(&format!(r#"{own},"reasoning_effort":"high""#)));
    assert_eq!(
        (&sent["output_config"]["effort"], &sent["output_config"]["format"]["type"]),
        (&json!("low"), &json!("json_schema"))
    );
}

#[test]
fn case_13_what_cannot_be_had_is_refused_or_named() {
    for (field, value) in [
        ("n", "2"),
        ("logprobs", "true"),
        ("top_logprobs", "3"),
        ("modalities", r#"["text","audio"]"#),
        ("audio", r#"{"voice":"a"}"#),
        ("web_search_options", "{}"),
    ] {
        let refused = sonnet().refused(&with(&format!(r#","{field}":{value}"#)));
        assert_eq!(refused, (field.into(), ProviderError::UNSUPPORTED_VALUE));
    }
    let body = with(
        r#","n":1,"logprobs":false,"modalities":["text"],"seed":7,"logit_bias":{"1":2},"frequency_penalty":0.5,"presence_penalty":0.5,"metadata":{"a":"b"},"store":true,"verbosity":"low","prompt_cache_key":"k","service_tier":"flex","novel":1,"top_logprobs":0"#,
    );
    let (sent, mut dropped) = sonnet().sent(&body);
    dropped.sort();
    let expected = [
        "frequency_penalty",
        "logit_bias",
        "metadata",
        "novel",
        "presence_penalty",
        "prompt_cache_key",
        "seed",
        "service_tier",
        "store",
        "verbosity",
    ];
    assert_eq!(dropped, expected);
    let mut names: Vec<&str> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["max_tokens", "messages", "model"], "nothing else is sent");
    let mut strict = sonnet();
    strict.config = json!({"strict": true});
    assert_eq!(
        strict.refused(&with(r#","n":1,"seed":7"#)),
        ("seed".into(), ProviderError::UNSUPPORTED_VALUE)
    );
    assert_eq!(strict.sent(&with(r#","prompt_cache_key":"k""#)).1, ["prompt_cache_key"]);
}

#[test]
fn case_13_fields_of_this_dialect_pass_to_the_letter() {
    let body = with(
        r#","container":"c","mcp_servers":[{"b":1e2,"a":1}],"context_management":{"edits":[]},"speed":"fast","inference_geo":"eu","cache_control":{"type":"ephemeral"},"thinking":{"type":"adaptive","b":1},"output_config":{"effort":"max","x":1.0},"tools":[{"type":"mcp_toolset","mcp_server_name":"s"}]"#,
    );
    let mut bench = bench("claude-opus-4-6");
    bench.config = json!({"beta": "context-1m-2025-08-07, fast-mode-2026-02-01", "anthropic_version": "2026-10-21"});
    let encoded = bench.encode(&chat(&body)).unwrap();
    let text = std::str::from_utf8(encoded.request.body()).unwrap();
    for part in [
        r#""container":"c""#,
        r#""mcp_servers":[{"b":1e2,"a":1}]"#,
        r#""context_management":{"edits":[]}"#,
        r#""speed":"fast""#,
        r#""inference_geo":"eu""#,
        r#""cache_control":{"type":"ephemeral"}"#,
        r#""thinking":{"type":"adaptive","b":1}"#,
        r#""output_config":{"effort":"max","x":1.0}"#,
        r#""type":"mcp_toolset""#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(encoded.dropped, [""; 0]);
    let headers = encoded.request.headers();
    assert_eq!(headers["anthropic-version"], "2026-10-21");
    assert_eq!(
        headers["anthropic-beta"],
        "context-1m-2025-08-07,fast-mode-2026-02-01,mcp-client-2025-11-20,context-management-2025-06-27"
    );
    for field in ["thinking", "output_config", "cache_control"] {
        let refused = sonnet().refused(&with(&format!(r#","{field}":"x""#)));
        assert_eq!(refused, (field.into(), ProviderError::INVALID_TYPE));
    }
}

#[test]
fn case_13_who_asks() {
    for (fields, config, expected, dropped) in [
        (r#","user":"u""#, json!({}), json!({"user_id": "u"}), vec![]),
        (
            r#","user":"u","safety_identifier":"s""#,
            json!({}),
            json!({"user_id": "s"}),
            vec!["user"],
        ),
        (r#","user":"","safety_identifier":"s""#, json!({}), json!({"user_id": "s"}), vec!["user"]),
        (r#","user":"""#, json!({}), Value::Null, vec![]),
        (r#","user":"u""#, json!({"send_user": false, "strict": true}), Value::Null, vec!["user"]),
    ] {
        let mut bench = sonnet();
        bench.config = config;
        let (sent, left_out) = bench.sent(&with(fields));
        assert_eq!(
            (&sent["metadata"], left_out),
            (&expected, dropped.into_iter().map(str::to_owned).collect()),
            "{fields}"
        );
    }
}

#[test]
fn marks_for_the_cache_are_kept_and_no_more_than_four() {
    let part = |text: &str, mark: &str| format!(r#"{{"type":"text","text":"{text}"{mark}}}"#);
    let own = r#","cache_control":{"type":"ephemeral","ttl":"1h"}"#;
    let openai = r#","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}"#;
    let conversation = format!(
        r#"[{{"role":"system","content":[{}]}},{{"role":"user","content":[{},{}]}},{{"role":"assistant","content":"a"{own}}},{{"role":"user","content":"b"{openai}}}]"#,
        part("s", own),
        part("t", openai),
        part("u", ""),
    );
    let tools = format!(r#","tools":[{{"type":"function","function":{{"name":"f"}}{own}}}]"#);
    let marks = |config: Value, fields: &str| {
        let mut bench = sonnet();
        bench.config = config;
        let (sent, dropped) = bench.sent(&asking(&conversation, fields));
        assert_eq!(dropped, [""; 0]);
        json!([
            sent["tools"][0]["cache_control"],
            sent["system"][0]["cache_control"],
            sent["messages"][0]["content"][0]["cache_control"],
            sent["messages"][1]["content"][0]["cache_control"],
            sent["messages"][2]["content"][0]["cache_control"],
            sent["cache_control"],
        ])
    };
    let (hour, plain) = (json!({"type": "ephemeral", "ttl": "1h"}), json!({"type": "ephemeral"}));
    let none = Value::Null;
    assert_eq!(marks(json!({}), ""), json!([none, hour, plain, hour, plain, none]));
    assert_eq!(
        marks(json!({}), &tools),
        json!([none, hour, plain, hour, plain, none]),
        "the last four"
    );
    assert_eq!(
        marks(json!({"auto_cache": true}), &tools),
        json!([none, none, plain, hour, plain, plain])
    );
    assert_eq!(marks(json!({"cache_ttl": "1h"}), ""), json!([none, hour, hour, hour, hour, none]));
}

#[test]
fn addresses_keys_and_options_of_a_channel() {
    for (base, expected) in [
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://h.example.com/anthropic", "https://h.example.com/anthropic/v1/messages"),
        ("https://v2.example.com", "https://v2.example.com/v1/messages"),
        ("https://h.example.com/a/v1beta", "https://h.example.com/a/v1beta/messages"),
    ] {
        let mut bench = sonnet();
        bench.base_url = base;
        assert_eq!(bench.encode(&chat(&with(""))).unwrap().request.uri(), expected);
    }
    for config in
        [json!({"beta": 5}), json!({"beta": "a\nb"}), json!({"anthropic_version": "\u{e9}\n"})]
    {
        let mut bench = sonnet();
        bench.config = config.clone();
        let error = bench.encode(&chat(&with(""))).unwrap_err();
        assert!(matches!(error, ProviderError::Misconfigured(_)), "{config}");
    }
    let call = embeddings(r#"{"model":"m","input":"x"}"#);
    let error = sonnet().encode(&call).unwrap_err();
    assert!(
        matches!(error, ProviderError::Unsupported { code: "model_not_found", .. }),
        "{error:?}"
    );
}
