//! Tools, filters, cached prompts and ids; and what is refused.

use super::*;

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    let schema = |schema: &str| {
        format!(
            r#","response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}"#
        )
    };
    for (fields, param, code) in [
        (r#","n":2"#, "n", "unsupported_value"),
        (r#","web_search_options":{}"#, "web_search_options", "unsupported_value"),
        (r#","audio":{"voice":"x"}"#, "audio", "unsupported_value"),
        (r#","modalities":["text","audio"]"#, "modalities", "unsupported_value"),
        (r#","response_format":{"type":"novel"}"#, "response_format", "unsupported_value"),
        (&schema("true"), "response_format.json_schema.schema", "invalid_type"),
        (
            r#","tools":[{"type":"custom","custom":{"name":"c"}}]"#,
            "tools.[0].type",
            "unsupported_value",
        ),
        (
            r#","tools":[{"type":"function","function":{"name":"f","parameters":5}}]"#,
            "tools.[0].function.parameters",
            "invalid_type",
        ),
        (
            r#","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"g"}}"#,
            "tool_choice",
            "invalid_value",
        ),
        (
            r#","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"novel"}"#,
            "tool_choice",
            "unsupported_value",
        ),
        (
            r#","tools":[{"type":"function","function":{"name":"f"}}],"functions":[{"name":"g"},{"name":"h","parameters":1}]"#,
            "functions.[1].parameters",
            "invalid_type",
        ),
        (
            r#","functions":[{"name":"f"}],"function_call":{"name":"g"}"#,
            "function_call",
            "invalid_value",
        ),
    ] {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{fields}}}"#);
        assert_eq!(bench(FLASH_2).refused(&body), (param.into(), code), "{fields}");
    }
    for config in [
        json!({"generation": 3}),
        json!({"images": "html"}),
        json!({"safety_settings": 1}),
        json!({"blocked_as_error": "yes"}),
    ] {
        let error = with_config(FLASH_2, config.clone()).encode(&chat_with("")).unwrap_err();
        assert!(matches!(error, ProviderError::Misconfigured(_)), "{config}: {error}");
    }
}

#[test]
fn tools_may_be_chosen_among() {
    let tools = json!([tool("f"), tool("g")]);
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [tool("g")]}});
    for (name, choice, config, declared) in [
        ("nothing", Value::Null, json!({"mode": "AUTO"}), 2),
        ("auto", json!("auto"), json!({"mode": "AUTO"}), 2),
        ("none", json!("none"), json!({"mode": "NONE"}), 2),
        ("required", json!("required"), json!({"mode": "ANY"}), 2),
        (
            "one of some",
            allowed("required"),
            json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
            2,
        ),
        ("some", allowed("auto"), json!({"mode": "AUTO"}), 1),
    ] {
        let (sent, dropped) =
            sent(&bench(FLASH_2), &hello(), json!({"tools": tools, "tool_choice": choice}));
        assert_eq!(sent["toolConfig"]["functionCallingConfig"], config, "{name}");
        assert_eq!(
            sent["tools"][0]["functionDeclarations"].as_array().unwrap().len(),
            declared,
            "{name}"
        );
        assert!(dropped.is_empty(), "{name}: {dropped:?}");
    }
    let (sent, dropped) =
        sent(&bench(FLASH_2), &hello(), json!({"tools": [], "tool_choice": "auto"}));
    assert_eq!(
        (sent.get("tools"), sent.get("toolConfig"), dropped),
        (None, None, vec!["tool_choice".to_owned()])
    );
    // Older models take no JSON beside tools: they are told, or need no tools.
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    let both =
        |choice: &str| json!({"tools": tools, "tool_choice": choice, "response_format": format});
    let (newer, dropped) = self::sent(&bench(FLASH_3), &hello(), both("auto"));
    assert!(
        newer["tools"].is_array()
            && newer["generationConfig"]["responseMimeType"].is_string()
            && dropped.is_empty()
    );
    let (older, dropped) = self::sent(&bench(FLASH_2), &hello(), both("auto"));
    assert!(older["tools"].is_array() && older.get("generationConfig").is_none(), "{older}");
    assert!(
        older["systemInstruction"]["parts"][0]["text"]
            .as_str()
            .unwrap()
            .ends_with(r#"{"type":"object"}"#)
    );
    assert_eq!(dropped, ["response_format"]);
    let (quiet, dropped) = self::sent(&bench(FLASH_2), &hello(), both("none"));
    assert!(
        quiet.get("tools").is_none()
            && quiet["generationConfig"]["responseMimeType"].is_string()
            && dropped.is_empty()
    );
}

#[test]
fn what_is_filtered_is_said_by_the_operator_or_else_by_the_caller() {
    let asked = json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]);
    let own = json!([{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}]);
    for (name, config, fields, settings, lost) in [
        ("nobody", json!({}), json!({}), Value::Null, false),
        ("the caller", json!({}), json!({"safety_settings": asked}), asked.clone(), false),
        (
            "the caller by Google's layer",
            json!({}),
            json!({"extra_body": {"google": {"safety_settings": asked}}}),
            asked.clone(),
            false,
        ),
        ("the operator", json!({"safety_settings": own}), json!({}), own.clone(), false),
        ("both", json!({"safety_settings": own}), json!({"safety_settings": asked}), own, true),
    ] {
        let (sent, dropped) = sent(&with_config(FLASH_2, config), &hello(), fields);
        assert_eq!(sent.get("safetySettings").unwrap_or(&Value::Null), &settings, "{name}");
        assert_eq!(
            dropped.iter().any(|field| field == "safety_settings"),
            lost,
            "{name}: {dropped:?}"
        );
    }
    let (sent, _) =
        sent(&with_config(FLASH_2, json!({"safety_settings": "OFF"})), &hello(), json!({}));
    let all = sent["safetySettings"].as_array().unwrap();
    assert!(all.len() == 4 && all.iter().all(|one| one["threshold"] == "OFF"), "{all:?}");
}

#[test]
fn a_cached_prompt_has_its_own_system_and_tools() {
    let messages = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]);
    let fields = json!({"extra_body": {"google": {"cached_content": "cachedContents/x"}}, "tools": [tool("f")], "tool_choice": "auto"});
    let (sent, dropped) = sent(&bench(FLASH_2), &messages, fields);
    assert_eq!(
        sent,
        json!({"cachedContent": "cachedContents/x", "contents": [{"role": "user", "parts": [text("hi")]}]})
    );
    assert_eq!(dropped, ["tools", "tool_choice", "messages.system"]);
}

#[test]
fn ids_go_back_to_gemini_only_if_it_gave_them() {
    let messages = |id: &str| json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls": [call(id, "f", "")]}, answers(id, "1")]);
    let never = json!({"call_ids": false});
    for (name, bench, id, sent_back) in [
        ("its own", bench(FLASH_3), "46ww9pp1", true),
        ("made here", bench(FLASH_3), "call_0123456789abcdef01234567", false),
        ("another provider's", bench(FLASH_3), "toolu_01A09q90qw90lq917835lq9", false),
        ("odd", bench(FLASH_3), "functions.f:0", false),
        ("an older model", bench(FLASH_2), "46ww9pp1", false),
        ("switched off", with_config(FLASH_3, never), "46ww9pp1", false),
    ] {
        let (sent, _) = sent(&bench, &messages(id), json!({}));
        let made = sent["contents"][1]["parts"][0]["functionCall"].get("id");
        let answered = sent["contents"][2]["parts"][0]["functionResponse"].get("id");
        let expected = json!(id);
        assert_eq!(
            (made, answered),
            (sent_back.then_some(&expected), sent_back.then_some(&expected)),
            "{name}"
        );
    }
}
