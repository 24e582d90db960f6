//! Other people's accounts.

use crate::{
    App,
    body::ApiJson,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::{Admin, ApiQuery, Id, PageQuery},
    wire::user::{UserDto, UserUpdate},
};
use axum::extract::State;
use gateway_domain::UserId;

/// The users below one's own rank; root sees everyone
#[utoipa::path(get, path = "/api/user", tag = "users", security(("login" = [])), params(PageQuery),
    responses((status = 200, body = Envelope<Vec<UserDto>>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    State(app): State<App>,
    admin: Admin,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Envelope<Vec<UserDto>>, ApiError> {
    let users = app.gateway.users(&admin.user, query.page()).await?;
    Ok(ok(users.iter().map(UserDto::new).collect()))
}

/// One user
#[utoipa::path(get, path = "/api/user/{id}", tag = "users", security(("login" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = Envelope<UserDto>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
) -> Result<Envelope<UserDto>, ApiError> {
    Ok(ok(UserDto::new(&app.gateway.user(&admin.user, UserId(id)).await?)))
}

/// Change a user: status, role, balance
#[utoipa::path(put, path = "/api/user/{id}", tag = "users", security(("login" = [])), params(("id" = i64, Path)), request_body = UserUpdate,
    responses((status = 200, body = Envelope<UserDto>), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    ApiJson(request): ApiJson<UserUpdate>,
) -> Result<Envelope<UserDto>, ApiError> {
    let request = request.try_into_domain()?;
    Ok(ok(UserDto::new(
        &app.gateway.update_user(&admin.user, UserId(id), request, &admin.context).await?,
    )))
}
