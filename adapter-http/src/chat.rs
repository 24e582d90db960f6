//! Chat completions.

use crate::{App, error::OpenAiError, extract::Caller, relay::relay};
use axum::{body::Body, extract::State, response::Response};
use gateway_domain::ModelCall;
use http::HeaderMap;

/// Chat completions; with `stream: true` as server-sent events
#[utoipa::path(post, path = "/v1/chat/completions", tag = "relay", security(("api_key" = [])),
    request_body(content = Object, description = "A chat completion request, as OpenAI defines it"),
    responses((status = 200, description = "A chat completion, as OpenAI defines it"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 429), (status = 502), (status = 503), (status = 504)))]
pub(crate) async fn complete(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OpenAiError> {
    relay(&app, caller, &headers, body, ModelCall::chat).await
}
