//! The books as a whole: checked, summed up by days, and shortened.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::Timestamp;

/// Something that does not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, such as `user 7`.
    pub subject: String,
    /// What, such as `held`.
    pub what: String,
    /// What the books say.
    pub found: i64,
    /// What it should be.
    pub expected: i64,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, what, found, expected } = self;
        write!(f, "{subject}: {what} is {found}, and should be {expected}")
    }
}

/// The books as a whole.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Books: Send + Sync {
    /// Checks that every balance is the sum of what it is made of, and that no call is held that
    /// should have been closed long before `now`. MUST be right while calls are made: it looks at
    /// one moment. Returns what does not add up, at most a hundred of it.
    async fn verify(&self, now: Timestamp) -> Result<Vec<Mismatch>, StoreError>;

    /// Adds closed calls from before `until` to the sums of their days, each once. No sum of any
    /// range that begins and ends with a day may change by it. Returns how many calls.
    async fn roll_up(&self, until: Timestamp) -> Result<u64, StoreError>;

    /// Deletes calls from before `before` that are in the sums of their days, and no others.
    /// Returns how many.
    async fn purge(&self, before: Timestamp) -> Result<u64, StoreError>;
}
