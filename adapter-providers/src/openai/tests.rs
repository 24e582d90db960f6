//! Golden bytes: what goes to an upstream, and what comes back.

use super::*;
use gateway_domain::{FaultKind, ModelName, TokenCounts, policy::estimate::TextSize};
use gateway_ports::{AnswerBody, StreamEvent};
use proptest::prelude::*;
use secrecy::SecretString;

fn call(body: &str) -> ModelCall {
    ModelCall::chat(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// An upstream that knows the model under this name.
fn with_target<T>(model: &str, run: impl FnOnce(&Target<'_>) -> T) -> T {
    let key = SecretString::from("sk-secret");
    let config = serde_json::Map::new();
    let model = ModelName::new(model).unwrap();
    run(&Target { base_url: "https://h.example.com/v1", key: &key, model: &model, config: &config })
}

fn sent(body: &str, model: &str) -> String {
    let encode = |target: &Target<'_>| OpenAi::custom().encode(&call(body), target).unwrap();
    let request = with_target(model, encode);
    assert_eq!(request.uri(), "https://h.example.com/v1/chat/completions");
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer sk-secret");
    assert!(!format!("{request:?}").contains("sk-secret"));
    String::from_utf8(request.into_body().to_vec()).unwrap()
}

const MESSAGES: &str = r#""messages":[{"role":"user","content":"h\u00e9 "}]"#;

#[test]
fn nothing_but_the_model_changes() {
    let body = format!(r#"{{ "x" : 1.0e3,"model":"m" ,{MESSAGES}, "y":{{"a":[]}}}}"#);
    assert_eq!(sent(&body, "m"), body);
    assert_eq!(sent(&body, "up/\"x\""), body.replace("\"m\"", r#""up/\"x\"""#));
}

#[test]
fn usage_is_asked_for_in_every_stream() {
    for (options, expected) in [
        ("", r#"{"stream_options":{"include_usage":true},"#),
        (r#","stream_options":null"#, r#","stream_options":{"include_usage":true}}"#),
        (r#","stream_options":{}"#, r#","stream_options":{"include_usage":true}}"#),
        (r#","stream_options":{"include_usage":false}"#, r#"{"include_usage":true}}"#),
        (r#","stream_options":{"a":1}"#, r#"{"include_usage":true,"a":1}}"#),
        (
            r#","stream_options":{"include_usage":true}"#,
            r#","stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let body = format!(r#"{{"model":"m",{MESSAGES},"stream":true{options}}}"#);
        let sent = sent(&body, "longer-name");
        assert!(sent.contains(expected), "{sent}");
        assert!(sent.contains("\"longer-name\""));
        assert_eq!(sent.matches("stream_options").count(), 1);
        serde_json::from_str::<serde_json::Value>(&sent).unwrap();
    }
}

#[test]
fn a_whole_answer_is_passed_on_and_read() {
    let body = r#"{"id":"c","choices":[{"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}"#;
    let answer = with_target("m", |target| {
        OpenAi::official().decode(
            &call(&format!(r#"{{"model":"m",{MESSAGES}}}"#)),
            target,
            Bytes::from_static(body.as_bytes()),
        )
    })
    .unwrap();
    assert_eq!(answer.body, AnswerBody::Verbatim(Bytes::from_static(body.as_bytes())));
    assert_eq!(
        answer.usage,
        Some(TokenCounts { prompt: 9, completion: 5, cached: 4, ..TokenCounts::default() })
    );
    assert_eq!(answer.text, TextSize { ascii: 5, other: 0 });
}

#[test]
fn what_is_no_answer_is_malformed() {
    let call = call(&format!(r#"{{"model":"m",{MESSAGES}}}"#));
    for body in [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"choices":[]}"#,
        r#"{"choices":null}"#,
        r#"{"error":{"message":"sk-1234567890 bad"}}"#,
        r#"{"choices":[{"message":{}}]"#,
    ] {
        let fault = with_target("m", |target| {
            OpenAi::official().decode(&call, target, Bytes::copy_from_slice(body.as_bytes()))
        })
        .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{body}");
        assert!(!fault.message.contains("1234567890"));
    }
}

#[test]
fn usage_that_cannot_be_is_not_believed() {
    for (usage, expected) in [
        (r#"{"prompt_tokens":-1,"completion_tokens":5}"#, None),
        (r#"{"prompt_tokens":"9","completion_tokens":5}"#, None),
        (r#"{"prompt_tokens":9,"completion_tokens":1.5}"#, None),
        (r#"{"prompt_tokens":9}"#, Some((9, 0))),
        (r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":null}"#, Some((9, 5))),
        ("5", None),
    ] {
        let raw: Box<serde_json::value::RawValue> = serde_json::from_str(usage).unwrap();
        assert_eq!(answer::usage(&raw).map(|c| (c.prompt, c.completion)), expected, "{usage}");
    }
}

/// Everything that a stream gives: its bytes, its usage, its end.
fn run(
    include_usage: bool,
    pieces: &[&[u8]],
) -> (String, Vec<TokenCounts>, Option<StreamEvent>, TextSize) {
    let mut decoder = stream::Decoder::new(include_usage, None);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events);
    }
    decoder.finish(&mut events);
    let (mut wire, mut usage, mut end, mut size) =
        (Vec::new(), Vec::new(), None, TextSize::default());
    for event in events {
        size.add(event.text());
        match event {
            StreamEvent::Wire { bytes, .. } => wire.extend_from_slice(&bytes),
            StreamEvent::Usage(counts) => usage.push(counts),
            other => {
                assert!(end.is_none(), "nothing comes after the end");
                end = Some(other);
            }
        }
    }
    (String::from_utf8(wire).unwrap(), usage, end, size)
}

const STREAM: &str = concat!(
    ": hello\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\u{e9} \\\"usage\\\":null\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
);

#[test]
fn a_client_that_asked_gets_the_stream_as_it_came() {
    let (wire, usage, end, size) = run(true, &[STREAM.as_bytes()]);
    assert_eq!(wire, STREAM.replace("data: [DONE]\n\n", ""));
    assert_eq!((usage.len(), end), (1, Some(StreamEvent::Done)));
    assert_eq!(size, TextSize::of("H\u{e9} \"usage\":null"));
}

#[test]
fn a_client_that_did_not_ask_sees_no_usage() {
    let (wire, usage, end, _) = run(false, &[STREAM.as_bytes()]);
    assert_eq!(usage, [TokenCounts { prompt: 9, completion: 5, ..TokenCounts::default() }]);
    assert_eq!(end, Some(StreamEvent::Done));
    assert_eq!(wire.matches("data: ").count(), 3, "{wire}");
    assert!(!wire.contains(",\"usage\":null}"), "{wire}");
    assert!(wire.contains("H\u{e9} \\\"usage\\\":null"));
}

#[test]
fn a_mapped_model_answers_under_the_name_that_was_asked_for() {
    let body = r#"{"model": "up", "choices":[{"message":{"content":"\"model\": \"up\""}}]}"#;
    let answer = with_target("up", |target| {
        OpenAi::official().decode(
            &call(&format!(r#"{{"model":"m",{MESSAGES}}}"#)),
            target,
            Bytes::from_static(body.as_bytes()),
        )
    });
    let expected = body.replacen("\"up\"", "\"m\"", 1);
    assert_eq!(answer.unwrap().body, AnswerBody::Verbatim(Bytes::from(expected)));
    let mut decoder = stream::Decoder::new(false, Some("\"m\"".into()));
    let mut out = Vec::new();
    decoder.feed(
        Bytes::from_static(
            b"data: {\"model\":\"up\",\ndata: \"usage\":null,\"choices\":[{\"delta\":{}}]}\n\n",
        ),
        &mut out,
    );
    let StreamEvent::Wire { bytes, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!(bytes.as_ref(), b"data: {\"model\":\"m\",\"choices\":[{\"delta\":{}}]}\n\n");
}

#[test]
fn chunks_without_choices_are_not_for_clients() {
    let empty = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    assert_eq!(
        run(true, &[empty.as_bytes(), STREAM.as_bytes()]).0.matches("prompt_filter").count(),
        0
    );
}

#[test]
fn ends_are_told_apart() {
    let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let last = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let failed = |end: &Option<StreamEvent>| matches!(end, Some(StreamEvent::Failed(_)));
    assert_eq!(run(false, &[chunk.as_bytes(), last.as_bytes()]).2, Some(StreamEvent::Done));
    assert_eq!(run(false, &[chunk.as_bytes(), b"data: [DONE]"]).2, Some(StreamEvent::Done));
    assert!(failed(&run(false, &[chunk.as_bytes()]).2));
    assert!(failed(&run(false, &[]).2));
    assert!(failed(
        &run(
            false,
            &[
                chunk.as_bytes(),
                b"data: {\"error\":{\"message\":\"overloaded\"}}\n\n",
                last.as_bytes()
            ]
        )
        .2
    ));
    assert!(failed(&run(false, &[chunk.as_bytes(), b"data: garbage\n\n"]).2));
    assert!(failed(&run(false, &[b"<html>no</html>"]).2));
}

proptest! {
    #[test]
    fn a_stream_split_at_any_bytes_gives_the_same(size in 1usize..40, include_usage: bool, crlf: bool) {
        let stream = if crlf { STREAM.replace('\n', "\r\n") } else { STREAM.to_owned() };
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        // A line end may be cut in two: then it is written as CR instead of CRLF, which means the same.
        let same = |(wire, usage, end, size): (String, _, _, _)| (wire.replace("\r\n", "\n").replace('\r', "\n"), usage, end, size);
        prop_assert_eq!(same(run(include_usage, &pieces)), same(run(include_usage, &[stream.as_bytes()])));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut decoder = stream::Decoder::new(false, None);
        let mut out = Vec::new();
        for piece in pieces {
            decoder.feed(Bytes::from(piece), &mut out);
        }
        decoder.finish(&mut out);
    }

    #[test]
    fn a_passing_body_is_the_callers_own(x in "\\PC{0,20}", n in any::<i32>()) {
        let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": x}], "extra": n}).to_string();
        prop_assert_eq!(sent(&body, "m"), body);
    }
}
