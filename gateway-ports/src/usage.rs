//! Where settled calls are read.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::{CallRecord, ChannelId, RequestId, Timestamp, TokenId, UserId};

/// Which settled calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only this key's.
    pub token_id: Option<TokenId>,
    /// Only through this channel.
    pub channel_id: Option<ChannelId>,
    /// Only of this model, as it was asked for.
    pub model: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// What sums are made for, besides the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageGroup {
    /// The model, as it was asked for.
    #[default]
    Model,
    /// The user.
    User,
    /// The key.
    Token,
    /// The channel.
    Channel,
}

impl UsageGroup {
    /// The name that stores and users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::User => "user",
            Self::Token => "token",
            Self::Channel => "channel",
        }
    }
}

/// The sums of one day and one model, user, key or channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// The day, counted from the epoch in UTC.
    pub day: i64,
    /// The model, or the number of the user, the key or the channel; 0: no channel was tried.
    pub key: String,
    /// Calls.
    pub requests: u64,
    /// Attempts that failed before an answer began; by channel, those of this channel.
    pub failures: u64,
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
    /// Closed calls, newest first, older than `before` if that is given. MUST NOT show open ones.
    async fn list(
        &self,
        filter: &UsageFilter,
        before: Option<RequestId>,
        limit: u64,
    ) -> Result<Vec<CallRecord>, StoreError>;

    /// Sums of closed calls by day and group, newest day first, at most `limit` rows. Calls that
    /// were deleted still count, by whole days: a day counts if any moment of it does.
    async fn sums(
        &self,
        filter: &UsageFilter,
        group: UsageGroup,
        limit: u64,
    ) -> Result<Vec<UsageSum>, StoreError>;
}
