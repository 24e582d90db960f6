//! The books as a whole, on an SQL store.

use crate::{Batch, Row, SqlExecutor, catalogue::books as sql, value::args};
use async_trait::async_trait;
use gateway_domain::{RequestId, Timestamp};
use gateway_ports::{Books, Mismatch, StoreError};
use std::sync::Arc;

/// The books as a whole, on an SQL store.
#[derive(Debug)]
pub struct SqlBooks<E: ?Sized>(Arc<E>);

impl<E: SqlExecutor + ?Sized> SqlBooks<E> {
    /// The books of a store.
    pub fn new(executor: Arc<E>) -> Self {
        Self(executor)
    }

    /// Turn after turn, until one finds nothing to do.
    async fn repeat(&self, turn: &'static Batch, before: Timestamp) -> Result<u64, StoreError> {
        let mut sum = 0u64;
        loop {
            let results = self.0.batch(turn, args![RequestId::first_of(before).0]).await?;
            let done = match results.first().and_then(|rows| rows.first()) {
                Some(row) => row.of("calls", "").number("calls")?,
                None => 0u64,
            };
            sum = sum.saturating_add(done);
            if done == 0 {
                return Ok(sum);
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<E: SqlExecutor + ?Sized> Books for SqlBooks<E> {
    async fn verify(&self, now: Timestamp) -> Result<Vec<Mismatch>, StoreError> {
        let rows = self.0.read(sql::VERIFY, args![now.as_millis()]).await?;
        rows.iter().map(mismatch).collect()
    }

    async fn roll_up(&self, until: Timestamp) -> Result<u64, StoreError> {
        self.repeat(&sql::ROLL_UP_TURN, until).await
    }

    async fn purge(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.repeat(&sql::PURGE_TURN, before).await
    }
}

fn mismatch(row: &Row) -> Result<Mismatch, StoreError> {
    let record = row.of("books", "");
    Ok(Mismatch {
        subject: record.text("subject")?,
        what: record.text("what")?,
        found: record.int("found")?,
        expected: record.int("expected")?,
    })
}
