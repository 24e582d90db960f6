//! Points in time. The domain never asks for the time: it is handed one.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970-01-01T00:00:00Z, at most 2^53-1 so that every store keeps it exactly.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest point in time that every store keeps exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// A point in time from milliseconds; values out of range are moved to the nearest bound.
    pub fn from_millis(ms: i64) -> Self {
        Self(ms.clamp(0, Self::MAX.0))
    }

    /// Milliseconds since the epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub fn as_secs(self) -> i64 {
        self.0 / 1000
    }

    /// Days since the epoch, in UTC.
    pub fn day(self) -> i64 {
        self.0 / DAY_MS
    }

    /// The first moment of a day counted from the epoch, in UTC.
    pub fn start_of_day(day: i64) -> Self {
        Self::from_millis(day.saturating_mul(DAY_MS))
    }

    /// The time that has passed since `earlier`; zero if the clock went back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment and `d` more.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment less `d`.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads RFC 3339, as `2026-11-22T10:00:00Z`; `None` if it is not that.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let ms = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?;
        (0..=Self::MAX.0).contains(&ms).then_some(Self(ms))
    }

    /// Writes RFC 3339 in UTC, always with milliseconds, so that the texts sort as the times do.
    pub fn to_rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp(self.as_secs())
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .map_or_else(
                || String::from("9999-12-31T23:59:59.999Z"),
                |text| format!("{}.{:03}Z", text.trim_end_matches('Z'), self.0 % 1000),
            )
    }

    /// The calendar day in UTC, as `2026-11-22`.
    pub fn to_date(self) -> String {
        self.to_rfc3339().get(..10).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_goes_there_and_back() {
        let t = Timestamp::parse_rfc3339("2026-11-22T12:00:00+02:00").unwrap();
        assert_eq!(t.to_rfc3339(), "2026-11-22T10:00:00.000Z");
        assert_eq!(t.to_date(), "2026-11-22");
        assert_eq!(Timestamp::start_of_day(t.day()).to_rfc3339(), "2026-11-22T00:00:00.000Z");
        for bad in ["", "tomorrow", "2026-11-22", "1969-01-01T00:00:00Z", "2026-13-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse_rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(5).minus(Duration::MAX), Timestamp::from_millis(0));
        assert_eq!(Timestamp::from_millis(-1).as_millis(), 0);
        assert_eq!(Timestamp::from_millis(1).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
