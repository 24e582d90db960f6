//! Cases of Gemini: 15 to 21, 23 (its half), 24 to 26, 33, 36 to 39 (its halves).

#[path = "gemini/answers.rs"]
mod answers;
#[path = "gemini/embeddings.rs"]
mod embeddings;
#[path = "gemini/errors.rs"]
mod errors;
#[path = "gemini/fields.rs"]
mod fields;
#[path = "gemini/golden.rs"]
mod golden;
#[path = "gemini/parts.rs"]
mod parts;
#[path = "gemini/sampling.rs"]
mod sampling;
#[path = "gemini/streams.rs"]
mod streams;

use crate::harness::{Bench, chat, chat_with, embeddings};
use adapter_providers::Gemini;
use bytes::Bytes;
use gateway_domain::{FaultKind, ModelCall, ModelName, Timestamp, TokenCounts};
use gateway_ports::{
    Answer, AnswerBody, Delta, Encoded, FinishReason, Provider, ProviderError, StreamEvent, Target,
    provider::ErrorReply,
};
use http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};

const BASE: &str = "https://generativelanguage.googleapis.com/v1beta";
const FLASH_2: &str = "gemini-2.5-flash";
const PRO_2: &str = "gemini-2.5-pro";
const FLASH_3: &str = "gemini-3-flash-preview";
const PRO_3: &str = "gemini-3-pro-preview";

fn bench(model: &'static str) -> Bench<Gemini> {
    Bench::new(Gemini, BASE, model)
}

fn with_config(model: &'static str, config: Value) -> Bench<Gemini> {
    Bench { config, ..bench(model) }
}

/// What is sent for these messages and further fields.
fn sent(bench: &Bench<Gemini>, messages: &Value, fields: Value) -> (Value, Vec<String>) {
    let mut body = json!({"model": "m", "messages": messages});
    match fields {
        Value::Object(fields) => body.as_object_mut().unwrap().extend(fields),
        other => panic!("no fields: {other}"),
    }
    bench.sent(&body.to_string())
}

fn hello() -> Value {
    json!([{"role": "user", "content": "hi"}])
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn answers(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

fn text(text: &str) -> Value {
    json!({"text": text})
}

fn streaming() -> ModelCall {
    chat_with(r#","stream":true,"stream_options":{"include_usage":true}"#)
}

fn events(chunks: &[Value]) -> String {
    let texts: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
    texts.concat()
}

fn candidate(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}}]})
}

fn finished(parts: &Value, reason: &str) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason}]})
}

#[test]
fn case_15_a_tools_answer_gets_the_name_of_the_call() {
    let messages = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [call("c1", "first", "{}"), call("c2", "second", "{}")]},
        answers("c1", r#"{"error":"x"}"#),
        answers("c2", "2"),
    ]);
    let (sent, dropped) = sent(&bench(FLASH_2), &messages, json!({}));
    assert_eq!(
        sent["contents"][2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"name": "first", "response": {"output": "{\"error\":\"x\"}"}}},
            {"functionResponse": {"name": "second", "response": {"output": "2"}}},
        ]})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
    for (name, messages, param) in [
        (
            "an unknown id",
            json!([{"role": "user", "content": "hi"}, answers("c9", "x")]),
            "messages.[1].tool_call_id",
        ),
        (
            "no id",
            json!([{"role": "user", "content": "hi"}, {"role": "tool", "content": "x"}]),
            "messages.[1].tool_call_id",
        ),
        (
            "a call that comes later",
            json!([answers("c1", "x"), {"role": "assistant", "content": null, "tool_calls": [call("c1", "f", "{}")]}]),
            "messages.[0].tool_call_id",
        ),
        ("no function", json!([{"role": "function", "content": "x"}]), "messages.[0].name"),
    ] {
        let body = json!({"model": "m", "messages": messages}).to_string();
        assert_eq!(bench(FLASH_2).refused(&body), (param.into(), "invalid_value"), "{name}");
    }
    // The old dialect knows its functions by name.
    let legacy = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":1}"}},
        {"role": "function", "name": "f", "content": "1"},
    ]);
    let (sent, _) = self::sent(&bench(FLASH_2), &legacy, json!({}));
    assert_eq!(
        sent["contents"][1]["parts"],
        json!([{"functionCall": {"name": "f", "args": {"x": 1}}}])
    );
    assert_eq!(
        sent["contents"][2]["parts"],
        json!([{"functionResponse": {"name": "f", "response": {"output": "1"}}}])
    );
}

#[test]
fn case_16_a_call_without_its_signature_gets_the_escape_where_one_is_demanded() {
    let two = |first: &str, second: &str| json!({"role": "assistant", "content": "t", "tool_calls": [call(first, "f", "{}"), call(second, "g", "{}")]});
    let messages = json!([
        {"role": "user", "content": "hi"}, two("a", "b"), answers("a", "1"), answers("b", "2"),
        two("c", "d"), answers("c", "1"), answers("d", "2"),
    ]);
    let escape = json!("skip_thought_signature_validator");
    for (name, bench, first) in [
        ("gemini 3", bench(FLASH_3), escape.clone()),
        ("gemini 3 pro", bench(PRO_3), escape.clone()),
        ("the latest", bench("gemini-flash-latest"), escape),
        ("gemini 2.5", bench(FLASH_2), Value::Null),
        ("gemini 2.0", bench("gemini-2.0-flash"), Value::Null),
        ("switched off", with_config(FLASH_3, json!({"thought_signatures": false})), Value::Null),
        (
            "another escape",
            with_config(FLASH_3, json!({"thought_signature_escape": "eA=="})),
            json!("eA=="),
        ),
    ] {
        let (sent, _) = sent(&bench, &messages, json!({}));
        for turn in [1, 3] {
            let parts = &sent["contents"][turn]["parts"];
            assert_eq!(parts[0], text("t"), "{name}");
            assert_eq!(parts[1].get("thoughtSignature").unwrap_or(&Value::Null), &first, "{name}");
            assert_eq!(parts[2].get("thoughtSignature"), None, "{name}");
        }
    }
}

#[test]
fn case_17_a_signature_that_the_client_returns_stays_with_its_call() {
    let signature = "CiQB+/abc_-\u{e9}==";
    let signed = |id: &str, signature: Value| {
        json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": signature}, "other": 1}})
    };
    let messages = |calls: Value| json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls": calls}]);
    for (name, model, calls, expected) in [
        (
            "the first",
            FLASH_3,
            json!([signed("a", json!(signature)), call("b", "f", "")]),
            [json!(signature), Value::Null],
        ),
        (
            "older models take it too",
            FLASH_2,
            json!([signed("a", json!(signature)), call("b", "f", "")]),
            [json!(signature), Value::Null],
        ),
        (
            "the second only",
            FLASH_3,
            json!([call("a", "f", ""), signed("b", json!(signature))]),
            [json!("skip_thought_signature_validator"), json!(signature)],
        ),
        (
            "no text",
            FLASH_2,
            json!([signed("a", json!(1)), signed("b", json!(null))]),
            [Value::Null, Value::Null],
        ),
    ] {
        let (sent, _) = sent(&bench(model), &messages(calls), json!({}));
        let parts = &sent["contents"][1]["parts"];
        for (part, expected) in [0, 1].into_iter().zip(expected) {
            let found = parts[part].get("thoughtSignature").unwrap_or(&Value::Null);
            assert_eq!(found, &expected, "{name}: {part}");
        }
    }
}

#[test]
fn case_18_turns_are_merged_but_answers_of_tools_stay_apart() {
    let asks = json!({"role": "assistant", "content": null, "tool_calls": [call("a", "f", ""), call("b", "g", "")]});
    let user = |content: Value| json!({"role": "user", "content": content});
    let response =
        |name: &str| json!({"functionResponse": {"name": name, "response": {"output": "1"}}});
    let asked = json!([{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "g", "args": {}}}]);
    for (name, messages, contents) in [
        (
            "tools, then the user",
            json!([
                user(json!("hi")),
                asks,
                answers("b", "1"),
                answers("a", "1"),
                user(json!("next"))
            ]),
            json!([
                {"role": "user", "parts": [text("hi")]},
                {"role": "model", "parts": asked},
                {"role": "user", "parts": [response("f"), response("g")]},
                {"role": "user", "parts": [text("next")]},
            ]),
        ),
        (
            "one side after itself",
            json!([
                user(json!("a")), {"role": "system", "content": "s"}, user(json!([{"type": "text", "text": "b"}, {"type": "text", "text": ""}])),
                {"role": "assistant", "content": "c"}, {"role": "assistant", "content": ""}, {"role": "assistant", "content": null, "refusal": "d"},
            ]),
            json!([{"role": "user", "parts": [text("a"), text("b")]}, {"role": "model", "parts": [text("c"), text("d")]}]),
        ),
        ("nothing said", json!([user(json!(""))]), json!([{"role": "user", "parts": [text(".")]}])),
        (
            "only the operator",
            json!([{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}]),
            json!([{"role": "user", "parts": [text("b")]}]),
        ),
    ] {
        let (sent, dropped) = sent(&bench(FLASH_2), &messages, json!({}));
        assert_eq!(sent["contents"], contents, "{name}");
        assert!(dropped.is_empty(), "{name}: {dropped:?}");
    }
    let system = json!([
        {"role": "system", "content": " "}, {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        user(json!("hi")), {"role": "developer", "content": "c"},
    ]);
    let (sent, _) = sent(&bench(FLASH_2), &system, json!({}));
    assert_eq!(sent["systemInstruction"], json!({"parts": [text("a"), text("b"), text("c")]}));
}

#[test]
fn case_19_names_that_gemini_does_not_take_are_mapped_there_and_back() {
    let tools = json!([tool("2fast-lookup"), tool("_2fast-lookup"), tool("plain")]);
    let fields = json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "2fast-lookup"}}});
    let (sent, dropped) = sent(&bench(FLASH_2), &hello(), fields.clone());
    let declared = sent["tools"][0]["functionDeclarations"].as_array().unwrap();
    let names: Vec<&str> = declared.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["_2fast-lookup_2", "_2fast-lookup", "plain"]);
    assert_eq!(
        sent["toolConfig"],
        json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["_2fast-lookup_2"]}})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
    let mut body = json!({"model": "m", "messages": hello(), "stream": true});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let asked = chat(&body.to_string());
    let parts = json!([
        {"functionCall": {"name": "_2fast-lookup_2"}}, {"functionCall": {"name": "_2fast-lookup"}}, {"functionCall": {"name": "unheard"}},
    ]);
    let answer = finished(&parts, "STOP");
    let whole = bench(FLASH_2).decoded(&asked, &answer.to_string()).unwrap();
    let streamed = bench(FLASH_2).streamed(&asked, events(&[answer]).as_bytes()).message(0);
    for (index, name) in ["2fast-lookup", "_2fast-lookup", "unheard"].into_iter().enumerate() {
        assert_eq!(whole["choices"][0]["message"]["tool_calls"][index]["function"]["name"], name);
        assert_eq!(streamed["tool_calls"][index]["name"], name);
    }
}

#[test]
fn case_20_schemas_and_thinking_are_written_as_the_generation_has_them() {
    let format = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}}}});
    let (sent, dropped) = sent(&bench(FLASH_2), &hello(), format.clone());
    assert_eq!(
        sent["generationConfig"],
        json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
    let (older, _) = self::sent(&bench("gemini-2.0-flash"), &hello(), format);
    assert_eq!(
        older["generationConfig"],
        json!({"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}}})
    );
    let budget = |tokens: i64| json!({"includeThoughts": true, "thinkingBudget": tokens});
    let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
    let lost = true;
    for (model, effort, config, is_lost) in [
        (FLASH_2, "none", json!({"thinkingBudget": 0}), !lost),
        (FLASH_2, "minimal", budget(512), !lost),
        (FLASH_2, "low", budget(1024), !lost),
        (FLASH_2, "medium", budget(8192), !lost),
        (FLASH_2, "high", budget(24_576), !lost),
        (FLASH_2, "max", budget(24_576), !lost),
        (PRO_2, "none", json!({"thinkingBudget": 128}), lost),
        (PRO_2, "minimal", budget(128), !lost),
        (PRO_2, "xhigh", budget(32_768), !lost),
        (FLASH_3, "none", json!({"thinkingLevel": "MINIMAL"}), lost),
        (FLASH_3, "minimal", level("MINIMAL"), !lost),
        (FLASH_3, "low", level("LOW"), !lost),
        (FLASH_3, "medium", level("MEDIUM"), !lost),
        (FLASH_3, "high", level("HIGH"), !lost),
        (FLASH_3, "max", level("HIGH"), !lost),
        (PRO_3, "none", json!({"thinkingLevel": "LOW"}), lost),
        (PRO_3, "minimal", level("LOW"), !lost),
        (PRO_3, "medium", level("HIGH"), !lost),
        ("gemini-3.1-pro", "medium", level("MEDIUM"), !lost),
        (FLASH_3, "novel", Value::Null, lost),
        ("gemini-2.0-flash", "high", Value::Null, lost),
        ("gemini-2.5-flash-image", "high", Value::Null, lost),
    ] {
        let (sent, dropped) =
            self::sent(&bench(model), &hello(), json!({"reasoning_effort": effort}));
        assert_eq!(sent["generationConfig"]["thinkingConfig"], config, "{model} {effort}");
        let expected: &[&str] = if is_lost { &["reasoning_effort"] } else { &[] };
        assert_eq!(dropped, expected, "{model} {effort}");
    }
    let flagged = with_config(FLASH_3, json!({"xhigh": true}));
    let (sent, _) = self::sent(&flagged, &hello(), json!({"reasoning_effort": "xhigh"}));
    assert_eq!(sent["generationConfig"]["thinkingConfig"], level("XHIGH"));
    for place in ["top", "extra_body"] {
        let asked = json!({"thinking_config": {"thinking_budget": 5, "thinking_level": "low", "include_thoughts": false}});
        let mut fields =
            if place == "top" { asked } else { json!({"extra_body": {"google": asked}}) };
        fields["reasoning_effort"] = json!("high");
        let (sent, dropped) = self::sent(&bench(FLASH_3), &hello(), fields);
        assert_eq!(
            sent["generationConfig"]["thinkingConfig"],
            json!({"thinkingLevel": "low", "includeThoughts": false}),
            "{place}"
        );
        assert_eq!(dropped, ["reasoning_effort", "thinking_config.thinking_budget"], "{place}");
    }
}

#[test]
fn case_21_the_address_has_the_model_as_one_segment_and_never_the_key() {
    let stream = |stream: bool| chat_with(&format!(r#","stream":{stream}"#));
    for (model, stream_wanted, address) in [
        (FLASH_3, false, "/models/gemini-3-flash-preview:generateContent"),
        (FLASH_3, true, "/models/gemini-3-flash-preview:streamGenerateContent?alt=sse"),
        ("models/gemini-x", false, "/models/gemini-x:generateContent"),
        ("tunedModels/x", false, "/tunedModels/x:generateContent"),
        (
            "gemini-x/../../v1beta/models/y",
            false,
            "/models/gemini-x%2F..%2F..%2Fv1beta%2Fmodels%2Fy:generateContent",
        ),
        (
            "x?key=1&a#b:c %2e\u{e9}",
            false,
            "/models/x%3Fkey%3D1%26a%23b%3Ac%20%252e%C3%A9:generateContent",
        ),
        ("..", false, "/models/..:generateContent"),
    ] {
        let Encoded { request, more, .. } = bench(model).encode(&stream(stream_wanted)).unwrap();
        assert_eq!(request.uri().to_string(), format!("{BASE}{address}"), "{model}");
        let key = &request.headers()["x-goog-api-key"];
        assert!(key.is_sensitive() && key == "sk-channel-secret", "{model}");
        assert!(!request.headers().contains_key("authorization"), "{model}");
        assert_eq!(request.headers()["accept-encoding"], "identity", "{model}");
        assert!(!String::from_utf8_lossy(request.body()).contains("\"model\":\"m\""), "{model}");
        assert!(more.is_empty(), "{model}");
    }
    let nameless = json!({"model": "m", "messages": hello()}).to_string();
    assert_eq!(bench("models/").refused(&nameless), ("model".into(), "invalid_value"));
}
