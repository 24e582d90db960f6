//! The ledger in memory: what the SQL of the others has to come to.

use super::{MemoryStore, State};
use crate::{
    AuditEntry, BalanceChange, BalanceChanged, Checkpoint, Grant, Hold, Ledger, Refusal, Reserved,
    Settled, StoreError,
};
use async_trait::async_trait;
use gateway_domain::{
    CallRecord, CallState, Credits, EndReason, RequestId, Timestamp, TokenCounts,
    policy::funds::{Purse, afford},
};

/// A call: open, or closed.
#[derive(Debug)]
pub(super) enum Call {
    Held(Hold),
    Closed(Hold, Box<CallRecord>),
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
            Call::Closed(..) => false,
        };
        let over = self.rolled_up(&hold.request_id);
        if over || hold.idempotency_key.is_some() && self.calls.values().any(same) {
            return Some(Refusal::Duplicate);
        }
        afford(Purse::of_user(user), Purse::of_token(token), hold.least).err().map(Refusal::from)
    }

    /// What the user and the key of a call can still hold. The key may be gone.
    fn free(&self, hold: &Hold) -> Credits {
        let token = self.tokens.get(&hold.token_id).and_then(gateway_domain::Token::available);
        let user = self.users.get(&hold.user_id).map(|stored| stored.user.available());
        user.unwrap_or_default().min(token.unwrap_or(Credits::MAX))
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

    /// Charges another sum than before.
    fn correct(&mut self, hold: &Hold, before: Credits, after: Credits) {
        let corrected = |spent: Credits| plus(spent.saturating_sub(before), after);
        if let Some(stored) = self.users.get_mut(&hold.user_id) {
            stored.user.spent = corrected(stored.user.spent);
        }
        if let Some(token) = self.tokens.get_mut(&hold.token_id) {
            token.spent = corrected(token.spent);
        }
    }

    /// Closes a call that is open, or was swept; what cannot be charged is written beside it.
    fn close(&mut self, id: &RequestId, call: &CallRecord) -> Credits {
        let Some(known) = self.calls.remove(id) else {
            return Credits::ZERO;
        };
        let (hold, charged) = match known {
            Call::Held(hold) => {
                let charged = call.quota.min(hold.amount);
                self.charge(&hold, charged);
                (hold, charged)
            }
            Call::Closed(hold, record)
                if record.state == CallState::Expired && !self.rolled_up(id) =>
            {
                let most = plus(record.quota, self.free(&hold));
                let charged = call.quota.min(hold.amount).min(most);
                self.correct(&hold, record.quota, charged);
                (hold, charged)
            }
            Call::Closed(hold, record) => {
                let charged = record.quota;
                self.calls.insert(id.clone(), Call::Closed(hold, record));
                return charged;
            }
        };
        let record = CallRecord {
            user_id: hold.user_id,
            token_id: hold.token_id,
            model: hold.model.clone(),
            price: hold.price,
            stream: hold.stream,
            created_at: hold.created_at,
            quota: charged,
            unbilled: call.quota.saturating_sub(charged),
            ..call.clone()
        };
        self.calls.insert(id.clone(), Call::Closed(hold, Box::new(record)));
        charged
    }
}

#[async_trait]
impl Ledger for MemoryStore {
    async fn reserve(&self, hold: &Hold) -> Result<Reserved, StoreError> {
        let mut state = self.state();
        match state.calls.get(&hold.request_id) {
            Some(Call::Held(known)) => return Ok(Reserved::Granted(known.amount)),
            Some(Call::Closed(..)) => return Ok(Reserved::Refused(Refusal::Duplicate)),
            None => {}
        }
        if let Some(refusal) = state.refusal(hold) {
            return Ok(Reserved::Refused(refusal));
        }
        let amount = hold.amount.min(state.free(hold));
        let hold = Hold { amount, ..hold.clone() };
        state.hold(&hold);
        state.calls.insert(hold.request_id.clone(), Call::Held(hold));
        Ok(Reserved::Granted(amount))
    }

    async fn settle(&self, call: &CallRecord) -> Result<Settled, StoreError> {
        let charged = self.state().close(&call.request_id, call);
        Ok(Settled { charged })
    }

    async fn checkpoint(&self, calls: &[Checkpoint]) -> Result<Vec<RequestId>, StoreError> {
        let mut state = self.state();
        let mut lost = Vec::new();
        for call in calls {
            match state.calls.get_mut(&call.request_id) {
                Some(Call::Held(hold)) => hold.floor = hold.floor.max(call.floor),
                Some(Call::Closed(..)) | None => lost.push(call.request_id.clone()),
            }
        }
        Ok(lost)
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

    async fn grant(&self, grant: &Grant, entry: &AuditEntry) -> Result<BalanceChanged, StoreError> {
        let mut state = self.state();
        if let Some(known) = state.grants.get(&grant.id) {
            let same = (known.user_id, known.change) == (grant.user_id, grant.change);
            return Ok(if same { BalanceChanged::Changed } else { BalanceChanged::IdTaken });
        }
        let Some(stored) = state.users.get_mut(&grant.user_id) else {
            return Ok(BalanceChanged::NotFound);
        };
        let user = &mut stored.user;
        let granted = match grant.change {
            BalanceChange::Grant(more) => user.granted.checked_add(more),
            BalanceChange::Set(left) if left < user.held => None,
            BalanceChange::Set(left) => user.spent.checked_add(left),
        };
        let Some(granted) = granted else {
            return Ok(BalanceChanged::OutOfRange);
        };
        user.granted = granted;
        state.grants.insert(grant.id.clone(), grant.clone());
        state.note(entry, Some(grant.user_id.0));
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
        state: CallState::Expired,
        counts: TokenCounts::default(),
        price: hold.price,
        quota: hold.floor.min(hold.amount),
        unbilled: Credits::ZERO,
        estimated: true,
        stream: hold.stream,
        status: 0,
        end_reason: EndReason::Orphan,
        attempts: 0,
        failures: Vec::new(),
        dropped: Vec::new(),
        latency_ms: 0,
        first_byte_ms: None,
        created_at: hold.created_at,
    }
}
