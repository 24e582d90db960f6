//! The books as a whole, in memory.

use super::{MemoryStore, State, ledger::Call};
use crate::{Books, Mismatch, StoreError};
use async_trait::async_trait;
use gateway_domain::{Credits, RequestId, Timestamp};
use std::collections::BTreeMap;

impl State {
    /// Whether a call is in the sums of its day.
    pub(super) fn rolled_up(&self, id: &RequestId) -> bool {
        self.rolled_up_through.as_ref().is_some_and(|through| id <= through)
    }

    /// What users and keys should hold and have spent, by a key that tells them apart.
    fn sums(&self) -> BTreeMap<String, [u64; 3]> {
        let mut sums: BTreeMap<String, [u64; 3]> = BTreeMap::new();
        let mut add = |user: i64, token: i64, more: [u64; 3]| {
            for subject in [format!("user {user}"), format!("key {token}")] {
                let sum = sums.entry(subject).or_default();
                for (sum, more) in sum.iter_mut().zip(more) {
                    *sum += more;
                }
            }
        };
        for call in self.calls.values() {
            match call {
                Call::Held(hold) => {
                    add(hold.user_id.0, hold.token_id.0, [hold.amount.units(), 0, 0]);
                }
                Call::Closed(_, record) => {
                    add(record.user_id.0, record.token_id.0, [0, record.quota.units(), 1]);
                }
            }
        }
        for day in &self.deleted {
            add(day.user_id.0, day.token_id.0, [0, day.quota.units(), 1]);
        }
        sums
    }
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[async_trait]
impl Books for MemoryStore {
    async fn verify(&self, now: Timestamp) -> Result<Vec<Mismatch>, StoreError> {
        let state = self.state();
        let sums = state.sums();
        let mut found = Vec::new();
        let mut check = |subject: &str, what: &str, is: u64, should: u64| {
            if is != should {
                found.push(Mismatch {
                    subject: subject.to_owned(),
                    what: what.to_owned(),
                    found: number(is),
                    expected: number(should),
                });
            }
        };
        for (id, stored) in &state.users {
            let user = &stored.user;
            let subject = format!("user {id}");
            let [held, spent, requests] = sums.get(&subject).copied().unwrap_or_default();
            check(&subject, "held", user.held.units(), held);
            check(&subject, "spent", user.spent.units(), spent);
            check(&subject, "request_count", user.request_count, requests);
            let over = (spent + held).saturating_sub(user.granted.units());
            check(&subject, "overdrawn", over, 0);
        }
        for (id, token) in &state.tokens {
            let subject = format!("key {id}");
            let [held, spent, requests] = sums.get(&subject).copied().unwrap_or_default();
            check(&subject, "held", token.held.units(), held);
            check(&subject, "spent", token.spent.units(), spent);
            check(&subject, "request_count", token.request_count, requests);
            let cap = token.cap.unwrap_or(Credits::MAX);
            check(&subject, "beyond its cap", (spent + held).saturating_sub(cap.units()), 0);
        }
        for (id, call) in &state.calls {
            if let Call::Held(hold) = call
                && now.since(hold.expires_at).as_secs() > 60
            {
                check(&format!("call {id}"), "open calls that should have ended", 1, 0);
            }
        }
        Ok(found)
    }

    async fn roll_up(&self, until: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let end = RequestId::first_of(until);
        let mut added = 0;
        let mut through = state.rolled_up_through.clone();
        for (id, call) in &state.calls {
            if through.as_ref().is_some_and(|through| id <= through) {
                continue;
            }
            if *id >= end || matches!(call, Call::Held(_)) {
                break;
            }
            through = Some(id.clone());
            added += 1;
        }
        state.rolled_up_through = through;
        Ok(added)
    }

    async fn purge(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let end = RequestId::first_of(before);
        let old = |id: &&RequestId| **id < end && state.rolled_up(id);
        let old: Vec<RequestId> = state.calls.keys().filter(old).cloned().collect();
        for id in &old {
            if let Some(Call::Closed(_, record)) = state.calls.remove(id) {
                state.deleted.push(*record);
            }
        }
        Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
    }
}
