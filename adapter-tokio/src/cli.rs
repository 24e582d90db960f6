//! The command line: `gateway serve` and what configures it, `gateway relay`, `gateway health`,
//! `gateway ledger verify` and `gateway rekey`.

pub mod health;
pub mod ledger;
pub mod rekey;
pub mod relay;
pub mod serve;
mod signal;

use clap::{Parser, Subcommand};
use std::error::Error;

/// One OpenAI API, accounts and quota in front of many LLM providers.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the gateway (the default).
    Serve(Box<serve::ServeArgs>),
    /// Serve the relay proxy, through which gateways reach providers from a fixed address.
    Relay(Box<relay::RelayArgs>),
    /// Ask a gateway or a relay on this machine whether it is well.
    Health(health::HealthArgs),
    /// Look at the books.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Encrypt every stored provider key with the newest master key.
    Rekey(rekey::RekeyArgs),
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Box<dyn Error>),
    /// It was done, and what it found is not well; that has been printed.
    #[error("the books do not add up")]
    Found,
}

impl Cli {
    /// What to do: to serve, if nothing else is said.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or_else(|| Command::Serve(Box::new(self.serve)))
    }
}

impl Command {
    /// Whether logs are written as JSON.
    pub fn json_logs(&self) -> bool {
        matches!(self, Self::Serve(args) if args.json_logs())
    }

    /// Threads that serve.
    pub fn worker_threads(&self) -> Option<usize> {
        match self {
            Self::Serve(args) => args.worker_threads(),
            Self::Relay(_) => None,
            Self::Health(_) | Self::Ledger(_) | Self::Rekey(_) => Some(1),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`CliError`] says why it could not be done, or that it found something wrong.
    pub async fn run(self) -> Result<(), CliError> {
        match self {
            Self::Serve(args) => Ok(args.run().await?),
            Self::Relay(args) => Ok(args.run().await?),
            Self::Health(args) => Ok(args.run().await?),
            Self::Ledger(command) => command.run().await,
            Self::Rekey(args) => args.run().await,
        }
    }
}
