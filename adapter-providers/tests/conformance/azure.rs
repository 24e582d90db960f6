//! Cases of Azure OpenAI: 34, and what an application of OpenAI's SDK relies on.

use crate::harness::{Bench, chat_with, embeddings};
use adapter_providers::Azure;
use gateway_domain::ModelCall;
use gateway_ports::ProviderError;
use serde_json::{Value, json};

const RESOURCE: &str = "https://r.openai.azure.com";

fn bench(base_url: &'static str, model: &'static str, config: Value) -> Bench<Azure> {
    Bench { config, ..Bench::new(Azure::new(), base_url, model) }
}

fn address(bench: &Bench<Azure>, call: &ModelCall) -> String {
    let request = bench.encode(call).unwrap_or_else(|e| panic!("{e}")).request;
    let key = &request.headers()["api-key"];
    assert!(key.is_sensitive() && key == "sk-channel-secret");
    assert!(request.headers().get("authorization").is_none());
    request.uri().to_string()
}

#[test]
fn a_call_goes_to_its_deployment_or_to_the_v1_api() {
    let chat_call = chat_with("");
    for (base, model, config, expected) in [
        (
            RESOURCE,
            "gpt-4o",
            json!({}),
            "https://r.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://r.openai.azure.com/openai",
            "gpt-4o",
            json!({"api_version": "2025-04-01-preview", "style": null}),
            "https://r.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2025-04-01-preview",
        ),
        (
            RESOURCE,
            "a/../b?c=d#\u{e9} ",
            json!({"style": "deployment"}),
            "https://r.openai.azure.com/openai/deployments/a%2F..%2Fb%3Fc%3Dd%23%C3%A9%20/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://r.openai.azure.com/openai/v1",
            "gpt-4o",
            json!({}),
            "https://r.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            "https://r.openai.azure.com/openai/v1",
            "gpt-4o",
            json!({"style": "deployment"}),
            "https://r.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://r.services.ai.azure.com/api/projects/p",
            "gpt-4o",
            json!({"style": "v1", "api_version": "preview"}),
            "https://r.services.ai.azure.com/api/projects/p/openai/v1/chat/completions?api-version=preview",
        ),
    ] {
        assert_eq!(address(&bench(base, model, config.clone()), &chat_call), expected, "{config}");
    }
    let embed = embeddings(r#"{"model":"m","input":"x"}"#);
    assert_eq!(
        address(&bench(RESOURCE, "e", json!({})), &embed),
        "https://r.openai.azure.com/openai/deployments/e/embeddings?api-version=2024-10-21"
    );
    assert_eq!(
        address(&bench(RESOURCE, "e", json!({"style": "v1"})), &embed),
        "https://r.openai.azure.com/openai/v1/embeddings"
    );
}

#[test]
fn what_cannot_be_an_address_is_said() {
    for config in [
        json!({"style": "v2"}),
        json!({"style": 1}),
        json!({"api_version": "2024-10-21&x=y"}),
        json!({"api_version": ""}),
        json!({"api_version": 2024}),
    ] {
        let refused = bench(RESOURCE, "m", config.clone()).encode(&chat_with(""));
        assert!(matches!(refused, Err(ProviderError::Misconfigured(_))), "{config}: {refused:?}");
    }
    for model in [".", ".."] {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let refused = bench(RESOURCE, model, json!({})).refused(body);
        assert_eq!(refused, ("model".into(), "invalid_value"), "{model}");
    }
}

#[test]
fn the_body_is_the_callers_with_the_deployment_as_its_model() {
    let body = r#"{ "model":"m", "messages":[{"role":"user","content":"hi"}],"x":1e2}"#;
    let sent = bench(RESOURCE, "my-deployment", json!({"style": "v1"})).sent_text(body);
    assert_eq!(sent, body.replace("\"m\"", "\"my-deployment\""));
    let limited = Bench { max_completion: Some(7), ..bench(RESOURCE, "m", json!({})) };
    assert_eq!(limited.sent(body).0["max_completion_tokens"], 7);
}

#[test]
fn case_34_filter_annotations_and_blank_names_are_not_for_clients() {
    let stream = concat!(
        "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}\n\n",
        "data: {\"choices\":[{\"content_filter_results\":{},\"delta\":{\"content\":\"\",\"refusal\":null,\"role\":\"assistant\"},\"finish_reason\":null,\"index\":0,\"logprobs\":null}],\"created\":1790000000,\"id\":\"c\",\"model\":\"gpt-4o-2024-08-06\",\"object\":\"chat.completion.chunk\",\"system_fingerprint\":\"f\"}\n\n",
        "data: {\"choices\":[{\"content_filter_results\":{\"hate\":{\"filtered\":false}},\"delta\":{\"content\":\"a\"},\"finish_reason\":null,\"index\":0}],\"created\":1790000000,\"id\":\"c\",\"model\":\"gpt-4o-2024-08-06\",\"object\":\"chat.completion.chunk\"}\n\n",
        "data: {\"choices\":[{\"content_filter_offsets\":{\"check_offset\":44,\"start_offset\":44,\"end_offset\":198},\"content_filter_results\":{},\"finish_reason\":null,\"index\":0}],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\"}\n\n",
        "data: {\"choices\":[{\"content_filter_results\":{},\"delta\":{},\"finish_reason\":\"stop\",\"index\":0}],\"created\":1790000000,\"id\":\"c\",\"model\":\"gpt-4o-2024-08-06\",\"object\":\"chat.completion.chunk\"}\n\n",
        "data: {\"choices\":[{\"content_filter_offsets\":{\"check_offset\":506},\"content_filter_results\":{},\"finish_reason\":null,\"index\":0}],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\"}\n\n",
        "data: {\"choices\":[],\"created\":1790000000,\"id\":\"c\",\"model\":\"gpt-4o-2024-08-06\",\"object\":\"chat.completion.chunk\",\"usage\":{\"completion_tokens\":1,\"prompt_tokens\":9,\"total_tokens\":10}}\n\n",
        "data: [DONE]\n\n",
    );
    let call = chat_with(r#","stream":true,"stream_options":{"include_usage":true}"#);
    for (deployment, model) in [("m", "gpt-4o-2024-08-06"), ("my-deployment", "m")] {
        let seen = bench(RESOURCE, deployment, json!({})).streamed(&call, stream.as_bytes());
        let chunks = seen.chunks();
        assert_eq!(chunks.len(), 5, "{chunks:?}");
        for chunk in &chunks[..4] {
            assert_eq!((&chunk["id"], &chunk["model"]), (&json!("c"), &json!(model)), "{chunk}");
            let empty = chunk["choices"] == json!([]);
            assert_eq!(empty, chunk["usage"].is_object(), "{chunk}");
        }
        let message = seen.message(0);
        assert_eq!((&message["content"], &message["finish_reason"]), (&json!("a"), &json!("stop")));
        assert!(seen.is_complete());
        assert_eq!(seen.usage.map(|counts| counts.prompt), Some(9));
    }
}
