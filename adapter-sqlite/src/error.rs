//! What can go wrong: when opening, and when running a statement.

use adapter_sql::SqlError;
use sqlx::error::ErrorKind;
use std::path::PathBuf;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another process uses this database ({} is locked)", .0.display())]
    Locked(PathBuf),
    /// The file that keeps a second process away cannot be locked.
    #[error("{} cannot be locked", .0.display())]
    Lock(PathBuf, #[source] std::io::Error),
    /// It cannot be opened or read.
    #[error("the database cannot be opened")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("the database cannot be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// The writer or the pool has ended, or the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("too many transactions wait for the writer")]
    QueueFull,
    #[error("the database was closed")]
    Closed,
    #[error("the transaction ended before its last statement")]
    Incomplete,
}

/// `SQLite`'s result codes for a damaged file and for one that is no database.
const DAMAGED: [&str; 2] = ["11", "26"];

/// What an error means to whoever asked.
pub(crate) fn classify(error: sqlx::Error) -> SqlError {
    let sqlx::Error::Database(database) = &error else {
        return SqlError::unavailable(error);
    };
    match database.kind() {
        ErrorKind::UniqueViolation => SqlError::Conflict,
        ErrorKind::ForeignKeyViolation
        | ErrorKind::NotNullViolation
        | ErrorKind::CheckViolation => SqlError::Corrupt(database.message().to_owned()),
        _ if database.code().is_some_and(|code| DAMAGED.contains(&&*code)) => {
            SqlError::Corrupt(database.message().to_owned())
        }
        _ => SqlError::unavailable(error),
    }
}
