//! Settings that can be changed while the gateway runs.

use crate::{
    App,
    body::ApiJson,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::Root,
    wire::price::PriceDto,
};
use axum::extract::State;
use gateway_app::GatewayError;
use gateway_domain::{Credits, Price};
use gateway_ports::{Settings, UnpricedModels};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings; what is absent in a change stays.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Whether anyone may register.
    registration_open: Option<bool>,
    /// The first balance of a new user, in units.
    new_user_quota: Option<u64>,
    default_price: Option<PriceDto>,
    unpriced_models: Option<Unpriced>,
    /// For how many days calls are kept one by one; the sums of their days are kept for ever.
    #[schema(minimum = 1, maximum = 36_500)]
    retention_days: Option<u32>,
}

/// What happens to calls of a model without a price of its own.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unpriced {
    /// They cost the default price.
    Charge,
    /// They are refused.
    Refuse,
}

impl From<Settings> for Options {
    fn from(settings: Settings) -> Self {
        Self {
            registration_open: settings.registration_open,
            new_user_quota: settings.new_user_quota.map(Credits::units),
            default_price: settings.default_price.map(PriceDto::from),
            unpriced_models: settings.unpriced_models.map(|policy| match policy {
                UnpricedModels::Charge => Unpriced::Charge,
                UnpricedModels::Refuse => Unpriced::Refuse,
            }),
            retention_days: settings.retention_days,
        }
    }
}

impl Options {
    fn try_into_domain(self) -> Result<Settings, GatewayError> {
        let too_much =
            || GatewayError::invalid("new_user_quota is at most 2^53-1").about("new_user_quota");
        Ok(Settings {
            registration_open: self.registration_open,
            new_user_quota: match self.new_user_quota {
                None => None,
                Some(units) => Some(Credits::new(units).ok_or_else(too_much)?),
            },
            default_price: self.default_price.map(Price::from),
            unpriced_models: self.unpriced_models.map(|policy| match policy {
                Unpriced::Charge => UnpricedModels::Charge,
                Unpriced::Refuse => UnpricedModels::Refuse,
            }),
            retention_days: self.retention_days,
        })
    }
}

/// The settings in force
#[utoipa::path(get, path = "/api/option", tag = "settings", security(("login" = [])),
    responses((status = 200, body = Envelope<Options>), (status = 401), (status = 403)))]
pub(crate) async fn show(State(app): State<App>, _: Root) -> Result<Envelope<Options>, ApiError> {
    Ok(ok(app.gateway.settings().await?.into()))
}

/// Change settings
#[utoipa::path(put, path = "/api/option", tag = "settings", security(("login" = [])), request_body = Options,
    responses((status = 200, body = Envelope<Options>), (status = 400), (status = 401), (status = 403)))]
pub(crate) async fn update(
    State(app): State<App>,
    root: Root,
    ApiJson(request): ApiJson<Options>,
) -> Result<Envelope<Options>, ApiError> {
    let change = request.try_into_domain()?;
    let settings = app.gateway.change_settings(&root.user, change, &root.context).await?;
    Ok(ok(settings.into()))
}
