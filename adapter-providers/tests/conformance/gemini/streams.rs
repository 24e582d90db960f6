//! Streams that break off: case 36.

use super::*;

#[test]
fn case_36_a_broken_stream_ends_with_an_error_and_never_looks_complete() {
    let mut said = candidate(&json!([text("a")]));
    said["usageMetadata"] = json!({"promptTokenCount": 8, "candidatesTokenCount": 1});
    let two = events(&[said, candidate(&json!([text("b")]))]);
    let pretty = "{\r\n  \"error\": {\r\n    \"code\": 503,\r\n    \"message\": \"The model is overloaded {\\\"}\",\r\n    \"status\": \"UNAVAILABLE\"\r\n  }\r\n}\r\n";
    let overloaded =
        r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
    for (name, rest, kind) in [
        ("an error on lines of its own", pretty.to_owned(), FaultKind::Overloaded),
        ("the same with more behind it", format!("{pretty}\r\n\r\n"), FaultKind::Overloaded),
        ("the same without its last line end", pretty.trim_end().to_owned(), FaultKind::Overloaded),
        ("an error event", format!("data: {overloaded}\r\n\r\n"), FaultKind::Overloaded),
        ("an error in an array", format!("data: [{overloaded}]\r\n\r\n"), FaultKind::Overloaded),
        (
            "an error in words only",
            "data: {\"error\":{\"status\":\"INTERNAL\"}}\n\n".into(),
            FaultKind::Server,
        ),
        ("the end without a finish", String::new(), FaultKind::Malformed),
        ("half an event", "data: {\"candidates\":[{\"fin".into(), FaultKind::Malformed),
        ("half an error", "{\r\n  \"error\": {".into(), FaultKind::Malformed),
        ("garbage", "data: garbage\r\n\r\n".into(), FaultKind::Malformed),
        ("an end marker too early", "data: [DONE]\r\n\r\n".into(), FaultKind::Malformed),
    ] {
        let seen = bench(FLASH_2).streamed(&streaming(), format!("{two}{rest}").as_bytes());
        let chunks = seen.chunks();
        assert_eq!(seen.fault.as_ref().map(|fault| fault.kind), Some(kind), "{name}");
        assert!(
            !seen.is_complete() && chunks.last().unwrap()["error"].is_object(),
            "{name}: {chunks:?}"
        );
        assert_eq!(chunks.len(), 4, "{name}: {chunks:?}");
        let message = seen.message(0);
        assert_eq!(
            (&message["content"], &message["finish_reason"]),
            (&json!("ab"), &Value::Null),
            "{name}"
        );
        assert_eq!(
            seen.usage,
            Some(TokenCounts::of(8, 1)),
            "{name}: what was used so far is known"
        );
    }
    // Before anything was said, another channel may be tried: nothing counts as a beginning.
    for (name, chunk) in [
        ("an error", serde_json::from_str(overloaded).unwrap()),
        ("a broken call", finished(&json!([]), "MALFORMED_FUNCTION_CALL")),
        (
            "thoughts that cannot be called an answer",
            json!({"candidates": [{"content": {"parts": []}}]}),
        ),
    ] {
        let seen = bench(FLASH_2).streamed(&streaming(), events(&[chunk]).as_bytes());
        assert_eq!(seen.chunks().len(), 1, "{name}: {}", seen.text);
        assert!(seen.fault.unwrap().kind.is_retryable(), "{name}");
    }
    let broken = finished(&json!([text("a")]), "MALFORMED_FUNCTION_CALL");
    let seen = bench(FLASH_2).streamed(&streaming(), events(&[broken]).as_bytes());
    assert_eq!((seen.is_complete(), &seen.message(0)["finish_reason"]), (true, &json!("stop")));
}

#[test]
fn a_decoder_says_the_same_as_it_reads_on() {
    // The first event of a stream is its commit point: nothing may come before what was said.
    let mut decoder = {
        let key = SecretString::from("k");
        let model = ModelName::new(FLASH_3).unwrap();
        let config = serde_json::Map::new();
        Gemini.decoder(
            &streaming(),
            &Target {
                base_url: BASE,
                key: &key,
                model: &model,
                max_completion: None,
                config: &config,
                now: gateway_domain::Timestamp::from_millis(0),
            },
        )
    };
    let mut out = Vec::new();
    let empty = candidate(&json!([{"text": "", "thoughtSignature": "eA=="}]));
    decoder.feed(Bytes::from(events(&[empty])), &mut out);
    assert_eq!(out, []);
    decoder.feed(Bytes::from(events(&[candidate(&json!([text("a")]))])), &mut out);
    let delta = |delta| StreamEvent::Delta { choice: 0, delta };
    assert_eq!(out, [delta(Delta::Text("a".into()))]);
    decoder.feed(Bytes::from(events(&[finished(&json!([]), "STOP")])), &mut out);
    assert_eq!(out.len(), 1, "more may come");
    decoder.finish(&mut out);
    decoder.finish(&mut out);
    decoder.feed(Bytes::from_static(b"data: x\n\n"), &mut out);
    assert_eq!(out[1..], [delta(Delta::Finish(FinishReason::Stop)), StreamEvent::Done]);
}
