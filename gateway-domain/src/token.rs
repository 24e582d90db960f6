//! Tokens: API keys with their limits.

use crate::{Credits, KeyDigest, Limits, ModelSet, SubnetList, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};

/// An API key's record. The key itself is not here: only its digest is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The id.
    pub id: TokenId,
    /// Whose balance it spends.
    pub user_id: UserId,
    /// The name for people.
    pub name: String,
    /// The key's digest.
    pub digest: KeyDigest,
    /// The key's first characters, for people to tell their keys apart.
    pub key_prefix: String,
    /// The key's last four characters.
    pub key_last4: String,
    /// False: revoked.
    pub enabled: bool,
    /// The most this key may ever spend; `None`: only the user's balance binds.
    pub cap: Option<Credits>,
    /// What it has spent.
    pub spent: Credits,
    /// What its open calls hold.
    pub held: Credits,
    /// Calls that were settled.
    pub request_count: u64,
    /// The models it may call.
    pub models: ModelSet,
    /// The networks it may be used from.
    pub subnet: SubnetList,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How much may be asked for with it. A copy from before there were limits has none.
    #[serde(default)]
    pub limits: Limits,
    /// Raised by every change of its limits, so that a stale copy is noticed.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Token {
    /// The most keys one user may have.
    pub const MOST_PER_USER: u64 = 1000;

    /// Whether the key has ended by `now`.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// What is left under the cap: `None` when there is none.
    pub fn available(&self) -> Option<Credits> {
        self.cap.map(|cap| cap.saturating_sub(self.spent).saturating_sub(self.held))
    }

    /// The key as people see it after its creation: `sk-abcd...wxyz`.
    pub fn masked_key(&self) -> String {
        format!("{}...{}", self.key_prefix, self.key_last4)
    }
}
