//! Reading bodies: under a limit, in time, and only JSON.

use crate::{App, error::ApiError, place};
use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use futures_util::future::{Either, select};
use gateway_app::{ErrorKind, GatewayError};
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::pin::pin;

/// The largest body on `/api`.
const MOST_MANAGEMENT: usize = 64 << 10;
/// The largest body on `/v1`.
pub(crate) const MOST_CALL: usize = 10 << 20;

/// Reads a body of JSON, unparsed.
pub(crate) async fn read(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Bytes, GatewayError> {
    check_type(headers)?;
    let too_large = || {
        GatewayError::new(
            ErrorKind::TooLarge,
            "payload_too_large",
            format!("the body is larger than {most} bytes"),
        )
    };
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let collect = pin!(Limited::new(body, most).collect());
    let timer = app.gateway.sleep(app.options.body_timeout);
    match select(collect, timer).await {
        Either::Left((Ok(whole), _)) => Ok(whole.to_bytes()),
        Either::Left((Err(e), _)) if e.is::<LengthLimitError>() => Err(too_large()),
        Either::Left((Err(_), _)) => Err(GatewayError::invalid("the body broke off")),
        Either::Right(_) => Err(GatewayError::new(
            ErrorKind::Invalid,
            "request_timeout",
            "the body did not come in time",
        )),
    }
}

/// No type at all counts as JSON.
fn check_type(headers: &HeaderMap) -> Result<(), GatewayError> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.is_empty() || kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(GatewayError::new(
        ErrorKind::Invalid,
        "unsupported_media_type",
        "the body must be application/json",
    ))
}

/// A management request. Unknown fields are refused: `role` in a profile must not pass in silence.
/// It has so many bytes at most.
pub(crate) struct ApiJson<T, const MOST: usize = MOST_MANAGEMENT>(pub(crate) T);

impl<T: DeserializeOwned, const MOST: usize> FromRequest<App> for ApiJson<T, MOST> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(app, &parts.headers, body, MOST).await?;
        Ok(Self(parse(&bytes)?))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, GatewayError> {
    let invalid = |code, message: String| GatewayError::new(ErrorKind::Invalid, code, message);
    let not_json =
        |why: &str| invalid("invalid_json", format!("the body is not valid JSON: {why}"));
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(invalid("invalid_json", String::from("the body is not a JSON object")));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        match error.classify() {
            Category::Data if text.starts_with("unknown field") => invalid("unknown_field", text),
            Category::Data => match place::path(bytes, &error) {
                field if field.is_empty() => invalid("invalid_request", text),
                field => invalid("invalid_request", format!("{field}: {text}")).about(field),
            },
            Category::Syntax | Category::Eof | Category::Io => not_json(&text),
        }
    })
}
