//! Answers: cases 23 to 26 and 33, whole and streamed.

use super::*;

#[test]
fn case_23_usage_is_added_up_as_openai_counts() {
    let counts = |prompt, completion, cached, reasoning| {
        Some(TokenCounts { prompt, completion, cached, cache_write: 0, reasoning })
    };
    for (name, usage, expected) in [
        (
            "everything",
            json!({"promptTokenCount": 50, "cachedContentTokenCount": 40, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 6, "thoughtsTokenCount": 22, "totalTokenCount": 83}),
            counts(55, 28, 40, 22),
        ),
        (
            "zeros left out",
            json!({"promptTokenCount": 3, "totalTokenCount": 3}),
            counts(3, 0, 0, 0),
        ),
        (
            "another total",
            json!({"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 99}),
            counts(3, 2, 0, 0),
        ),
        (
            "odd types",
            json!({"promptTokenCount": 3, "candidatesTokenCount": "2", "thoughtsTokenCount": -1, "promptTokensDetails": 5}),
            counts(3, 0, 0, 0),
        ),
        ("no prompt", json!({"candidatesTokenCount": 2}), None),
        ("none", Value::Null, None),
    ] {
        let mut answer = finished(&json!([text("a")]), "STOP");
        answer["usageMetadata"] = usage;
        let whole = bench(FLASH_2).decoded(&chat_with(""), &answer.to_string()).unwrap();
        let seen = bench(FLASH_2).streamed(&streaming(), events(&[answer]).as_bytes());
        assert_eq!(seen.usage, expected, "{name}");
        let written = expected.map(|counts| {
            json!({
                "prompt_tokens": counts.prompt, "completion_tokens": counts.completion, "total_tokens": counts.prompt + counts.completion,
                "prompt_tokens_details": {"cached_tokens": counts.cached},
                "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
            })
        });
        assert_eq!(whole.get("usage"), written.as_ref(), "{name}");
    }
}

#[test]
fn case_24_an_answer_that_thinking_ate_is_empty_and_counted() {
    let answer = json!({
        "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": {"promptTokenCount": 8, "thoughtsTokenCount": 22, "totalTokenCount": 30},
    });
    for answer in [answer.clone(), {
        let mut bare = answer;
        bare["candidates"][0].as_object_mut().unwrap().remove("content");
        bare
    }] {
        let whole = bench(FLASH_2).decoded(&chat_with(""), &answer.to_string()).unwrap();
        let choice = &whole["choices"][0];
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&json!(""), &json!("length"))
        );
        assert_eq!(whole["usage"]["completion_tokens"], 22);
        let seen = bench(FLASH_2).streamed(&streaming(), events(&[answer]).as_bytes());
        assert!(seen.is_complete(), "{seen:?}");
        assert_eq!(seen.message(0)["finish_reason"], "length");
        assert_eq!(seen.usage.unwrap().completion, 22);
    }
}

#[test]
fn case_25_a_blocked_prompt_is_an_answer_of_nothing() {
    for reason in
        ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK", "NOVEL"]
    {
        let answer = json!({"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8}});
        let whole = bench(FLASH_2).decoded(&chat_with(""), &answer.to_string()).unwrap();
        assert_eq!(whole["choices"].as_array().unwrap().len(), 1, "{reason}");
        let choice = &whole["choices"][0];
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&json!(""), &json!("content_filter")),
            "{reason}"
        );
        assert_eq!(whole["usage"]["prompt_tokens"], 8, "{reason}");
        let quiet = chat_with(r#","stream":true"#);
        let seen =
            bench(FLASH_2).streamed(&quiet, events(std::slice::from_ref(&answer)).as_bytes());
        let chunks = seen.chunks();
        assert_eq!(chunks.len(), 3, "{reason}: {chunks:?}");
        assert_eq!(
            chunks[0]["choices"][0]["delta"],
            json!({"role": "assistant", "content": ""}),
            "{reason}"
        );
        assert_eq!(chunks[1]["choices"][0]["finish_reason"], "content_filter", "{reason}");
        assert!(seen.is_complete(), "{reason}");
        let strict = with_config(FLASH_2, json!({"blocked_as_error": true}));
        let fault = strict.decoded(&chat_with(""), &answer.to_string()).unwrap_err();
        assert_eq!(
            (fault.kind, fault.code.as_deref()),
            (FaultKind::Rejected, Some("content_filter")),
            "{reason}"
        );
        assert_eq!(
            strict.streamed(&quiet, events(&[answer]).as_bytes()).fault,
            Some(fault),
            "{reason}"
        );
    }
    for (name, answer) in [
        ("nothing", json!({})),
        ("no reason", json!({"promptFeedback": {}, "usageMetadata": {"promptTokenCount": 8}})),
        (
            "no such reason",
            json!({"promptFeedback": {"blockReason": "BLOCKED_REASON_UNSPECIFIED"}}),
        ),
        ("no candidates", json!({"candidates": []})),
        ("an empty candidate", json!({"candidates": [{}]})),
    ] {
        let fault = bench(FLASH_2).decoded(&chat_with(""), &answer.to_string()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{name}");
        let seen = bench(FLASH_2).streamed(&streaming(), events(&[answer]).as_bytes());
        assert_eq!(seen.fault.map(|fault| fault.kind), Some(FaultKind::Malformed), "{name}");
    }
}

#[test]
fn case_26_calls_have_ids_of_their_own_and_arguments_that_are_json() {
    let parts = json!([
        {"functionCall": {"name": "f", "args": {"b": 1, "a": [true, " x "]}}},
        {"functionCall": {"name": "f"}},
        {"functionCall": {"name": "f", "id": "46ww9pp1", "args": null}},
        {"functionCall": {"name": "f", "id": "46ww9pp1", "args": {}}},
        {"functionCall": {"name": "f", "id": "x".repeat(41)}},
        {"functionCall": {"name": "f", "id": ""}},
        {"functionCall": {"args": {}}},
    ]);
    let mut answer = finished(&parts, "STOP");
    for response in ["r1", "r2"] {
        answer["responseId"] = json!(response);
        let whole = bench(FLASH_3).decoded(&chat_with(""), &answer.to_string()).unwrap();
        let message = &whole["choices"][0]["message"];
        assert_eq!(
            (&message["content"], &whole["choices"][0]["finish_reason"]),
            (&Value::Null, &json!("tool_calls"))
        );
        let calls = message["tool_calls"].as_array().unwrap();
        let arguments: Vec<&str> =
            calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
        assert_eq!(arguments, [r#"{"a":[true," x "],"b":1}"#, "{}", "{}", "{}", "{}", "{}"]);
        let mut ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
        assert_eq!(ids[2], "46ww9pp1");
        assert!(ids.iter().all(|id| (1..=40).contains(&id.len())), "{ids:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6, "{ids:?}");
        let streamed = bench(FLASH_3)
            .streamed(&chat_with(""), events(std::slice::from_ref(&answer)).as_bytes());
        for (whole, streamed) in
            calls.iter().zip(streamed.message(0)["tool_calls"].as_array().unwrap())
        {
            assert_eq!(whole["id"], streamed["id"], "whole or streamed, it is the same call");
        }
    }
    let of = |response: &str| {
        let mut answer = finished(&json!([{"functionCall": {"name": "f"}}]), "STOP");
        answer["responseId"] = json!(response);
        bench(FLASH_3).decoded(&chat_with(""), &answer.to_string()).unwrap()["choices"][0]["message"]["tool_calls"][0]["id"].clone()
    };
    assert_ne!(of("r1"), of("r2"), "two answers have no id in common");
}

#[test]
fn case_33_calls_are_numbered_on_through_the_stream() {
    let called =
        |name: &str| candidate(&json!([{"functionCall": {"name": name, "args": {"x": 1}}}]));
    let counted = |mut chunk: Value, completion: u64| {
        chunk["usageMetadata"] = json!({"promptTokenCount": 8, "candidatesTokenCount": completion, "totalTokenCount": 8 + completion});
        chunk
    };
    let chunks = [
        counted(candidate(&json!([{"text": "hm", "thought": true}])), 1),
        counted(called("f"), 2),
        counted(called("g"), 3),
        counted(finished(&json!([{"text": "", "thoughtSignature": "ZW5k"}]), "STOP"), 4),
        counted(json!({"candidates": []}), 5),
    ];
    let seen = bench(FLASH_3).streamed(&streaming(), events(&chunks).as_bytes());
    let message = seen.message(0);
    let names: Vec<&Value> =
        message["tool_calls"].as_array().unwrap().iter().map(|call| &call["name"]).collect();
    assert_eq!(names, ["f", "g"]);
    assert_eq!(
        (&message["finish_reason"], &message["content"]),
        (&json!("tool_calls"), &json!(""))
    );
    assert!(seen.is_complete());
    let empty = json!({"content": ""});
    assert!(
        !seen.chunks().iter().any(|chunk| chunk["choices"][0]["delta"] == empty),
        "{}",
        seen.text
    );
    assert_eq!(seen.usage, Some(TokenCounts::of(8, 5)));
    // Some models say with every piece why they ended: the answer goes on nevertheless.
    let eager =
        [finished(&json!([text("a")]), "STOP"), finished(&json!([text("b")]), "MAX_TOKENS")];
    let seen = bench(FLASH_3).streamed(&streaming(), events(&eager).as_bytes());
    let message = seen.message(0);
    assert_eq!((&message["content"], &message["finish_reason"]), (&json!("ab"), &json!("length")));
    // Several answers, each with its number.
    let two = [
        json!({"candidates": [{"content": {"parts": [text("a")]}}, {"index": 1, "content": {"parts": [text("b")]}}]}),
        json!({"candidates": [{"index": 1, "content": {"parts": [text("d")]}, "finishReason": "STOP"}, {"content": {"parts": [text("c")]}}]}),
        json!({"candidates": [{"finishReason": "MAX_TOKENS"}]}),
    ];
    let seen = bench(FLASH_3).streamed(&streaming(), events(&two).as_bytes());
    for (choice, content, finish) in [(0, "ac", "length"), (1, "bd", "stop")] {
        let message = seen.message(choice);
        assert_eq!(
            (&message["content"], &message["finish_reason"]),
            (&json!(content), &json!(finish))
        );
    }
}

#[test]
fn every_reason_to_finish_has_its_place() {
    let said = json!([text("a")]);
    let called = json!([{"functionCall": {"name": "f"}}]);
    for (reason, plain, with_calls) in [
        ("STOP", "stop", "tool_calls"),
        ("MAX_TOKENS", "length", "length"),
        ("CONTINUATION", "length", "length"),
        ("SAFETY", "content_filter", "content_filter"),
        ("BLOCKLIST", "content_filter", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter", "content_filter"),
        ("SPII", "content_filter", "content_filter"),
        ("LANGUAGE", "content_filter", "content_filter"),
        ("RECITATION", "content_filter", "content_filter"),
        ("IMAGE_SAFETY", "content_filter", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter", "content_filter"),
        ("IMAGE_RECITATION", "content_filter", "content_filter"),
        ("MODEL_ARMOR", "content_filter", "content_filter"),
        ("ESCALATION", "content_filter", "content_filter"),
        ("PUP_LIMITED_DISABLED", "content_filter", "content_filter"),
        ("OTHER", "stop", "tool_calls"),
        ("NO_IMAGE", "stop", "tool_calls"),
        ("IMAGE_OTHER", "stop", "tool_calls"),
        ("FINISH_REASON_UNSPECIFIED", "stop", "tool_calls"),
        ("NOVEL", "stop", "tool_calls"),
        ("MALFORMED_FUNCTION_CALL", "stop", "tool_calls"),
        ("UNEXPECTED_TOOL_CALL", "stop", "tool_calls"),
        ("TOO_MANY_TOOL_CALLS", "stop", "tool_calls"),
        ("MALFORMED_RESPONSE", "stop", "tool_calls"),
        ("MISSING_THOUGHT_SIGNATURE", "stop", "tool_calls"),
    ] {
        for (parts, finish) in [(&said, plain), (&called, with_calls)] {
            let whole = bench(FLASH_2)
                .decoded(&chat_with(""), &finished(parts, reason).to_string())
                .unwrap();
            assert_eq!(whole["choices"][0]["finish_reason"], finish, "{reason}");
        }
        let nothing = bench(FLASH_2).decoded(
            &chat_with(""),
            &finished(&json!([{"text": "t", "thought": true}]), reason).to_string(),
        );
        let malformed = ["MALFORMED", "UNEXPECTED", "TOO_MANY", "MISSING"]
            .iter()
            .any(|word| reason.starts_with(word));
        assert_eq!(nothing.is_err(), malformed, "{reason} after nothing but thoughts");
    }
    let mut talkative = finished(&json!([]), "MALFORMED_FUNCTION_CALL");
    talkative["candidates"][0]["finishMessage"] =
        json!("Malformed function call: AIzaSyA0123456789");
    let fault = bench(FLASH_2).decoded(&chat_with(""), &talkative.to_string()).unwrap_err();
    assert_eq!(fault.message, "MALFORMED_FUNCTION_CALL Malformed function call: [redacted]");
    let endless = candidate(&said);
    let whole = bench(FLASH_2).decoded(&chat_with(""), &endless.to_string()).unwrap();
    assert_eq!(whole["choices"][0]["finish_reason"], "stop", "a whole answer need not say it");
}

#[test]
fn images_in_answers_are_left_out_or_written_into_the_text() {
    let parts = json!([text("See: "), {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, {"inlineData": {"mimeType": "text/html", "data": "AA)"}}]);
    for (config, content) in [
        (json!({}), "See: "),
        (json!({"images": "markdown"}), "See: ![image](data:image/png;base64,AAAA)"),
    ] {
        let whole = with_config(FLASH_2, config)
            .decoded(&chat_with(""), &finished(&parts, "STOP").to_string())
            .unwrap();
        assert_eq!(whole["choices"][0]["message"]["content"], content);
    }
}
