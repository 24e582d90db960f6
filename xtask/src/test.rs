//! `cargo xtask test`: what CI runs, step by step, with the seconds of each.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::counts::{self, Counts};
use crate::{check, crash, npm, process, venv, worker, workspace};

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
    /// `cargo xtask crash`, for a minute
    Crash,
    /// The packages of package-lock.json: workerd, wrangler
    Npm,
    /// The Worker that is deployed, and the one for tests only
    BuildWorker,
    /// The Python environment of the end-to-end tests
    Venv,
    /// The end-to-end tests against the binary
    E2e,
    /// The contract suite in workerd, on D1
    D1,
    /// The end-to-end tests against the Worker in workerd
    E2eWorker,
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
    if wanted(Step::Crash) {
        step("crash", || crashes(counts))?;
    }
    if wanted(Step::Npm) {
        step("node packages", npm::ensure)?;
    }
    if wanted(Step::BuildWorker) {
        step("worker", || {
            // What is tested is what is deployed; the contract need not be small.
            worker::build(worker::GATEWAY, worker::Profile::Release)?;
            worker::build(worker::FOR_TESTS, worker::Profile::Dev)
        })?;
    }
    if wanted(Step::Venv) {
        step("python environment", venv::ensure)?;
    }
    if wanted(Step::E2e) {
        step("end-to-end tests", || e2e_tests(counts, Runtime::Native))?;
    }
    if wanted(Step::D1) {
        step("contract on D1", || d1_contract(counts))?;
    }
    if wanted(Step::E2eWorker) {
        step("end-to-end tests of the Worker", || e2e_tests(counts, Runtime::Worker))?;
    }
    Ok(())
}

/// How many lives the model of the ledger lives on D1, and of how many steps.
const LIVES_ON_D1: &str = "8";
const STEPS_ON_D1: &str = "200";

/// What the end-to-end tests start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runtime {
    Native,
    Worker,
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

/// Each promise that is kept whenever the gateway dies is a test.
fn crashes(counts: &Cell<Counts>) -> Result<()> {
    let outcome = crash::promises(&crash::Args { seconds: 60, seed: None })?;
    let mut sum = counts.get();
    sum += outcome.counts;
    counts.set(sum);
    outcome.check()
}

fn e2e_tests(counts: &Cell<Counts>, runtime: Runtime) -> Result<()> {
    npm::ensure()?;
    let python = venv::python()?;
    ensure!(
        python.exists(),
        "there is no Python environment yet: run `cargo xtask test --only venv`"
    );
    let mut command = process::tool(python);
    // Results are shown as they come, not when a pipe's buffer is full.
    command.args(["-m", "pytest", E2E]).env("PYTHONUNBUFFERED", "1");
    match runtime {
        Runtime::Native => {
            let debug = workspace::target_dir()?.join("debug");
            let gateway: PathBuf = debug.join(format!("gateway{}", std::env::consts::EXE_SUFFIX));
            ensure!(
                gateway.exists(),
                "there is no gateway yet: run `cargo xtask test --only build`"
            );
            command.env("GATEWAY_BIN", gateway).env("EXAMPLES_DIR", debug.join("examples"));
        }
        Runtime::Worker => {
            command
                .env("GATEWAY_RUNTIME", "worker")
                .env("WORKER_DIR", built(worker::GATEWAY, worker::Profile::Release)?)
                .env("TEST_WORKER_DIR", built(worker::FOR_TESTS, worker::Profile::Dev)?);
        }
    }
    counting(&mut command, counts, counts::of_pytest)
}

/// The contract of the ports on D1: all the cases that the native stores are asked.
fn d1_contract(counts: &Cell<Counts>) -> Result<()> {
    let list = process::output(&mut process::cargo([
        "test",
        "--quiet",
        "--locked",
        "-p",
        "adapter-sqlite",
        "--test",
        "contract",
        "--",
        "--list",
    ]))?;
    let cases = list.lines().filter(|line| line.starts_with("fakes::")).count();
    ensure!(cases > 0, "the native contract suite lists no cases");
    let mut command = process::tool(npm::NODE);
    command
        .arg("tests/worker/contract.mjs")
        .env("WORKER_DIR", built(worker::FOR_TESTS, worker::Profile::Dev)?)
        .env("CASES", cases.to_string())
        .env("LIVES", lives()?);
    counting(&mut command, counts, counts::of_cargo)
}

/// A file with lives for the model of the ledger: the native tests live more of them.
fn lives() -> Result<PathBuf> {
    let file = workspace::target_dir()?.join("lives.jsonl");
    let lives = process::output(&mut process::cargo([
        "run",
        "--quiet",
        "--locked",
        "-p",
        "gateway-ports",
        "--features",
        "lives",
        "--example",
        "lives",
        "--",
        LIVES_ON_D1,
        STEPS_ON_D1,
    ]))?;
    std::fs::write(&file, lives).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn built(package: &str, profile: worker::Profile) -> Result<PathBuf> {
    let folder = worker::folder(package, profile);
    ensure!(
        folder.exists(),
        "there is no {} yet: run `cargo xtask test --only build-worker`",
        folder.display()
    );
    Ok(folder)
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
