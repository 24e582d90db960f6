//! `cargo xtask bench`: what the gateway costs over a bare proxy.
//!
//! Three processes of release builds: a fast mock of a provider, the proxied process (the gateway,
//! or the floor: a hyper reverse proxy that does nothing else), and a load generator. Both proxies
//! run in the same session, in alternating rounds, so that a busy machine disturbs them alike; the
//! median of the rounds counts. Mock, floor and load are hidden commands of this program.

mod account;
mod callgrind;
mod floor;
mod instructions;
mod load;
mod measure;
mod mock;
mod native;
mod open_streams;
mod profile;
mod report;
mod rig;
mod scenario;
mod workers;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use self::measure::Plan;
use self::rig::Rig;
use self::scenario::Scenario;
use crate::{process, workspace};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Shorter rounds and fewer of them
    #[arg(long)]
    quick: bool,
    /// Measure the Worker in workerd instead, over a Worker that passes everything on
    #[arg(long, conflicts_with_all = ["callgrind", "synchronous", "worker_threads"])]
    worker: bool,
    /// Also write every round and every median to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Count user-space instructions a request under valgrind instead (small chat, or --only)
    #[arg(long)]
    callgrind: bool,
    /// Show where the gateway spends its time instead (small chat, or --only)
    #[arg(long, conflicts_with = "callgrind")]
    profile: bool,
    /// Run this scenario alone
    #[arg(long, value_enum)]
    only: Option<Scenario>,
    /// The gateway's `SQLITE_SYNCHRONOUS`
    #[arg(long, value_parser = ["full", "normal"], default_value = "full")]
    synchronous: String,
    /// The gateway's `WORKER_THREADS`: without it as many as it has CPUs, which is mostly one
    #[arg(long)]
    worker_threads: Option<u16>,
    /// Leave the gateway out (to work on the benchmark itself)
    #[arg(long, hide = true)]
    floor_only: bool,
    /// Trust that the release builds are up to date
    #[arg(long, hide = true)]
    no_build: bool,
}

/// The parts of the benchmark that are processes of their own.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Role {
    /// Answers like a provider, fast
    #[command(name = "bench-mock", hide = true)]
    Mock,
    /// Passes everything on
    #[command(name = "bench-floor", hide = true)]
    Floor {
        /// Where to
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// Sends requests and measures
    #[command(name = "bench-load", hide = true)]
    Load(load::Args),
}

/// Plays one of the three parts until it is killed or done.
pub(crate) fn play(role: Role) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match role {
            Role::Mock => mock::run().await,
            Role::Floor { upstream } => floor::run(upstream).await,
            Role::Load(args) => load::run(args).await,
        }
    })
}

/// Builds, measures, reports.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(
        cfg!(target_os = "linux"),
        "the benchmark reads Linux's /proc and pins processes to a CPU"
    );
    if !args.no_build {
        build(args)?;
    }
    let rig = Rig::new(args)?;
    if args.callgrind {
        return callgrind::run(&rig, args.only.unwrap_or(Scenario::Chat));
    }
    if args.profile {
        return profile::run(&rig, args.only.unwrap_or(Scenario::Chat));
    }
    let plan = Plan::new(args.quick);
    let mut results = Vec::new();
    let usual = if args.worker { &Scenario::OF_WORKERS[..] } else { &Scenario::ALL };
    for scenario in args.only.as_ref().map_or(usual, std::slice::from_ref) {
        eprintln!("{}", scenario.title());
        results.extend(measure::measure(&rig, *scenario, &plan)?);
    }
    println!("{}", report::markdown(&results, &rig));
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report::json(&results, &rig))?;
        fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn build(args: &Args) -> Result<()> {
    let mut command = process::cargo(["build", "--release", "--locked", "-p", "xtask"]);
    if !args.floor_only && !args.worker {
        command.args(["-p", "adapter-tokio"]);
    }
    process::run(&mut command)?;
    if args.worker { workers::build(args.floor_only) } else { Ok(()) }
}

/// A program of the release build.
fn release(name: &str) -> Result<PathBuf> {
    let path = workspace::target_dir()?.join("release").join(name);
    ensure!(path.exists(), "{} has not been built", path.display());
    Ok(path)
}

/// Counts become fractions only to be shown.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
