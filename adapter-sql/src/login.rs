//! Failed logins on an SQL store.

use crate::{SqlExecutor, catalogue::login as sql, row::Record, value::args};
use async_trait::async_trait;
use gateway_domain::Timestamp;
use gateway_ports::{LoginAttempts, StoreError};
use std::sync::Arc;

/// Failed logins on an SQL store.
#[derive(Debug)]
pub struct SqlLogins<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlLogins<E> {
    /// The failed logins of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> LoginAttempts for SqlLogins<E> {
    async fn failures(
        &self,
        scope: &str,
        since: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        let arguments = args![scope, since.as_millis()];
        let rows = self.0.read(sql::LOGIN_FAILURES, arguments).await?;
        rows.first().map_or(Ok((0, None)), |row| {
            let record = row.of("login_failures", "");
            Ok((record.number("failures")?, record.optional("first_at", Record::time)?))
        })
    }

    async fn record(
        &self,
        scopes: &[String],
        at: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        let scopes = serde_json::to_string(scopes).map_err(StoreError::unavailable)?;
        let arguments = args![scopes, at.as_millis(), since.as_millis()];
        self.0.batch(&sql::RECORD, arguments).await?;
        Ok(())
    }

    async fn clear(&self, scope: &str) -> Result<(), StoreError> {
        self.0.batch(&sql::CLEAR, args![scope]).await?;
        Ok(())
    }
}
