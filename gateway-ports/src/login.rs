//! Where failed logins are counted.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::Timestamp;

/// Where failed logins are counted. A scope is an account or an address. A login counts as failed from
/// its beginning, until it is known not to be: guesses that are made at once are counted, too.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LoginAttempts: Send + Sync {
    /// Counts a failure for each scope and forgets those before `since`, unless a scope has as many
    /// as it may have since then: then none is counted, and the answer is when that scope's first
    /// one was. MUST NOT let more through than a scope may have, however many begin at once.
    async fn begin(
        &self,
        scopes: &[(String, u64)],
        at: Timestamp,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Takes back one failure of each of these scopes that was counted at this moment.
    async fn take_back(&self, scopes: &[String], at: Timestamp) -> Result<(), StoreError>;

    /// Forgets a scope's failures.
    async fn clear(&self, scope: &str) -> Result<(), StoreError>;
}
