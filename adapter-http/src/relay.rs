//! What chat completions and embeddings have in common: a body in, an answer out.

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
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gateway_app::Reply;
use gateway_domain::{CallError, ModelCall};
use http::HeaderMap;

/// Relays a call, whose body `parse` understands.
pub(crate) async fn relay(
    app: &App,
    caller: Caller,
    headers: &HeaderMap,
    body: Body,
    parse: fn(Bytes) -> Result<ModelCall, CallError>,
) -> Result<Response, OpenAiError> {
    let call = parse(read(app, headers, body, MOST_CALL).await?)?;
    let stream = call.stream;
    let shape = sse::Shape::new(&caller.context, &call);
    Ok(match app.gateway.relay(caller.principal, call, &caller.context).await? {
        Reply::Whole(answer) if stream => sse::one_shot(shape, answer).into_response(),
        Reply::Whole(answer) => completion::whole(&shape, answer),
        Reply::Stream(answer) => sse::response(shape, answer).into_response(),
    })
}
