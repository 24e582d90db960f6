//! Bodies that are taken, and bodies that are not.

use super::*;

fn chat(body: &str) -> Result<ModelCall, CallError> {
    ModelCall::chat(Bytes::copy_from_slice(body.as_bytes()))
}

fn with(extra: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{extra}}}"#)
}

#[test]
fn a_body_is_kept_and_its_model_is_found() {
    let body = r#" {"x":[1e3,"\u00e9"], "messages":[{"role":"user","content":"hi"}], "model" : "gpt-4", "stream":true} "#;
    let call = chat(body).unwrap();
    assert_eq!(call.body().as_ref(), body.as_bytes());
    assert_eq!(&body[call.model_span()], "\"gpt-4\"");
    assert!(call.stream && !call.include_usage);
    assert_eq!(call.stream_options_span(), None);
    assert_eq!(call.prompt.messages, 1);
}

#[test]
fn limits_are_read_and_the_newer_name_wins() {
    let limits = |extra: &str| {
        let call = chat(&with(extra)).unwrap();
        (call.max_completion, call.choices)
    };
    assert_eq!(limits(""), (None, 1));
    assert_eq!(limits(r#","max_tokens":10,"n":3"#), (Some(10), 3));
    assert_eq!(limits(r#","max_tokens":100,"max_completion_tokens":7"#), (Some(7), 1));
    assert_eq!(chat(&with(r#","max_tokens":null"#)).unwrap().max_completion, None);
    let call = chat(&with(r#","stream":true,"stream_options":{"include_usage":true}"#)).unwrap();
    assert!(call.include_usage);
}

#[test]
fn what_is_no_json_object_is_invalid_json() {
    let deep = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"x":{}1{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"model\":\"m\",}",
        r#"{"temperature":NaN}"#,
        &deep,
        r#"{"model":"a","model":"b","messages":[]}"#,
        "{\"a\":\"\u{1}\"}",
        "{} {}",
    ] {
        assert!(matches!(chat(body), Err(CallError::Json(_))), "{body}");
    }
    // Found by fuzzing: a field that nobody reads is passed on too.
    let body: &[u8] =
        b"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"a\":\"\xff\"}";
    assert!(matches!(ModelCall::chat(Bytes::from_static(body)), Err(CallError::Json(_))));
    let body: &[u8] = b"{\"model\":\"m\",\"input\":\"a\",\"a\":\"\xff\"}";
    assert!(matches!(ModelCall::embeddings(Bytes::from_static(body)), Err(CallError::Json(_))));
}

#[test]
fn wrong_values_name_their_field() {
    let long = "x".repeat(300);
    let many = vec![r#"{"role":"user","content":"x"}"#; 10_001].join(",");
    let tools = vec![r#"{"type":"function","function":{"name":"f"}}"#; 5000].join(",");
    let message =
        |m: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{m}]}}"#);
    for (body, param) in [
        (r#"{"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"","messages":[]}"#.to_owned(), "model"),
        (r#"{"model":7,"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"a\nb","messages":[]}"#.to_owned(), "model"),
        (format!(r#"{{"model":"{long}"}}"#), "model"),
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":{}}"#.to_owned(), "messages"),
        (format!(r#"{{"model":"m","messages":[{many}]}}"#), "messages"),
        (message(r#"{"content":"x"}"#), "messages[1]"),
        (message(r#"{"role":"root","content":"x"}"#), "messages[1]"),
        (message(r#"{"role":7,"content":"x"}"#), "messages[1]"),
        (message(r#"{"role":"user","content":5}"#), "messages[1]"),
        (message(r#"{"role":"user","content":{}}"#), "messages[1]"),
        (message(r#"{"role":"assistant","content":null}"#), "messages[1]"),
        (message(r#"{"role":"user","content":[5]}"#), "messages[1]"),
        (message(r#"{"role":"user","content":[{"text":"x"}]}"#), "messages[1]"),
        (message("5"), "messages[1]"),
        (with(r#","max_tokens":0"#), "max_tokens"),
        (with(r#","max_tokens":-1"#), "max_tokens"),
        (with(r#","max_tokens":1.5"#), "max_tokens"),
        (with(r#","max_tokens":"10""#), "max_tokens"),
        (with(r#","max_tokens":1e18"#), "max_tokens"),
        (with(r#","max_completion_tokens":0"#), "max_completion_tokens"),
        (with(r#","n":0"#), "n"),
        (with(r#","stream":"yes""#), "stream"),
        (with(r#","stream_options":{"include_usage":true}"#), "stream_options"),
        (with(r#","stream":true,"stream_options":[]"#), "stream_options"),
        (
            with(r#","stream":true,"stream_options":{"include_usage":1}"#),
            "stream_options.include_usage",
        ),
        (with(r#","tools":{}"#), "tools"),
        (with(&format!(r#","tools":[{tools}]"#)), "tools"),
        (with(r#","tools":[{"type":"function","function":{"name":"a\r\nb"}}]"#), "tools"),
        (
            with(&format!(
                r#","tools":[{{"type":"function","function":{{"name":"f","parameters":"{}"}}}}]"#,
                "x".repeat(9 << 20)
            )),
            "tools",
        ),
    ] {
        match chat(&body) {
            Err(CallError::Field { param: found, .. }) => assert_eq!(found, param),
            other => panic!("{param}: {other:?} for {}", &body[..body.len().min(200)]),
        }
    }
}

#[test]
fn messages_that_are_legal_are_taken() {
    for message in [
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
        r#"{"role":"assistant","tool_calls":[]}"#,
        r#"{"role":"tool","tool_call_id":"c","content":"5"}"#,
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"http://169.254.169.254/"}}]}"#,
        r#"{"role":"developer","content":"","name":"n"}"#,
    ] {
        let call = chat(&format!(
            r#"{{"model":"m","messages":[{message}],"tools":[{{"type":"custom","custom":{{"name":"x"}}}}]}}"#
        ));
        assert!(call.is_ok(), "{message}: {call:?}");
    }
}

#[test]
fn fields_that_choose_the_upstream_are_taken_out() {
    let call = chat(&with(r#","api_base":"http://evil","b":{"c":1e2},"api_key":"k","extra_headers":{},"base_url":"x""#)).unwrap();
    let body = std::str::from_utf8(call.body()).unwrap();
    assert_eq!(body, r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"b":{"c":1e2}}"#);
    assert_eq!(&body[call.model_span()], "\"m\"");
}

#[test]
fn embeddings_inputs_are_checked_and_measured() {
    let embed = |input: &str| {
        ModelCall::embeddings(Bytes::from(format!(r#"{{"model":"m","input":{input}}}"#)))
    };
    for (input, prompt) in [
        ("\"hello world\"", 11),
        ("[\"hello\",\"world\"]", 19),
        ("[1,2,3]", 11),
        ("[[1,2],[3]]", 19),
    ] {
        assert_eq!(embed(input).unwrap().prompt.estimate(), prompt, "{input}");
    }
    let many = format!("[{}]", vec!["\"a\""; 3000].join(","));
    for input in [
        "\"\"",
        "[]",
        "[[]]",
        "[5,\"a\"]",
        "[\"a\",[1]]",
        "[[[1]]]",
        "5",
        "[-1]",
        "[1.5]",
        "{}",
        "null",
        "true",
        "[\"\"]",
        &many,
    ] {
        assert!(
            matches!(embed(input), Err(CallError::Field { param, .. }) if param == "input"),
            "{}",
            &input[..input.len().min(40)]
        );
    }
    for extra in [r#""dimensions":0"#, r#""encoding_format":"x""#] {
        let body = format!(r#"{{"model":"m","input":"a",{extra}}}"#);
        assert!(ModelCall::embeddings(Bytes::from(body)).is_err(), "{extra}");
    }
}
