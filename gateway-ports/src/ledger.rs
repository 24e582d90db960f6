//! Credits held and charged: the only place that decides about money.
//!
//! # Contract
//! Every method is one atomic unit and may be delivered twice: a second delivery changes nothing.
//! After each, for every user `spent + held <= granted`, and for every capped key
//! `spent + held <= cap`; `held` is the sum of the calls that are held, `spent` that of the charges,
//! and `granted` that of the grants.

use crate::{AuditEntry, StoreError};
use async_trait::async_trait;
use gateway_domain::{
    CallRecord, Credits, FrozenPrice, RequestId, Timestamp, TokenId, UserId, policy::funds::Short,
};

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
    /// The least that is worth holding: where the whole amount is not free, what is free is held,
    /// if it is that much. The same as the amount for a call that cannot be made smaller.
    pub least: Credits,
    /// What it costs if nothing more is ever heard of it: the prompt's estimate.
    pub floor: Credits,
    /// The model that was asked for.
    pub model: String,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// What tokens cost, frozen for this call.
    pub price: FrozenPrice,
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
    /// So many are: the call may go upstream, and may cost no more.
    Granted(Credits),
    /// They are not: it may not.
    Refused(Refusal),
}

impl Reserved {
    /// Whether anything may be spent.
    pub fn is_granted(self) -> bool {
        matches!(self, Self::Granted(_))
    }
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

impl From<Short> for Refusal {
    fn from(short: Short) -> Self {
        match short {
            Short::Exhausted => Self::Exhausted,
            Short::Held => Self::Held,
        }
    }
}

/// What a settlement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was charged: never more than was held.
    pub charged: Credits,
}

/// What a call that is still going on has cost so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The request.
    pub request_id: RequestId,
    /// What it costs if nothing more is heard of it.
    pub floor: Credits,
}

/// A change of a user's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceChange {
    /// So much more.
    Grant(Credits),
    /// Exactly so much left, held credits included.
    Set(Credits),
}

/// A change of a user's balance, with the id that makes a repetition known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whoever repeats it repeats the id.
    pub id: String,
    /// Whose balance.
    pub user_id: UserId,
    /// What is changed.
    pub change: BalanceChange,
}

/// What became of a change of balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceChanged {
    /// It was made, by this delivery or by an earlier one.
    Changed,
    /// There is no such user.
    NotFound,
    /// The new balance lies below what open calls hold, or above what can be kept.
    OutOfRange,
    /// Another change was made under this id.
    IdTaken,
}

/// Credits held and charged.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Holds credits for a call: the amount, or what is free if that is less but at least
    /// [`Hold::least`]. MUST NOT let `spent + held` pass the user's balance or the key's cap,
    /// however many calls race; MUST refuse what a stale copy would let through: a revoked,
    /// expired or changed key, a disabled user; MUST NOT begin a call again that is over, even if
    /// its row was deleted since. Reserving twice with one request id holds once.
    async fn reserve(&self, hold: &Hold) -> Result<Reserved, StoreError>;

    /// Closes a call: gives its hold back, charges `call.quota` or what was held, whichever is
    /// less, and writes the usage row. MUST charge once, however often it is delivered; MUST NOT
    /// do anything for a call that never held anything. The row says what was charged, and in
    /// `unbilled` what was not. A call that a sweep closed is put right: it is charged what it
    /// cost, as far as the hold had been enough and credits are still free.
    async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError>;

    /// Raises the floors of calls that are going on; a floor never sinks. Returns those that are
    /// not held any more: nothing pays for them, so they have to stop.
    async fn checkpoint(&self, calls: &[Checkpoint]) -> Result<Vec<RequestId>, StoreError>;

    /// Closes every hold that has expired by `now`, at its floor, with the reason
    /// [`EndReason::Orphan`](gateway_domain::EndReason::Orphan). Returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Changes a user's balance, once for each id.
    async fn grant(&self, grant: &Grant, entry: &AuditEntry) -> Result<BalanceChanged, StoreError>;
}
