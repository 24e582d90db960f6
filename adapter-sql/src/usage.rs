//! Closed calls on an SQL store.

use crate::{
    Row, SqlExecutor, Value,
    catalogue::usage as sql,
    row::Record,
    value::{args, count},
};
use async_trait::async_trait;
use gateway_domain::{
    CallRecord, CallState, ChannelId, EndReason, RequestId, Timestamp, TokenCounts, TokenId, UserId,
};
use gateway_ports::{StoreError, UsageFilter, UsageGroup, UsageLog, UsageSum};
use std::sync::Arc;

/// Sorts behind every request id.
const BEHIND_ALL: &str = "\u{10ffff}";

/// Closed calls on an SQL store.
#[derive(Debug)]
pub struct SqlUsage<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlUsage<E> {
    /// The closed calls of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> UsageLog for SqlUsage<E> {
    async fn list(
        &self,
        filter: &UsageFilter,
        before: Option<RequestId>,
        limit: u64,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let statement = match filter.user_id {
            Some(_) => sql::USAGE_LIST_OF_USER,
            None => sql::USAGE_LIST,
        };
        let mut arguments = arguments(filter);
        arguments.push(before.map_or_else(|| BEHIND_ALL.into(), |id| id.0.into()));
        arguments.push(count(limit).into());
        let rows = self.0.read(statement, arguments).await?;
        rows.iter().map(call).collect()
    }

    async fn sums(
        &self,
        filter: &UsageFilter,
        group: UsageGroup,
        limit: u64,
    ) -> Result<Vec<UsageSum>, StoreError> {
        let statement = match filter.user_id {
            Some(_) => sql::USAGE_SUMS_OF_USER,
            None => sql::USAGE_SUMS,
        };
        let mut arguments = arguments(filter);
        arguments.push(group.as_str().into());
        arguments.push(count(limit).into());
        let rows = self.0.read(statement, arguments).await?;
        rows.iter().map(sum).collect()
    }
}

fn arguments(filter: &UsageFilter) -> Vec<Value> {
    args![
        filter.user_id.map(|id| id.0),
        filter.token_id.map(|id| id.0),
        filter.model.clone(),
        filter.from.map(Timestamp::as_millis),
        filter.until.map(Timestamp::as_millis),
        filter.channel_id.map(|id| id.0),
    ]
}

fn call(row: &Row) -> Result<CallRecord, StoreError> {
    let record = row.of("calls", "");
    Ok(CallRecord {
        request_id: RequestId(record.text("request_id")?),
        user_id: UserId(record.int("user_id")?),
        token_id: TokenId(record.int("token_id")?),
        channel_id: record.optional("channel_id", Record::int)?.map(ChannelId),
        model: record.text("model")?,
        upstream_model: record.text("upstream_model")?,
        state: record.parsed("state", |name| CallState::parse(&name))?,
        counts: TokenCounts {
            prompt: record.number("prompt_tokens")?,
            completion: record.number("completion_tokens")?,
            cached: record.number("cached_tokens")?,
            cache_write: record.number("cache_write_tokens")?,
            reasoning: record.number("reasoning_tokens")?,
        },
        price: record.parsed("price", |text| serde_json::from_str(&text).ok())?,
        quota: record.credits("quota")?,
        unbilled: record.credits("unbilled")?,
        estimated: record.bool("estimated")?,
        stream: record.bool("stream")?,
        status: record.number("status")?,
        end_reason: record.parsed("end_reason", |name| EndReason::parse(&name))?,
        attempts: record.number("attempts")?,
        failures: record.parsed("failures", |text| serde_json::from_str(&text).ok())?,
        dropped: record.parsed("dropped", |text| serde_json::from_str(&text).ok())?,
        latency_ms: record.number("latency_ms")?,
        first_byte_ms: record.optional("first_byte_ms", Record::number)?,
        created_at: record.time("created_at")?,
    })
}

fn sum(row: &Row) -> Result<UsageSum, StoreError> {
    let record = row.of("calls", "");
    Ok(UsageSum {
        day: record.int("day")?,
        key: record.text("key")?,
        requests: record.number("requests")?,
        failures: record.number("failures")?,
        prompt_tokens: record.number("prompt_tokens")?,
        completion_tokens: record.number("completion_tokens")?,
        quota: record.number("quota")?,
    })
}
