//! What can go wrong between the gateway and a provider.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A provider's failure, in the gateway's own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of failure it is.
    pub kind: FaultKind,
    /// What the provider said, without anything that looks like a key. Empty if it said nothing.
    pub message: String,
    /// The provider's own code, for a fault of the caller's.
    pub code: Option<String>,
    /// Which of the caller's fields is at fault, if the provider named it.
    pub param: Option<String>,
    /// How long the provider asked to wait.
    pub retry_after: Option<Duration>,
}

/// The sorts of failure. Each says whose fault it is and whether another channel is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No connection: refused, no such host, TLS. Another channel is tried.
    Unreachable,
    /// The address is not one that a channel may point at. Another channel is tried.
    Blocked,
    /// The channel cannot be used as it is set up. Another channel is tried.
    Misconfigured,
    /// Nothing came in time. Another channel is tried.
    Timeout,
    /// The channel's key is not accepted (401). Another channel is tried.
    Auth,
    /// The channel's account has no money (402). Another channel is tried.
    Payment,
    /// The channel's account may not do this (403). Another channel is tried.
    Permission,
    /// The upstream has no such model (404, 410). Another channel is tried.
    NotFound,
    /// The upstream has no model of the name that the operator gave it: that of a mapping, or of a
    /// deployment. Another channel is tried.
    Misnamed,
    /// Too many calls (429). Another channel is tried.
    RateLimited,
    /// The channel's account has used up what it may use (429, with a code that says so): waiting
    /// for seconds does not help. Another channel is tried.
    Quota,
    /// The upstream is overloaded (503, 529). Another channel is tried.
    Overloaded,
    /// The upstream failed (other 5xx). Another channel is tried.
    Server,
    /// The request met another one (409). Another channel is tried, once.
    Conflict,
    /// The answer is not what the dialect says: HTML, an empty body, a cut answer. Another channel
    /// is tried, once.
    Malformed,
    /// The answer was a redirect, which is never followed. Another channel is tried.
    Redirect,
    /// The request is too large for the upstream (413). The caller's fault.
    TooLarge,
    /// The upstream refused the request as such (400, 422). The caller's fault.
    Rejected,
}

impl Fault {
    /// A fault about which the provider said nothing more.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, param: None, retry_after: None }
    }
}

/// A fault about which the provider said nothing at all.
impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self::new(kind, String::new())
    }
}

impl FaultKind {
    /// The name that usage rows and metrics have.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
            Self::Misconfigured => "misconfigured",
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::Payment => "payment",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::Misnamed => "misnamed",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Overloaded => "overloaded",
            Self::Server => "server",
            Self::Conflict => "conflict",
            Self::Malformed => "malformed",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
        }
    }

    /// Whether another channel might do better.
    pub fn is_retryable(self) -> bool {
        !matches!(self, Self::TooLarge | Self::Rejected)
    }

    /// Whether it is worth a single other channel, and no third.
    pub fn is_retryable_once(self) -> bool {
        matches!(self, Self::Malformed | Self::Conflict)
    }

    /// The fault of an answer's HTTP status; `None` for a success.
    pub fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            200..=299 => return None,
            300..=399 => Self::Redirect,
            401 => Self::Auth,
            402 => Self::Payment,
            403 => Self::Permission,
            // What is not there may also be the address: the body tells.
            404 | 405 | 410 => Self::NotFound,
            // 522 and 524: a front end's words for an upstream that did not answer in time.
            408 | 504 | 522 | 524 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            // It is not of the caller's making.
            409 => Self::Conflict,
            // A connection that was given up.
            499 => Self::Server,
            400..=499 => Self::Rejected,
            503 | 529 => Self::Overloaded,
            500..=599 => Self::Server,
            _ => Self::Malformed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_fault_is_not_retried_and_a_channels_is() {
        for (status, retry) in [
            (400, false),
            (413, false),
            (422, false),
            (401, true),
            (402, true),
            (403, true),
            (404, true),
            (408, true),
            (409, true),
            (429, true),
            (500, true),
            (502, true),
            (503, true),
            (529, true),
            (405, true),
            (410, true),
            (499, true),
            (524, true),
            (302, true),
            (101, true),
        ] {
            assert_eq!(FaultKind::of_status(status).unwrap().is_retryable(), retry, "{status}");
        }
        assert_eq!(FaultKind::of_status(200), None);
    }
}
