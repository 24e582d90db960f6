//! API keys on the wire.

use super::{enabled, present};
use gateway_app::{GatewayError, manage::tokens::TokenRequest};
use gateway_domain::{Credits, LimitsChange, ModelSet, SubnetList, Timestamp, Token};
use gateway_ports::TokenChange;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An API key. The key itself is masked.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenDto {
    id: i64,
    name: String,
    /// `sk-abcd...wxyz`
    key: String,
    /// 0 disabled, 1 enabled, 2 expired.
    status: i64,
    /// The most it may spend, in units; 0: no limit of its own.
    quota: u64,
    used_quota: u64,
    request_count: u64,
    /// Comma-separated names and patterns; empty: every model.
    models: String,
    /// Comma-separated networks; empty: everywhere.
    subnet: String,
    /// Calls in any minute; 0: no limit.
    rpm_limit: u64,
    /// Tokens in any minute, those of prompts and of answers; 0: no limit.
    tpm_limit: u64,
    /// Calls at once; 0: no limit.
    concurrency_limit: u64,
    expired_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl TokenDto {
    pub(crate) fn new(token: &Token, now: Timestamp) -> Self {
        let status = match (token.enabled, token.expired(now)) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        Self {
            id: token.id.0,
            name: token.name.clone(),
            key: token.masked_key(),
            status,
            quota: token.cap.map_or(0, Credits::units),
            used_quota: token.spent.units(),
            request_count: token.request_count,
            models: token.models.to_string(),
            subnet: token.subnet.to_string(),
            rpm_limit: token.limits.rpm,
            tpm_limit: token.limits.tpm,
            concurrency_limit: token.limits.concurrency,
            expired_at: token.expires_at.map(Timestamp::to_rfc3339),
            created_at: token.created_at.to_rfc3339(),
            updated_at: token.updated_at.to_rfc3339(),
        }
    }
}

/// A key that somebody wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenCreate {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// The most it may spend, in units; 0 or absent: no limit of its own.
    #[serde(default)]
    quota: Option<u64>,
    /// Comma-separated names and patterns such as `gpt-4*`; empty: every model.
    #[serde(default)]
    models: Option<String>,
    /// Comma-separated networks such as `10.0.0.0/8`; empty: everywhere.
    #[serde(default)]
    subnet: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    expired_at: Option<String>,
    /// Calls in any minute; 0 or absent: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    rpm_limit: Option<u64>,
    /// Tokens in any minute; 0 or absent: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    tpm_limit: Option<u64>,
    /// Calls at once; 0 or absent: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    concurrency_limit: Option<u64>,
}

/// A change of a key; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenUpdate {
    #[serde(default)]
    name: Option<String>,
    /// 0 disabled, 1 enabled.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    status: Option<i64>,
    /// 0: no limit of its own.
    #[serde(default)]
    quota: Option<u64>,
    #[serde(default)]
    models: Option<String>,
    #[serde(default)]
    subnet: Option<String>,
    /// RFC 3339, or `null`: never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    expired_at: Option<Option<String>>,
    /// Calls in any minute; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    rpm_limit: Option<u64>,
    /// Tokens in any minute; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    tpm_limit: Option<u64>,
    /// Calls at once; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000)]
    concurrency_limit: Option<u64>,
}

/// A new key: the only time that it is shown whole.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenCreated {
    pub(crate) id: i64,
    pub(crate) key: String,
}

fn cap(units: u64) -> Result<Option<Credits>, GatewayError> {
    match Credits::new(units) {
        Some(Credits::ZERO) => Ok(None),
        Some(cap) => Ok(Some(cap)),
        None => Err(GatewayError::invalid("quota is at most 2^53-1").about("quota")),
    }
}

fn models(text: &str) -> Result<ModelSet, GatewayError> {
    ModelSet::parse(text).map_err(|e| GatewayError::invalid(e.to_string()).about("models"))
}

fn subnet(text: &str) -> Result<SubnetList, GatewayError> {
    SubnetList::parse(text).map_err(|e| GatewayError::invalid(e.to_string()).about("subnet"))
}

fn moment(text: &str) -> Result<Timestamp, GatewayError> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| {
        GatewayError::invalid("expired_at is a time in RFC 3339, such as 2030-01-01T00:00:00Z")
            .about("expired_at")
    })
}

impl TokenCreate {
    pub(crate) fn try_into_domain(self) -> Result<TokenRequest, GatewayError> {
        Ok(TokenRequest {
            name: self.name,
            cap: cap(self.quota.unwrap_or(0))?,
            models: models(self.models.as_deref().unwrap_or_default())?,
            subnet: subnet(self.subnet.as_deref().unwrap_or_default())?,
            expires_at: self.expired_at.as_deref().map(moment).transpose()?,
            limits: LimitsChange {
                rpm: self.rpm_limit,
                tpm: self.tpm_limit,
                concurrency: self.concurrency_limit,
            },
        })
    }
}

impl TokenUpdate {
    pub(crate) fn try_into_domain(self) -> Result<TokenChange, GatewayError> {
        Ok(TokenChange {
            name: self.name,
            enabled: enabled(self.status)?,
            cap: self.quota.map(cap).transpose()?,
            models: self.models.as_deref().map(models).transpose()?,
            subnet: self.subnet.as_deref().map(subnet).transpose()?,
            expires_at: match self.expired_at {
                None => None,
                Some(None) => Some(None),
                Some(Some(text)) => Some(Some(moment(&text)?)),
            },
            limits: LimitsChange {
                rpm: self.rpm_limit,
                tpm: self.tpm_limit,
                concurrency: self.concurrency_limit,
            },
        })
    }
}
