//! Golden bytes: what goes to an upstream, and what comes back.

use super::*;
use gateway_domain::{FaultKind, ModelName, Timestamp, TokenCounts, policy::estimate::TextSize};
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
    run(&Target {
        base_url: "https://h.example.com/v1",
        key: &key,
        model: &model,
        max_completion: None,
        config: &config,
        now: Timestamp::from_millis(1_790_000_000_000),
    })
}

fn sent(body: &str, model: &str) -> String {
    let encode =
        |target: &Target<'_>| OpenAi::custom().encode(&call(body), target).unwrap().request;
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
fn the_limit_that_is_paid_for_is_told() {
    for (provider, name) in
        [(OpenAi::custom(), "max_tokens"), (OpenAi::official(), "max_completion_tokens")]
    {
        for (more, stream) in [
            (String::new(), false),
            (format!(r#","{name}":null"#), false),
            (String::from(r#","stream":true"#), true),
        ] {
            let body = format!(r#"{{"model":"m",{MESSAGES}{more}}}"#);
            let encode = |target: &Target<'_>| {
                let target = Target { max_completion: Some(77), ..*target };
                provider.encode(&call(&body), &target).unwrap().request.into_body()
            };
            let sent = with_target("m", encode);
            let text = std::str::from_utf8(&sent).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&sent).unwrap();
            assert_eq!(value[name], 77, "{text}");
            assert_eq!(text.matches(name).count(), 1, "{text}");
            assert_eq!(value["stream_options"]["include_usage"] == true, stream, "{text}");
        }
    }
}

#[test]
fn a_whole_answer_is_passed_on_and_read() {
    let body = r#"{"id":"c","object":"chat.completion","created":1790000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4}}}"#;
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

/// A decoder for a call of the model `m`, which the upstream knows under this name.
fn decoder(include_usage: bool, model: &str) -> Box<dyn StreamDecoder> {
    let options = if include_usage { r#","stream_options":{"include_usage":true}"# } else { "" };
    let call = call(&format!(r#"{{"model":"m",{MESSAGES},"stream":true{options}}}"#));
    with_target(model, |target| OpenAi::custom().decoder(&call, target))
}

/// What of a stream is remembered has an end, whatever the server says.
#[test]
fn test_s4_an_endless_number_of_choices_or_calls_is_refused() {
    let choices: fn(usize) -> String = |n| format!(r#"{{"index":{n},"delta":{{"content":"x"}}}}"#);
    let calls: fn(usize) -> String = |n| {
        format!(
            r#"{{"index":0,"delta":{{"tool_calls":[{{"index":{n},"id":"c{n}","function":{{"name":"f"}}}}]}}}}"#
        )
    };
    for (made, most) in [(choices, 128), (calls, 2000)] {
        let (mut decoder, mut events) = (decoder(false, "m"), Vec::new());
        let failed = |events: &[StreamEvent]| {
            events.iter().any(
                |event| matches!(event, StreamEvent::Failed(f) if f.kind == FaultKind::Malformed),
            )
        };
        let mut taken = 0;
        while !failed(&events) && taken <= most {
            events.clear();
            let chunk = format!("data: {{\"choices\":[{}]}}\n\n", made(taken));
            decoder.feed(Bytes::from(chunk), &mut events);
            taken += 1;
        }
        assert!(failed(&events) && taken > 100, "{taken} were taken");
    }
}

/// Everything that a stream gives: its bytes, its usage, its end.
fn run(
    include_usage: bool,
    pieces: &[&[u8]],
) -> (String, Vec<TokenCounts>, Option<StreamEvent>, TextSize) {
    let mut decoder = decoder(include_usage, "m");
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
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\u{e9} \\\"usage\\\":null\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5,\"total_tokens\":14}}\n\n",
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
    let body = r#"{"model": "up", "id":"c","object":"chat.completion","created":1790000000,"choices":[{"index":0,"message":{"role":"assistant","content":"\"model\": \"up\""},"finish_reason":"stop"}]}"#;
    let answer = with_target("up", |target| {
        OpenAi::official().decode(
            &call(&format!(r#"{{"model":"m",{MESSAGES}}}"#)),
            target,
            Bytes::from_static(body.as_bytes()),
        )
    });
    let expected = body.replacen("\"up\"", "\"m\"", 1);
    assert_eq!(answer.unwrap().body, AnswerBody::Verbatim(Bytes::from(expected)));
    let mut decoder = decoder(false, "up");
    let mut out = Vec::new();
    decoder.feed(
        Bytes::from_static(
            b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"up\",\ndata: \"usage\":null,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n",
        ),
        &mut out,
    );
    let StreamEvent::Wire { bytes, .. } = &out[0] else { panic!("{out:?}") };
    let expected = r#"data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}"#;
    assert_eq!(std::str::from_utf8(bytes).unwrap(), format!("{expected}\n\n"));
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
fn bytes_that_are_no_text_are_replaced() {
    let chunk: &[u8] =
        b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"},\"finish_reason\":\"stop\"}]}\n\n";
    let (wire, _, end, size) = run(false, &[chunk]);
    assert!(wire.contains("\"a\u{fffd}\"") && wire.ends_with("\n\n"), "{wire}");
    assert_eq!((end, size), (Some(StreamEvent::Done), TextSize::of("a\u{fffd}")));
}

/// Found by fuzzing: fields that nobody looks at are not checked by reading the others.
#[test]
fn bytes_that_are_no_text_are_replaced_where_nobody_looks_too() {
    let chunk: &[u8] = b"data: {\"x\":\"a\xff\",\"choices\":[{\"delta\":{\"content\":\"b\",\"y\":\"\xfe\"}}]}\n\ndata: [DONE]\n\n";
    let (wire, _, end, _) = run(false, &[chunk]);
    assert!(wire.contains("\"a\u{fffd}\"") && wire.contains("\"index\":0"), "{wire}");
    assert_eq!(end, Some(StreamEvent::Done));
    let body: &[u8] =
        b"{\"x\":\"a\xff\",\"choices\":[{\"message\":{\"content\":\"b\",\"y\":\"\xfe\"}}]}";
    let call = call(&format!(r#"{{"model":"m",{MESSAGES}}}"#));
    let decode = |target: &Target<'_>| {
        OpenAi::custom().decode(&call, target, Bytes::from_static(body)).unwrap().body
    };
    let AnswerBody::Verbatim(bytes) = with_target("m", decode) else { panic!("it is no chat") };
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&value["x"], &value["choices"][0]["index"]), (&"a\u{fffd}".into(), &0.into()));
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

fn framed(chunks: impl Iterator<Item = String>) -> String {
    chunks.flat_map(|chunk| ["data: ".to_owned(), chunk, "\n\n".to_owned()]).collect()
}

/// The chunks of a well-formed stream, as JSON: whatever they say, nothing of it needs repair.
fn well_formed() -> impl Strategy<Value = Vec<String>> {
    let text = "[ -~\u{e9}\u{1f600}\u{2028}]{0,12}".prop_map(serde_json::Value::from);
    let delta = prop_oneof![
        text.clone().prop_map(|text| serde_json::json!({"content": text})),
        text.clone().prop_map(|text| serde_json::json!({"reasoning_content": text, "x": null})),
        text.clone().prop_map(|text| serde_json::json!({"refusal": text, "content": null})),
        text.prop_map(|text| {
            serde_json::json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
        }),
        Just(serde_json::json!({})),
    ];
    let spaced = any::<bool>();
    proptest::collection::vec((delta, spaced), 0..8).prop_map(|deltas| {
        let call = r#"{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#;
        let head = r#""id":"c","object":"chat.completion.chunk","created":1790000000,"model":"m""#;
        let chunk = |(delta, finish, space): (String, &str, &str)| {
            format!(r#"{{{head},{space}"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"n":1.50e2,"usage":null}}"#)
        };
        let begin = [(call.to_owned(), "null", "")];
        let pieces = deltas.into_iter().map(|(delta, spaced)| (delta.to_string(), "null", if spaced { "  " } else { "" }));
        let end = [(String::from("{}"), "\"tool_calls\"", "")];
        let usage = format!(r#"{{{head},"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}}}"#);
        begin.into_iter().chain(pieces).chain(end).map(chunk).chain([usage]).collect()
    })
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
    fn what_needs_no_repair_is_passed_on_byte_for_byte(chunks in well_formed(), size in 1usize..50, official: bool) {
        let text = framed(chunks.iter().cloned());
        let call = call(&format!(r#"{{"model":"m",{MESSAGES},"stream":true,"stream_options":{{"include_usage":true}}}}"#));
        let provider = if official { OpenAi::official() } else { OpenAi::custom() };
        let mut decoder = with_target("m", |target| provider.decoder(&call, target));
        let mut events = Vec::new();
        for piece in format!("{text}data: [DONE]\n\n").as_bytes().chunks(size) {
            decoder.feed(Bytes::copy_from_slice(piece), &mut events);
        }
        let mut wire = Vec::new();
        for event in &events {
            if let StreamEvent::Wire { bytes, .. } = event {
                wire.extend_from_slice(bytes);
            }
        }
        prop_assert_eq!(String::from_utf8(wire).unwrap(), text);
        prop_assert_eq!(events.last(), Some(&StreamEvent::Done));
    }

    #[test]
    fn a_stream_in_need_of_repair_is_the_same_however_it_is_split(chunks in well_formed(), size in 1usize..50, without in 0usize..9) {
        let gone = [
            r#""id":"c","#,
            r#""object":"chat.completion.chunk","#,
            r#""created":1790000000,"#,
            r#""index":0,"#,
            r#""role":"assistant","#,
            r#""model":"m","#,
            r#","usage":null"#,
            r#""type":"function","#,
            r#","finish_reason":"tool_calls""#,
        ][without];
        let text = framed(chunks.iter().map(|chunk| chunk.replace(gone, "")));
        let text = text + "data: [DONE]\n\n";
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let (whole, split) = (run(true, &[text.as_bytes()]), run(true, &pieces));
        prop_assert_eq!(&whole, &split);
        prop_assert_eq!(&whole.2, &Some(StreamEvent::Done));
        for data in whole.0.split_terminator("\n\n") {
            let chunk: serde_json::Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            prop_assert!(chunk["id"].is_string() && chunk["created"].is_u64() && chunk["model"] == "m", "{}", chunk);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut decoder = decoder(false, "m");
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
