//! What chat completions and embeddings have in common: a body in, an answer out.

use crate::{
    App,
    body::{MOST_CALL, read},
    completion,
    error::OpenAiError,
    extract::Caller,
    limits, sse,
};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gateway_app::Reply;
use gateway_domain::{CallError, ModelCall};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Says which of the caller's fields the provider was not given, or was given in another form.
pub(crate) const DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-gateway-dropped-params");

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
    let shape = sse::shape(&caller.context, &call);
    let relayed = app.gateway.relay(caller.principal, call, &caller.context).await?;
    let mut response = match relayed.reply {
        Reply::Whole(answer) if stream => sse::one_shot(shape, answer).into_response(),
        Reply::Whole(answer) => completion::whole(&shape, answer),
        Reply::Stream(answer) => sse::response(app, shape, answer).into_response(),
    };
    limits::tell(response.headers_mut(), &relayed.standing);
    if let Some(names) = names(&relayed.dropped) {
        response.headers_mut().insert(DROPPED_PARAMS, names);
    }
    Ok(response)
}

/// The most that a header says of what was dropped.
const MOST_NAMES: usize = 1000;

/// Names of fields as a header's value. A caller may have made them up, so only plain ones are
/// repeated.
fn names(dropped: &[String]) -> Option<HeaderValue> {
    let plain = |name: &&String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b',')
    };
    let mut names = String::new();
    for name in dropped.iter().filter(plain) {
        if names.len() + name.len() > MOST_NAMES {
            break;
        }
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(name);
    }
    (!names.is_empty()).then(|| HeaderValue::try_from(names).ok()).flatten()
}
