//! A new master key takes the place of an older one.

use crate::{
    App,
    envelope::{Envelope, ok},
    error::ApiError,
    extract::Root,
};
use axum::extract::State;
use gateway_app::manage::rekey::Rekeyed;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of the stored provider keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RekeyedDto {
    /// Encrypted with the newest master key now.
    rekeyed: u64,
    /// Encrypted with it before.
    current: u64,
}

impl From<Rekeyed> for RekeyedDto {
    fn from(done: Rekeyed) -> Self {
        Self { rekeyed: done.rekeyed, current: done.current }
    }
}

/// Encrypts every stored provider key with the newest master key, which is the first of MASTER_KEYS
#[utoipa::path(post, path = "/api/rekey", tag = "channels", security(("login" = [])),
    responses((status = 200, body = Envelope<RekeyedDto>), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn rekey(
    State(app): State<App>,
    Root { user, context }: Root,
) -> Result<Envelope<RekeyedDto>, ApiError> {
    Ok(ok(app.gateway.rekey(&user, &context).await?.into()))
}
