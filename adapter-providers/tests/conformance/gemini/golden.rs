//! Whole exchanges from the fixtures.

use super::*;

/// Replaces ids that the gateway made, after checking that a client can take them.
fn without_made_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(id) if name == "id" && id.starts_with("call_") => {
                        assert!(id.len() <= 40, "{id}");
                        *value = json!("<made>");
                    }
                    _ => without_made_ids(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_made_ids),
        _ => {}
    }
}

#[test]
fn golden_a_request() {
    let body = include_str!("../../../fixtures/gemini/request/call.json");
    let (sent, dropped) = bench(FLASH_3).sent(body);
    let golden: Value =
        serde_json::from_str(include_str!("../../../fixtures/gemini/request/sent.json")).unwrap();
    assert_eq!(sent, golden);
    let golden: Vec<String> =
        serde_json::from_str(include_str!("../../../fixtures/gemini/request/dropped.json"))
            .unwrap();
    assert_eq!(dropped, golden);
    let text = bench(FLASH_3).sent_text(body);
    assert!(text.contains(r#"{"unit":"c","at":12345678901234567890}"#), "{text}");
}

#[test]
fn golden_a_reply() {
    let call = chat(include_str!("../../../fixtures/gemini/reply/call.json"));
    let mut seen = bench(FLASH_3)
        .decoded(&call, include_str!("../../../fixtures/gemini/reply/upstream.json"))
        .unwrap();
    without_made_ids(&mut seen);
    let golden: Value =
        serde_json::from_str(include_str!("../../../fixtures/gemini/reply/client.json")).unwrap();
    assert_eq!(seen, golden);
}

#[test]
fn golden_a_stream() {
    let call = chat(include_str!("../../../fixtures/gemini/stream/call.json"));
    let stream = include_str!("../../../fixtures/gemini/stream/upstream.sse");
    let golden: Value =
        serde_json::from_str(include_str!("../../../fixtures/gemini/stream/client.json")).unwrap();
    // However lines end, and whatever a proxy makes of the stream.
    let objects: Vec<&str> =
        stream.split("\r\n\r\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    for (form, stream) in [
        ("CRLF", stream.to_owned()),
        ("LF", stream.replace("\r\n", "\n")),
        ("CR", stream.replace("\r\n", "\r")),
        ("no last blank line", stream.trim_end().to_owned()),
        ("an end marker", format!("{stream}data: [DONE]\n\n")),
        ("an array", format!("[{}\n]\n", objects.join("\n,\r\n"))),
    ] {
        let seen = bench(FLASH_3).streamed(&call, stream.as_bytes());
        let mut chunks: Vec<Value> = seen.chunks();
        for chunk in &mut chunks {
            match chunk["choices"].as_array().and_then(|choices| choices.first()).cloned() {
                Some(mut choice) => {
                    assert!(chunk["usage"].is_null(), "{form}: {chunk}");
                    choice.as_object_mut().unwrap().remove("logprobs");
                    *chunk = choice;
                }
                None if chunk.is_object() => *chunk = json!({"usage": chunk["usage"]}),
                None => {}
            }
            without_made_ids(chunk);
        }
        assert_eq!(json!(chunks), golden, "{form}");
    }
    // The whole stream in one array is what a proxy makes of it that calls it JSON.
    let body = format!("[{}]", objects.join(","));
    let whole = bench(FLASH_3).decoded(&call, &body).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "Sure \u{1f600}.");
    assert_eq!(whole["usage"]["completion_tokens"], 28);
}
