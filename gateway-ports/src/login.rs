//! Where failed logins are counted.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::Timestamp;

/// Where failed logins are counted. A scope is an account or an address.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LoginAttempts: Send + Sync {
    /// Failures of a scope since a moment, and when the first of them was.
    async fn failures(
        &self,
        scope: &str,
        since: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), StoreError>;

    /// Writes one failure for each scope, and forgets those before `since`.
    async fn record(
        &self,
        scopes: &[String],
        at: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError>;

    /// Forgets a scope's failures.
    async fn clear(&self, scope: &str) -> Result<(), StoreError>;
}
