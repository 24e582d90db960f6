//! How tools are sent: cases 7 and 9.

use super::{asking, bench, sonnet, with};
use gateway_ports::ProviderError;
use serde_json::{Value, json};

const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g","parameters":{}}}]"#;

#[test]
fn case_7_the_choice_of_tools() {
    let off = r#","parallel_tool_calls":false"#;
    for (fields, expected, names) in [
        (String::new(), Value::Null, "fg"),
        (format!(r#","tool_choice":"required"{off}"#), json!({"type": "any", "disable_parallel_tool_use": true}), "fg"),
        (off.to_owned(), json!({"type": "auto", "disable_parallel_tool_use": true}), "fg"),
        (format!(r#","tool_choice":"none"{off}"#), json!({"type": "none"}), "fg"),
        (r#","parallel_tool_calls":true"#.to_owned(), Value::Null, "fg"),
        (r#","tool_choice":"auto""#.to_owned(), json!({"type": "auto"}), "fg"),
        (format!(r#","tool_choice":{{"type":"function","function":{{"name":"g"}}}}{off}"#), json!({"type": "tool", "name": "g", "disable_parallel_tool_use": true}), "fg"),
        (r#","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"g"}}]}}"#.to_owned(), json!({"type": "any"}), "g"),
        (r#","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}"#.to_owned(), json!({"type": "auto"}), "f"),
    ] {
        let (sent, dropped) = sonnet().sent(&with(&format!("{TOOLS}{fields}")));
        assert_eq!(sent["tool_choice"], expected, "{fields}");
        let sent: String = sent["tools"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
        assert_eq!((sent.as_str(), dropped.len()), (names, 0), "{fields}");
    }
    for fields in [off, r#","tool_choice":"none""#, r#","tool_choice":"required""#] {
        let (sent, dropped) = sonnet().sent(&with(fields));
        assert!(sent.get("tools").is_none() && sent.get("tool_choice").is_none(), "{fields}");
        assert_eq!(dropped.contains(&"tool_choice".to_owned()), fields.contains("required"));
    }
    for (choice, code) in [
        (r#"{"type":"function","function":{"name":"x"}}"#, ProviderError::INVALID_VALUE),
        (
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}"#,
            ProviderError::INVALID_VALUE,
        ),
        (r#"{"type":"custom","custom":{"name":"f"}}"#, ProviderError::UNSUPPORTED_VALUE),
        (r#"{"type":"novel"}"#, ProviderError::UNSUPPORTED_VALUE),
    ] {
        let body = with(&format!(r#"{TOOLS},"tool_choice":{choice}"#));
        assert_eq!(sonnet().refused(&body), ("tool_choice".into(), code), "{choice}");
    }
}

#[test]
fn case_7_the_old_way_to_name_functions() {
    let conversation = r#"[{"role":"user","content":"u"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},{"role":"function","name":"f","content":"1"}]"#;
    let fields = r#","functions":[{"name":"f","description":"","parameters":{"type":"object"}}],"function_call":{"name":"f"}"#;
    let (sent, dropped) = sonnet().sent(&asking(conversation, fields));
    assert_eq!(sent["tools"], json!([{"name": "f", "input_schema": {"type": "object"}}]));
    assert_eq!(sent["tool_choice"], json!({"type": "tool", "name": "f"}));
    let id = sent["messages"][1]["content"][0]["id"].as_str().unwrap();
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], id);
    assert!(!id.is_empty() && dropped.is_empty(), "{dropped:?}");
    assert_eq!(
        sonnet().refused(&with(r#","functions":[{"name":"f"}],"function_call":{"name":"x"}"#)).0,
        "function_call"
    );
}

#[test]
fn case_9_schemas_of_tools_are_kept() {
    for (parameters, expected) in [
        ("", r#""input_schema":{"type":"object","properties":{}}"#),
        (r#","parameters":null"#, r#""input_schema":{"type":"object","properties":{}}"#),
        (r#","parameters":{}"#, r#""input_schema":{"type":"object"}"#),
        (
            r##","parameters":{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"minimum":1.50}}}"##,
            r##""input_schema":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"minimum":1.50}}}"##,
        ),
        (
            r#","parameters":{"$defs":{"A":{}},"type":"object","additionalProperties":true}"#,
            r#""input_schema":{"$defs":{"A":{}},"type":"object","additionalProperties":true}"#,
        ),
    ] {
        let body = with(&format!(
            r#","tools":[{{"type":"function","function":{{"name":"f"{parameters}}}}}]"#
        ));
        let sent = sonnet().sent_text(&body);
        assert!(sent.contains(expected), "{sent}");
        assert!(!sent.contains("description"), "{sent}");
    }
    for (tool, param) in [
        (r#"{"type":"custom","custom":{"name":"f"}}"#, "tools.[1].type"),
        (r#"{"type":"web_search_20250305","name":"web_search"}"#, "tools.[1].type"),
        (
            r#"{"type":"function","function":{"name":"f","parameters":[]}}"#,
            "tools.[1].function.parameters",
        ),
    ] {
        let body =
            with(&format!(r#","tools":[{{"type":"function","function":{{"name":"a"}}}},{tool}]"#));
        assert_eq!(sonnet().refused(&body).0, param, "{tool}");
    }
}

#[test]
fn case_9_exactness_is_asked_for_where_the_schema_allows_it() {
    let exact = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    for (model, strict, schema, expected) in [
        (super::SONNET, "true", exact, json!(true)),
        (super::SONNET, "false", exact, Value::Null),
        (
            super::SONNET,
            "true",
            r#"{"type":"object","properties":{"a":{"type":"string","minLength":1}},"additionalProperties":false}"#,
            Value::Null,
        ),
        (super::SONNET, "true", r#"{"type":"object"}"#, Value::Null),
        ("claude-opus-4-1", "true", exact, Value::Null),
    ] {
        let body = with(&format!(
            r#","tools":[{{"type":"function","function":{{"name":"f","strict":{strict},"parameters":{schema}}}}}]"#
        ));
        let (sent, dropped) = bench(model).sent(&body);
        assert_eq!(sent["tools"][0]["strict"], expected, "{model} {strict} {schema}");
        assert_eq!(dropped.is_empty(), strict == "false" || expected == true, "{dropped:?}");
    }
}
