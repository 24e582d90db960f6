//! Credits held and charged: the only place that decides about money.
//!
//! # Contract
//! Every method is one atomic unit. `reserve`, `settle` and `sweep` may be delivered twice: a second
//! delivery changes nothing. After each method, for every user `spent + held <= granted`, and for every capped key
//! `spent + held <= cap`.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::{CallRecord, Credits, Price, RequestId, Timestamp, TokenId, UserId};

/// Credits to be held for a call, before any upstream sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The request: the key of everything that follows.
    pub request_id: RequestId,
    /// Who pays.
    pub user_id: UserId,
    /// With which key.
    pub token_id: TokenId,
    /// The revision of the key that the caller was admitted with.
    pub token_revision: i64,
    /// The most that the call may cost.
    pub amount: Credits,
    /// What it costs if nothing more is ever heard of it: the prompt's estimate.
    pub floor: Credits,
    /// The model that was asked for.
    pub model: String,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// What tokens cost, frozen for this call.
    pub price: Price,
    /// A caller's own key for "this once": no second open call of this token may have it.
    pub idempotency_key: Option<String>,
    /// Now.
    pub created_at: Timestamp,
    /// When a sweep may close it.
    pub expires_at: Timestamp,
}

/// Whether credits are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// They are: the call may go upstream.
    Granted,
    /// They are not: it may not.
    Refused(Refusal),
}

/// Why credits are not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is gone or revoked.
    Revoked,
    /// The key has ended.
    Expired,
    /// The user is gone or disabled.
    UserDisabled,
    /// The key was changed since the caller was admitted: look again.
    Stale,
    /// Not enough is left, even if every open call cost nothing.
    Exhausted,
    /// Enough is left, but open calls hold it.
    Held,
    /// An open call has the same idempotency key, or this very call was settled already.
    Duplicate,
}

/// What a settlement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was charged: never more than was held.
    pub charged: Credits,
}

/// A change of a user's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceChange {
    /// So much more.
    Grant(Credits),
    /// Exactly so much left, held credits included.
    Set(Credits),
}

/// What became of a change of balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceChanged {
    /// It was made.
    Changed,
    /// There is no such user.
    NotFound,
    /// The new balance lies below what open calls hold, or above what can be kept.
    OutOfRange,
}

/// Credits held and charged.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Holds credits for a call. MUST NOT let `spent + held` pass the user's balance or the key's
    /// cap, however many calls race; MUST refuse what a stale copy would let through: a revoked,
    /// expired or changed key, a disabled user. Reserving twice with one request id holds once.
    async fn reserve(&self, hold: &Hold) -> Result<Reserved, StoreError>;

    /// Closes a call: gives its hold back, charges `call.quota` or what was held, whichever is
    /// less, and writes the usage row. MUST charge once, however often it is delivered; MUST NOT
    /// do anything for a call that holds nothing. The row says what was charged, and in
    /// `unbilled` what was not.
    async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError>;

    /// Closes every hold that has expired by `now`, at its floor, with the reason
    /// [`EndReason::Orphan`](gateway_domain::EndReason::Orphan). Returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Changes a user's balance. Nobody repeats it unasked: delivered twice, it grants twice.
    async fn change_balance(
        &self,
        user: UserId,
        change: BalanceChange,
    ) -> Result<BalanceChanged, StoreError>;
}
