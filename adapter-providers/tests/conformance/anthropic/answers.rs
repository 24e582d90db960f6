//! Whole answers: cases 22, 23 and 27.

use super::sonnet;
use crate::harness::chat_with;
use gateway_domain::{Fault, FaultKind};
use serde_json::{Value, json};

fn decoded(fields: &str, answer: &str) -> Result<Value, Fault> {
    sonnet().decoded(&chat_with(fields), answer)
}

/// The message and the finish of an answer with this content and these fields.
fn message(content: &str, fields: &str) -> Value {
    let answer = format!(r#"{{"type":"message","content":{content}{fields}}}"#);
    let seen = decoded("", &answer).unwrap_or_else(|e| panic!("{e:?}: {answer}"));
    seen["choices"][0].clone()
}

#[test]
fn case_22_blocks_become_one_message() {
    let content = r#"[{"type":"thinking","thinking":"T","signature":"s"},{"type":"text","text":"A"},{"type":"server_tool_use","id":"s1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s1","content":[]},{"type":"text","text":"B"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}]"#;
    let seen = message(content, r#","stop_reason":"tool_use""#);
    let call = json!({"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}});
    assert_eq!(seen["message"]["content"], "AB");
    assert_eq!(seen["message"]["reasoning_content"], "T");
    assert_eq!(seen["message"]["tool_calls"], json!([call]));
    assert_eq!(seen["finish_reason"], "tool_calls");
}

#[test]
fn case_22_odd_content_is_tolerated() {
    let call = |id: &str, arguments: &str| json!([{"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}]);
    for (content, text, calls) in [
        ("[]", json!(""), Value::Null),
        (r#"[{"type":"text","text":""}]"#, json!(""), Value::Null),
        (
            r#"[5,null,"x",{"type":7},{"text":"x"},{"type":"text","text":5},{"type":"text","text":"a"}]"#,
            json!("a"),
            Value::Null,
        ),
        (r#"[{"type":"tool_use","id":"i","name":"f"}]"#, Value::Null, call("i", "{}")),
        (r#"[{"type":"tool_use","id":"i","name":"f","input":null}]"#, Value::Null, call("i", "{}")),
        (r#"[{"type":"tool_use","id":"i","name":"f","input":{ }}]"#, Value::Null, call("i", "{}")),
        (
            r#"[{"type":"tool_use","name":"f","input":{"b":12345678901234567890,"a":1.0}}]"#,
            Value::Null,
            call("call_0", r#"{"b":12345678901234567890,"a":1.0}"#),
        ),
        (
            r#"[{"type":"tool_use","id":"i","input":{}},{"type":"text","text":"a"}]"#,
            json!("a"),
            Value::Null,
        ),
    ] {
        let seen = message(content, "");
        assert_eq!(
            (&seen["message"]["content"], &seen["message"]["tool_calls"]),
            (&text, &calls),
            "{content}"
        );
    }
    let content = r#"[{"type":"tool_use","id":"i","name":"f","input":{"a":1}}]"#;
    let answer = format!(r#"{{"content":{content},"stop_reason":"tool_use"}}"#);
    let seen = decoded(r#","functions":[{"name":"f"}]"#, &answer).unwrap();
    assert_eq!(
        seen["choices"][0]["message"]["function_call"],
        json!({"name": "f", "arguments": "{\"a\":1}"})
    );
    assert_eq!(seen["choices"][0]["finish_reason"], "function_call");
}

#[test]
fn case_23_usage_is_counted_as_the_api_counts_it() {
    for (usage, expected) in [
        (
            r#"{"input_tokens":12,"cache_creation_input_tokens":100,"cache_read_input_tokens":30,"output_tokens":25,"output_tokens_details":{"thinking_tokens":20}}"#,
            json!([142, 25, 167, 30, 100, 20]),
        ),
        (r#"{"input_tokens":12,"output_tokens":25}"#, json!([12, 25, 37, 0, null, 0])),
        (
            r#"{"input_tokens":12,"output_tokens":25,"cache_read_input_tokens":null,"output_tokens_details":null}"#,
            json!([12, 25, 37, 0, null, 0]),
        ),
        ("null", json!([null, null, null, null, null, null])),
        ("{}", json!([null, null, null, null, null, null])),
    ] {
        let seen = decoded("", &format!(r#"{{"content":[],"usage":{usage}}}"#)).unwrap();
        let usage_seen = &seen["usage"];
        let (prompt, completion) =
            (&usage_seen["prompt_tokens_details"], &usage_seen["completion_tokens_details"]);
        let found = json!([
            usage_seen["prompt_tokens"],
            usage_seen["completion_tokens"],
            usage_seen["total_tokens"],
            prompt["cached_tokens"],
            prompt["cache_write_tokens"],
            completion["reasoning_tokens"],
        ]);
        assert_eq!(found, expected, "{usage}");
    }
}

#[test]
fn case_27_every_reason_to_stop_has_a_name() {
    for (reason, finish) in [
        (r#""end_turn""#, "stop"),
        (r#""stop_sequence""#, "stop"),
        (r#""max_tokens""#, "length"),
        (r#""model_context_window_exceeded""#, "length"),
        (r#""tool_use""#, "tool_calls"),
        (r#""pause_turn""#, "stop"),
        (r#""refusal""#, "content_filter"),
        (r#""novel""#, "stop"),
        ("null", "stop"),
        ("7", "stop"),
    ] {
        let seen =
            message(r#"[{"type":"text","text":"a"}]"#, &format!(r#","stop_reason":{reason}"#));
        assert_eq!(seen["finish_reason"], finish, "{reason}");
    }
    for (details, refusal) in [
        (r#"{"type":"refusal","category":"bio","explanation":"Not safe."}"#, json!("Not safe.")),
        (r#"{"type":"refusal","explanation":null}"#, Value::Null),
        ("null", Value::Null),
        ("7", Value::Null),
    ] {
        let seen = message("[]", &format!(r#","stop_reason":"refusal","stop_details":{details}"#));
        assert_eq!(seen["message"]["refusal"], refusal, "{details}");
        assert_eq!(seen["finish_reason"], "content_filter", "{details}");
    }
}

#[test]
fn what_is_no_answer_is_a_fault() {
    for (body, kind) in [
        ("", FaultKind::Malformed),
        ("<html>", FaultKind::Malformed),
        ("[]", FaultKind::Malformed),
        ("{}", FaultKind::Malformed),
        (r#"{"type":"message","content":"x"}"#, FaultKind::Malformed),
        (r#"{"error":"no"}"#, FaultKind::Malformed),
        (r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#, FaultKind::Malformed),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            FaultKind::Overloaded,
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"m"}}"#,
            FaultKind::Rejected,
        ),
    ] {
        assert_eq!(decoded("", body).unwrap_err().kind, kind, "{body}");
    }
}
