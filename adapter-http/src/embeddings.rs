//! Embeddings.

use crate::{
    App,
    body::{MOST_CALL, read},
    completion,
    error::OpenAiError,
    extract::Caller,
    sse,
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use gateway_app::Reply;
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
    let bytes = read(&app, &headers, body, MOST_CALL).await?;
    let call = ModelCall::embeddings(bytes)?;
    let shape = sse::Shape::new(&caller.context, &call);
    match app.gateway.relay(caller.principal, call, &caller.context).await? {
        Reply::Whole(answer) => Ok(completion::whole(&shape, answer)),
        Reply::Stream(stream) => Ok(sse::response(shape, stream).into_response()),
    }
}
