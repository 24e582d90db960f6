//! How an answer is sampled, and fields that Gemini has no place for.

use super::*;

#[test]
fn a_field_is_written_or_named() {
    let none: &[&str] = &[];
    let most = json!(18_446_744_073_709_551_615_u64);
    let nameless = json!({"type": "json_schema", "json_schema": {"name": "n"}});
    let object = json!({"type": "json_object"});
    let json = json!({"responseMimeType": "application/json"});
    let nothing = Value::Null;
    for (fields, config, lost) in [
        (json!({}), nothing.clone(), none),
        (json!({"max_tokens": 5}), json!({"maxOutputTokens": 5}), none),
        (json!({"max_tokens": 5, "max_completion_tokens": 6}), json!({"maxOutputTokens": 6}), none),
        (json!({"n": 1}), nothing.clone(), none),
        (
            json!({"stop": ["1", "2", "3", "4", "5", "6"]}),
            json!({"stopSequences": ["1", "2", "3", "4", "5"]}),
            &["stop"],
        ),
        (json!({"stop": ""}), nothing.clone(), &["stop"]),
        (json!({"stop": " "}), json!({"stopSequences": [" "]}), none),
        (json!({"seed": -5}), json!({"seed": -5}), none),
        (json!({"seed": most}), json!({"seed": -1}), none),
        (json!({"seed": 1.5}), nothing.clone(), &["seed"]),
        (json!({"top_k": 40}), json!({"topK": 40}), none),
        (json!({"top_k": "40"}), nothing.clone(), &["top_k"]),
        (json!({"frequency_penalty": 0.5}), nothing.clone(), &["frequency_penalty"]),
        (json!({"presence_penalty": 0.0}), nothing.clone(), none),
        (
            json!({"logprobs": true, "top_logprobs": 3}),
            json!({"responseLogprobs": true, "logprobs": 3}),
            none,
        ),
        (json!({"logprobs": true, "top_logprobs": 0}), json!({"responseLogprobs": true}), none),
        (
            json!({"logprobs": true, "top_logprobs": 21}),
            json!({"responseLogprobs": true, "logprobs": 20}),
            &["top_logprobs"],
        ),
        (json!({"logprobs": false}), nothing.clone(), none),
        (json!({"modalities": ["text"]}), nothing.clone(), none),
        (
            json!({"modalities": ["text", "image"]}),
            json!({"responseModalities": ["TEXT", "IMAGE"]}),
            none,
        ),
        (json!({"response_format": object}), json.clone(), none),
        (json!({"response_format": nameless}), json, none),
        (json!({"parallel_tool_calls": true}), nothing.clone(), none),
        (json!({"parallel_tool_calls": false}), nothing, &["parallel_tool_calls"]),
        (
            json!({"media_resolution": "MEDIA_RESOLUTION_LOW"}),
            json!({"mediaResolution": "MEDIA_RESOLUTION_LOW"}),
            none,
        ),
    ] {
        let (sent, dropped) = sent(&bench(FLASH_2), &hello(), fields.clone());
        assert_eq!(sent.get("generationConfig").unwrap_or(&Value::Null), &config, "{fields}");
        assert_eq!(dropped, lost, "{fields}");
    }
}

#[test]
fn a_model_or_its_channel_may_take_more() {
    let both = json!({"frequency_penalty": 0.5, "presence_penalty": -1});
    let penalties = json!({"frequencyPenalty": 0.5, "presencePenalty": -1});
    let config = |name: &str| with_config(FLASH_2, json!({ name: true }));
    let paid = Bench { max_completion: Some(77), ..bench(FLASH_2) };
    for (name, bench, fields, config) in [
        ("an older model", bench("gemini-2.0-flash"), both.clone(), penalties.clone()),
        ("a channel", config("penalties"), both, penalties),
        (
            "several answers",
            config("candidate_count"),
            json!({"n": 3}),
            json!({"candidateCount": 3}),
        ),
        ("a limit that is paid for", paid, json!({}), json!({"maxOutputTokens": 77})),
    ] {
        let (sent, dropped) = sent(&bench, &hello(), fields);
        assert_eq!(sent["generationConfig"], config, "{name}");
        assert!(dropped.is_empty(), "{name}: {dropped:?}");
    }
}

#[test]
fn what_gemini_has_no_place_for_is_named() {
    let fields = json!({
        "user": "u", "metadata": {}, "safety_identifier": "s", "store": true, "logit_bias": {},
        "prediction": {}, "verbosity": "low", "prompt_cache_key": "k", "service_tier": "scale",
        "extra_body": {"x": 1}, "top_logprobs": 2,
    });
    let (_, dropped) = sent(&bench(FLASH_2), &hello(), fields.clone());
    let mut names: Vec<&String> = fields.as_object().unwrap().keys().collect();
    let mut dropped: Vec<&String> = dropped.iter().collect();
    names.sort_unstable();
    dropped.sort_unstable();
    assert_eq!(dropped, names);
}

#[test]
fn tiers_have_other_names() {
    for (tier, written) in [
        ("flex", json!("flex")),
        ("default", json!("standard")),
        ("priority", json!("priority")),
        ("fast", json!("priority")),
        ("auto", Value::Null),
    ] {
        let (sent, dropped) = sent(&bench(FLASH_2), &hello(), json!({"service_tier": tier}));
        assert_eq!(sent.get("serviceTier").unwrap_or(&Value::Null), &written, "{tier}");
        assert!(dropped.is_empty(), "{tier}");
    }
}

#[test]
fn what_of_a_message_is_lost_is_named() {
    let played_back = json!([
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}], "name": "ann"},
        {"role": "assistant", "content": "b", "reasoning_content": "r", "thinking_blocks": [{"type": "thinking"}],
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "not json"}}]},
    ]);
    let (sent, dropped) = sent(&bench(FLASH_2), &played_back, json!({}));
    assert_eq!(
        sent["contents"][1]["parts"],
        json!([text("b"), {"functionCall": {"name": "f", "args": {"_raw_arguments": "not json"}}}])
    );
    assert_eq!(
        dropped,
        [
            "messages.content.cache_control",
            "messages.name",
            "messages.reasoning_content",
            "messages.thinking_blocks",
            "messages.tool_calls.function.arguments",
        ]
    );
}
