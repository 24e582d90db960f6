//! The developer's commands, the same for people and for CI: `cargo xtask <command>`.
//!
//! Each command lives in a file of its name. Nothing here is part of the gateway, and no crate of
//! the gateway may depend on it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks through its standard streams"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "measures time and runs tasks; the ports that forbid it are for the gateway"
)]

mod bench;
mod check;
mod counts;
mod crash;
mod deny;
mod digest;
mod local;
mod mutate;
mod npm;
mod process;
mod test;
mod tidy;
mod venv;
mod wasm;
mod worker;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// The gateway's own allocator, so that the benchmark's floor is not handicapped by another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The developer's commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Formatting, lints (native), the wasm32 build, tidy, documentation, licences
    Check,
    /// The rules of the house that no compiler knows
    Tidy,
    /// Everything CI runs: check, unit tests, build, end-to-end tests
    Test(test::Args),
    /// Gives this machine a Rust toolchain that builds for wasm32-unknown-unknown
    SetupWasm,
    /// The Cloudflare Worker: index.js and index_bg.wasm, ready to be deployed
    BuildWorker(worker::Args),
    /// Kills the gateway again and again under load, and compares its books with its upstream's log
    Crash(crash::Args),
    /// Whether the tests notice when a guard of the ledger is missing; by hand, it takes an hour
    MutateLedger(mutate::Args),
    /// What the gateway costs over a bare proxy
    Bench(bench::Args),
    #[command(flatten)]
    BenchRole(bench::Role),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What failed and why, on one line; nobody needs this program's own stack.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check => check::run(),
        Command::Tidy => tidy::run(),
        Command::Test(args) => test::run(&args),
        Command::SetupWasm => wasm::setup(),
        Command::BuildWorker(args) => worker::run(&args),
        Command::Crash(args) => crash::run(&args),
        Command::MutateLedger(args) => mutate::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::BenchRole(role) => bench::play(role),
    }
}
