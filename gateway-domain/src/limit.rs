//! How much a key or a user may ask for, besides what they may spend.

use serde::{Deserialize, Serialize};

/// How much a key or a user may ask for. 0: there is no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Calls in any minute.
    pub rpm: u64,
    /// Tokens in any minute, those of prompts and of answers.
    pub tpm: u64,
    /// Calls at once.
    pub concurrency: u64,
}

impl Limits {
    /// The largest limit that can be set.
    pub const MOST: u64 = 1_000_000_000;

    /// Whether there is no limit at all.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// These limits after a change.
    #[must_use]
    pub fn with(self, change: LimitsChange) -> Self {
        Self {
            rpm: change.rpm.unwrap_or(self.rpm),
            tpm: change.tpm.unwrap_or(self.tpm),
            concurrency: change.concurrency.unwrap_or(self.concurrency),
        }
    }
}

/// What to change of limits; `None` leaves one as it is, 0 takes it away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsChange {
    /// Calls in any minute.
    pub rpm: Option<u64>,
    /// Tokens in any minute.
    pub tpm: Option<u64>,
    /// Calls at once.
    pub concurrency: Option<u64>,
}

impl LimitsChange {
    /// The first limit that is larger than any can be, by the name that the API has for it.
    pub fn too_large(&self) -> Option<&'static str> {
        let limits = [
            ("rpm_limit", self.rpm),
            ("tpm_limit", self.tpm),
            ("concurrency_limit", self.concurrency),
        ];
        limits.into_iter().find_map(|(name, limit)| (limit? > Limits::MOST).then_some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let limits = Limits { rpm: 1, tpm: 2, concurrency: 3 };
        assert_eq!(limits.with(LimitsChange::default()), limits);
        let change = LimitsChange { tpm: Some(0), concurrency: Some(9), ..LimitsChange::default() };
        assert_eq!(limits.with(change), Limits { rpm: 1, tpm: 0, concurrency: 9 });
        assert!(!limits.is_none() && Limits::default().is_none());
    }

    #[test]
    fn what_is_too_large_is_named() {
        let most = Some(Limits::MOST);
        let mut change = LimitsChange { rpm: most, tpm: most, concurrency: most };
        assert_eq!(change.too_large(), None);
        change.concurrency = Some(Limits::MOST + 1);
        assert_eq!(change.too_large(), Some("concurrency_limit"));
        change.rpm = Some(u64::MAX);
        assert_eq!(change.too_large(), Some("rpm_limit"));
    }
}
