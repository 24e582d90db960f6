//! Who changed what.

use crate::{
    App,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::{ApiQuery, Root},
    wire::audit::{AuditList, AuditQuery},
};
use axum::extract::State;

/// Changes of users, balances, keys, channels, prices and settings, newest first
#[utoipa::path(get, path = "/api/audit", tag = "audit", security(("login" = [])), params(AuditQuery),
    responses((status = 200, body = Envelope<AuditList>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Root,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> Result<Envelope<AuditList>, ApiError> {
    let page = app.gateway.audit(&query.filter()?, query.before()?, query.entries()).await?;
    Ok(ok(page.into()))
}
