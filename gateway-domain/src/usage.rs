//! What a call used, and the row that is written of it.

use crate::{ChannelId, Credits, FaultKind, FrozenPrice, RequestId, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};

/// Tokens of one call. `cached`, `cache_write` are parts of `prompt`; `reasoning` is a part of
/// `completion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Tokens of the prompt, cached ones included.
    pub prompt: u64,
    /// Tokens of the answer, reasoning included.
    pub completion: u64,
    /// Prompt tokens that the provider had cached.
    pub cached: u64,
    /// Prompt tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// Completion tokens that were spent on reasoning.
    pub reasoning: u64,
}

impl TokenCounts {
    /// The largest count that is believed: what a provider reports beyond it is a mistake.
    pub const MOST: u64 = 1_000_000_000;

    /// So many tokens of prompt and completion, and nothing known of their parts.
    pub const fn of(prompt: u64, completion: u64) -> Self {
        Self { prompt, completion, cached: 0, cache_write: 0, reasoning: 0 }
    }

    /// The counts with every part inside its whole, and nothing beyond [`TokenCounts::MOST`].
    #[must_use]
    pub fn sane(self) -> Self {
        let prompt = self.prompt.min(Self::MOST);
        let completion = self.completion.min(Self::MOST);
        let cached = self.cached.min(prompt);
        Self {
            prompt,
            completion,
            cached,
            cache_write: self.cache_write.min(prompt - cached),
            reasoning: self.reasoning.min(completion),
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The whole answer was delivered.
    Complete,
    /// No channel accepted the call.
    Refused,
    /// The upstream reported an error in mid-stream.
    UpstreamError,
    /// The upstream's stream broke off.
    UpstreamCut,
    /// The upstream sent nothing for too long in mid-stream.
    UpstreamIdle,
    /// Nothing came in time before the answer began, or the whole call took too long.
    Timeout,
    /// The client hung up.
    ClientGone,
    /// The gateway itself ended in between.
    Orphan,
}

impl EndReason {
    /// The name that logs and stores use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamCut => "upstream_cut",
            Self::UpstreamIdle => "upstream_idle",
            Self::Timeout => "timeout",
            Self::ClientGone => "client_gone",
            Self::Orphan => "orphan",
        }
    }

    /// The reason of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Complete,
            Self::Refused,
            Self::UpstreamError,
            Self::UpstreamCut,
            Self::UpstreamIdle,
            Self::Timeout,
            Self::ClientGone,
            Self::Orphan,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == name)
    }
}

/// In which of its final states a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// An upstream accepted it, and it is charged: exactly, or by an estimate.
    Settled,
    /// No upstream accepted it: nothing is charged.
    Void,
    /// Nobody said how it ended before its hold did: it is charged what was known of it. A
    /// settlement that comes late puts that right.
    Expired,
}

impl CallState {
    /// The name that stores and users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Void => "void",
            Self::Expired => "expired",
        }
    }

    /// Reads such a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Settled, Self::Void, Self::Expired].into_iter().find(|state| state.as_str() == name)
    }
}

/// A channel that was tried and failed before another one answered, or none did. The user does
/// not pay for it; the operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt(pub ChannelId, pub FaultKind);

/// One settled call: a row of the usage log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The request.
    pub request_id: RequestId,
    /// Who pays.
    pub user_id: UserId,
    /// With which key.
    pub token_id: TokenId,
    /// Which channel answered, or was tried last.
    pub channel_id: Option<ChannelId>,
    /// The model that was asked for.
    pub model: String,
    /// The model that the upstream was asked for.
    pub upstream_model: String,
    /// In which state it is.
    pub state: CallState,
    /// What was used.
    pub counts: TokenCounts,
    /// What tokens cost, frozen when the call was admitted.
    pub price: FrozenPrice,
    /// What was charged.
    pub quota: Credits,
    /// Cost beyond what was reserved, which is not charged.
    pub unbilled: Credits,
    /// True: the counts are the gateway's estimate, because the provider reported none.
    pub estimated: bool,
    /// True: the answer was streamed.
    pub stream: bool,
    /// The HTTP status that the client got; 499 if it was gone before.
    pub status: u16,
    /// How it ended.
    pub end_reason: EndReason,
    /// How many channels were tried.
    pub attempts: u32,
    /// Those of them that failed before the answer began.
    pub failures: Vec<FailedAttempt>,
    /// The caller's fields that the provider was not given, or was given in another form.
    pub dropped: Vec<String>,
    /// From the request to its end.
    pub latency_ms: u64,
    /// From the request to the first meaningful byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// When the request came.
    pub created_at: Timestamp,
}
