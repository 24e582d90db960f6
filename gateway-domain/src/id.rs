//! Identifiers as types, so that a token's id cannot be passed where a user's is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id!(
    /// The id of a [`User`](crate::User).
    UserId
);
row_id!(
    /// The id of a [`Token`](crate::Token), an API key with its limits.
    TokenId
);
row_id!(
    /// The id of a [`Channel`](crate::Channel).
    ChannelId
);

/// The gateway's own id of one request: a `UUIDv7`, so ids sort by time. It is the `X-Request-Id`
/// header and, on a relay, the key of the usage row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
