//! The command line: `gateway serve`, and what configures it.

pub mod serve;

use clap::{Parser, Subcommand};

/// One OpenAI API, accounts and quota in front of many LLM providers.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the gateway (the default).
    Serve(Box<serve::ServeArgs>),
}

impl Cli {
    /// What to serve.
    pub fn into_serve(self) -> serve::ServeArgs {
        match self.command {
            Some(Command::Serve(args)) => *args,
            None => self.serve,
        }
    }
}
