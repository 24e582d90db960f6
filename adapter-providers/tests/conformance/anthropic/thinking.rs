//! What is sent of thoughts and of sampling: cases 5 and 8.

use super::{asking, bench, with};
use serde_json::{Value, json};

#[test]
fn case_5_sampling_parameters_are_sent_where_they_are_taken() {
    let none = Value::Null;
    for (name, model, version, fields, expected, dropped) in [
        (
            "too hot",
            "claude-sonnet-4-5",
            "2023-06-01",
            r#","temperature":1.7"#,
            json!([1.0, none, none]),
            vec!["temperature"],
        ),
        (
            "as it is",
            "claude-sonnet-4-5",
            "2023-06-01",
            r#","temperature":0.70"#,
            json!([0.7, none, none]),
            vec![],
        ),
        (
            "not both",
            "claude-sonnet-4-5",
            "2023-06-01",
            r#","temperature":0.5,"top_p":0.5,"top_k":7"#,
            json!([0.5, none, 7]),
            vec!["top_p"],
        ),
        (
            "one alone",
            "claude-sonnet-4-5",
            "2023-06-01",
            r#","top_p":0.5"#,
            json!([none, 0.5, none]),
            vec![],
        ),
        (
            "both",
            "claude-sonnet-4-0",
            "2023-06-01",
            r#","temperature":0.5,"top_p":0.5"#,
            json!([0.5, 0.5, none]),
            vec![],
        ),
        (
            "a newer model",
            "claude-opus-4-7",
            "2023-06-01",
            r#","temperature":1.7,"top_p":0.5,"top_k":7"#,
            json!([none, none, none]),
            vec!["temperature", "top_p", "top_k"],
        ),
        (
            "what says nothing",
            "claude-opus-4-7",
            "2023-06-01",
            r#","temperature":1,"top_p":1.0"#,
            json!([none, none, none]),
            vec![],
        ),
        (
            "a newer version",
            "claude-sonnet-4-5",
            "2026-10-21",
            r#","temperature":0.5,"top_p":0.5,"top_k":7"#,
            json!([none, none, none]),
            vec!["temperature", "top_p", "top_k"],
        ),
        (
            "with thoughts",
            "claude-sonnet-4-5",
            "2023-06-01",
            r#","temperature":0.5,"reasoning_effort":"low""#,
            json!([none, none, none]),
            vec!["temperature"],
        ),
        (
            "without thoughts",
            "claude-sonnet-4-6",
            "2023-06-01",
            r#","temperature":0.5,"reasoning_effort":"none""#,
            json!([0.5, none, none]),
            vec![],
        ),
    ] {
        let mut bench = bench(model);
        bench.config = json!({"anthropic_version": version});
        let (sent, left_out) = bench.sent(&with(fields));
        assert_eq!(json!([sent["temperature"], sent["top_p"], sent["top_k"]]), expected, "{name}");
        assert_eq!(left_out, dropped, "{name}");
    }
}

#[test]
fn case_8_effort_is_told_as_the_model_wants_it() {
    let (none, adaptive) = (Value::Null, json!({"type": "adaptive", "display": "summarized"}));
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let off = json!({"type": "disabled"});
    for (model, limit, word, thinking, effort, dropped) in [
        ("claude-haiku-4-5", 2000, "high", budget(1999), none.clone(), false),
        ("claude-haiku-4-5", 1024, "high", none.clone(), none.clone(), true),
        ("claude-haiku-4-5", 1025, "low", budget(1024), none.clone(), false),
        ("claude-haiku-4-5", 30000, "minimal", budget(1024), none.clone(), false),
        ("claude-haiku-4-5", 30000, "medium", budget(2048), none.clone(), false),
        ("claude-haiku-4-5", 30000, "high", budget(4096), none.clone(), false),
        ("claude-3-7-sonnet-latest", 30000, "xhigh", budget(8192), none.clone(), false),
        ("claude-opus-4-1", 30000, "max", budget(16384), none.clone(), false),
        ("claude-haiku-4-5", 30000, "none", none.clone(), none.clone(), false),
        ("claude-haiku-4-5", 30000, "novel", none.clone(), none.clone(), true),
        ("claude-3-5-sonnet-20241022", 30000, "high", none.clone(), none.clone(), true),
        ("claude-3-5-sonnet-20241022", 30000, "none", none.clone(), none.clone(), false),
        ("claude-opus-4-6", 30000, "none", off.clone(), none.clone(), false),
        ("claude-opus-4-6", 30000, "minimal", adaptive.clone(), json!("low"), false),
        ("claude-opus-4-6", 30000, "xhigh", adaptive.clone(), json!("high"), false),
        ("claude-opus-4-6", 30000, "max", adaptive.clone(), json!("max"), false),
        ("claude-opus-4-7", 30000, "xhigh", adaptive.clone(), json!("xhigh"), false),
        ("claude-opus-5", 100, "medium", adaptive.clone(), json!("medium"), false),
        ("claude-opus-5", 30000, "none", off.clone(), none.clone(), false),
        ("claude-sonnet-5-5", 30000, "none", json!({"type": "between_tools"}), none.clone(), false),
        ("claude-sonnet-5-5", 30000, "high", adaptive.clone(), json!("high"), false),
        ("claude-opus-5-5", 30000, "high", adaptive.clone(), json!("high"), false),
        ("claude-opus-5-5", 30000, "none", none.clone(), json!("low"), true),
    ] {
        let fields = format!(r#","max_tokens":{limit},"reasoning_effort":"{word}""#);
        let (sent, left_out) = bench(model).sent(&with(&fields));
        assert_eq!(sent["thinking"], thinking, "{model} {limit} {word}");
        assert_eq!(sent["output_config"]["effort"], effort, "{model} {limit} {word}");
        assert_eq!(
            left_out.contains(&"reasoning_effort".into()),
            dropped,
            "{model} {limit} {word}"
        );
        assert_eq!(sent["max_tokens"], limit, "{model} {limit} {word}");
    }
}

#[test]
fn case_8_half_of_a_limit_that_the_caller_did_not_choose_is_left_for_the_answer() {
    for (paid, budget) in
        [(4096, json!(2048)), (1500, json!(1024)), (1024, Value::Null), (1, Value::Null)]
    {
        let mut bench = bench("claude-haiku-4-5");
        bench.max_completion = Some(paid);
        let (sent, _) = bench.sent(&with(r#","reasoning_effort":"high""#));
        assert_eq!(
            (&sent["thinking"]["budget_tokens"], &sent["max_tokens"]),
            (&budget, &json!(paid))
        );
    }
}

#[test]
fn case_8_what_the_caller_says_in_this_dialect_comes_first() {
    let own = r#","thinking":{"type":"enabled","budget_tokens":5000},"max_tokens":9000"#;
    let (sent, dropped) = bench("claude-haiku-4-5")
        .sent(&with(&format!(r#"{own},"reasoning_effort":"low","temperature":0.5"#)));
    assert_eq!(sent["thinking"], json!({"type": "enabled", "budget_tokens": 5000}));
    assert!(sent.get("temperature").is_none());
    assert_eq!(dropped, ["temperature", "reasoning_effort"]);
    let (sent, dropped) = bench("claude-haiku-4-5")
        .sent(&with(r#","thinking":{"type":"disabled"},"temperature":0.5"#));
    assert_eq!((&sent["temperature"], dropped.len()), (&json!(0.5), 0));
}

const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;

#[test]
fn case_8_a_budget_is_not_asked_for_where_it_would_be_refused() {
    let call = |blocks: &str| {
        format!(
            r#"[{{"role":"user","content":"u"}},{{"role":"assistant","content":"a"{blocks},"tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},{{"role":"tool","tool_call_id":"c","content":"1"}}]"#
        )
    };
    let signed = r#","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}]"#;
    let unsigned = r#","thinking_blocks":[{"type":"thinking","thinking":"t","signature":""}],"reasoning_content":"t""#;
    let done = r#"[{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"v"}]"#.to_owned();
    let begun = r#"[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]"#.to_owned();
    let hi = r#"[{"role":"user","content":"u"}]"#.to_owned();
    let forced = format!(r#"{TOOLS},"tool_choice":"required""#);
    let effort = r#","max_tokens":9000,"reasoning_effort":"high""#;
    for (name, model, messages, fields, thinks) in [
        ("thoughts kept", "claude-haiku-4-5", call(signed), TOOLS, true),
        ("thoughts lost", "claude-haiku-4-5", call(""), TOOLS, false),
        ("thoughts without a signature", "claude-haiku-4-5", call(unsigned), TOOLS, false),
        ("thoughts lost by a newer model", "claude-opus-4-7", call(""), TOOLS, true),
        ("a turn that is over", "claude-haiku-4-5", done, "", true),
        ("an answer begun", "claude-haiku-4-5", begun, "", false),
        ("a tool forced", "claude-haiku-4-5", hi.clone(), forced.as_str(), false),
        ("a tool forced on a newer model", "claude-opus-4-7", hi, forced.as_str(), true),
    ] {
        let (sent, dropped) = bench(model).sent(&asking(&messages, &format!("{fields}{effort}")));
        assert_eq!(sent.get("thinking").is_some(), thinks, "{name}");
        assert_eq!(dropped.contains(&"reasoning_effort".into()), !thinks, "{name}");
        assert!(!sent.to_string().contains("reasoning_content"), "{name}");
    }
}

#[test]
fn case_8_thoughts_are_played_back_to_the_letter_and_first() {
    let blocks = r#"[{"signature":"s","type":"thinking","thinking":"\u00e9","x":1e2},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"no"}]"#;
    let messages = format!(
        r#"[{{"role":"user","content":"u"}},{{"role":"assistant","content":"a","thinking_blocks":{blocks},"cache_control":{{"type":"ephemeral"}}}},{{"role":"user","content":"v"}}]"#
    );
    let body = asking(&messages, "");
    let text = bench("claude-opus-4-7").sent_text(&body);
    let expected = r#""content":[{"signature":"s","type":"thinking","thinking":"\u00e9","x":1e2},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#;
    assert!(text.contains(expected), "{text}");
    assert_eq!(bench("claude-opus-4-7").sent(&body).1, ["messages.[].thinking_blocks"]);
    let text = bench("claude-3-haiku-20240307").sent_text(&body);
    assert!(!text.contains("thinking"), "a model that does not think has no thoughts: {text}");
}
