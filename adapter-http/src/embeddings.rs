//! Embeddings.

use crate::{App, error::OpenAiError, extract::Caller, relay::relay};
use axum::{body::Body, extract::State, response::Response};
use gateway_domain::ModelCall;
use http::HeaderMap;

/// Embeddings, as floats or base64
#[utoipa::path(post, path = "/v1/embeddings", tag = "relay", security(("api_key" = [])),
    request_body(content = Object, description = "An embeddings request, as OpenAI defines it"),
    responses((status = 200, description = "Embeddings, as OpenAI defines them"), (status = 400), (status = 401), (status = 403), (status = 404), (status = 429), (status = 502), (status = 503), (status = 504)))]
pub(crate) async fn embed(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OpenAiError> {
    relay(&app, caller, &headers, body, ModelCall::embeddings).await
}
