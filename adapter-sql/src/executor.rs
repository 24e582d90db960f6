//! What a store must be able to do: run a statement, or several as one transaction.

use crate::{Row, Value};
use async_trait::async_trait;
use gateway_ports::StoreError;
use std::sync::Arc;

/// Statements that are one transaction, with one list of numbered parameters for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The statements, in order.
    pub statements: &'static [&'static str],
    /// Whether delivering it twice comes to the same as once. Only then may an executor repeat it
    /// by itself when it cannot know whether the first delivery arrived.
    pub replayable: bool,
}

impl Batch {
    /// A batch that may be delivered again.
    pub const fn replayable(statements: &'static [&'static str]) -> Self {
        Self { statements, replayable: true }
    }

    /// A batch that must not be delivered again unless the first delivery certainly failed.
    pub const fn once(statements: &'static [&'static str]) -> Self {
        Self { statements, replayable: false }
    }
}

/// Runs statements. It knows binding, reading rows and classifying errors, and no table's name.
#[async_trait]
pub trait SqlExecutor: Send + Sync {
    /// Runs one statement that only reads.
    async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError>;

    /// Runs all statements of a batch as one transaction, and returns the rows of each. Each
    /// statement may use any of the parameters `?1` to `?n`.
    async fn batch(
        &self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> SqlExecutor for Arc<E> {
    async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        (**self).read(sql, args).await
    }

    async fn batch(
        &self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        (**self).batch(batch, args).await
    }
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// A UNIQUE or PRIMARY KEY constraint.
    #[error("it exists already")]
    Conflict,
    /// Another constraint, or a value of a type that was never written.
    #[error("{0}")]
    Corrupt(String),
    /// Everything else: the store is away, full or busy, or refuses the statement.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SqlError {
    /// A failure that may pass.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Conflict => Self::Conflict,
            SqlError::Corrupt(what) => Self::Corrupt(what),
            SqlError::Unavailable(source) => Self::Unavailable(source),
        }
    }
}
