//! Everything that a use case can answer instead of a result: whose fault it is, a stable code for
//! programs, and a sentence for people.

use gateway_domain::{
    CallError, Fault, FaultKind,
    policy::{admission::Denied, rate::Standing, select::NoChannel},
};
use gateway_ports::{Refusal, StoreError};
use std::{borrow::Cow, fmt, time::Duration};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's: the request cannot be understood. 400; not to be retried.
    Invalid,
    /// The caller's: nobody known. 401; not to be retried.
    Unauthenticated,
    /// The caller's: known, and not allowed. 403; not to be retried.
    Forbidden,
    /// The caller's: there is no such thing, or none that they may know of. 404; not to be retried.
    NotFound,
    /// The caller's: it contradicts what is there. 409; not to be retried.
    Conflict,
    /// The caller's: too large. 413; not to be retried.
    TooLarge,
    /// The caller's: too much at once. 429; to be retried later.
    TooMany,
    /// The upstream's. 502; may be retried.
    Upstream,
    /// The upstream's: nothing came in time. 504; may be retried.
    UpstreamTimeout,
    /// The operator's: something that the gateway needs is not there. 503; may be retried.
    Unavailable,
    /// The operator's: stored data is corrupt, or a part is broken. 500; not to be retried.
    Internal,
}

impl ErrorKind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Upstream => 502,
            Self::Unavailable => 503,
            Self::UpstreamTimeout => 504,
        }
    }
}

/// A refusal or failure, to be told to the caller.
#[derive(Debug)]
pub struct GatewayError {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// For programs; it does not change.
    pub code: Cow<'static, str>,
    /// For people.
    pub message: String,
    /// The caller's field.
    pub param: Option<String>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
    /// How the limits of a minute stand, if one of them is passed.
    pub standing: Option<Box<Standing>>,
    /// What lies behind it: for the log, never for the caller.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for GatewayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| -> &(dyn std::error::Error + 'static) { source })
    }
}

impl GatewayError {
    /// An error with a code and a sentence.
    pub fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            param: None,
            retry_after: None,
            standing: None,
            source: None,
        }
    }

    /// A request that cannot be understood.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, "invalid_request", message)
    }

    /// No such thing.
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "not_found", "there is no such thing")
    }

    /// Not allowed.
    pub fn forbidden() -> Self {
        Self::new(ErrorKind::Forbidden, "forbidden", "your role does not allow this")
    }

    /// A key that is not known, whatever is wrong with it.
    pub fn invalid_api_key() -> Self {
        Self::new(ErrorKind::Unauthenticated, "invalid_api_key", "the API key is not valid")
    }

    /// The same error, about this field.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same error, to be retried after this long.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The ledger did not answer, so no upstream is called.
    pub fn ledger_unavailable(source: Option<StoreError>) -> Self {
        let error = Self::new(
            ErrorKind::Unavailable,
            "ledger_unavailable",
            "the ledger cannot be reached, so nothing was sent",
        );
        Self { source: source.map(Into::into), ..error }.retry_after(Duration::from_secs(1))
    }
}

impl From<StoreError> for GatewayError {
    fn from(error: StoreError) -> Self {
        let told = match &error {
            StoreError::Conflict => Self::new(ErrorKind::Conflict, "conflict", "it exists already"),
            StoreError::Corrupt(_) => {
                Self::new(ErrorKind::Internal, "internal_error", "stored data is corrupt")
            }
            StoreError::Unavailable(_) => Self::new(
                ErrorKind::Unavailable,
                "store_unavailable",
                "the store cannot be reached",
            ),
        };
        Self { source: Some(error.into()), ..told }
    }
}

impl From<CallError> for GatewayError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Json(_) => Self::new(ErrorKind::Invalid, "invalid_json", error.to_string()),
            CallError::Field { param, message } => {
                Self::new(ErrorKind::Invalid, "invalid_value", message).about(param)
            }
        }
    }
}

impl From<Denied> for GatewayError {
    fn from(denied: Denied) -> Self {
        let forbidden =
            |code: &'static str, message: &str| Self::new(ErrorKind::Forbidden, code, message);
        match denied {
            Denied::Revoked => Self::invalid_api_key(),
            Denied::Expired => {
                Self::new(ErrorKind::Unauthenticated, "token_expired", "the API key has expired")
            }
            Denied::UserDisabled => forbidden("account_disabled", "the account is disabled"),
            Denied::PasswordChangeRequired => forbidden(
                "password_change_required",
                "the account's password must be changed first",
            ),
            Denied::Subnet => {
                forbidden("subnet_not_allowed", "the API key may not be used from this address")
            }
            Denied::Model => {
                forbidden("model_not_allowed", "the API key may not call this model").about("model")
            }
        }
    }
}

impl From<NoChannel> for GatewayError {
    fn from(none: NoChannel) -> Self {
        match none {
            NoChannel::UnknownModel => {
                Self::new(ErrorKind::NotFound, "model_not_found", "there is no such model")
                    .about("model")
            }
            NoChannel::NoneEnabled => Self::new(
                ErrorKind::Unavailable,
                "no_available_channel",
                "no enabled channel serves this model",
            ),
            NoChannel::AllFail(wait) => Self::new(
                ErrorKind::Unavailable,
                "no_available_channel",
                "every channel that serves this model fails; it is tried again soon",
            )
            .retry_after(wait),
            NoChannel::Limited(wait) => {
                Self::from(Fault { retry_after: Some(wait), ..FaultKind::RateLimited.into() })
            }
            NoChannel::NotThere => FaultKind::NotFound.into(),
        }
    }
}

impl From<Refusal> for GatewayError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Revoked | Refusal::Stale => Self::invalid_api_key(),
            Refusal::Expired => Denied::Expired.into(),
            Refusal::UserDisabled => Denied::UserDisabled.into(),
            Refusal::Exhausted => Self::new(
                ErrorKind::Forbidden,
                "insufficient_quota",
                "not enough quota is left for this call; lower max_tokens or ask for more quota",
            ),
            Refusal::Held => Self::new(
                ErrorKind::TooMany,
                "quota_reserved",
                "enough quota is left, but calls in flight hold it",
            )
            .retry_after(Duration::from_secs(1)),
            Refusal::Duplicate => Self::new(
                ErrorKind::Conflict,
                "idempotency_conflict",
                "a call with this Idempotency-Key is in flight",
            ),
        }
    }
}

/// What is said of a sort of failure where its provider said nothing more.
impl From<FaultKind> for GatewayError {
    fn from(kind: FaultKind) -> Self {
        Fault::from(kind).into()
    }
}

/// What the caller hears of an upstream's failure. An upstream's 401 or 403 is about the channel's
/// key, so it never reaches the caller as such.
impl From<Fault> for GatewayError {
    fn from(fault: Fault) -> Self {
        use ErrorKind::{
            Invalid, NotFound, TooLarge, TooMany, Unavailable, Upstream, UpstreamTimeout,
        };
        let (kind, code, default) = match fault.kind {
            FaultKind::Unreachable => {
                (Upstream, "upstream_unreachable", "the upstream cannot be reached")
            }
            FaultKind::Blocked => {
                (Upstream, "blocked_target", "the upstream's address is not public")
            }
            FaultKind::Misconfigured => {
                (Upstream, "channel_misconfigured", "the channel cannot be used as it is set up")
            }
            FaultKind::Timeout => {
                (UpstreamTimeout, "upstream_timeout", "the upstream did not answer in time")
            }
            FaultKind::Auth => {
                (Upstream, "upstream_auth", "the upstream does not accept the channel's key")
            }
            FaultKind::Payment => {
                (Upstream, "upstream_quota", "the channel's account has no credit left")
            }
            FaultKind::Permission => {
                (Upstream, "upstream_permission", "the channel's account may not do this")
            }
            FaultKind::NotFound => (NotFound, "model_not_found", "the upstream has no such model"),
            FaultKind::Misnamed => (
                Upstream,
                "upstream_model_not_found",
                "the upstream has no model of the name that its channel knows it by",
            ),
            FaultKind::RateLimited => {
                (TooMany, "rate_limit_exceeded", "the upstream takes no more calls for now")
            }
            FaultKind::Quota => {
                (TooMany, "insufficient_quota", "the channel's account has used up what it may use")
            }
            FaultKind::Overloaded => (Unavailable, "overloaded", "the upstream is overloaded"),
            FaultKind::Server => (Upstream, "upstream_error", "the upstream failed"),
            FaultKind::Conflict => {
                (Upstream, "upstream_error", "the request met another one at the upstream")
            }
            FaultKind::Malformed => {
                (Upstream, "upstream_malformed", "the upstream's answer is not one")
            }
            FaultKind::Redirect => {
                (Upstream, "redirect_refused", "the upstream answered with a redirect")
            }
            FaultKind::TooLarge => {
                (TooLarge, "request_too_large", "the request is too large for the upstream")
            }
            FaultKind::Rejected => {
                (Invalid, "invalid_request_error", "the upstream refused the request")
            }
        };
        // About the caller's own request the upstream knows best; what it says about the
        // operator's account is the operator's business.
        let told = match fault.kind {
            FaultKind::Rejected
            | FaultKind::TooLarge
            | FaultKind::NotFound
            | FaultKind::RateLimited
                if !fault.message.is_empty() =>
            {
                fault.message
            }
            _ => default.to_owned(),
        };
        let mut error = Self::new(kind, code, told);
        if !fault.kind.is_retryable() {
            // The caller's own request: it has the field.
            error.param = fault.param;
        }
        if fault.kind == FaultKind::Rejected
            && let Some(code) = fault.code
        {
            // The provider's code is the one that programs know.
            error.code = code.into();
        }
        if matches!(fault.kind, FaultKind::RateLimited | FaultKind::Overloaded) {
            error.retry_after = Some(fault.retry_after.unwrap_or(Duration::from_secs(1)));
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_hears_of_each_sort_of_fault() {
        for (kind, status, code, told) in [
            (FaultKind::Rejected, 400, "c", true),
            (FaultKind::TooLarge, 413, "request_too_large", true),
            (FaultKind::NotFound, 404, "model_not_found", true),
            (FaultKind::Misnamed, 502, "upstream_model_not_found", false),
            (FaultKind::Auth, 502, "upstream_auth", false),
            (FaultKind::Payment, 502, "upstream_quota", false),
            (FaultKind::Permission, 502, "upstream_permission", false),
            (FaultKind::RateLimited, 429, "rate_limit_exceeded", true),
            (FaultKind::Quota, 429, "insufficient_quota", false),
            (FaultKind::Overloaded, 503, "overloaded", false),
            (FaultKind::Server, 502, "upstream_error", false),
            (FaultKind::Conflict, 502, "upstream_error", false),
            (FaultKind::Malformed, 502, "upstream_malformed", false),
            (FaultKind::Timeout, 504, "upstream_timeout", false),
            (FaultKind::Unreachable, 502, "upstream_unreachable", false),
            (FaultKind::Blocked, 502, "blocked_target", false),
            (FaultKind::Misconfigured, 502, "channel_misconfigured", false),
            (FaultKind::Redirect, 502, "redirect_refused", false),
        ] {
            let fault = Fault {
                code: Some("c".into()),
                param: Some("p".into()),
                retry_after: Some(Duration::from_millis(1500)),
                ..Fault::new(kind, "what the upstream says")
            };
            let error = GatewayError::from(fault);
            assert_eq!((error.kind.status(), error.code.as_ref()), (status, code), "{kind:?}");
            assert_eq!(error.message == "what the upstream says", told, "{kind:?}");
            let own = matches!(kind, FaultKind::Rejected | FaultKind::TooLarge);
            assert_eq!(error.param.is_some(), own, "{kind:?}");
            let waits = matches!(kind, FaultKind::RateLimited | FaultKind::Overloaded);
            let wait = waits.then_some(Duration::from_millis(1500));
            assert_eq!(error.retry_after, wait, "{kind:?}");
        }
    }
}
