//! What was used.

use crate::{Gateway, GatewayError};
use gateway_domain::{CallRecord, RequestId, Timestamp};
use gateway_ports::{Mismatch, UsageFilter, UsageGroup, UsageSum};
use std::time::Duration;

/// The longest range of a query.
const LONGEST_RANGE: Duration = Duration::from_secs(3660 * 86_400);
/// What sums cover when no range is given.
const DEFAULT_RANGE: Duration = Duration::from_secs(31 * 86_400);
const MOST_SUMS: u64 = 5000;

/// Settled calls, and where to go on.
#[derive(Clone, Debug)]
pub struct UsagePage {
    /// The calls, newest first.
    pub items: Vec<CallRecord>,
    /// What to ask with for the next ones; `None` if these were the last.
    pub next_cursor: Option<RequestId>,
}

impl Gateway {
    /// Settled calls, newest first.
    pub async fn usage(
        &self,
        filter: &UsageFilter,
        before: Option<RequestId>,
        limit: u64,
    ) -> Result<UsagePage, GatewayError> {
        check_range(filter.from, filter.until)?;
        let mut items = self.0.store.usage.list(filter, before, limit.saturating_add(1)).await?;
        let more = u64::try_from(items.len()).is_ok_and(|n| n > limit);
        items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor =
            if more { items.last().map(|call| call.request_id.clone()) } else { None };
        Ok(UsagePage { items, next_cursor })
    }

    /// Sums by day and group, newest day first; of the last month if no range is given.
    pub async fn usage_sums(
        &self,
        mut filter: UsageFilter,
        group: UsageGroup,
    ) -> Result<Vec<UsageSum>, GatewayError> {
        check_range(filter.from, filter.until)?;
        if filter.from.is_none() {
            filter.from = Some(filter.until.unwrap_or_else(|| self.now()).minus(DEFAULT_RANGE));
        }
        Ok(self.0.store.usage.sums(&filter, group, MOST_SUMS).await?)
    }
}

impl Gateway {
    /// What does not add up in the books; nothing, if all is well.
    pub async fn verify_books(&self) -> Result<Vec<Mismatch>, GatewayError> {
        Ok(self.0.store.books.verify(self.now()).await?)
    }
}

pub(crate) fn check_range(
    from: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<(), GatewayError> {
    match (from, until) {
        (Some(from), Some(until)) if from > until => {
            Err(GatewayError::invalid("from lies behind to").about("from"))
        }
        (Some(from), Some(until)) if until.since(from) > LONGEST_RANGE => {
            Err(GatewayError::invalid("the range is longer than ten years").about("from"))
        }
        _ => Ok(()),
    }
}
