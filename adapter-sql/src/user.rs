//! Users on an SQL store.

use crate::{
    Row, SqlExecutor, audit,
    catalogue::user as sql,
    row::Record,
    value::{args, count},
};
use async_trait::async_trait;
use gateway_domain::{Limits, Role, User, UserId};
use gateway_ports::{
    AuditEntry, Credential, NewUser, Page, StoreError, UserChange, UserRepository,
};
use std::sync::Arc;

/// Users on an SQL store.
#[derive(Debug)]
pub struct SqlUsers<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlUsers<E> {
    /// The users of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> UserRepository for SqlUsers<E> {
    async fn insert(&self, user: &NewUser) -> Result<UserId, StoreError> {
        let results = self.0.batch(&sql::INSERT, arguments(user)).await?;
        match results.iter().flatten().next() {
            Some(row) => Ok(UserId(row.number("id")?)),
            None => Err(StoreError::Corrupt("users: an insert gave no id".into())),
        }
    }

    async fn insert_first_root(&self, user: &NewUser) -> Result<bool, StoreError> {
        let results = self.0.batch(&sql::INSERT_FIRST_ROOT, arguments(user)).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let rows = self.0.read(sql::USER_BY_ID, args![id.0]).await?;
        rows.first().map(user).transpose()
    }

    async fn credential(&self, id: UserId) -> Result<Option<Credential>, StoreError> {
        let rows = self.0.read(sql::USER_CREDENTIAL_BY_ID, args![id.0]).await?;
        rows.first().map(credential).transpose()
    }

    async fn find_by_username(&self, username: &str) -> Result<Option<Credential>, StoreError> {
        let rows = self.0.read(sql::USER_CREDENTIAL_BY_USERNAME, args![username]).await?;
        rows.first().map(credential).transpose()
    }

    async fn list(&self, below: Option<Role>, page: Page) -> Result<Vec<User>, StoreError> {
        let arguments = args![below.map(Role::code), count(page.limit), count(page.offset)];
        let rows = self.0.read(sql::USER_LIST, arguments).await?;
        rows.iter().map(user).collect()
    }

    async fn update(
        &self,
        id: UserId,
        change: &UserChange,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let arguments = args![
            id.0,
            change.display_name.clone(),
            change.email.is_some(),
            change.email.clone().flatten(),
            change.password_hash.clone(),
            change.role.map(Role::code),
            change.enabled,
            change.end_sessions,
            audit::parameter(entry)?,
            change.limits.rpm.map(count),
            change.limits.tpm.map(count),
            change.limits.concurrency.map(count),
        ];
        let results = self.0.batch(&sql::UPDATE, arguments).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }

    async fn has_ready_root(&self) -> Result<bool, StoreError> {
        let rows = self.0.read(sql::USER_HAS_READY_ROOT, args![]).await?;
        rows.first().map_or(Ok(false), |row| row.of("users", "").bool("ready"))
    }
}

fn arguments(user: &NewUser) -> Vec<crate::Value> {
    args![
        user.username.clone(),
        user.display_name.clone(),
        user.email.clone(),
        user.password_hash.clone(),
        user.role.code(),
        user.must_change_password,
        user.granted,
        user.created_at.as_millis(),
    ]
}

fn credential(row: &Row) -> Result<Credential, StoreError> {
    Ok(Credential {
        user: user(row)?,
        password_hash: row.of("users", "user_").text("password_hash")?,
    })
}

/// Reads the limits of a user or a key.
pub(crate) fn limits(record: &Record<'_>) -> Result<Limits, StoreError> {
    Ok(Limits {
        rpm: record.number("rpm_limit")?,
        tpm: record.number("tpm_limit")?,
        concurrency: record.number("concurrency_limit")?,
    })
}

/// Reads a user from the columns that start with `user_`.
pub(crate) fn user(row: &Row) -> Result<User, StoreError> {
    let record = row.of("users", "user_");
    Ok(User {
        id: UserId(record.int("id")?),
        username: record.text("username")?,
        display_name: record.text("display_name")?,
        email: record.optional("email", Record::text)?,
        role: Role::from_code(record.int("role")?)
            .ok_or_else(|| record.corrupt("role", "is unknown"))?,
        enabled: record.bool("enabled")?,
        must_change_password: record.bool("must_change_password")?,
        session_version: record.int("session_version")?,
        granted: record.credits("granted")?,
        spent: record.credits("spent")?,
        held: record.credits("held")?,
        request_count: record.number("request_count")?,
        limits: limits(&record)?,
        created_at: record.time("created_at")?,
    })
}
