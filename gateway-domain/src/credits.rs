//! Money, in integer quota units.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::fmt;

/// Quota units: 500,000 are one US dollar. Never negative, at most 2^53-1, so that every store and
/// every JSON reader keeps them exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Credits(u64);

impl Credits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount that is kept exactly: 2^53-1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// An amount, or `None` above [`Credits::MAX`].
    pub fn new(units: u64) -> Option<Self> {
        (units <= Self::MAX.0).then_some(Self(units))
    }

    /// An amount; above [`Credits::MAX`] it is that.
    pub fn saturating(units: u64) -> Self {
        Self(units.min(Self::MAX.0))
    }

    /// The number of units.
    pub fn units(self) -> u64 {
        self.0
    }

    /// The number of units, as stores bind it.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The sum, or `None` if it cannot be kept exactly.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, at least zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let units = u64::deserialize(d)?;
        Self::new(units).ok_or_else(|| D::Error::custom("an amount is at most 2^53-1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_stay_exact() {
        assert_eq!(Credits::new(1 << 53), None);
        assert_eq!(Credits::MAX.checked_add(Credits::saturating(1)), None);
        assert_eq!(Credits::saturating(u64::MAX), Credits::MAX);
        assert_eq!(Credits::ZERO.saturating_sub(Credits::MAX), Credits::ZERO);
        for bad in ["-1", "1.5", "9007199254740992", "\"5\"", "1e3"] {
            assert!(serde_json::from_str::<Credits>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Credits>("7").unwrap(), Credits::saturating(7));
    }
}
