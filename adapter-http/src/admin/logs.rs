//! Everyone's usage.

use crate::{
    App,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::{Admin, ApiQuery},
    wire::usage::{SumsQuery, UsageList, UsageQuery, UsageSums},
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
    Ok(ok(UsageList::of_all(page)))
}

/// Sums of everyone's usage, by day and model, user, key or channel
#[utoipa::path(get, path = "/api/log/stat", tag = "usage", security(("login" = [])), params(SumsQuery),
    responses((status = 200, body = Envelope<UsageSums>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn all_sums(
    State(app): State<App>,
    _: Admin,
    ApiQuery(query): ApiQuery<SumsQuery>,
) -> Result<Envelope<UsageSums>, ApiError> {
    let by = query.by;
    let sums = app.gateway.usage_sums(query.filter()?, by.into()).await?;
    Ok(ok(UsageSums::new(sums, by)))
}
