//! The operator's channels.

use crate::{
    App,
    body::ApiJson,
    envelope::{Envelope, Nothing, ok},
    error::ApiError,
    extract::{Admin, ApiQuery, Id, PageQuery},
    wire::channel::{
        ChannelBody, ChannelCreated, ChannelDto, ChannelTestDto, ChannelTestQuery, ProviderDto,
    },
};
use axum::extract::State;
use gateway_domain::ChannelId;

/// All channels
#[utoipa::path(get, path = "/api/channel", tag = "channels", security(("login" = [])), params(PageQuery),
    responses((status = 200, body = Envelope<Vec<ChannelDto>>), (status = 401), (status = 403)))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Admin,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Envelope<Vec<ChannelDto>>, ApiError> {
    let page = query.page();
    let (offset, limit) = (usize::try_from(page.offset), usize::try_from(page.limit));
    let channels = app.gateway.channels().await?.into_iter();
    let shown = channels.skip(offset.unwrap_or(usize::MAX)).take(limit.unwrap_or(usize::MAX));
    let shown = app.gateway.with_all_health(shown.collect()).await;
    Ok(ok(shown.into_iter().map(ChannelDto::from).collect()))
}

/// Make a channel
#[utoipa::path(post, path = "/api/channel", tag = "channels", security(("login" = [])), request_body = ChannelBody,
    responses((status = 200, body = Envelope<ChannelCreated>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn create(
    State(app): State<App>,
    admin: Admin,
    ApiJson(request): ApiJson<ChannelBody>,
) -> Result<Envelope<ChannelCreated>, ApiError> {
    let request = request.try_into_domain()?;
    let id = app.gateway.create_channel(&admin.user, request, &admin.context).await?;
    Ok(ok(ChannelCreated { id: id.0 }))
}

/// One channel
#[utoipa::path(get, path = "/api/channel/{id}", tag = "channels", security(("login" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = Envelope<ChannelDto>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    State(app): State<App>,
    _: Admin,
    Id(id): Id,
) -> Result<Envelope<ChannelDto>, ApiError> {
    let channel = app.gateway.channel(ChannelId(id)).await?;
    Ok(ok(app.gateway.with_health(channel).await.into()))
}

/// Change a channel
#[utoipa::path(put, path = "/api/channel/{id}", tag = "channels", security(("login" = [])), params(("id" = i64, Path)), request_body = ChannelBody,
    responses((status = 200, body = Envelope<ChannelDto>), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn update(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    ApiJson(request): ApiJson<ChannelBody>,
) -> Result<Envelope<ChannelDto>, ApiError> {
    let request = request.try_into_domain()?;
    let channel =
        app.gateway.update_channel(&admin.user, ChannelId(id), request, &admin.context).await?;
    Ok(ok(app.gateway.with_health(channel).await.into()))
}

/// Delete a channel
#[utoipa::path(delete, path = "/api/channel/{id}", tag = "channels", security(("login" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = Envelope<Nothing>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn remove(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
) -> Result<Envelope<Nothing>, ApiError> {
    app.gateway.delete_channel(&admin.user, ChannelId(id), &admin.context).await?;
    Ok(ok(Nothing {}))
}

/// The registered providers
#[utoipa::path(get, path = "/api/channel/types/list", tag = "channels", security(("login" = [])),
    responses((status = 200, body = Envelope<Vec<ProviderDto>>), (status = 401), (status = 403)))]
pub(crate) async fn types(State(app): State<App>, _: Admin) -> Envelope<Vec<ProviderDto>> {
    ok(app.gateway.providers().map(|p| ProviderDto { id: p.kind(), name: p.name() }).collect())
}

/// Make one small real call through a channel
#[utoipa::path(post, path = "/api/channel/{id}/test", tag = "channels", security(("login" = [])), params(("id" = i64, Path), ChannelTestQuery),
    responses((status = 200, body = Envelope<ChannelTestDto>), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn test(
    State(app): State<App>,
    _: Admin,
    Id(id): Id,
    ApiQuery(query): ApiQuery<ChannelTestQuery>,
) -> Result<Envelope<ChannelTestDto>, ApiError> {
    Ok(ok(app.gateway.test_channel(ChannelId(id), query.model).await?.into()))
}
