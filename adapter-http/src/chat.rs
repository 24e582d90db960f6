//! Chat completions.

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
    let bytes = read(&app, &headers, body, MOST_CALL).await?;
    let call = ModelCall::chat(bytes)?;
    let stream = call.stream;
    let shape = sse::Shape::new(&caller.context, &call);
    match app.gateway.relay(caller.principal, call, &caller.context).await? {
        Reply::Whole(answer) if stream => Ok(sse::one_shot(shape, answer).into_response()),
        Reply::Whole(answer) => Ok(completion::whole(&shape, answer)),
        Reply::Stream(stream) => Ok(sse::response(shape, stream).into_response()),
    }
}
