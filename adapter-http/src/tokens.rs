//! One's own API keys.

use crate::{
    App,
    body::ApiJson,
    envelope::{Envelope, Nothing, ok},
    error::ApiError,
    extract::{ApiQuery, Id, PageQuery, Session},
    wire::token::{TokenCreate, TokenCreated, TokenDto, TokenUpdate},
};
use axum::extract::State;
use gateway_domain::TokenId;

/// One's own keys
#[utoipa::path(get, path = "/api/token", tag = "keys", security(("login" = [])), params(PageQuery),
    responses((status = 200, body = Envelope<Vec<TokenDto>>), (status = 401)))]
pub(crate) async fn list(
    State(app): State<App>,
    Session { user, .. }: Session,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Envelope<Vec<TokenDto>>, ApiError> {
    let tokens = app.gateway.tokens(&user, query.page()).await?;
    let now = app.gateway.now();
    Ok(ok(tokens.iter().map(|token| TokenDto::new(token, now)).collect()))
}

/// Make a key; the answer is the only time that it is shown
#[utoipa::path(post, path = "/api/token", tag = "keys", security(("login" = [])), request_body = TokenCreate,
    responses((status = 200, body = Envelope<TokenCreated>), (status = 400), (status = 401), (status = 409)))]
pub(crate) async fn create(
    State(app): State<App>,
    Session { user, context }: Session,
    ApiJson(request): ApiJson<TokenCreate>,
) -> Result<Envelope<TokenCreated>, ApiError> {
    let request = request.try_into_domain()?;
    let (id, key) = app.gateway.create_token(&user, request, &context).await?;
    Ok(ok(TokenCreated { id: id.0, key: key.reveal().to_owned() }))
}

/// One of one's own keys
#[utoipa::path(get, path = "/api/token/{id}", tag = "keys", security(("login" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = Envelope<TokenDto>), (status = 401), (status = 404)))]
pub(crate) async fn show(
    State(app): State<App>,
    Session { user, .. }: Session,
    Id(id): Id,
) -> Result<Envelope<TokenDto>, ApiError> {
    let token = app.gateway.token(&user, TokenId(id)).await?;
    Ok(ok(TokenDto::new(&token, app.gateway.now())))
}

/// Change one of one's own keys
#[utoipa::path(put, path = "/api/token/{id}", tag = "keys", security(("login" = [])), params(("id" = i64, Path)), request_body = TokenUpdate,
    responses((status = 200, body = Envelope<TokenDto>), (status = 400), (status = 401), (status = 404), (status = 409)))]
pub(crate) async fn update(
    State(app): State<App>,
    Session { user, context }: Session,
    Id(id): Id,
    ApiJson(request): ApiJson<TokenUpdate>,
) -> Result<Envelope<TokenDto>, ApiError> {
    let change = request.try_into_domain()?;
    let token = app.gateway.update_token(&user, TokenId(id), &change, &context).await?;
    Ok(ok(TokenDto::new(&token, app.gateway.now())))
}

/// Delete one of one's own keys; root may delete anybody's
#[utoipa::path(delete, path = "/api/token/{id}", tag = "keys", security(("login" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = Envelope<Nothing>), (status = 401), (status = 404)))]
pub(crate) async fn remove(
    State(app): State<App>,
    Session { user, context }: Session,
    Id(id): Id,
) -> Result<Envelope<Nothing>, ApiError> {
    app.gateway.delete_token(&user, TokenId(id), &context).await?;
    Ok(ok(Nothing {}))
}
