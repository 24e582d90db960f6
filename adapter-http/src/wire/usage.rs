//! Usage on the wire.

use crate::extract::{MOST_ENTRIES, SOME_ENTRIES};
use gateway_app::{GatewayError, report::UsagePage};
use gateway_domain::{CallRecord, RequestId, Timestamp, TokenId, UserId};
use gateway_ports::{UsageFilter, UsageSum};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which usage.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// The model, as it was asked for.
    model: Option<String>,
    /// The key.
    token_id: Option<i64>,
    /// The user; for admins only.
    user_id: Option<i64>,
    /// From this moment on: RFC 3339, a day as `2026-11-22`, or seconds since 1970.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
    /// Days are in UTC, and nothing else.
    tz: Option<String>,
    /// Where the last answer ended: its `next_cursor`.
    cursor: Option<String>,
    /// Entries to return: 50, at most 200.
    limit: Option<u64>,
    /// The same.
    page_size: Option<u64>,
}

impl UsageQuery {
    pub(crate) fn filter(&self) -> Result<UsageFilter, GatewayError> {
        if self.tz.as_deref().is_some_and(|tz| !tz.eq_ignore_ascii_case("utc")) {
            return Err(GatewayError::invalid("tz can only be UTC").about("tz"));
        }
        Ok(UsageFilter {
            user_id: self.user_id.map(UserId),
            token_id: self.token_id.map(TokenId),
            model: self.model.clone(),
            from: self.from.as_deref().map(|text| moment(text, "from")).transpose()?,
            until: self.to.as_deref().map(|text| moment(text, "to")).transpose()?,
        })
    }

    pub(crate) fn before(&self) -> Option<RequestId> {
        self.cursor.clone().filter(|cursor| !cursor.is_empty()).map(RequestId)
    }

    pub(crate) fn entries(&self) -> u64 {
        self.limit.or(self.page_size).unwrap_or(SOME_ENTRIES).clamp(1, MOST_ENTRIES)
    }
}

fn moment(text: &str, field: &str) -> Result<Timestamp, GatewayError> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Timestamp::from_millis(i64::from(seconds) * 1000));
    }
    Timestamp::parse_rfc3339(text)
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| {
            GatewayError::invalid(format!(
                "{field} is a time in RFC 3339, a day, or seconds since 1970"
            ))
            .about(field)
        })
}

/// A settled call.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageRow {
    request_id: String,
    user_id: i64,
    token_id: i64,
    channel_id: Option<i64>,
    model: String,
    upstream_model: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
    /// What was charged, in units.
    quota: u64,
    /// Cost beyond what was reserved, which is not charged.
    unbilled: u64,
    /// True: the provider reported no usage, so this is the gateway's estimate.
    estimated: bool,
    stream: bool,
    /// The HTTP status; 499 if the client was gone before its answer began.
    status: u16,
    end_reason: &'static str,
    /// How many channels were tried.
    attempts: u32,
    latency_ms: u64,
    first_byte_ms: Option<u64>,
    created_at: String,
}

impl From<CallRecord> for UsageRow {
    fn from(call: CallRecord) -> Self {
        Self {
            request_id: call.request_id.0,
            user_id: call.user_id.0,
            token_id: call.token_id.0,
            channel_id: call.channel_id.map(|id| id.0),
            model: call.model,
            upstream_model: call.upstream_model,
            prompt_tokens: call.counts.prompt,
            completion_tokens: call.counts.completion,
            cached_tokens: call.counts.cached,
            reasoning_tokens: call.counts.reasoning,
            quota: call.quota.units(),
            unbilled: call.unbilled.units(),
            estimated: call.estimated,
            stream: call.stream,
            status: call.status,
            end_reason: call.end_reason.as_str(),
            attempts: call.attempts,
            latency_ms: call.latency_ms,
            first_byte_ms: call.first_byte_ms,
            created_at: call.created_at.to_rfc3339(),
        }
    }
}

/// Settled calls, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageList {
    items: Vec<UsageRow>,
    /// Goes into `cursor` for the next ones; `null`: these were the last.
    next_cursor: Option<String>,
}

impl From<UsagePage> for UsageList {
    fn from(page: UsagePage) -> Self {
        Self {
            items: page.items.into_iter().map(UsageRow::from).collect(),
            next_cursor: page.next_cursor.map(|id| id.0),
        }
    }
}

/// The sums of one day and model.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageSumDto {
    /// The day, in UTC.
    day: String,
    model: String,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    quota: u64,
}

/// Sums, in all and by day and model.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageSums {
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    quota: u64,
    items: Vec<UsageSumDto>,
}

impl From<Vec<UsageSum>> for UsageSums {
    fn from(sums: Vec<UsageSum>) -> Self {
        let total =
            |field: fn(&UsageSum) -> u64| sums.iter().map(field).fold(0, u64::saturating_add);
        Self {
            requests: total(|s| s.requests),
            prompt_tokens: total(|s| s.prompt_tokens),
            completion_tokens: total(|s| s.completion_tokens),
            quota: total(|s| s.quota),
            items: sums
                .into_iter()
                .map(|sum| UsageSumDto {
                    day: Timestamp::start_of_day(sum.day).to_date(),
                    model: sum.model,
                    requests: sum.requests,
                    prompt_tokens: sum.prompt_tokens,
                    completion_tokens: sum.completion_tokens,
                    quota: sum.quota,
                })
                .collect(),
        }
    }
}
