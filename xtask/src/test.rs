//! `cargo xtask test`: what CI runs, step by step, with the seconds of each.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::counts::{self, Counts};
use crate::{check, process, venv, workspace};

/// Where the end-to-end tests live, from the root.
pub(crate) const E2E: &str = "tests/e2e";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run this step alone (those before it must have been run)
    #[arg(long, value_enum)]
    only: Option<Step>,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// `cargo xtask check`
    Check,
    /// `cargo test`: unit tests, doctests, contract suites
    Unit,
    /// The binary and the examples that the end-to-end tests start
    Build,
    /// The Python environment of the end-to-end tests
    Venv,
    /// The end-to-end tests
    E2e,
}

/// Runs the steps and closes with one line that says how many tests passed and failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let counts = Cell::new(Counts::default());
    let result = run_steps(args.only, &counts);
    println!("\n{}", counts.get());
    result
}

fn run_steps(only: Option<Step>, counts: &Cell<Counts>) -> Result<()> {
    let wanted = |candidate| only.is_none_or(|only| only == candidate);
    if wanted(Step::Check) {
        check::run()?;
    }
    if wanted(Step::Unit) {
        step("unit tests", || unit_tests(counts))?;
    }
    if wanted(Step::Build) {
        step("build", || {
            process::run(&mut process::cargo([
                "build",
                "--locked",
                "-p",
                "adapter-tokio",
                "--bins",
                "--examples",
            ]))
        })?;
    }
    if wanted(Step::Venv) {
        step("python environment", venv::ensure)?;
    }
    if wanted(Step::E2e) {
        step("end-to-end tests", || e2e_tests(counts))?;
    }
    Ok(())
}

/// Runs one step under a headline and says how long it took; its name goes into its error.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n=== {name}");
    let start = Instant::now();
    let result = work();
    let word = if result.is_ok() { "done" } else { "FAILED" };
    println!("=== {name}: {word} in {:.1} s", start.elapsed().as_secs_f64());
    result.with_context(|| format!("step `{name}` failed"))
}

fn unit_tests(counts: &Cell<Counts>) -> Result<()> {
    let mut command = process::cargo(["test", "--workspace", "--locked"]);
    counting(&mut command, counts, counts::of_cargo)
}

fn e2e_tests(counts: &Cell<Counts>) -> Result<()> {
    let python = venv::python()?;
    ensure!(
        python.exists(),
        "there is no Python environment yet: run `cargo xtask test --only venv`"
    );
    let debug = workspace::target_dir()?.join("debug");
    let gateway: PathBuf = debug.join(format!("gateway{}", std::env::consts::EXE_SUFFIX));
    ensure!(gateway.exists(), "there is no gateway yet: run `cargo xtask test --only build`");
    let mut command = process::tool(python);
    command
        .args(["-m", "pytest", E2E])
        .env("GATEWAY_BIN", gateway)
        .env("EXAMPLES_DIR", debug.join("examples"))
        // Results are shown as they come, not when a pipe's buffer is full.
        .env("PYTHONUNBUFFERED", "1");
    counting(&mut command, counts, counts::of_pytest)
}

/// Runs a test runner and adds what its closing lines say, also when it fails.
fn counting(
    command: &mut std::process::Command,
    counts: &Cell<Counts>,
    read: fn(&str) -> Option<Counts>,
) -> Result<()> {
    let mut sum = counts.get();
    let result = process::run_watching(command, |line| {
        if let Some(more) = read(line) {
            sum += more;
        }
    });
    counts.set(sum);
    result
}
