//! The envelope of `/api`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A success on `/api`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Envelope<T> {
    /// Always true: an error has a status and a code.
    success: bool,
    /// For people.
    message: &'static str,
    /// What was asked for.
    data: T,
}

/// A success without anything to say.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Nothing {}

/// A success with this.
pub(crate) fn ok<T>(data: T) -> Envelope<T> {
    Envelope { success: true, message: "", data }
}

impl<T: Serialize> IntoResponse for Envelope<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
