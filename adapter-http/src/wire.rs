//! What goes over the wire on `/api`, and how it becomes what the gateway understands.

pub(crate) mod audit;
pub(crate) mod channel;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod price;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod user;

use gateway_app::GatewayError;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The largest whole number that every store and every JSON reader keeps exactly: 2^53-1.
pub(crate) const MOST_EXACT: i64 = (1 << 53) - 1;

/// An id, a page, a version: the one place that says which numbers can be one. What lies beyond
/// 2^53-1 no store could even look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) i64);

impl Whole {
    /// A number, if it can be one.
    pub(crate) fn new(number: i64) -> Option<Self> {
        (0..=MOST_EXACT).contains(&number).then_some(Self(number))
    }

    /// The number of things.
    pub(crate) fn count(self) -> u64 {
        self.0.unsigned_abs()
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| D::Error::custom("a number here is from 0 to 2^53-1"))
    }
}

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
