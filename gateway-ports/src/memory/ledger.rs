//! The ledger in memory: what the SQL of the others has to come to.

use super::{MemoryStore, State};
use crate::{BalanceChange, BalanceChanged, Hold, Ledger, Refusal, Reserved, Settled, StoreError};
use async_trait::async_trait;
use gateway_domain::{CallRecord, Credits, EndReason, RequestId, Timestamp, TokenCounts, UserId};

/// A call: open, or closed for ever.
#[derive(Debug)]
pub(super) enum Call {
    Held(Hold),
    Settled(CallRecord),
}

/// The sum; what cannot be kept was not let in.
fn plus(a: Credits, b: Credits) -> Credits {
    a.checked_add(b).unwrap_or(Credits::MAX)
}

impl State {
    /// Why a hold cannot be made.
    fn refusal(&self, hold: &Hold) -> Option<Refusal> {
        let token = self.tokens.get(&hold.token_id);
        let Some(token) = token.filter(|t| t.user_id == hold.user_id && t.enabled) else {
            return Some(Refusal::Revoked);
        };
        if token.expired(hold.created_at) {
            return Some(Refusal::Expired);
        }
        let user = self.users.get(&hold.user_id).map(|stored| &stored.user);
        let Some(user) = user.filter(|u| u.enabled) else {
            return Some(Refusal::UserDisabled);
        };
        if token.revision != hold.token_revision {
            return Some(Refusal::Stale);
        }
        let same = |call: &Call| match call {
            Call::Held(open) => {
                open.token_id == hold.token_id && open.idempotency_key == hold.idempotency_key
            }
            Call::Settled(_) => false,
        };
        if hold.idempotency_key.is_some() && self.calls.values().any(same) {
            return Some(Refusal::Duplicate);
        }
        let unlimited = Credits::MAX;
        let token_left = token.cap.map_or(unlimited, |cap| cap.saturating_sub(token.spent));
        if user.balance().min(token_left) < hold.amount {
            return Some(Refusal::Exhausted);
        }
        let free = user.available().min(token.available().unwrap_or(unlimited));
        (free < hold.amount).then_some(Refusal::Held)
    }

    /// Adds to what a user and a key hold.
    fn hold(&mut self, hold: &Hold) {
        if let Some(stored) = self.users.get_mut(&hold.user_id) {
            stored.user.held = plus(stored.user.held, hold.amount);
        }
        if let Some(token) = self.tokens.get_mut(&hold.token_id) {
            token.held = plus(token.held, hold.amount);
        }
    }

    /// Gives a hold back and charges for it. The key may be gone.
    fn charge(&mut self, hold: &Hold, charged: Credits) {
        if let Some(stored) = self.users.get_mut(&hold.user_id) {
            let user = &mut stored.user;
            user.held = user.held.saturating_sub(hold.amount);
            user.spent = plus(user.spent, charged);
            user.request_count += 1;
        }
        if let Some(token) = self.tokens.get_mut(&hold.token_id) {
            token.held = token.held.saturating_sub(hold.amount);
            token.spent = plus(token.spent, charged);
            token.request_count += 1;
        }
    }

    /// Closes an open call; what cannot be charged is written beside it.
    fn close(&mut self, id: &RequestId, call: &CallRecord) -> Credits {
        match self.calls.remove(id) {
            None => Credits::ZERO,
            Some(Call::Settled(known)) => {
                let charged = known.quota;
                self.calls.insert(id.clone(), Call::Settled(known));
                charged
            }
            Some(Call::Held(hold)) => {
                let charged = call.quota.min(hold.amount);
                self.charge(&hold, charged);
                let record = CallRecord {
                    user_id: hold.user_id,
                    token_id: hold.token_id,
                    model: hold.model,
                    stream: hold.stream,
                    created_at: hold.created_at,
                    quota: charged,
                    unbilled: call.quota.saturating_sub(charged),
                    ..call.clone()
                };
                self.calls.insert(id.clone(), Call::Settled(record));
                charged
            }
        }
    }
}

#[async_trait]
impl Ledger for MemoryStore {
    async fn reserve(&self, hold: &Hold) -> Result<Reserved, StoreError> {
        let mut state = self.state();
        match state.calls.get(&hold.request_id) {
            Some(Call::Held(_)) => return Ok(Reserved::Granted),
            Some(Call::Settled(_)) => return Ok(Reserved::Refused(Refusal::Duplicate)),
            None => {}
        }
        if let Some(refusal) = state.refusal(hold) {
            return Ok(Reserved::Refused(refusal));
        }
        state.hold(hold);
        let call = Call::Held(hold.clone());
        state.calls.insert(hold.request_id.clone(), call);
        Ok(Reserved::Granted)
    }

    async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError> {
        let charged = self.state().close(&call.request_id, call);
        Ok(Settled { charged })
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let open = state.calls.values().filter_map(|call| match call {
            Call::Held(hold) if hold.expires_at <= now => Some(orphan(hold)),
            _ => None,
        });
        let expired: Vec<CallRecord> = open.collect();
        for call in &expired {
            state.close(&call.request_id, call);
        }
        Ok(u64::try_from(expired.len()).unwrap_or(u64::MAX))
    }

    async fn change_balance(
        &self,
        user: UserId,
        change: BalanceChange,
    ) -> Result<BalanceChanged, StoreError> {
        let mut state = self.state();
        let Some(stored) = state.users.get_mut(&user) else {
            return Ok(BalanceChanged::NotFound);
        };
        let user = &mut stored.user;
        let granted = match change {
            BalanceChange::Grant(more) => user.granted.checked_add(more),
            BalanceChange::Set(left) if left < user.held => None,
            BalanceChange::Set(left) => user.spent.checked_add(left),
        };
        let Some(granted) = granted else {
            return Ok(BalanceChanged::OutOfRange);
        };
        user.granted = granted;
        Ok(BalanceChanged::Changed)
    }
}

/// What a sweep writes of a call that nobody settled.
fn orphan(hold: &Hold) -> CallRecord {
    CallRecord {
        request_id: hold.request_id.clone(),
        user_id: hold.user_id,
        token_id: hold.token_id,
        channel_id: None,
        model: hold.model.clone(),
        upstream_model: hold.model.clone(),
        counts: TokenCounts::default(),
        quota: hold.floor.min(hold.amount),
        unbilled: Credits::ZERO,
        estimated: true,
        stream: hold.stream,
        status: 0,
        end_reason: EndReason::Orphan,
        attempts: 0,
        latency_ms: 0,
        first_byte_ms: None,
        created_at: hold.created_at,
    }
}
