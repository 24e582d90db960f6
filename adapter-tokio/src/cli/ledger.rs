//! `gateway ledger verify`: whether the books add up.

use super::CliError;
use adapter_sql::SqlBooks;
use adapter_sqlite::{SqliteExecutor, SqliteOptions};
use clap::{Args, Subcommand};
use gateway_ports::{Books, Clock};
use std::io::Write as _;

use crate::runtime::SystemClock;

/// Looks at the books.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Checks that every balance is the sum of what it is made of, and that no call is open that
    /// should have ended. It reads only, and the gateway may be running. Prints what does not add
    /// up and ends with 1, or with 0 if everything does.
    Verify(VerifyArgs),
}

/// Which books.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// The database.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://gateway.db")]
    database_url: String,
}

impl LedgerCommand {
    /// Does it.
    ///
    /// # Errors
    /// When the books cannot be read, or do not add up.
    pub async fn run(self) -> Result<(), CliError> {
        let Self::Verify(args) = self;
        let executor = SqliteExecutor::open_read_only(&SqliteOptions::new(args.database_url))
            .await
            .map_err(|error| CliError::Failed(error.into()))?;
        let found = SqlBooks::new(executor)
            .verify(SystemClock.now())
            .await
            .map_err(|error| CliError::Failed(error.into()))?;
        let mut out = std::io::stdout().lock();
        if found.is_empty() {
            let said = writeln!(out, "the books add up");
            return said.map_err(|error| CliError::Failed(error.into()));
        }
        for mismatch in &found {
            writeln!(out, "{mismatch}").map_err(|error| CliError::Failed(error.into()))?;
        }
        Err(CliError::Found)
    }
}
