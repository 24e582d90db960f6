//! Where settled calls are read.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::{CallRecord, RequestId, Timestamp, TokenId, UserId};

/// Which settled calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only this key's.
    pub token_id: Option<TokenId>,
    /// Only of this model, as it was asked for.
    pub model: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// The sums of one day and model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// The day, counted from the epoch in UTC.
    pub day: i64,
    /// The model, as it was asked for.
    pub model: String,
    /// Calls.
    pub requests: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Completion tokens.
    pub completion_tokens: u64,
    /// Units charged.
    pub quota: u64,
}

/// Where settled calls are read. They are written by the [`Ledger`](crate::Ledger), with the charge.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UsageLog: Send + Sync {
    /// Settled calls, newest first, older than `before` if that is given. MUST NOT show open ones.
    async fn list(
        &self,
        filter: &UsageFilter,
        before: Option<RequestId>,
        limit: u64,
    ) -> Result<Vec<CallRecord>, StoreError>;

    /// Sums of settled calls by day and model, newest day first, at most `limit` rows.
    async fn sums(&self, filter: &UsageFilter, limit: u64) -> Result<Vec<UsageSum>, StoreError>;
}
