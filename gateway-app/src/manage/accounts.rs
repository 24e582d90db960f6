//! One's own account: registering, logging in, changing the password.

use super::{check_email, check_name};
use crate::{
    ErrorKind, Gateway, GatewayError, RequestContext, password::is_outdated, session::Session,
};
use gateway_domain::{Role, Timestamp, User, UserId, user, user::BadCredentials};
use gateway_ports::{AuditAction, AuditEntry, NewUser, StoreError, UserChange};
use std::{net::IpAddr, time::Duration};

const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Behind this a login that has begun is one that failed.
const LONGEST_LOGIN: Duration = Duration::from_secs(2);
const MOST_PER_ACCOUNT: u64 = 5;
const MOST_PER_ADDRESS: u64 = 20;

/// Somebody who wants an account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The login name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The mail address.
    pub email: Option<String>,
}

/// What one may change of one's own account.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// The name for people.
    pub display_name: Option<String>,
    /// The mail address; the inner `None` removes it.
    pub email: Option<Option<String>>,
    /// A new password.
    pub password: Option<String>,
    /// The current password, which a new one needs.
    pub current_password: Option<String>,
}

/// A login.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: User,
    /// The token that says so.
    pub token: String,
}

impl From<BadCredentials> for GatewayError {
    fn from(bad: BadCredentials) -> Self {
        let (code, param) = match bad {
            BadCredentials::Username => ("invalid_username", "username"),
            BadCredentials::Password => ("weak_password", "password"),
        };
        Self::new(ErrorKind::Invalid, code, bad.to_string()).about(param)
    }
}

impl Gateway {
    /// Makes an account.
    pub async fn register(&self, new: Registration) -> Result<UserId, GatewayError> {
        let parts = &*self.0;
        let settings = parts.store.settings.load().await?;
        if !settings.registration_open.unwrap_or(parts.config.registration_open) {
            return Err(GatewayError::new(
                ErrorKind::Forbidden,
                "registration_closed",
                "registration is closed",
            ));
        }
        user::check_username(&new.username)?;
        user::check_password(&new.password)?;
        if let Some(email) = &new.email {
            check_email(email)?;
        }
        let taken =
            || GatewayError::new(ErrorKind::Conflict, "username_taken", "the username is taken");
        if parts.store.users.find_by_username(&new.username).await?.is_some() {
            return Err(taken());
        }
        let password_hash = self.hash_password(new.password).await?;
        let user = NewUser {
            display_name: new.username.clone(),
            username: new.username,
            email: new.email,
            password_hash,
            role: Role::User,
            must_change_password: false,
            granted: settings.new_user_quota.unwrap_or(parts.config.new_user_quota),
            created_at: self.now(),
        };
        match parts.store.users.insert(&user).await {
            Err(StoreError::Conflict) => Err(taken()),
            other => Ok(other?),
        }
    }

    /// Logs in. The answer is the same whether the name or the password is wrong.
    pub async fn login(
        &self,
        username: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<Login, GatewayError> {
        let users = &self.0.store.users;
        let wrong = || {
            GatewayError::new(
                ErrorKind::Unauthenticated,
                "invalid_credentials",
                "wrong username or password",
            )
        };
        if username.len() > 64 || password.len() > 1024 {
            return Err(wrong());
        }
        let account = format!("user:{}", username.to_ascii_lowercase());
        let place = address.map(|ip| format!("address:{ip}"));
        let now = self.now();
        self.begin_login(&account, place.as_deref(), now).await?;
        let found = users.find_by_username(username).await?;
        let hash = found.as_ref().map(|c| c.password_hash.clone());
        let logins = &self.0.store.logins;
        let scopes =
            |account: Option<&String>| account.into_iter().chain(&place).cloned().collect();
        let outdated = hash.as_deref().is_some_and(is_outdated).then(|| password.clone());
        let Some(fits) = self.0.runtime.hasher.verify(password, hash).await else {
            // Nothing was guessed.
            let all: Vec<String> = scopes(Some(&account));
            logins.take_back(&all, now).await?;
            return Err(busy());
        };
        let credential = found.filter(|_| fits).ok_or_else(wrong)?;
        logins.clear(&account).await?;
        let rest: Vec<String> = scopes(None);
        logins.take_back(&rest, now).await?;
        if !credential.user.enabled {
            return Err(gateway_domain::policy::admission::Denied::UserDisabled.into());
        }
        if let Some(password) = outdated {
            self.rehash(credential.user.id, password, now).await;
        }
        let token = self.issue(&credential.user)?;
        Ok(Login { user: credential.user, token })
    }

    /// Keeps a password under today's parameters. No login fails for it: the next one comes here too.
    async fn rehash(&self, id: UserId, password: String, now: Timestamp) {
        let Some(hash) = self.0.runtime.hasher.hash(password).await else {
            return;
        };
        let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
        let mut entry = AuditEntry::new(self.new_request_id(), now, AuditAction::UserUpdate);
        entry.detail.insert("password".to_owned(), "hashed anew".into());
        if let Err(error) = self.0.store.users.update(id, &change, &entry).await {
            tracing::warn!(user_id = id.0, %error, "a password could not be hashed anew");
        }
    }

    /// Counts a login as failed before its password is looked at: of guesses that are made at once
    /// no more get through than of others.
    async fn begin_login(
        &self,
        account: &str,
        place: Option<&str>,
        now: Timestamp,
    ) -> Result<(), GatewayError> {
        let account = (account.to_owned(), MOST_PER_ACCOUNT);
        let place = place.map(|place| (place.to_owned(), MOST_PER_ADDRESS));
        let scopes: Vec<_> = [account].into_iter().chain(place).collect();
        let full = self.0.store.logins.begin(&scopes, now, now.minus(WINDOW)).await?;
        let Some(first) = full else {
            return Ok(());
        };
        // The first may not be over yet, and not have failed.
        let wait = if now.since(first) < LONGEST_LOGIN { Duration::ZERO } else { WINDOW };
        Err(GatewayError::new(
            ErrorKind::TooMany,
            "too_many_attempts",
            "too many failed logins; wait a while",
        )
        .retry_after(first.plus(wait).since(now).max(Duration::from_secs(1))))
    }

    /// Changes one's own account. A new password ends every older login; the answer is a new one.
    pub async fn change_account(
        &self,
        user: &User,
        change: AccountChange,
        context: &RequestContext,
    ) -> Result<Login, GatewayError> {
        if user.must_change_password && change.password.is_none() {
            return Err(gateway_domain::policy::admission::Denied::PasswordChangeRequired.into());
        }
        if let Some(name) = &change.display_name {
            check_name(name, "display_name")?;
        }
        if let Some(Some(email)) = &change.email {
            check_email(email)?;
        }
        let mut stored = UserChange {
            display_name: change.display_name,
            email: change.email,
            ..UserChange::default()
        };
        if let Some(password) = change.password {
            let current = change.current_password.ok_or_else(|| {
                GatewayError::invalid("a new password needs current_password")
                    .about("current_password")
            })?;
            user::check_password(&password)?;
            self.confirm_password(user.id, current.clone()).await?;
            if current == password {
                return Err(BadCredentials::Password.into());
            }
            stored.password_hash = Some(self.hash_password(password).await?);
            stored.end_sessions = true;
        }
        self.store_user_change(user, user.id, &stored, context).await?;
        let user = self.0.store.users.find(user.id).await?.ok_or_else(GatewayError::not_found)?;
        let token = self.issue(&user)?;
        Ok(Login { user, token })
    }

    async fn confirm_password(&self, id: UserId, password: String) -> Result<(), GatewayError> {
        let credential =
            self.0.store.users.credential(id).await?.ok_or_else(GatewayError::not_found)?;
        match self.0.runtime.hasher.verify(password, Some(credential.password_hash)).await {
            Some(true) => Ok(()),
            Some(false) => Err(GatewayError::new(
                ErrorKind::Forbidden,
                "wrong_password",
                "current_password is wrong",
            )),
            None => Err(busy()),
        }
    }

    pub(crate) async fn hash_password(&self, password: String) -> Result<String, GatewayError> {
        self.0.runtime.hasher.hash(password).await.ok_or_else(busy)
    }

    fn issue(&self, user: &User) -> Result<String, GatewayError> {
        let session = Session { user: user.id, version: user.session_version };
        self.0.sessions.issue(session, self.now(), self.0.config.session_life).ok_or_else(|| {
            GatewayError::new(ErrorKind::Internal, "internal_error", "the login cannot be signed")
        })
    }
}

fn busy() -> GatewayError {
    GatewayError::new(ErrorKind::Unavailable, "busy", "too many passwords are being checked")
        .retry_after(Duration::from_secs(1))
}
