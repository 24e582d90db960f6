//! The labels of metrics: only names of which there are few.

use gateway_app::health::ChannelState;
use gateway_domain::{CallRecord, FaultKind, Operation};
use gateway_ports::observer::{Attempt, CallSeen, Refused};
use prometheus_client::encoding::EncodeLabelSet;

/// What an operation is called.
fn route(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat => "chat",
        Operation::Embeddings => "embeddings",
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RouteLabels {
    route: &'static str,
}

impl RouteLabels {
    pub(super) fn of(call: &CallSeen) -> Self {
        Self { route: route(call.operation) }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ModelLabels {
    model: String,
}

impl ModelLabels {
    pub(super) fn of(call: &CallSeen) -> Self {
        Self { model: call.served_as.clone() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct TokenLabels {
    kind: &'static str,
    model: String,
}

impl TokenLabels {
    pub(super) fn of(kind: &'static str, call: &CallSeen) -> Self {
        Self { kind, model: call.served_as.clone() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RequestLabels {
    route: &'static str,
    model: String,
    /// The channel that had the call last; `none` if none had it.
    channel: String,
    status: u16,
}

impl RequestLabels {
    pub(super) fn of(call: &CallSeen, record: &CallRecord) -> Self {
        Self {
            route: route(call.operation),
            model: call.served_as.clone(),
            channel: record.channel_id.map_or_else(|| "none".to_owned(), |id| id.to_string()),
            status: record.status,
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RefusalLabels {
    /// `none`: nothing was looked at but the key.
    route: &'static str,
    code: String,
    status: u16,
}

impl RefusalLabels {
    pub(super) fn of(refused: &Refused<'_>) -> Self {
        Self {
            route: refused.operation.map_or("none", route),
            code: refused.code.to_owned(),
            status: refused.status,
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ErrorLabels {
    channel: String,
    kind: &'static str,
}

impl ErrorLabels {
    pub(super) fn of(attempt: &Attempt, kind: FaultKind) -> Self {
        Self { channel: attempt.channel.to_string(), kind: kind.as_str() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ChannelLabels {
    channel: String,
    model: String,
    state: &'static str,
}

impl ChannelLabels {
    pub(super) fn of(one: &ChannelState) -> Self {
        Self {
            channel: one.channel.to_string(),
            model: one.model.clone().unwrap_or_else(|| "*".to_owned()),
            state: one.state.as_str(),
        }
    }
}
