//! Whole answers in `OpenAI`'s dialect.

use crate::sse::Shape;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use gateway_domain::TokenCounts;
use gateway_ports::{Answer, AnswerBody, Message};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

/// Writes an answer; one that is in this dialect already is not touched.
pub(crate) fn whole(shape: &Shape, answer: Answer) -> Response {
    match answer.body {
        AnswerBody::Verbatim(bytes) => {
            let json = HeaderValue::from_static("application/json");
            ([(CONTENT_TYPE, json)], bytes).into_response()
        }
        AnswerBody::Message(message) => {
            Json(completion(shape, &message, answer.usage)).into_response()
        }
    }
}

fn completion(shape: &Shape, message: &Message, usage: Option<TokenCounts>) -> Value {
    let mut body = Map::new();
    body.insert(String::from("role"), json!("assistant"));
    body.insert(String::from("content"), json!(message.text));
    body.insert(String::from("refusal"), Value::Null);
    if let Some(reasoning) = &message.reasoning {
        body.insert(String::from("reasoning_content"), json!(reasoning));
    }
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            json!({"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.arguments}})
        });
        body.insert(String::from("tool_calls"), calls.collect());
    }
    json!({
        "id": shape.id,
        "object": "chat.completion",
        "created": shape.created,
        "model": shape.model,
        "choices": [{"index": 0, "message": body, "logprobs": null, "finish_reason": message.finish.as_str()}],
        "usage": usage.as_ref().map(usage_object),
    })
}

/// Usage as `OpenAI` writes it.
pub(crate) fn usage_object(counts: &TokenCounts) -> Value {
    json!({
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt.saturating_add(counts.completion),
        "prompt_tokens_details": {"cached_tokens": counts.cached},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
    })
}
