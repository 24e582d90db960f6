//! How an error is written: the only place that knows statuses and shapes.

use crate::limits;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use gateway_app::{ErrorKind, GatewayError};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use std::time::Duration;

/// An error on `/v1`, in `OpenAI`'s shape.
#[derive(Debug)]
pub(crate) struct OpenAiError(pub(crate) GatewayError);

/// An error on `/api`, in the envelope.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) GatewayError);

impl<E: Into<GatewayError>> From<E> for OpenAiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<E: Into<GatewayError>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let body = openai_body(&self.0);
        respond(&self.0, body)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"success": false, "message": self.0.message, "code": self.0.code});
        respond(&self.0, body)
    }
}

/// The body of an error in `OpenAI`'s shape; in mid-stream too.
pub(crate) fn openai_body(error: &GatewayError) -> Value {
    let kind = match (error.code.as_ref(), error.kind) {
        ("insufficient_quota", _) => "insufficient_quota",
        (_, ErrorKind::Forbidden) => "permission_error",
        (_, ErrorKind::TooMany) => "rate_limit_error",
        (_, ErrorKind::Upstream | ErrorKind::Internal) => "server_error",
        (_, ErrorKind::UpstreamTimeout) => "timeout_error",
        (_, ErrorKind::Unavailable) => "service_unavailable_error",
        (
            _,
            ErrorKind::Invalid
            | ErrorKind::Unauthenticated
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::TooLarge,
        ) => "invalid_request_error",
    };
    json!({"error": {
        "message": error.message,
        "type": kind,
        "param": error.param,
        "code": error.code,
    }})
}

fn respond(error: &GatewayError, body: Value) -> Response {
    if let Some(source) = &error.source {
        tracing::error!(code = %error.code, source = %chain(source.as_ref()), "a request failed");
    }
    // A body that did not come in time has a status that no use case knows of.
    let status = match error.code.as_ref() {
        "request_timeout" => 408,
        "unsupported_media_type" => 415,
        "method_not_allowed" => 405,
        _ => error.kind.status(),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    if let Some(wait) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        headers.insert(limits::RETRY_AFTER_MS, HeaderValue::from(millis.max(1)));
    }
    if let Some(standing) = &error.standing {
        limits::tell(headers, standing);
    }
    let too_large = error.code == "tokens_limit_exceeded" && error.retry_after.is_none();
    if error.code == "insufficient_quota" || too_large {
        // The official SDKs try again unless they are told not to.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    response
}

fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
