//! What the service is, and whether it is well.

use crate::{App, error::ApiError};
use axum::{Json, extract::State};
use gateway_app::{ErrorKind, GatewayError};
use serde::Serialize;
use utoipa::ToSchema;

/// What the service is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceInfo {
    name: &'static str,
    version: &'static str,
    description: &'static str,
    endpoints: Vec<&'static str>,
}

/// The service is well.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
    timestamp: String,
    version: &'static str,
}

/// Whether the service can do its work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: &'static str,
    setup_required: bool,
    version: &'static str,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Service info
#[utoipa::path(get, path = "/", tag = "public", responses((status = 200, body = ServiceInfo)))]
pub(crate) async fn service() -> Json<ServiceInfo> {
    Json(ServiceInfo {
        name: "gateway",
        version: VERSION,
        description: "One OpenAI API, accounts and quota in front of many LLM providers",
        endpoints: vec![
            "/health",
            "/ready",
            "/openapi.json",
            "/api/user/register",
            "/api/user/login",
            "/v1/models",
            "/v1/chat/completions",
            "/v1/embeddings",
        ],
    })
}

/// The process answers
#[utoipa::path(get, path = "/health", tag = "public", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health { status: "ok", timestamp: app.gateway.now().to_rfc3339(), version: VERSION })
}

/// The store answers; says whether an admin still has to set a password
#[utoipa::path(get, path = "/ready", tag = "public", responses((status = 200, body = Readiness), (status = 503)))]
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Readiness>, ApiError> {
    let set_up = app.gateway.is_set_up().await.map_err(|error| {
        let told = GatewayError::new(
            ErrorKind::Unavailable,
            "store_unavailable",
            "the store does not answer",
        );
        GatewayError { source: Some(Box::new(error)), ..told }
    })?;
    Ok(Json(Readiness { status: "ok", setup_required: !set_up, version: VERSION }))
}
