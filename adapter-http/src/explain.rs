//! Why a call would be let in or not, and where it would go.

use crate::{
    App,
    body::{ApiJson, MOST_CALL},
    envelope::{Envelope, ok},
    error::ApiError,
    extract::Session,
    wire::explain::{ExplainRequest, ExplanationDto},
};
use axum::extract::State;
use gateway_domain::Role;

/// What would become of a call, by which rule, through which channels and at what cost; it is not made
#[utoipa::path(post, path = "/api/explain", tag = "usage", security(("login" = [])), request_body = ExplainRequest,
    responses((status = 200, body = Envelope<ExplanationDto>), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn explain(
    State(app): State<App>,
    Session { user, context }: Session,
    ApiJson(request): ApiJson<ExplainRequest, MOST_CALL>,
) -> Result<Envelope<ExplanationDto>, ApiError> {
    let question = request.into_domain(context.address);
    let told = app.gateway.explain(&user, question).await?;
    Ok(ok(ExplanationDto::new(told, user.role >= Role::Admin)))
}
