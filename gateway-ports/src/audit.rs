//! Who did what to which object, when and from where.
//!
//! Nothing is written here: an entry goes with the change it records, as the last parameter of the
//! method that makes it, and the store writes both in one act or neither. An entry has no secrets:
//! of a key or a password it says that it changed.

use crate::StoreError;
use async_trait::async_trait;
use gateway_domain::{RequestId, Timestamp, UserId};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// What a change is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditObject {
    /// A user, balance included.
    User,
    /// An API key.
    Token,
    /// A channel.
    Channel,
    /// A version of the price table.
    Prices,
    /// The settings, of which there is one.
    Settings,
}

impl AuditObject {
    const ALL: [Self; 5] = [Self::User, Self::Token, Self::Channel, Self::Prices, Self::Settings];

    /// The name that stores and users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
            Self::Channel => "channel",
            Self::Prices => "prices",
            Self::Settings => "settings",
        }
    }

    /// The object of a name, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.as_str() == name)
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditAction {
    /// An account is changed: name, mail, password, role, status.
    UserUpdate,
    /// A user's balance is changed.
    UserBalance,
    /// An API key is made.
    TokenCreate,
    /// An API key is changed.
    TokenUpdate,
    /// An API key is deleted.
    TokenDelete,
    /// A channel is made.
    ChannelCreate,
    /// A channel is changed.
    ChannelUpdate,
    /// A channel's key is encrypted with a newer master key.
    ChannelRekey,
    /// A channel is deleted.
    ChannelDelete,
    /// The price table is replaced.
    PricesReplace,
    /// The settings are changed.
    SettingsUpdate,
}

impl AuditAction {
    const ALL: [Self; 11] = [
        Self::UserUpdate,
        Self::UserBalance,
        Self::TokenCreate,
        Self::TokenUpdate,
        Self::TokenDelete,
        Self::ChannelCreate,
        Self::ChannelUpdate,
        Self::ChannelRekey,
        Self::ChannelDelete,
        Self::PricesReplace,
        Self::SettingsUpdate,
    ];

    /// The name that stores and users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserUpdate => "user.update",
            Self::UserBalance => "user.balance",
            Self::TokenCreate => "token.create",
            Self::TokenUpdate => "token.update",
            Self::TokenDelete => "token.delete",
            Self::ChannelCreate => "channel.create",
            Self::ChannelUpdate => "channel.update",
            Self::ChannelRekey => "channel.rekey",
            Self::ChannelDelete => "channel.delete",
            Self::PricesReplace => "prices.replace",
            Self::SettingsUpdate => "settings.update",
        }
    }

    /// The action of a name, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// What it is done to.
    pub fn object(self) -> AuditObject {
        match self {
            Self::UserUpdate | Self::UserBalance => AuditObject::User,
            Self::TokenCreate | Self::TokenUpdate | Self::TokenDelete => AuditObject::Token,
            Self::ChannelCreate
            | Self::ChannelUpdate
            | Self::ChannelRekey
            | Self::ChannelDelete => AuditObject::Channel,
            Self::PricesReplace => AuditObject::Prices,
            Self::SettingsUpdate => AuditObject::Settings,
        }
    }
}

/// What is known of a change before it is made. Which object it is done to, the store knows.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// The request that makes the change.
    pub request_id: RequestId,
    /// Now: also the moment of the change itself.
    pub at: Timestamp,
    /// Who makes it; `None`: the gateway itself.
    pub actor: Option<UserId>,
    /// From where.
    pub address: Option<IpAddr>,
    /// What is done.
    pub action: AuditAction,
    /// What changed, without secrets.
    pub detail: Map<String, Value>,
}

impl AuditEntry {
    /// The entry of a change that the gateway makes itself, without more to say.
    pub fn new(request_id: RequestId, at: Timestamp, action: AuditAction) -> Self {
        Self { request_id, at, actor: None, address: None, action, detail: Map::new() }
    }
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Larger than those of all before.
    pub id: i64,
    /// The id of the object, or the version of the price table; the settings have none.
    pub object_id: Option<i64>,
    /// What was known before.
    pub entry: AuditEntry,
}

/// Which changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only by this user.
    pub actor: Option<UserId>,
    /// Only of this sort.
    pub action: Option<AuditAction>,
    /// Only of objects of this sort.
    pub object: Option<AuditObject>,
    /// Only of objects with this id.
    pub object_id: Option<i64>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// Where changes are read.
///
/// Whoever makes a change MUST write its entry in the same act, and MUST NOT write one for a change
/// that is refused or was made before. A request does a thing to an object once: the same entry
/// for the same object MUST be written once, however often it is delivered.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Changes, newest first, older than `before` if that is given. They are kept for ever.
    async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AuditRecord>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_that_begins_with_its_object() {
        for action in AuditAction::ALL {
            let name = action.as_str();
            assert_eq!(AuditAction::parse(name), Some(action));
            let (object, _) = name.split_once('.').unwrap();
            assert_eq!(AuditObject::parse(object), Some(action.object()));
        }
        assert_eq!(AuditAction::parse("token.steal"), None);
        assert_eq!(AuditObject::parse("token.create"), None);
    }
}
