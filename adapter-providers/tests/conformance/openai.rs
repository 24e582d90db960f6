//! Cases of OpenAI's own dialect, and of server-sent events.

use crate::harness::{Bench, chat, chat_with, embeddings};
use adapter_providers::{OpenAi, openai::request};
use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, ProviderKind};
use gateway_ports::{Answer, Encoded, Provider, ProviderError, StreamDecoder, Target};
use serde_json::{Value, json};

const STREAM: &str = concat!(
    ": keep-alive\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\u{1f600}\u{2028}b\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5,\"total_tokens\":14}}\n\n",
    "data: [DONE]\n\n",
);

fn bench() -> Bench<OpenAi> {
    Bench::new(OpenAi::custom(), "https://up.example.com/v1", "m")
}

fn asking() -> ModelCall {
    chat_with(r#","stream":true,"stream_options":{"include_usage":true}"#)
}

#[test]
fn case_28_a_stream_is_the_same_however_its_bytes_and_lines_are_cut() {
    for (name, end) in [("LF", "\n"), ("CR", "\r"), ("CRLF", "\r\n")] {
        let seen = bench().streamed(&asking(), STREAM.replace('\n', end).as_bytes());
        assert_eq!(seen.message(0)["content"], "a\u{1f600}\u{2028}b", "{name}");
        assert_eq!(
            seen.usage.map(|counts| (counts.prompt, counts.completion)),
            Some((9, 5)),
            "{name}"
        );
        assert!(seen.is_complete(), "{name}");
    }
}

#[test]
fn case_29_sloppy_framing_is_understood() {
    let chunk = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}"#;
    let last = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    for (name, stream) in [
        ("no blank line at the end", format!("data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n")),
        ("no line end at the end", format!("data: {chunk}\n\ndata: {last}\n\ndata:[DONE]")),
        ("no end marker", format!("data: {chunk}\n\ndata: {last}")),
        ("no space", format!("data:{chunk}\n\ndata:{last}\n\ndata:[DONE]\n\n")),
        (
            "comments",
            format!(":\n: x\ndata: {chunk}\n: y\n\n: z\n\ndata: {last}\n\ndata: [DONE]\n\n"),
        ),
        (
            "lines",
            format!(
                "data: {chunk}\n\ndata: {{\"choices\":\ndata:  [{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n"
            ),
        ),
        (
            "other fields",
            format!(
                "event: x\nid: 1\nretry: 5\nnovel\ndata: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n"
            ),
        ),
        ("byte-order mark", format!("\u{feff}data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n")),
        (
            "text after the end",
            format!("data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\ndata: x\n\n"),
        ),
    ] {
        let seen = bench().streamed(&chat_with(r#","stream":true"#), stream.as_bytes());
        assert!(seen.is_complete() && seen.fault.is_none(), "{name}: {seen:?}");
        assert!(seen.text.contains("\"content\":\"a\""), "{name}: {seen:?}");
    }
}

#[test]
fn case_31_usage_is_in_one_chunk_or_nowhere() {
    let seen = bench().streamed(&asking(), STREAM.as_bytes());
    let chunks = seen.chunks();
    let (end, chunks) = chunks.split_last().unwrap();
    let (usage, others) = chunks.split_last().unwrap();
    assert_eq!(
        (end, &usage["choices"], &usage["usage"]["total_tokens"]),
        (&json!("[DONE]"), &json!([]), &json!(14))
    );
    for chunk in others {
        assert_eq!(chunk.get("usage"), Some(&Value::Null), "{chunk}");
        assert_ne!(chunk["choices"], json!([]), "{chunk}");
    }
    let seen = bench().streamed(&chat_with(r#","stream":true"#), STREAM.as_bytes());
    assert!(seen.is_complete() && !seen.text.contains("\"usage\""), "{}", seen.text);
    assert_eq!(seen.usage.map(|counts| counts.completion), Some(5), "the gateway knows it");
}

#[test]
fn case_34_chunks_without_choices_are_not_for_clients() {
    let azure = concat!(
        "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n",
        "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"content_filter_offsets\":{}}\n\n",
        "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    );
    let seen = bench().streamed(&asking(), azure.as_bytes());
    let chunks = seen.chunks();
    assert_eq!(chunks.len(), 3, "{chunks:?}");
    for chunk in &chunks[..2] {
        assert_eq!((&chunk["id"], &chunk["model"]), (&json!("c"), &json!("m")));
    }
}

#[test]
fn case_36_a_broken_stream_ends_with_an_error_and_never_looks_complete() {
    let two = STREAM.split_inclusive("\n\n").take(3).collect::<String>();
    for (name, rest) in [
        (
            "an error event",
            "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n",
        ),
        ("the end without a finish", ""),
        ("half an event", "data: {\"choices\":[{\"ind"),
        ("garbage", "data: garbage\n\n"),
    ] {
        let seen = bench().streamed(&asking(), format!("{two}{rest}").as_bytes());
        let chunks = seen.chunks();
        assert!(!seen.is_complete() && seen.fault.is_some(), "{name}: {seen:?}");
        assert!(chunks.last().unwrap()["error"].is_object(), "{name}: {chunks:?}");
        assert_eq!(chunks.len(), 3, "{name}: {chunks:?}");
        assert!(seen.message(0)["finish_reason"].is_null(), "{name}");
    }
}

#[test]
fn case_39_who_asks_for_base64_gets_base64() {
    let numbers = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-0.25,1,2]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let base64 = numbers.replace("[0.5,-0.25,1,2]", "\"AAAAPwAAgL4AAIA/AAAAQA==\"");
    for (format, answer, expected) in [
        ("base64", numbers, json!("AAAAPwAAgL4AAIA/AAAAQA==")),
        ("base64", &base64, json!("AAAAPwAAgL4AAIA/AAAAQA==")),
        ("float", numbers, json!([0.5, -0.25, 1, 2])),
    ] {
        let call =
            embeddings(&format!(r#"{{"model":"m","input":"x","encoding_format":"{format}"}}"#));
        let value = bench().decoded(&call, answer).unwrap();
        assert_eq!(value["data"][0]["embedding"], expected, "{format}: {answer}");
    }
}

#[test]
fn a_request_in_the_same_dialect_passes_untouched() {
    let body = r#"{ "model":"m", "messages":[{"role":"user","content":[{"type":"novel","x":1e2}]}],"thinking":{"b":1,"a":2}}"#;
    assert_eq!(bench().sent_text(body), body);
    let (sent, dropped) = bench().sent(body);
    assert_eq!((&sent["thinking"]["a"], dropped.len()), (&json!(2), 0));
    assert!(
        bench().encode(&chat(body)).unwrap().request.uri().path().ends_with("/chat/completions")
    );
}

/// The dialect as a translation: through the neutral model and back, as every other provider goes.
#[derive(Debug)]
struct Translated(OpenAi);

impl Provider for Translated {
    fn kind(&self) -> ProviderKind {
        const { ProviderKind::from_static("translated") }
    }

    fn name(&self) -> &'static str {
        "Translated"
    }

    fn default_base_url(&self) -> Option<&'static str> {
        None
    }

    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError> {
        let read = request::read(call)?;
        let body = request::write(&read);
        let call =
            ModelCall::chat(body).map_err(|e| ProviderError::Misconfigured(e.to_string()))?;
        let encoded = self.0.encode(&call, target)?;
        Ok(Encoded { dropped: read.dropped(&["temperature", "tools", "thinking"]), ..encoded })
    }

    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        self.0.decode(call, target, body)
    }

    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder> {
        self.0.decoder(call, target)
    }
}

#[test]
fn a_request_survives_the_neutral_model_and_names_what_is_dropped() {
    let bench = Bench::new(Translated(OpenAi::custom()), "https://up.example.com/v1", "m");
    let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}],"temperature":0.7,"seed":12345678901234567890,"thinking":{"b":1,"a":2},"x":1}"#;
    let (sent, dropped) = bench.sent(body);
    assert_eq!(sent, serde_json::from_str::<Value>(body).unwrap());
    assert_eq!(dropped, ["seed", "x"]);
    let broken = body.replace(r#""text":"a""#, r#""text":5"#);
    assert_eq!(bench.refused(&broken), ("messages.[0].content.[0].text".into(), "invalid_type"));
}
