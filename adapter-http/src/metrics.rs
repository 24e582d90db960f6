//! `GET /metrics`, for a runtime that has some: what is counted and how it is written is its own
//! business.

use crate::{App, error::ApiError, extract::Admin};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::BoxFuture;
use gateway_app::GatewayError;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::{fmt, sync::Arc};

/// What Prometheus and its kin read.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Makes the text of the metrics, in the OpenMetrics format.
#[derive(Clone)]
pub struct MetricsText(Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>);

impl MetricsText {
    /// Metrics that are written by this.
    pub fn new(write: impl Fn() -> BoxFuture<'static, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    async fn answer(&self) -> Response {
        let headers = [(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")];
        (headers, (self.0)().await).into_response()
    }
}

impl fmt::Debug for MetricsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsText").finish_non_exhaustive()
    }
}

/// The metrics, for an admin.
pub(crate) async fn for_admins(State(app): State<App>, _: Admin) -> Result<Response, ApiError> {
    match &app.options.metrics {
        Some(text) => Ok(text.answer().await),
        None => Err(GatewayError::not_found().into()),
    }
}

/// The metrics without a login, for a listener of their own that only the operator can reach.
pub fn metrics_router(text: MetricsText) -> Router {
    async fn show(State(text): State<MetricsText>) -> Response {
        text.answer().await
    }
    Router::new().route("/metrics", get(show)).with_state(text)
}
