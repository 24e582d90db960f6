//! Identifiers as types, so that a token's id cannot be passed where a user's is meant.

use crate::Timestamp;
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

impl RequestId {
    /// What sorts before every id that was made at this moment or later, and behind all others.
    pub fn first_of(moment: Timestamp) -> Self {
        let millis = moment.as_millis().max(0);
        Self(format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_before_the_ids_that_were_made_at_it() {
        let moment = RequestId::first_of(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(moment.0, "018bcfe5-6800");
        assert!(moment < RequestId("018bcfe5-6800-7000-8000-000000000000".to_owned()));
        assert!(moment > RequestId("018bcfe5-67ff-7fff-bfff-ffffffffffff".to_owned()));
    }
}
