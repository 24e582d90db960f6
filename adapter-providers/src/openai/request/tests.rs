//! Requests that are read and written again, and those that are not taken.

use super::*;
use bytes::Bytes;
use gateway_domain::ModelCall;
use gateway_ports::{
    ChatRequest, ProviderError,
    provider::request::{Content, Media, PartKind, ToolChoice},
};
use proptest::{option, prelude::*};
use serde_json::{Map, Value, json};

fn chat(body: &str) -> Result<ChatRequest, ProviderError> {
    read(&ModelCall::chat(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

/// A request with these fields besides a model and a message.
fn with(fields: &str) -> Result<ChatRequest, ProviderError> {
    chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#))
}

/// A request whose second message is this one.
fn message(message: &str) -> Result<ChatRequest, ProviderError> {
    chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{message}]}}"#))
}

#[test]
fn what_is_carried_as_text_survives_to_the_letter() {
    let schema = r#"{"z":12345678901234567890123,"a":{"$ref":"x"},"n":1.10}"#;
    let request = chat(&format!(
        r#"{{"model":"m","tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}],"seed":12345678901234567890,
            "response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{schema}}}}},"top_k":1e1,
            "messages":[{{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{{\"b\": 1,\"a\":2}}"}},
              "extra_content":{{"google":{{"thought_signature":"QUJD"}}}}}}]}}]}}"#
    ))
    .unwrap();
    let call = &request.messages[0].tool_calls[0];
    assert_eq!(call.thought_signature().as_deref(), Some("QUJD"));
    assert_eq!(call.arguments, r#"{"b": 1,"a":2}"#);
    let written = String::from_utf8(write(&request).to_vec()).unwrap();
    assert_eq!(written.matches(schema).count(), 2, "{written}");
    assert!(written.contains(r#""seed":12345678901234567890,"#), "{written}");
    assert!(written.contains(r#""top_k":1e1"#), "{written}");
}

#[test]
fn null_is_absent() {
    let request = with(
        r#""temperature":null,"tools":null,"tool_choice":null,"stop":null,"response_format":null,"x":null"#,
    )
    .unwrap();
    assert!(request.present().is_empty(), "{:?}", request.present());
    assert_eq!(
        write(&request),
        r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#.as_bytes()
    );
}

#[test]
fn a_field_that_cannot_be_is_named() {
    let user = |part: &str| {
        message(
            &format!(r#"{{"role":"user","content":["a",{part}]}}"#)
                .replace("\"a\",", r#"{"type":"text","text":"a"},"#),
        )
    };
    let call = |call: &str| message(&format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#));
    for (result, param, code) in [
        (with(r#""temperature":"hot""#), "temperature", "invalid_type"),
        (with(r#""stop":[1]"#), "stop", "invalid_type"),
        (with(r#""logprobs":1"#), "logprobs", "invalid_type"),
        (with(r#""response_format":"json""#), "response_format", "invalid_type"),
        (with(r#""response_format":{}"#), "response_format.type", "invalid_value"),
        (
            with(r#""response_format":{"type":"json_schema","json_schema":{"strict":1}}"#),
            "response_format.json_schema.strict",
            "invalid_type",
        ),
        (with(r#""tools":[{"type":"function"}]"#), "tools.[0].function.name", "invalid_value"),
        (
            with(r#""tool_choice":{"type":"function","function":{}}"#),
            "tool_choice.function.name",
            "invalid_value",
        ),
        (user(r#"{"type":"text"}"#), "messages.[1].content.[1].text", "invalid_value"),
        (
            user(r#"{"type":"image_url"}"#),
            "messages.[1].content.[1].image_url.url",
            "invalid_value",
        ),
        (
            user(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64"}}"#),
            "messages.[1].content.[1]",
            "unsupported_image_url",
        ),
        (
            user(r#"{"type":"file","file":{"file_data":"\u00e9"}}"#),
            "messages.[1].content.[1]",
            "unsupported_content",
        ),
        (call("5"), "messages.[1].tool_calls.[0]", "invalid_type"),
        (call(r#"{"type":"x"}"#), "messages.[1].tool_calls.[0].type", "unsupported_value"),
        (
            call(r#"{"function":{"arguments":"{}"}}"#),
            "messages.[1].tool_calls.[0].function.name",
            "invalid_value",
        ),
    ] {
        match result {
            Err(ProviderError::Unsupported { param: Some(found), code: found_code, message }) => {
                assert_eq!((found.as_str(), found_code), (param, code), "{message}");
            }
            other => panic!("{param}: {other:?}"),
        }
    }
}

#[test]
fn what_lenient_clients_write_is_understood() {
    let request = message(
        r#"{"role":"user","content":[{"type":"image_url","image_url":"DATA:image/PNG;Base64,AA\nAA"},{"type":"file","file":{"file_data":"QQ"}}]}"#,
    )
    .unwrap();
    let Content::Parts(parts) = &request.messages[1].content else { panic!() };
    let PartKind::Image(image) = &parts[0].kind else { panic!() };
    let data = |media_type: Option<&str>, base64: &str| Media::Data {
        media_type: media_type.map(str::to_owned),
        base64: base64.to_owned(),
    };
    assert_eq!(image.source, data(Some("image/png"), "AAAA"));
    let PartKind::File(file) = &parts[1].kind else { panic!() };
    assert_eq!(file.data, Some(data(None, "QQ==")));
    let object = r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":{"b":1,"a":2}}}]}"#;
    let request = message(object).unwrap();
    assert_eq!(request.messages[1].tool_calls[0].arguments, r#"{"b":1,"a":2}"#);
}

#[test]
fn a_choice_names_its_tools() {
    for (choice, expected) in [
        (r#""auto""#, ToolChoice::Auto),
        (r#""required""#, ToolChoice::Required),
        (r#"{"type":"function","function":{"name":"f"}}"#, ToolChoice::Function("f".into())),
        (r#"{"type":"custom","custom":{"name":"f"}}"#, ToolChoice::Custom("f".into())),
    ] {
        let request = with(&format!(r#""tool_choice":{choice}"#)).unwrap();
        assert_eq!(request.tool_choice, Some(expected), "{choice}");
    }
    let allowed = with(
        r#""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}},{"type":"function","name":"g"}]}}"#,
    );
    assert_eq!(allowed.unwrap().tool_choice.unwrap().names(), ["f", "g"]);
    let legacy = with(r#""functions":[{"name":"f"}],"function_call":{"name":"f"}"#).unwrap();
    assert!(legacy.is_legacy() && legacy.legacy_choice);
    assert_eq!(legacy.present(), ["functions", "function_call"]);
}

#[test]
fn an_embeddings_request_survives() {
    for input in [r#""a""#, r#"["a","b"]"#, "[1,2]", "[[1,2],[3]]"] {
        let body = format!(
            r#"{{"model":"m","input":{input},"dimensions":3,"encoding_format":"float","user":"u","task_type":"X"}}"#
        );
        let call = ModelCall::embeddings(Bytes::from(body.clone())).unwrap();
        let request = read_embeddings(&call).unwrap();
        assert_eq!(write_embeddings(&request), body.as_bytes());
        assert_eq!(request.dropped(&["dimensions"]), ["user", "task_type"]);
        assert_eq!(request.input.texts().is_some(), input.contains('a'), "{input}");
    }
}

/// An object of fields that may be there; those of nobody too.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| option::of(value).prop_map(move |value| value.map(|v| (name, v))))
        .collect();
    (fields, option::weighted(0.2, anything()))
        .prop_map(|(fields, unknown)| {
            let fields = fields.into_iter().flatten().map(|(name, value)| (name.to_owned(), value));
            let unknown = unknown.map(|value| (String::from("x_unknown"), value));
            Value::Object(fields.chain(unknown).collect::<Map<_, _>>())
        })
        .boxed()
}

/// An object that has these fields in any case.
fn must(
    object: BoxedStrategy<Value>,
    fields: Vec<(&'static str, BoxedStrategy<Value>)>,
) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    (object, values)
        .prop_map(move |(mut object, values)| {
            for (name, value) in names.iter().zip(values) {
                object[*name] = value;
            }
            object
        })
        .boxed()
}

fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

fn text() -> BoxedStrategy<Value> {
    "\\PC{0,8}".prop_map(Value::from).boxed()
}

fn is(value: Value) -> BoxedStrategy<Value> {
    Just(value).boxed()
}

fn whole() -> BoxedStrategy<Value> {
    (1u64..1000).prop_map(Value::from).boxed()
}

fn flag() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

fn number() -> BoxedStrategy<Value> {
    prop_oneof![
        (-200i32..200).prop_map(|n| json!(f64::from(n) / 100.0)),
        (-9i64..9).prop_map(Value::from)
    ]
    .boxed()
}

fn many(item: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    proptest::collection::vec(item, 1..3).prop_map(Value::from).boxed()
}

fn marked(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let marks = object(vec![
        ("cache_control", is(json!({"type": "ephemeral", "ttl": "1h"}))),
        ("prompt_cache_breakpoint", is(json!({"mode": "explicit"}))),
    ]);
    must(marks, fields)
}

fn part() -> BoxedStrategy<Value> {
    let url = prop_oneof![is(json!("https://h/i.png")), is(json!("data:image/png;base64,AAAA"))];
    let image = must(object(vec![("detail", text())]), vec![("url", url.boxed())]);
    let audio = must(object(vec![]), vec![("data", text()), ("format", is(json!("wav")))]);
    let file = object(vec![
        (
            "file_data",
            prop_oneof![is(json!("QUI=")), is(json!("data:application/pdf;base64,QUI="))].boxed(),
        ),
        ("file_id", text()),
        ("filename", text()),
    ]);
    prop_oneof![
        marked(vec![("type", is(json!("text"))), ("text", text())]),
        marked(vec![("type", is(json!("refusal"))), ("refusal", text())]),
        marked(vec![("type", is(json!("image_url"))), ("image_url", image)]),
        marked(vec![("type", is(json!("input_audio"))), ("input_audio", audio)]),
        marked(vec![("type", is(json!("file"))), ("file", file)]),
        marked(vec![("type", is(json!("novel"))), ("novel", anything())]),
    ]
    .boxed()
}

fn a_message() -> BoxedStrategy<Value> {
    let function = must(object(vec![]), vec![("name", text()), ("arguments", text())]);
    let custom = must(object(vec![]), vec![("name", text()), ("input", text())]);
    let id = || "[a-z0-9_]{1,5}".prop_map(Value::from).boxed();
    let call = prop_oneof![
        marked(vec![
            ("id", id()),
            ("type", is(json!("function"))),
            ("function", function.clone()),
            ("extra_content", anything())
        ]),
        marked(vec![("id", id()), ("type", is(json!("custom"))), ("custom", custom)]),
    ];
    let thinking = is(json!({"type": "thinking", "thinking": "t", "signature": "s"}));
    let role = proptest::sample::select(vec![
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "function",
    ]);
    let fields = object(vec![
        ("name", text()),
        ("tool_call_id", text()),
        ("tool_calls", many(call.boxed())),
        ("function_call", function),
        ("refusal", text()),
        ("audio", is(json!({"id": "a"}))),
        ("reasoning_content", text()),
        ("thinking_blocks", many(thinking)),
        ("cache_control", is(json!({"type": "ephemeral"}))),
    ]);
    let content = prop_oneof![text(), many(part())];
    must(fields, vec![("role", role.prop_map(Value::from).boxed()), ("content", content.boxed())])
}

fn a_tool() -> BoxedStrategy<Value> {
    let name = || "[a-z_]{1,5}".prop_map(Value::from).boxed();
    let function =
        object(vec![("description", text()), ("parameters", anything()), ("strict", flag())]);
    let custom = object(vec![("description", text()), ("format", anything())]);
    prop_oneof![
        marked(vec![
            ("type", is(json!("function"))),
            ("function", must(function, vec![("name", name())]))
        ]),
        marked(vec![
            ("type", is(json!("custom"))),
            ("custom", must(custom, vec![("name", name())]))
        ]),
        marked(vec![("type", is(json!("novel"))), ("novel", anything())]),
    ]
    .boxed()
}

fn a_request() -> BoxedStrategy<Value> {
    let schema = must(
        object(vec![("description", text()), ("schema", anything()), ("strict", flag())]),
        vec![("name", text())],
    );
    let format = prop_oneof![
        is(json!({"type": "text"})),
        is(json!({"type": "json_object"})),
        is(json!({"type": "novel", "x": 1})),
        schema.prop_map(|schema| json!({"type": "json_schema", "json_schema": schema})),
    ];
    let choice = prop_oneof![
        is(json!("auto")),
        is(json!("none")),
        is(json!("required")),
        is(json!("novel")),
        is(json!({"type": "function", "function": {"name": "f"}})),
        is(json!({"type": "custom", "custom": {"name": "f"}})),
        is(
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"x": 1}]}})
        ),
    ];
    let old_choice = prop_oneof![is(json!("auto")), is(json!({"name": "f"}))];
    let old_tool = must(object(vec![("parameters", anything())]), vec![("name", is(json!("f")))]);
    let fields = object(vec![
        ("tools", many(a_tool())),
        ("functions", many(old_tool)),
        ("tool_choice", choice.boxed()),
        ("function_call", old_choice.boxed()),
        ("parallel_tool_calls", flag()),
        ("response_format", format.boxed()),
        ("temperature", number()),
        ("top_p", number()),
        ("frequency_penalty", number()),
        ("presence_penalty", number()),
        ("seed", any::<i64>().prop_map(Value::from).boxed()),
        ("logit_bias", is(json!({"50256": -100}))),
        ("logprobs", flag()),
        ("top_logprobs", whole()),
        ("stop", prop_oneof![text(), many(text())].boxed()),
        ("n", (1u64..9).prop_map(Value::from).boxed()),
        ("max_tokens", whole()),
        ("max_completion_tokens", whole()),
        ("reasoning_effort", text()),
        ("user", text()),
        ("safety_identifier", text()),
        ("service_tier", text()),
        ("metadata", anything()),
        ("modalities", many(text())),
        ("audio", anything()),
        ("prompt_cache_key", text()),
        ("prompt_cache_options", anything()),
        ("prompt_cache_retention", text()),
        ("web_search_options", anything()),
        ("thinking", anything()),
    ]);
    let stream = prop_oneof![
        is(json!({})),
        is(json!({"stream": false})),
        is(json!({"stream": true, "stream_options": {"include_usage": true, "x": 1}})),
    ];
    (must(fields, vec![("model", is(json!("m"))), ("messages", many(a_message()))]), stream)
        .prop_map(|(mut request, stream)| {
            for (name, value) in stream.as_object().unwrap() {
                request[name] = value.clone();
            }
            request
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_request_that_is_read_and_written_says_the_same(request in a_request()) {
        let written = write(&chat(&request.to_string()).unwrap());
        let written: Value = serde_json::from_slice(&written).unwrap();
        prop_assert_eq!(written, request);
    }
}
