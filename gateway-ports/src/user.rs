//! Where users are kept.

use crate::{AuditEntry, Page, StoreError};
use async_trait::async_trait;
use gateway_domain::{Credits, LimitsChange, Role, Timestamp, User, UserId};

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The login name.
    pub username: String,
    /// The name for people.
    pub display_name: String,
    /// The mail address.
    pub email: Option<String>,
    /// The password, hashed (PHC string).
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the password must be changed before anything else.
    pub must_change_password: bool,
    /// The first balance.
    pub granted: Credits,
    /// Now.
    pub created_at: Timestamp,
}

/// A user with the password's hash, for a login.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The user.
    pub user: User,
    /// The password, hashed (PHC string).
    pub password_hash: String,
}

/// What to change of a user; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The name for people.
    pub display_name: Option<String>,
    /// The mail address; the inner `None` removes it.
    pub email: Option<Option<String>>,
    /// A new password, hashed. It also ends `must_change_password`.
    pub password_hash: Option<String>,
    /// What the user may do.
    pub role: Option<Role>,
    /// Whether the user may log in and spend.
    pub enabled: Option<bool>,
    /// How much may be asked for with all keys together.
    pub limits: LimitsChange,
    /// Raises the session version, so that every older login ends.
    pub end_sessions: bool,
}

/// Where users are kept.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Makes a user.
    ///
    /// # Errors
    /// MUST return [`StoreError::Conflict`] if the name is taken, whatever its case.
    async fn insert(&self, user: &NewUser) -> Result<UserId, StoreError>;

    /// Makes a user of the highest role if there is none yet; false if there was one. MUST make at
    /// most one, however many calls race.
    async fn insert_first_root(&self, user: &NewUser) -> Result<bool, StoreError>;

    /// Looks a user up by id.
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Looks a user up by id, with the password's hash.
    async fn credential(&self, id: UserId) -> Result<Option<Credential>, StoreError>;

    /// Looks a user up by name, whatever its case.
    async fn find_by_username(&self, username: &str) -> Result<Option<Credential>, StoreError>;

    /// Lists users in order of ids: only those below a role, if one is given.
    async fn list(&self, below: Option<Role>, page: Page) -> Result<Vec<User>, StoreError>;

    /// Changes a user; false if there is none. MUST leave balance and counters alone.
    async fn update(
        &self,
        id: UserId,
        change: &UserChange,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Whether a user of the highest role can already work: enabled, with a password of their own.
    async fn has_ready_root(&self) -> Result<bool, StoreError>;
}
