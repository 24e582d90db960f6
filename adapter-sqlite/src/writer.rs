//! The writer: one task, one connection, one transaction after the other.
//!
//! A transaction is sent to the driver's thread as one text, from `BEGIN IMMEDIATE` to `COMMIT`,
//! because each trip there and back costs more than most statements.

use crate::{
    OpenError, SqliteOptions,
    error::{Refused, classify},
    executor,
    rows::{self, Reader},
};
use adapter_sql::{Batch, Row, SqlError, Value};
use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Either, Executor as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use std::{collections::HashMap, fs::File, sync::Arc};
use tokio::sync::{mpsc, oneshot};

type Reply<T> = oneshot::Sender<Result<T, SqlError>>;

/// What the writer can be asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Batch { batch: &'static Batch, args: Vec<Value>, reply: Reply<Vec<Vec<Row>>> },
    Read { sql: &'static str, args: Vec<Value>, reply: Reply<Vec<Row>> },
    Close { reply: oneshot::Sender<()> },
}

/// The connection that writes.
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    /// None after a failure that left it in an unknown state.
    connection: Option<SqliteConnection>,
    /// The text of each batch, by its address: batches are statics.
    texts: HashMap<usize, Arc<str>>,
    /// Held for as long as the connection may write.
    lock: Option<File>,
}

impl Writer {
    /// Opens the database and brings its schema up to date.
    pub(crate) async fn connect(
        options: &SqliteOptions,
        lock: Option<File>,
    ) -> Result<Self, OpenError> {
        let options = options.writer()?;
        let mut connection = options.connect().await?;
        sqlx::migrate!("../migrations").run(&mut connection).await?;
        Ok(Self { options, connection: Some(connection), texts: HashMap::new(), lock })
    }

    /// Works until it is closed, or nobody is left to ask.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.recv().await {
            // An asker who is gone does not stop what was asked.
            match command {
                Command::Batch { batch, args, reply } => {
                    let _ = reply.send(self.batch(batch, args).await);
                }
                Command::Read { sql, args, reply } => {
                    let _ = reply.send(self.read(sql, args).await);
                }
                Command::Close { reply } => {
                    self.close().await;
                    let _ = reply.send(());
                    return;
                }
            }
        }
        self.close().await;
    }

    async fn close(mut self) {
        if let Some(mut connection) = self.connection.take() {
            let checkpoint = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop);
            if let Err(error) = checkpoint.and(connection.close().await) {
                tracing::warn!(%error, "the database was not closed cleanly");
            }
        }
        drop(self.lock.take());
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, SqlError> {
        if self.connection.is_none() {
            let connection = self.options.connect().await.map_err(classify)?;
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| SqlError::unavailable(Refused::Closed))
    }

    async fn read(&mut self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        let args = rows::bind(args, 0)?;
        executor::fetch(self.connection().await?, sql, args).await
    }

    async fn batch(
        &mut self,
        batch: &'static Batch,
        args: Vec<Value>,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        let text = Arc::clone(
            self.texts
                .entry(std::ptr::from_ref(batch).addr())
                .or_insert_with(|| transaction(batch)),
        );
        let connection = self.connection().await?;
        let result = transact(connection, batch, text, args).await;
        // After a COMMIT that failed there may be no transaction any more, and then this fails
        // too: a new connection is certain not to have one.
        let undone = result.is_ok() || connection.execute("ROLLBACK").await.is_ok();
        // A database in memory, which has no lock, lives and dies with its connection.
        if !undone && self.lock.is_some() {
            self.connection = None;
        }
        result
    }
}

fn transaction(batch: &Batch) -> Arc<str> {
    let statements = batch.statements.join(";\n");
    format!("BEGIN IMMEDIATE;\n{statements};\nCOMMIT").into()
}

async fn transact(
    connection: &mut SqliteConnection,
    batch: &Batch,
    text: Arc<str>,
    args: Vec<Value>,
) -> Result<Vec<Vec<Row>>, SqlError> {
    // The driver gives each number that a statement leaves out the next parameter of the whole
    // text that has none, and when it runs out of parameters it stops binding. So there must be
    // at least as many as all statements together can leave out.
    let padding = args.len() * batch.statements.len();
    let args = rows::bind(args, padding)?;
    let mut results: Vec<Vec<Row>> = Vec::with_capacity(batch.statements.len() + 2);
    let mut rows = Vec::new();
    let mut reader = Reader::default();
    let mut unreadable = None;
    // To the very end, whatever comes: the last step is the one that counts.
    let mut stream = connection.fetch_many(sqlx::query_with(AssertSqlSafe(text), args));
    while let Some(step) = stream.try_next().await.map_err(classify)? {
        match step {
            Either::Right(row) => match reader.row(&row) {
                Ok(row) => rows.push(row),
                Err(error) => unreadable = Some(error),
            },
            Either::Left(_) => {
                results.push(std::mem::take(&mut rows));
                reader = Reader::default();
            }
        }
    }
    drop(stream);
    if let Some(error) = unreadable {
        return Err(error);
    }
    // BEGIN and COMMIT each end a result of their own, so this counts the COMMIT as well.
    if results.len() != batch.statements.len() + 2 {
        return Err(SqlError::unavailable(Refused::Incomplete));
    }
    results.pop();
    results.remove(0);
    Ok(results)
}
