//! How channels are, on the wire.

use gateway_app::GatewayError;
use gateway_domain::{
    Timestamp,
    policy::{breaker::Trip, health::Report},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a channel is, as live calls found it.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthDto {
    /// `ok`; `cooling_down`: its upstream said to wait; `open`: it failed too often, and is not
    /// called; `half_open`: one call may see whether it works again; `dead_key`: not called until
    /// it is saved; `disabled` by an admin. As the worst of its models.
    state: &'static str,
    #[serde(flatten)]
    trouble: TroubleDto,
    /// The models that are not called as usual.
    models: BTreeMap<String, ModelHealthDto>,
}

/// How a model is on a channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelHealthDto {
    state: &'static str,
    #[serde(flatten)]
    trouble: TroubleDto,
}

/// What is wrong; all null if nothing is.
#[derive(Serialize, ToSchema)]
pub(crate) struct TroubleDto {
    /// The code of what it failed with last, such as `upstream_timeout`.
    reason: Option<String>,
    /// The same for people.
    message: Option<String>,
    since: Option<String>,
    /// When it is called again, or tried; null: when somebody acts.
    until: Option<String>,
}

impl From<Report> for HealthDto {
    fn from(report: Report) -> Self {
        let models = report.models.into_iter().map(|model| {
            let (state, trouble) = (model.state.as_str(), Some(model.trip).into());
            (model.model.into(), ModelHealthDto { state, trouble })
        });
        Self { state: report.state.as_str(), trouble: report.trip.into(), models: models.collect() }
    }
}

impl From<Option<Trip>> for TroubleDto {
    fn from(trip: Option<Trip>) -> Self {
        let reason = trip.map(|trip| GatewayError::from(trip.why));
        let until = trip.map(|trip| trip.until).filter(|until| *until < Timestamp::MAX);
        Self {
            message: reason.as_ref().map(|reason| reason.message.clone()),
            reason: reason.map(|reason| reason.code.into_owned()),
            since: trip.map(|trip| trip.since.to_rfc3339()),
            until: until.map(Timestamp::to_rfc3339),
        }
    }
}
