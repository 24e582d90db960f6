//! Failed logins on an SQL store.

use crate::{SqlExecutor, catalogue::login as sql, value::args};
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
    async fn begin(
        &self,
        scopes: &[(String, u64)],
        at: Timestamp,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let scopes = serde_json::to_string(scopes).map_err(StoreError::unavailable)?;
        let arguments = args![scopes, at.as_millis(), since.as_millis()];
        let results = self.0.batch(&sql::BEGIN, arguments).await?;
        let full = results.first().and_then(|rows| rows.first());
        full.map(|row| row.of("login_failures", "").time("first_at")).transpose()
    }

    async fn take_back(&self, scopes: &[String], at: Timestamp) -> Result<(), StoreError> {
        let scopes = serde_json::to_string(scopes).map_err(StoreError::unavailable)?;
        self.0.batch(&sql::TAKE_BACK, args![scopes, at.as_millis()]).await?;
        Ok(())
    }

    async fn clear(&self, scope: &str) -> Result<(), StoreError> {
        self.0.batch(&sql::CLEAR, args![scope]).await?;
        Ok(())
    }
}
