//! The reference: what a ledger comes to, in the plainest way there is.
//!
//! It keeps no balance that could drift. What is held and spent is summed up from the calls each
//! time it is asked for, what is granted from the grants.

use crate::{BalanceChange, BalanceChanged, Grant, Hold, Refusal, Reserved};
use gateway_domain::{CallRecord, CallState, Credits, RequestId, Timestamp, TokenId, UserId};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Reference {
    users: BTreeMap<UserId, User>,
    keys: BTreeMap<TokenId, Key>,
    calls: BTreeMap<RequestId, Call>,
    grants: BTreeMap<String, Grant>,
    rolled_up_through: Option<RequestId>,
}

#[derive(Debug)]
struct User {
    enabled: bool,
    granted: u64,
}

#[derive(Debug)]
struct Key {
    user: UserId,
    enabled: bool,
    cap: Option<u64>,
    revision: i64,
}

#[derive(Debug)]
struct Call {
    hold: Hold,
    /// What is held; nothing once it is closed.
    held: u64,
    /// Its end, if it has one.
    end: Option<CallState>,
    quota: u64,
    unbilled: u64,
    /// Its row was deleted; its sums stay.
    purged: bool,
}

impl Reference {
    pub(super) fn add_user(&mut self, id: UserId, granted: u64) {
        self.users.insert(id, User { enabled: true, granted });
    }

    pub(super) fn add_key(&mut self, id: TokenId, user: UserId, cap: Option<u64>) {
        self.keys.insert(id, Key { user, enabled: true, cap, revision: 0 });
    }

    pub(super) fn enable_user(&mut self, id: UserId, enabled: bool) {
        if let Some(user) = self.users.get_mut(&id) {
            user.enabled = enabled;
        }
    }

    pub(super) fn revision(&self, id: TokenId) -> i64 {
        self.keys.get(&id).map_or(0, |key| key.revision)
    }

    /// Spent, held and number of closed calls of those that belong.
    fn sums(&self, belongs: impl Fn(&Hold) -> bool) -> [u64; 3] {
        let mut sums = [0; 3];
        for call in self.calls.values().filter(|call| belongs(&call.hold)) {
            let [spent, held, closed] = &mut sums;
            *spent += call.quota;
            *held += call.held;
            *closed += u64::from(call.end.is_some());
        }
        sums
    }

    fn of_user(&self, id: UserId) -> [u64; 3] {
        self.sums(|hold| hold.user_id == id)
    }

    /// Spent, held and number of closed calls of a key.
    pub(super) fn key(&self, id: TokenId) -> [u64; 3] {
        self.sums(|hold| hold.token_id == id)
    }

    /// Granted, spent, held and number of closed calls of a user.
    pub(super) fn user(&self, id: UserId) -> [u64; 4] {
        let [spent, held, closed] = self.of_user(id);
        [self.users.get(&id).map_or(0, |user| user.granted), spent, held, closed]
    }

    /// What is left, and what of it is free, for a user with a key.
    fn left(&self, user: UserId, key: TokenId) -> (u64, u64) {
        let [granted, spent, held, _] = self.user(user);
        let balance = granted - spent;
        let cap = self.keys.get(&key).and_then(|key| key.cap);
        let Some(cap) = cap else {
            return (balance, balance - held);
        };
        let [spent, key_held, _] = self.key(key);
        (balance.min(cap - spent), (balance - held).min(cap - spent - key_held))
    }

    pub(super) fn reserve(&mut self, hold: &Hold) -> Reserved {
        if let Some(known) = self.calls.get(&hold.request_id).filter(|call| !call.purged) {
            return match known.end {
                None => Reserved::Granted(Credits::saturating(known.held)),
                Some(_) => Reserved::Refused(Refusal::Duplicate),
            };
        }
        let user_enabled = self.users.get(&hold.user_id).is_some_and(|user| user.enabled);
        let Some(key) = self.keys.get(&hold.token_id).filter(|key| key.enabled) else {
            return Reserved::Refused(Refusal::Revoked);
        };
        let (left, free) = self.left(hold.user_id, hold.token_id);
        let (amount, least) = (hold.amount.units(), hold.least.units());
        let once = |call: &Call| {
            call.end.is_none()
                && call.hold.token_id == hold.token_id
                && call.hold.idempotency_key == hold.idempotency_key
        };
        let refusal = if !user_enabled {
            Refusal::UserDisabled
        } else if key.revision != hold.token_revision {
            Refusal::Stale
        } else if self.in_sums(&hold.request_id)
            || hold.idempotency_key.is_some() && self.calls.values().any(once)
        {
            Refusal::Duplicate
        } else if left < least {
            Refusal::Exhausted
        } else if free < least {
            Refusal::Held
        } else {
            let held = amount.min(free);
            let hold = hold.clone();
            let call = Call { held, end: None, quota: 0, unbilled: 0, purged: false, hold };
            self.calls.insert(call.hold.request_id.clone(), call);
            return Reserved::Granted(Credits::saturating(held));
        };
        Reserved::Refused(refusal)
    }

    /// What a call is charged in the end.
    pub(super) fn settle(&mut self, record: &CallRecord) -> u64 {
        let in_sums = self.in_sums(&record.request_id);
        let Some(call) = self.calls.get(&record.request_id).filter(|call| !call.purged) else {
            return 0;
        };
        let cost = record.quota.units();
        // A hold that took less than it asked for is what counts.
        let most = match call.end {
            None => call.held,
            Some(CallState::Expired) if !in_sums => {
                let (_, free) = self.left(call.hold.user_id, call.hold.token_id);
                (call.quota + free).min(call.hold.amount.units())
            }
            Some(_) => return call.quota,
        };
        let Some(call) = self.calls.get_mut(&record.request_id) else {
            return 0;
        };
        call.quota = cost.min(most);
        call.unbilled = cost - call.quota;
        call.held = 0;
        call.end = Some(record.state);
        call.quota
    }

    /// Whether nothing is held for this call.
    pub(super) fn checkpoint(&mut self, id: &RequestId, floor: u64) -> bool {
        match self.calls.get_mut(id) {
            Some(call) if call.end.is_none() => {
                call.hold.floor = call.hold.floor.max(Credits::saturating(floor));
                false
            }
            _ => true,
        }
    }

    pub(super) fn sweep(&mut self, now: Timestamp) -> u64 {
        let mut swept = 0;
        for call in self.calls.values_mut() {
            if call.end.is_none() && call.hold.expires_at <= now {
                call.quota = call.hold.floor.units().min(call.held);
                // The amount of the row: what a late settlement may come to.
                call.hold.amount = Credits::saturating(call.held);
                call.held = 0;
                call.end = Some(CallState::Expired);
                swept += 1;
            }
        }
        swept
    }

    pub(super) fn grant(&mut self, grant: &Grant) -> BalanceChanged {
        if let Some(known) = self.grants.get(&grant.id) {
            let same = (known.user_id, known.change) == (grant.user_id, grant.change);
            return if same { BalanceChanged::Changed } else { BalanceChanged::IdTaken };
        }
        let [granted, spent, held, _] = self.user(grant.user_id);
        let granted = match grant.change {
            BalanceChange::Grant(more) => granted + more.units(),
            BalanceChange::Set(left) if left.units() < held => return BalanceChanged::OutOfRange,
            BalanceChange::Set(left) => spent + left.units(),
        };
        if let Some(user) = self.users.get_mut(&grant.user_id) {
            user.granted = granted;
        }
        self.grants.insert(grant.id.clone(), grant.clone());
        BalanceChanged::Changed
    }

    /// Whether the change was made.
    pub(super) fn change_key(&mut self, id: TokenId, enabled: bool, cap: Option<u64>) -> bool {
        let [spent, held, _] = self.key(id);
        if cap.is_some_and(|cap| cap < spent + held) {
            return false;
        }
        if let Some(key) = self.keys.get_mut(&id) {
            key.enabled = enabled;
            key.cap = cap.or(key.cap);
            key.revision += 1;
        }
        true
    }

    fn in_sums(&self, id: &RequestId) -> bool {
        self.rolled_up_through.as_ref().is_some_and(|through| id <= through)
    }

    pub(super) fn roll_up(&mut self, until: Timestamp) -> u64 {
        let end = RequestId::first_of(until);
        let mut added = 0;
        let mut through = self.rolled_up_through.clone();
        for (id, call) in &self.calls {
            if self.in_sums(id) {
                continue;
            }
            if *id >= end || call.end.is_none() {
                break;
            }
            through = Some(id.clone());
            added += 1;
        }
        self.rolled_up_through = through;
        added
    }

    pub(super) fn purge(&mut self, before: Timestamp) -> u64 {
        let end = RequestId::first_of(before);
        let through = self.rolled_up_through.clone();
        let mut purged = 0;
        for (id, call) in &mut self.calls {
            let summed_up = through.as_ref().is_some_and(|through| id <= through);
            if summed_up && *id < end && !call.purged {
                call.purged = true;
                purged += 1;
            }
        }
        purged
    }

    /// Id, state, charge and what was not charged of each closed call that is kept.
    pub(super) fn rows(&self) -> Vec<(RequestId, CallState, u64, u64)> {
        let closed = self.calls.iter().filter(|(_, call)| !call.purged);
        closed
            .filter_map(|(id, call)| Some((id.clone(), call.end?, call.quota, call.unbilled)))
            .collect()
    }

    /// The promise: nobody spends and holds more than they have.
    pub(super) fn check(&self) -> Result<(), String> {
        for id in self.users.keys() {
            let [granted, spent, held, _] = self.user(*id);
            if spent + held > granted {
                return Err(format!("user {id} has {granted}, spent {spent} and holds {held}"));
            }
        }
        for (id, key) in &self.keys {
            let [spent, held, _] = self.key(*id);
            if key.cap.is_some_and(|cap| spent + held > cap) {
                return Err(format!("key {id} of user {} is beyond its cap", key.user));
            }
        }
        Ok(())
    }
}
