//! Usage on the wire.

use super::{Whole, price::PriceDto};
use crate::extract::entries;
use gateway_app::{GatewayError, report::UsagePage};
use gateway_domain::{CallRecord, ChannelId, FaultKind, RequestId, Timestamp, TokenId, UserId};
use gateway_ports::{UsageFilter, UsageGroup, UsageSum};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which usage.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// The model, as it was asked for.
    model: Option<String>,
    /// The key.
    #[param(value_type = Option<i64>)]
    token_id: Option<Whole>,
    /// The user; for admins only.
    #[param(value_type = Option<i64>)]
    user_id: Option<Whole>,
    /// The channel; for admins only.
    #[param(value_type = Option<i64>)]
    channel_id: Option<Whole>,
    /// From this moment on: RFC 3339, a day as `2026-11-22`, or seconds since 1970.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
    /// Days are in UTC, and nothing else.
    tz: Option<String>,
    /// Where the last answer ended: its `next_cursor`.
    cursor: Option<String>,
    /// Entries to return: 50, at most 200.
    #[param(value_type = Option<u64>)]
    limit: Option<Whole>,
    /// The same.
    #[param(value_type = Option<u64>)]
    page_size: Option<Whole>,
}

impl UsageQuery {
    pub(crate) fn filter(&self) -> Result<UsageFilter, GatewayError> {
        check_zone(self.tz.as_deref())?;
        Ok(UsageFilter {
            user_id: self.user_id.map(|id| UserId(id.0)),
            token_id: self.token_id.map(|id| TokenId(id.0)),
            channel_id: self.channel_id.map(|id| ChannelId(id.0)),
            model: self.model.clone(),
            from: self.from.as_deref().map(|text| moment(text, "from")).transpose()?,
            until: self.to.as_deref().map(|text| moment(text, "to")).transpose()?,
        })
    }

    pub(crate) fn before(&self) -> Option<RequestId> {
        self.cursor.clone().filter(|cursor| !cursor.is_empty()).map(RequestId)
    }

    pub(crate) fn entries(&self) -> u64 {
        entries(self.limit, self.page_size)
    }
}

/// Days are in UTC, and nothing else.
pub(super) fn check_zone(tz: Option<&str>) -> Result<(), GatewayError> {
    if tz.is_some_and(|tz| !tz.eq_ignore_ascii_case("utc")) {
        return Err(GatewayError::invalid("tz can only be UTC").about("tz"));
    }
    Ok(())
}

pub(super) fn moment(text: &str, field: &str) -> Result<Timestamp, GatewayError> {
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

/// What sums are made for, besides the day.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SumsBy {
    #[default]
    Model,
    User,
    Token,
    Channel,
}

impl From<SumsBy> for UsageGroup {
    fn from(by: SumsBy) -> Self {
        match by {
            SumsBy::Model => Self::Model,
            SumsBy::User => Self::User,
            SumsBy::Token => Self::Token,
            SumsBy::Channel => Self::Channel,
        }
    }
}

/// Which usage is summed, and what for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SumsQuery {
    /// `model` (the default), `user`, `token` or `channel`.
    #[serde(default)]
    #[param(inline)]
    pub(crate) by: SumsBy,
    /// The model, as it was asked for.
    model: Option<String>,
    /// The key.
    #[param(value_type = Option<i64>)]
    token_id: Option<Whole>,
    /// The user; for admins only.
    #[param(value_type = Option<i64>)]
    user_id: Option<Whole>,
    /// The channel; for admins only.
    #[param(value_type = Option<i64>)]
    channel_id: Option<Whole>,
    /// From this moment on, as in the list; a month ago if absent.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
    /// Days are in UTC, and nothing else.
    tz: Option<String>,
}

impl SumsQuery {
    pub(crate) fn filter(self) -> Result<UsageFilter, GatewayError> {
        let Self { by: _, model, token_id, user_id, channel_id, from, to, tz } = self;
        let rest = UsageQuery::default();
        UsageQuery { model, token_id, user_id, channel_id, from, to, tz, ..rest }.filter()
    }
}

/// A channel that was tried and failed before another one answered, or none did.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailureDto {
    channel_id: i64,
    /// The sort of failure, such as `timeout`.
    #[schema(value_type = String)]
    fault: FaultKind,
}

/// A settled call.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageRow {
    request_id: String,
    user_id: i64,
    token_id: i64,
    channel_id: Option<i64>,
    /// `settled`, `void` (no upstream accepted it) or `expired` (the gateway died under it).
    state: &'static str,
    model: String,
    upstream_model: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
    cache_write_tokens: u64,
    reasoning_tokens: u64,
    /// What tokens cost, as it was when the call was admitted.
    price: PriceDto,
    /// The version of the price table that it is from; 0: the default price.
    price_version: u64,
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
    /// Those of them that failed; for admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<Vec<FailureDto>>,
    /// Fields of the request that the provider was not given, or was given in another form.
    dropped: Vec<String>,
    latency_ms: u64,
    first_byte_ms: Option<u64>,
    created_at: String,
}

impl UsageRow {
    fn new(call: CallRecord, for_admin: bool) -> Self {
        let failures = call
            .failures
            .iter()
            .map(|failed| FailureDto { channel_id: failed.0.0, fault: failed.1 });
        Self {
            failures: for_admin.then(|| failures.collect()),
            dropped: call.dropped,
            request_id: call.request_id.0,
            user_id: call.user_id.0,
            token_id: call.token_id.0,
            channel_id: call.channel_id.map(|id| id.0),
            state: call.state.as_str(),
            model: call.model,
            upstream_model: call.upstream_model,
            prompt_tokens: call.counts.prompt,
            completion_tokens: call.counts.completion,
            cached_tokens: call.counts.cached,
            cache_write_tokens: call.counts.cache_write,
            reasoning_tokens: call.counts.reasoning,
            price: call.price.price.into(),
            price_version: call.price.version,
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

impl UsageList {
    /// What its user may see.
    pub(crate) fn of_user(page: UsagePage) -> Self {
        Self::new(page, false)
    }

    /// What an admin may see.
    pub(crate) fn of_all(page: UsagePage) -> Self {
        Self::new(page, true)
    }

    fn new(page: UsagePage, for_admin: bool) -> Self {
        Self {
            items: page.items.into_iter().map(|call| UsageRow::new(call, for_admin)).collect(),
            next_cursor: page.next_cursor.map(|id| id.0),
        }
    }
}

/// The sums of one day and one model, user, key or channel.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct UsageSumDto {
    /// The day, in UTC.
    day: String,
    /// By model: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// By user.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    /// By key.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<i64>,
    /// By channel; 0: none was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<i64>,
    requests: u64,
    /// Attempts that failed before an answer began; by channel, those of this channel.
    failures: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    quota: u64,
}

/// Sums, in all and by day and model, user, key or channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageSums {
    requests: u64,
    failures: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    quota: u64,
    items: Vec<UsageSumDto>,
}

impl UsageSums {
    pub(crate) fn new(sums: Vec<UsageSum>, by: SumsBy) -> Self {
        let total =
            |field: fn(&UsageSum) -> u64| sums.iter().map(field).fold(0, u64::saturating_add);
        Self {
            requests: total(|s| s.requests),
            failures: total(|s| s.failures),
            prompt_tokens: total(|s| s.prompt_tokens),
            completion_tokens: total(|s| s.completion_tokens),
            quota: total(|s| s.quota),
            items: sums.into_iter().map(|sum| UsageSumDto::new(sum, by)).collect(),
        }
    }
}

impl UsageSumDto {
    fn new(sum: UsageSum, by: SumsBy) -> Self {
        let id = sum.key.parse().ok();
        let dto = Self {
            day: Timestamp::start_of_day(sum.day).to_date(),
            requests: sum.requests,
            failures: sum.failures,
            prompt_tokens: sum.prompt_tokens,
            completion_tokens: sum.completion_tokens,
            quota: sum.quota,
            ..Self::default()
        };
        match by {
            SumsBy::Model => Self { model: Some(sum.key), ..dto },
            SumsBy::User => Self { user_id: id, ..dto },
            SumsBy::Token => Self { token_id: id, ..dto },
            SumsBy::Channel => Self { channel_id: id, ..dto },
        }
    }
}
