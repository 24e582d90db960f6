//! Whole answers.

use adapter_providers::openai::write::{self, Shape};
use axum::response::{IntoResponse, Response};
use gateway_ports::Answer;
use http::{HeaderValue, header::CONTENT_TYPE};

/// Writes an answer; one that is in this dialect already is not touched.
pub(crate) fn whole(shape: &Shape, answer: Answer) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], write::whole(shape, answer)).into_response()
}
