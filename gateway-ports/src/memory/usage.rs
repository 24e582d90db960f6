//! Settled calls in memory.

use super::MemoryStore;
use crate::{StoreError, UsageFilter, UsageLog, UsageSum};
use async_trait::async_trait;
use gateway_domain::{CallRecord, RequestId};
use std::{cmp::Reverse, collections::BTreeMap};

impl UsageFilter {
    fn takes(&self, call: &CallRecord) -> bool {
        self.user_id.is_none_or(|id| call.user_id == id)
            && self.token_id.is_none_or(|id| call.token_id == id)
            && self.model.as_ref().is_none_or(|model| call.model == *model)
            && self.from.is_none_or(|from| call.created_at >= from)
            && self.until.is_none_or(|until| call.created_at < until)
    }
}

fn at_most(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl UsageLog for MemoryStore {
    async fn list(
        &self,
        filter: &UsageFilter,
        before: Option<RequestId>,
        limit: u64,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let state = self.state();
        let older = |call: &&CallRecord| before.as_ref().is_none_or(|id| call.request_id < *id);
        let calls = state.settled().rev().filter(older);
        let calls = calls.filter(|call| filter.takes(call));
        Ok(calls.take(at_most(limit)).cloned().collect())
    }

    async fn sums(&self, filter: &UsageFilter, limit: u64) -> Result<Vec<UsageSum>, StoreError> {
        let state = self.state();
        let mut sums: BTreeMap<(Reverse<i64>, String), UsageSum> = BTreeMap::new();
        for call in state.settled().filter(|call| filter.takes(call)) {
            let day = call.created_at.day();
            let sum = sums.entry((Reverse(day), call.model.clone())).or_insert_with(|| UsageSum {
                day,
                model: call.model.clone(),
                requests: 0,
                prompt_tokens: 0,
                completion_tokens: 0,
                quota: 0,
            });
            sum.requests += 1;
            sum.prompt_tokens += call.counts.prompt;
            sum.completion_tokens += call.counts.completion;
            sum.quota += call.quota.units();
        }
        Ok(sums.into_values().take(at_most(limit)).collect())
    }
}
