//! What can be chosen about a database.

use crate::OpenError;
use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{path::PathBuf, str::FromStr, time::Duration};

/// When a commit is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Before the answer: survives a power cut.
    #[default]
    Full,
    /// Soon after: survives a crash of the process, but a power cut may take the last commits.
    Normal,
}

/// What can be chosen about a database.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Where it is: `sqlite:path/to/file.db`, or `sqlite::memory:` for a passing one.
    pub url: String,
    /// When a commit is on the disk.
    pub synchronous: Synchronous,
    /// Connections that read. A database in memory has none: its only connection does it all.
    pub read_connections: u32,
    /// Transactions that may wait for the writer.
    pub queue: usize,
}

impl SqliteOptions {
    /// The usual options for a database at this place.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            synchronous: Synchronous::default(),
            read_connections: 4,
            queue: 1024,
        }
    }

    /// Whether the database is only in memory.
    pub(crate) fn in_memory(&self) -> bool {
        self.url.contains(":memory:") || self.url.contains("mode=memory")
    }

    /// The file, if there is one.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn file(&self) -> Result<Option<PathBuf>, OpenError> {
        if self.in_memory() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::from_str(&self.url)?;
        Ok(Some(options.get_filename().to_owned()))
    }

    /// How the writer connects.
    pub(crate) fn writer(&self) -> Result<SqliteConnectOptions, OpenError> {
        let synchronous = match self.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        };
        Ok(self
            .common()?
            .create_if_missing(true)
            .shared_cache(false)
            // sqlx sets no journal mode by itself.
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous))
    }

    /// How a reader connects.
    pub(crate) fn reader(&self) -> Result<SqliteConnectOptions, OpenError> {
        Ok(self.common()?.read_only(true))
    }

    fn common(&self) -> Result<SqliteConnectOptions, OpenError> {
        Ok(SqliteConnectOptions::from_str(&self.url)?
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .disable_statement_logging())
    }
}
