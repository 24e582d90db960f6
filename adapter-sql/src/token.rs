//! API keys on an SQL store.

use crate::{
    Row, SqlExecutor, audit,
    catalogue::token as sql,
    row::Record,
    user,
    value::{args, count},
};
use async_trait::async_trait;
use gateway_domain::{KeyDigest, ModelSet, SubnetList, Timestamp, Token, TokenId, UserId};
use gateway_ports::{
    AuditEntry, NewToken, Page, Principal, StoreError, TokenChange, TokenChanged, TokenRepository,
};
use std::sync::Arc;

/// API keys on an SQL store.
#[derive(Debug)]
pub struct SqlTokens<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlTokens<E> {
    /// The keys of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> TokenRepository for SqlTokens<E> {
    async fn insert(
        &self,
        token: &NewToken,
        most: u64,
        entry: &AuditEntry,
    ) -> Result<Option<TokenId>, StoreError> {
        let arguments = args![
            token.user_id.0,
            token.name.clone(),
            token.digest.to_hex(),
            token.key_prefix.clone(),
            token.key_last4.clone(),
            token.cap,
            token.models.to_string(),
            token.subnet.to_string(),
            token.expires_at.map(Timestamp::as_millis),
            entry.at.as_millis(),
            count(most),
            audit::parameter(entry)?,
            count(token.limits.rpm),
            count(token.limits.tpm),
            count(token.limits.concurrency),
        ];
        let results = self.0.batch(&sql::INSERT, arguments).await?;
        results.iter().flatten().next().map(|row| row.number("id").map(TokenId)).transpose()
    }

    async fn find_by_digest(&self, digest: &KeyDigest) -> Result<Option<Principal>, StoreError> {
        let rows = self.0.read(sql::TOKEN_BY_DIGEST, args![digest.to_hex()]).await?;
        rows.first().map(principal).transpose()
    }

    async fn find(&self, owner: UserId, id: TokenId) -> Result<Option<Token>, StoreError> {
        let rows = self.0.read(sql::TOKEN_BY_ID, args![owner.0, id.0]).await?;
        rows.first().map(token).transpose()
    }

    async fn find_any(&self, id: TokenId) -> Result<Option<Principal>, StoreError> {
        let rows = self.0.read(sql::TOKEN_OF_ANYBODY, args![id.0]).await?;
        rows.first().map(principal).transpose()
    }

    async fn list(&self, owner: UserId, page: Page) -> Result<Vec<Token>, StoreError> {
        let arguments = args![owner.0, count(page.limit), count(page.offset)];
        let rows = self.0.read(sql::TOKEN_LIST, arguments).await?;
        rows.iter().map(token).collect()
    }

    async fn update(
        &self,
        owner: UserId,
        id: TokenId,
        change: &TokenChange,
        entry: &AuditEntry,
    ) -> Result<TokenChanged, StoreError> {
        let arguments = args![
            owner.0,
            id.0,
            entry.at.as_millis(),
            change.name.clone(),
            change.enabled,
            change.cap.is_some(),
            change.cap.flatten(),
            change.models.as_ref().map(ToString::to_string),
            change.subnet.as_ref().map(ToString::to_string),
            change.expires_at.is_some(),
            change.expires_at.flatten().map(Timestamp::as_millis),
            audit::parameter(entry)?,
            change.limits.rpm.map(count),
            change.limits.tpm.map(count),
            change.limits.concurrency.map(count),
        ];
        let results = self.0.batch(&sql::UPDATE, arguments).await?;
        // The first result is that of the entry.
        let mut rows = results.iter().skip(1).map(|rows| !rows.is_empty());
        Ok(match (rows.next(), rows.next()) {
            (Some(true), _) => TokenChanged::Changed,
            (_, Some(true)) => TokenChanged::BelowUse,
            _ => TokenChanged::NotFound,
        })
    }

    async fn delete(
        &self,
        owner: UserId,
        id: TokenId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let arguments = args![owner.0, id.0, audit::parameter(entry)?];
        let results = self.0.batch(&sql::DELETE, arguments).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }
}

/// Reads a key and its user.
fn principal(row: &Row) -> Result<Principal, StoreError> {
    Ok(Principal { user: user::user(row)?, token: token(row)? })
}

/// Reads a key from the columns that start with `token_`.
fn token(row: &Row) -> Result<Token, StoreError> {
    let record = row.of("tokens", "token_");
    Ok(Token {
        id: TokenId(record.int("id")?),
        user_id: UserId(record.int("user_id")?),
        name: record.text("name")?,
        digest: record.parsed("digest", |hex| KeyDigest::try_from(hex).ok())?,
        key_prefix: record.text("key_prefix")?,
        key_last4: record.text("key_last4")?,
        enabled: record.bool("enabled")?,
        cap: record.optional("cap", Record::credits)?,
        spent: record.credits("spent")?,
        held: record.credits("held")?,
        request_count: record.number("request_count")?,
        models: record.parsed("models", |text| ModelSet::parse(&text).ok())?,
        subnet: record.parsed("subnet", |text| SubnetList::parse(&text).ok())?,
        expires_at: record.optional("expires_at", Record::time)?,
        limits: user::limits(&record)?,
        revision: record.int("revision")?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
    })
}
