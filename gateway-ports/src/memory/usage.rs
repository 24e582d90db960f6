//! Closed calls in memory.

use super::MemoryStore;
use crate::{StoreError, UsageFilter, UsageGroup, UsageLog, UsageSum};
use async_trait::async_trait;
use gateway_domain::{CallRecord, ChannelId, RequestId, Timestamp};
use std::{cmp::Reverse, collections::BTreeMap};

impl UsageFilter {
    fn takes(&self, call: &CallRecord) -> bool {
        self.takes_apart_from_time_and_channel(call)
            && self.channel_id.is_none_or(|id| call.channel_id == Some(id))
            && self.takes_time(call.created_at)
    }

    fn takes_apart_from_time_and_channel(&self, call: &CallRecord) -> bool {
        self.user_id.is_none_or(|id| call.user_id == id)
            && self.token_id.is_none_or(|id| call.token_id == id)
            && self.model.as_ref().is_none_or(|model| call.model == *model)
    }

    fn takes_time(&self, moment: Timestamp) -> bool {
        self.from.is_none_or(|from| moment >= from) && self.until.is_none_or(|end| moment < end)
    }

    /// Whether any moment of a day is taken.
    fn takes_day(&self, day: i64) -> bool {
        self.from.is_none_or(|from| Timestamp::start_of_day(day + 1) > from)
            && self.until.is_none_or(|end| Timestamp::start_of_day(day) < end)
    }
}

impl UsageGroup {
    fn key(self, call: &CallRecord, channel: Option<ChannelId>) -> String {
        match self {
            Self::Model => call.model.clone(),
            Self::User => call.user_id.to_string(),
            Self::Token => call.token_id.to_string(),
            Self::Channel => channel.map_or(0, |id| id.0).to_string(),
        }
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
        let calls = state.closed().rev().filter(older);
        let calls = calls.filter(|call| filter.takes(call));
        Ok(calls.take(at_most(limit)).cloned().collect())
    }

    async fn sums(
        &self,
        filter: &UsageFilter,
        group: UsageGroup,
        limit: u64,
    ) -> Result<Vec<UsageSum>, StoreError> {
        let state = self.state();
        let mut sums: BTreeMap<(Reverse<i64>, String), UsageSum> = BTreeMap::new();
        let rolled_up = |call: &CallRecord| state.rolled_up(&call.request_id);
        let calls = state.closed().map(|call| (call, rolled_up(call)));
        let calls = calls.chain(state.deleted.iter().map(|call| (call, true)));
        for (call, by_day) in calls {
            let day = call.created_at.day();
            let at_this_time =
                if by_day { filter.takes_day(day) } else { filter.takes_time(call.created_at) };
            if !at_this_time || !filter.takes_apart_from_time_and_channel(call) {
                continue;
            }
            let mut sum = |channel: Option<ChannelId>, add: fn(&mut UsageSum, &CallRecord)| {
                if filter.channel_id.is_some_and(|wanted| channel != Some(wanted)) {
                    return;
                }
                let key = group.key(call, channel);
                let sum =
                    sums.entry((Reverse(day), key.clone())).or_insert_with(|| empty(day, key));
                add(sum, call);
            };
            sum(call.channel_id, |sum, call| {
                sum.requests += 1;
                sum.prompt_tokens += call.counts.prompt;
                sum.completion_tokens += call.counts.completion;
                sum.quota += call.quota.units();
            });
            for failed in &call.failures {
                sum(Some(failed.0), |sum, _| sum.failures += 1);
            }
        }
        Ok(sums.into_values().take(at_most(limit)).collect())
    }
}

fn empty(day: i64, key: String) -> UsageSum {
    UsageSum {
        day,
        key,
        requests: 0,
        failures: 0,
        prompt_tokens: 0,
        completion_tokens: 0,
        quota: 0,
    }
}
