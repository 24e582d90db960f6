//! What tokens cost.

use crate::{
    App,
    body::ApiJson,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::Admin,
    wire::price::{NewPrices, PriceListDto},
};
use axum::extract::State;

/// The prices in force: the operator's own, and the built-in ones
#[utoipa::path(get, path = "/api/price", tag = "prices", security(("login" = [])),
    responses((status = 200, body = Envelope<PriceListDto>), (status = 401), (status = 403)))]
pub(crate) async fn show(
    State(app): State<App>,
    _: Admin,
) -> Result<Envelope<PriceListDto>, ApiError> {
    Ok(ok(app.gateway.prices().await?.into()))
}

/// The largest table with every column of every entry fits.
const MOST_TABLE: usize = 1 << 20;

/// Replace the operator's own prices; calls in flight keep theirs
#[utoipa::path(put, path = "/api/price", tag = "prices", security(("login" = [])), request_body = NewPrices,
    responses((status = 200, body = Envelope<PriceListDto>), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn replace(
    State(app): State<App>,
    admin: Admin,
    ApiJson(request): ApiJson<NewPrices, MOST_TABLE>,
) -> Result<Envelope<PriceListDto>, ApiError> {
    let (table, replaces) = request.try_into_domain()?;
    let replaced = app.gateway.replace_prices(&admin.user, table, replaces, &admin.context).await?;
    Ok(ok(replaced.into()))
}
