//! What holds for every input: nothing panics, and bytes may be split anywhere.

use super::*;
use gateway_domain::{ModelName, Timestamp};
use gateway_ports::StreamEvent;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// Names that stand somewhere in a request or an answer.
const NAMES: [&str; 44] = [
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "url",
    "file",
    "file_data",
    "filename",
    "input_audio",
    "data",
    "format",
    "tool_calls",
    "id",
    "function",
    "name",
    "arguments",
    "extra_content",
    "google",
    "thought_signature",
    "tool_call_id",
    "tools",
    "tool_choice",
    "parameters",
    "properties",
    "items",
    "anyOf",
    "allOf",
    "$ref",
    "$defs",
    "response_format",
    "json_schema",
    "schema",
    "extra_body",
    "thinking_config",
    "safety_settings",
    "candidates",
    "parts",
    "functionCall",
    "args",
    "thought",
    "index",
    "finishReason",
    "usageMetadata",
];

/// Texts that mean something somewhere.
const TEXTS: [&str; 16] = [
    "",
    "user",
    "assistant",
    "tool",
    "function",
    "json_schema",
    "object",
    "null",
    "#/$defs/a",
    "#",
    "data:image/png;base64,AAAA",
    "https://h/x.png",
    "STOP",
    "MALFORMED_FUNCTION_CALL",
    "\u{1f600}\u{2028}\"\\",
    "2fast",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((select(&NAMES[..]), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn any_message() -> impl Strategy<Value = Value> {
    const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
    let content = prop_oneof![Just(json!("hi")), Just(json!([])), any_json()];
    let named = vec(any_json(), 0..3).prop_map(|values| {
        values.into_iter().map(|value| json!({"type": "function", "id": "a", "function": {"name": "2f", "arguments": value}})).collect::<Vec<_>>()
    });
    (select(&ROLES[..]), content, named, any_json()).prop_map(|(role, content, calls, extra)| {
        let mut message =
            json!({"role": role, "content": content, "tool_call_id": "a", "name": "n"});
        if role == "assistant" && !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        if let (Some(fields), Value::Object(extra)) = (message.as_object_mut(), extra) {
            for (name, value) in extra {
                fields.entry(name).or_insert(value);
            }
        }
        message
    })
}

/// Answers, or what looks like them.
fn any_answer() -> impl Strategy<Value = Value> {
    let part = prop_oneof![
        any_json(),
        select(&TEXTS[..]).prop_map(|text| json!({"text": text})),
        any_json().prop_map(
            |args| json!({"functionCall": {"name": "f", "args": args}, "thoughtSignature": "eA=="})
        ),
    ];
    let finish = prop_oneof![
        Just(Value::Null),
        Just(json!("STOP")),
        select(&TEXTS[..]).prop_map(Value::from)
    ];
    let index = prop_oneof![Just(Value::Null), Just(json!(1)), any_json()];
    let candidate = (vec(part, 0..3), finish, index).prop_map(|(parts, finish, index)| {
        json!({"content": {"parts": parts}, "finishReason": finish, "index": index})
    });
    let counts = vec(any::<Option<u64>>(), 3).prop_map(|counts| {
        json!({"promptTokenCount": counts[0], "candidatesTokenCount": counts[1], "thoughtsTokenCount": counts[2]})
    });
    prop_oneof![
        4 => (vec(candidate, 0..3), counts).prop_map(|(candidates, usage)| json!({"candidates": candidates, "usageMetadata": usage})),
        1 => any_json(),
        1 => any_json().prop_map(|error| json!({"error": error})),
    ]
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let ends = select(&["\r\n", "\n", "\r"][..]);
    let form = 0..5u8;
    let event = (any_answer(), form, ends).prop_map(|(answer, form, end)| match form {
        0 => format!("{answer:#}{end}").into_bytes(),
        1 => format!(": c{end}{end}data: [DONE]{end}{end}").into_bytes(),
        _ => format!("data: {answer}{end}{end}").into_bytes(),
    });
    prop_oneof![
        8 => vec(event, 0..6).prop_map(|events| events.concat()),
        1 => vec(any_answer(), 0..4).prop_map(|answers| json!(answers).to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..200),
    ]
}

fn with_target<T>(
    model: &str,
    config: &Map<String, Value>,
    run: impl FnOnce(&Target<'_>) -> T,
) -> T {
    let model = ModelName::new(model).unwrap();
    let key = SecretString::from("k");
    run(&Target {
        base_url: "https://h/v1beta",
        key: &key,
        model: &model,
        max_completion: Some(9),
        config,
        now: Timestamp::from_millis(0),
    })
}

fn call() -> ModelCall {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"tools":[{"type":"function","function":{"name":"2f"}}]}"#;
    ModelCall::chat(body.into()).unwrap()
}

fn read(pieces: &[&[u8]]) -> Vec<StreamEvent> {
    with_target("gemini-3-flash", &Map::new(), |target| {
        let mut decoder = Gemini.decoder(&call(), target);
        let mut out = Vec::new();
        for piece in pieces {
            decoder.feed(Bytes::copy_from_slice(piece), &mut out);
        }
        decoder.finish(&mut out);
        out
    })
}

proptest! {
    #[test]
    fn any_stream_says_the_same_however_it_is_split(stream in any_stream(), cuts in vec(any::<Index>(), 0..8)) {
        let whole = read(&[&stream]);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&read(&single), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut pieces, mut start) = (Vec::new(), 0);
        for cut in cuts.into_iter().chain([stream.len()]) {
            pieces.push(&stream[start..cut]);
            start = cut;
        }
        prop_assert_eq!(&read(&pieces), &whole);
        let is_end = |event: &StreamEvent| matches!(event, StreamEvent::Done | StreamEvent::Failed(_));
        prop_assert_eq!(whole.iter().position(is_end), Some(whole.len() - 1));
    }

    #[test]
    fn no_answer_panics(body in prop_oneof![any_stream(), any_answer().prop_map(|a| a.to_string().into_bytes())]) {
        with_target("gemini-3-flash", &Map::new(), |target| {
            let _ = Gemini.decode(&call(), target, Bytes::from(body.clone()));
            let embeddings = ModelCall::embeddings(r#"{"model":"m","input":"a","dimensions":1}"#.into()).unwrap();
            let _ = Gemini.decode(&embeddings, target, Bytes::from(body.clone()));
        });
        for status in [200, 400, 429] {
            let headers = http::HeaderMap::new();
            let now = gateway_domain::Timestamp::default();
            let _ = Gemini.fault(&ErrorReply { status, headers: &headers, body: &body, now });
        }
    }

    #[test]
    fn whole_or_streamed_an_answer_says_the_same(answer in any_answer()) {
        let whole = with_target("gemini-3-flash", &Map::new(), |target| {
            Gemini.decode(&call(), target, Bytes::from(answer.to_string()))
        });
        let events = read(&[format!("data: {answer}\n\n").as_bytes()]);
        if events.last() == Some(&StreamEvent::Done) {
            let usage = events.iter().rev().find_map(|event| match event {
                StreamEvent::Usage(counts) => Some(*counts),
                _ => None,
            });
            prop_assert_eq!(whole.map(|whole| whole.usage), Ok(usage));
        }
    }

    #[test]
    fn no_request_panics_and_what_is_sent_is_json(
        messages in vec(any_message(), 1..5),
        fields in any_json(),
        schema in any_json(),
        config in any_json(),
        model in select(&["gemini-3-flash", "gemini-2.5-pro", "gemini-2.0-flash", "x/../y", "models/"][..]),
    ) {
        let mut body = json!({
            "model": "m",
            "messages": messages,
            "tools": [{"type": "function", "function": {"name": "2f", "parameters": {"type": "object", "properties": {"a": schema}, "$defs": {"a": schema}}}}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"allOf": [schema], "$defs": {"a": schema}}}},
        });
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        let Ok(call) = ModelCall::chat(body.to_string().into()) else { return Ok(()) };
        let config = config.as_object().cloned().unwrap_or_default();
        let encoded = with_target(model, &config, |target| Gemini.encode(&call, target));
        if let Ok(encoded) = encoded {
            prop_assert!(serde_json::from_slice::<Value>(encoded.request.body()).is_ok());
        }
        with_target(model, &config, |target| drop(Gemini.decoder(&call, target)));
    }

    #[test]
    fn any_model_is_one_segment(model in "\\PC{1,40}") {
        let Ok(name) = ModelName::new(model.clone()) else { return Ok(()) };
        let Ok(encoded) = with_target(name.as_str(), &Map::new(), |target| Gemini.encode(&call(), target)) else {
            return Ok(());
        };
        let uri = encoded.request.uri();
        prop_assert_eq!(uri.host(), Some("h"));
        prop_assert_eq!(uri.query(), Some("alt=sse"));
        let path = uri.path();
        prop_assert!(path.starts_with("/v1beta/") && path.ends_with(":streamGenerateContent"), "{}", path);
        prop_assert_eq!(path.matches('/').count(), 3, "{}", path);
        prop_assert_eq!(path.matches(':').count(), 1, "{}", path);
    }
}
