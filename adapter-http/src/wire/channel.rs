//! Channels on the wire.

use super::{enabled, health::HealthDto};
use gateway_app::{
    GatewayError,
    manage::{channel_test::ChannelTest, channels::ChannelRequest},
};
use gateway_domain::{
    Channel, FaultKind, ModelMapping, ModelName, ModelSet, ProviderKind, policy::health::Report,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A channel. Of its key only the last four characters are shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelDto {
    id: i64,
    name: String,
    /// 1 `OpenAI`, 99 custom, or the name of a registered provider.
    #[serde(rename = "type")]
    #[schema(value_type = Value)]
    kind: ProviderKind,
    base_url: String,
    key_hint: String,
    /// Comma-separated names and patterns; empty: every model.
    models: String,
    #[schema(value_type = BTreeMap<String, String>)]
    model_mapping: ModelMapping,
    #[schema(value_type = Object)]
    config: Map<String, Value>,
    /// 0 disabled, 1 enabled.
    status: i64,
    priority: i64,
    weight: u32,
    health: HealthDto,
    created_at: String,
    updated_at: String,
}

impl From<(Channel, Report)> for ChannelDto {
    fn from((channel, health): (Channel, Report)) -> Self {
        Self {
            id: channel.id.0,
            name: channel.name,
            kind: channel.kind,
            base_url: channel.base_url,
            key_hint: channel.key_hint,
            models: channel.models.to_string(),
            model_mapping: channel.model_mapping,
            config: channel.config,
            status: i64::from(channel.enabled),
            priority: channel.priority,
            weight: channel.weight,
            health: health.into(),
            created_at: channel.created_at.to_rfc3339(),
            updated_at: channel.updated_at.to_rfc3339(),
        }
    }
}

/// A channel that somebody wants, or a change of one: what is absent stays, or has its default.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ChannelBody {
    name: Option<String>,
    /// 1 `OpenAI`, 99 custom, or the name of a registered provider.
    #[serde(rename = "type")]
    #[schema(value_type = Option<Value>)]
    kind: Option<ProviderKind>,
    /// The provider's key. Empty in a change: the old one stays.
    key: Option<String>,
    /// Where the provider is; each type but custom has a default.
    base_url: Option<String>,
    models: Option<String>,
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    model_mapping: Option<BTreeMap<ModelName, ModelName>>,
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// 0 disabled, 1 enabled.
    #[schema(minimum = 0, maximum = 1)]
    status: Option<i64>,
    /// Higher is tried first.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    priority: Option<i64>,
    /// The share among channels of one priority.
    #[schema(maximum = 1_000_000)]
    weight: Option<u32>,
}

/// A new channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelCreated {
    pub(crate) id: i64,
}

/// A registered provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderDto {
    #[schema(value_type = Value)]
    pub(crate) id: ProviderKind,
    pub(crate) name: &'static str,
}

impl ChannelBody {
    pub(crate) fn try_into_domain(self) -> Result<ChannelRequest, GatewayError> {
        let models = self
            .models
            .as_deref()
            .map(ModelSet::parse)
            .transpose()
            .map_err(|e| GatewayError::invalid(e.to_string()).about("models"))?;
        Ok(ChannelRequest {
            name: self.name,
            kind: self.kind,
            key: self.key.map(SecretString::from),
            base_url: self.base_url,
            models,
            model_mapping: self.model_mapping.map(ModelMapping::new),
            config: self.config,
            enabled: enabled(self.status)?,
            priority: self.priority,
            weight: self.weight,
        })
    }
}

/// Which model to ask.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChannelTestQuery {
    /// The model, as callers name it; the first that the channel names if absent.
    pub(crate) model: Option<String>,
}

/// What a test came to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelTestDto {
    /// Whether the channel answered as it should.
    ok: bool,
    model: String,
    latency_ms: u64,
    /// What went wrong, as the upstream said it, without anything secret.
    error: Option<ChannelTestError>,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelTestError {
    /// The sort of failure, such as `auth` or `timeout`.
    #[schema(value_type = String)]
    fault: FaultKind,
    message: String,
    /// The provider's own code.
    code: Option<String>,
}

impl From<ChannelTest> for ChannelTestDto {
    fn from(test: ChannelTest) -> Self {
        Self {
            ok: test.fault.is_none(),
            model: test.model,
            latency_ms: u64::try_from(test.latency.as_millis()).unwrap_or(u64::MAX),
            error: test.fault.map(|fault| ChannelTestError {
                fault: fault.kind,
                message: fault.message,
                code: fault.code,
            }),
        }
    }
}
