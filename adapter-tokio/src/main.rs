//! The `gateway` binary.

use adapter_tokio::cli::{Cli, CliError};
use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().into_command();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if command.json_logs() {
        logs.json().init();
    } else {
        logs.init();
    }
    let mut runtime = match command.worker_threads() {
        Some(1) => tokio::runtime::Builder::new_current_thread(),
        threads => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            if let Some(threads) = threads {
                builder.worker_threads(threads);
            }
            builder
        }
    };
    let done = runtime
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(error.into()))
        .and_then(|rt| rt.block_on(command.run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Found) => ExitCode::FAILURE,
        Err(CliError::Failed(error)) => {
            let mut text = error.to_string();
            let mut next = error.source();
            while let Some(cause) = next {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                next = cause.source();
            }
            tracing::error!("{text}");
            ExitCode::FAILURE
        }
    }
}
