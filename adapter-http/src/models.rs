//! Models, as `OpenAI` lists them.

use crate::{App, error::OpenAiError, extract::Caller};
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
};
use gateway_app::models::Model;
use gateway_domain::policy::select::NoChannel;
use http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

/// A model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelObject {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: String,
}

/// Models.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<ModelObject>,
}

impl From<Model> for ModelObject {
    fn from(model: Model) -> Self {
        Self { id: model.id, object: "model", created: model.created, owned_by: model.owned_by }
    }
}

/// The rest of the path. What is no text names no model.
pub(crate) struct ModelId(String);

impl FromRequestParts<App> for ModelId {
    type Rejection = OpenAiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, OpenAiError> {
        match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(NoChannel::UnknownModel.into()),
        }
    }
}

/// The models that the key may call
#[utoipa::path(get, path = "/v1/models", tag = "relay", security(("api_key" = [])),
    responses((status = 200, body = ModelList), (status = 401)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<ModelList>, OpenAiError> {
    let models = app.gateway.models(&caller.principal).await?;
    let data = models.into_iter().map(ModelObject::from).collect();
    Ok(Json(ModelList { object: "list", data }))
}

/// One model; its id may have slashes
#[utoipa::path(get, path = "/v1/models/{*id}", tag = "relay", security(("api_key" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ModelObject), (status = 401), (status = 404)))]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller,
    ModelId(id): ModelId,
) -> Result<Json<ModelObject>, OpenAiError> {
    Ok(Json(app.gateway.model(&caller.principal, &id).await?.into()))
}
