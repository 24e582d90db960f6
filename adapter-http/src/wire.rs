//! What goes over the wire on `/api`, and how it becomes what the gateway understands.

pub(crate) mod audit;
pub(crate) mod channel;
pub(crate) mod price;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod user;

use gateway_app::GatewayError;
use serde::{Deserialize, Deserializer};

/// Tells a field that is `null` from one that is not there.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// 0 or 1, as the API writes it.
pub(crate) fn enabled(status: Option<i64>) -> Result<Option<bool>, GatewayError> {
    match status {
        None => Ok(None),
        Some(0) => Ok(Some(false)),
        Some(1) => Ok(Some(true)),
        Some(_) => {
            Err(GatewayError::invalid("status is 0 (disabled) or 1 (enabled)").about("status"))
        }
    }
}
