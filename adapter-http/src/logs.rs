//! One's own usage.

use crate::{
    App,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::{ApiQuery, Session},
    wire::usage::{SumsQuery, UsageList, UsageQuery, UsageSums},
};
use axum::extract::State;

/// One's own settled calls, newest first
#[utoipa::path(get, path = "/api/log/self", tag = "usage", security(("login" = [])), params(UsageQuery),
    responses((status = 200, body = Envelope<UsageList>), (status = 400), (status = 401)))]
pub(crate) async fn own(
    State(app): State<App>,
    Session { user, .. }: Session,
    ApiQuery(query): ApiQuery<UsageQuery>,
) -> Result<Envelope<UsageList>, ApiError> {
    let filter = gateway_ports::UsageFilter { user_id: Some(user.id), ..query.filter()? };
    let page = app.gateway.usage(&filter, query.before(), query.entries()).await?;
    Ok(ok(UsageList::of_user(page)))
}

/// Sums of one's own usage, by day and model, user, key or channel
#[utoipa::path(get, path = "/api/log/self/stat", tag = "usage", security(("login" = [])), params(SumsQuery),
    responses((status = 200, body = Envelope<UsageSums>), (status = 400), (status = 401)))]
pub(crate) async fn own_sums(
    State(app): State<App>,
    Session { user, .. }: Session,
    ApiQuery(query): ApiQuery<SumsQuery>,
) -> Result<Envelope<UsageSums>, ApiError> {
    let by = query.by;
    let filter = gateway_ports::UsageFilter { user_id: Some(user.id), ..query.filter()? };
    let sums = app.gateway.usage_sums(filter, by.into()).await?;
    Ok(ok(UsageSums::new(sums, by)))
}
