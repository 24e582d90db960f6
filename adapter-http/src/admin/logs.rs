//! Everyone's usage.

use crate::{
    App,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::{Admin, ApiQuery},
    wire::usage::{UsageList, UsageQuery, UsageSums},
};
use axum::extract::State;

/// Everyone's settled calls, newest first
#[utoipa::path(get, path = "/api/log", tag = "usage", security(("login" = [])), params(UsageQuery),
    responses((status = 200, body = Envelope<UsageList>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn all(
    State(app): State<App>,
    _: Admin,
    ApiQuery(query): ApiQuery<UsageQuery>,
) -> Result<Envelope<UsageList>, ApiError> {
    let page = app.gateway.usage(&query.filter()?, query.before(), query.entries()).await?;
    Ok(ok(page.into()))
}

/// Sums of everyone's usage, by day and model
#[utoipa::path(get, path = "/api/log/stat", tag = "usage", security(("login" = [])), params(UsageQuery),
    responses((status = 200, body = Envelope<UsageSums>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn all_sums(
    State(app): State<App>,
    _: Admin,
    ApiQuery(query): ApiQuery<UsageQuery>,
) -> Result<Envelope<UsageSums>, ApiError> {
    Ok(ok(app.gateway.usage_sums(query.filter()?).await?.into()))
}
