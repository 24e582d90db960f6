//! The executor: a queue to the writer, and a pool of readers.

use crate::{
    OpenError, SqliteOptions,
    error::{Refused, classify},
    lock,
    rows::{self, Reader},
    writer::{Command, Writer},
};
use adapter_sql::{Batch, Row, SqlError, SqlExecutor, Value};
use async_trait::async_trait;
use sqlx::{
    Executor as _, SqlitePool,
    sqlite::{SqliteArguments, SqlitePoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Runs statements on an `SQLite` database.
#[derive(Debug)]
pub struct SqliteExecutor {
    writer: mpsc::Sender<Command>,
    /// None: the writer's connection is the only one.
    readers: Option<SqlitePool>,
}

impl SqliteExecutor {
    /// Opens a database that may belong to another process, to read from it only: every batch is
    /// refused. Its schema is taken as it is.
    pub async fn open_read_only(options: &SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let readers = Some(readers(options).await?);
        // Nobody is at the other end.
        let (writer, _) = mpsc::channel(1);
        Ok(Arc::new(Self { writer, readers }))
    }

    /// Opens a database, alone in the world, and brings its schema up to date.
    pub async fn open(options: &SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let lock = options.file()?.as_deref().map(lock::take).transpose()?;
        let writer = Writer::connect(options, lock).await?;
        // After the migration: a reader must not remember an older schema.
        let readers = if options.in_memory() { None } else { Some(readers(options).await?) };
        let (sender, receiver) = mpsc::channel(options.queue.max(1));
        #[expect(
            clippy::disallowed_methods,
            reason = "the writer is this adapter's own; it ends when the executor is closed or dropped"
        )]
        tokio::spawn(writer.run(receiver));
        Ok(Arc::new(Self { writer: sender, readers }))
    }

    /// Finishes what was queued, moves the write-ahead log into the database and closes it. Close
    /// what uses it first: later statements fail.
    pub async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        let (reply, closed) = oneshot::channel();
        if self.writer.send(Command::Close { reply }).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, SqlError>>) -> Command,
    ) -> Result<T, SqlError> {
        let (reply, answer) = oneshot::channel();
        self.writer.try_send(command(reply)).map_err(|error| {
            SqlError::unavailable(match error {
                mpsc::error::TrySendError::Full(_) => Refused::QueueFull,
                mpsc::error::TrySendError::Closed(_) => Refused::Closed,
            })
        })?;
        answer.await.map_err(|_| SqlError::unavailable(Refused::Closed))?
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SqlExecutor for SqliteExecutor {
    async fn read(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        let Some(readers) = &self.readers else {
            return self.ask(|reply| Command::Read { sql, args, reply }).await;
        };
        let mut connection = readers.acquire().await.map_err(classify)?;
        fetch(&mut connection, sql, rows::bind(args, 0)?).await
    }

    async fn batch(
        &self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        self.ask(|reply| Command::Batch { batch, args, reply }).await
    }
}

/// Connections that read.
async fn readers(options: &SqliteOptions) -> Result<SqlitePool, OpenError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(options.read_connections.max(1))
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false);
    Ok(pool.connect_with(options.reader()?).await?)
}

/// The rows of one statement.
pub(crate) async fn fetch(
    connection: &mut sqlx::SqliteConnection,
    sql: &'static str,
    args: SqliteArguments,
) -> Result<Vec<Row>, SqlError> {
    let rows = connection.fetch_all(sqlx::query_with(sql, args)).await.map_err(classify)?;
    let mut reader = Reader::default();
    rows.iter().map(|row| reader.row(row)).collect()
}
