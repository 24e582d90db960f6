//! One mutant's trial: built, and shown to the tests until one of them fails.

use std::fmt;
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::Message;

use super::copy::Copy;
use crate::process;

/// The tests, fastest first.
const TESTS: [&str; 3] = ["contract", "sqlite", "model"];
/// Where they live.
const PACKAGE: &str = "adapter-sqlite";
/// Lives of the model: fewer than in the test command, because there are many mutants.
const LIVES: &str = "40";
/// A mutant may go round in circles.
const WITHIN: Duration = Duration::from_mins(4);

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// By a test of this name.
    Killed(String),
    /// No test failed.
    Survived,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(by) => write!(f, "killed by {by}"),
            Self::Survived => f.write_str("SURVIVED"),
        }
    }
}

/// Where trials take place.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) copy: &'a Copy,
}

impl Trial<'_> {
    /// Builds what stands in the copy, and runs the tests.
    pub(super) fn run(&self) -> Result<Verdict> {
        let programs = self.build()?;
        for name in TESTS {
            let (_, program) = programs
                .iter()
                .find(|(known, _)| known == name)
                .with_context(|| format!("{PACKAGE} has no test {name}"))?;
            let mut tests = Command::new(program);
            tests
                // Not a single mutant is one of the fakes'.
                .args(["--skip", "fakes"])
                .current_dir(self.copy.folder(PACKAGE))
                .env("RUST_BACKTRACE", "0")
                .env("MODEL_LIVES", LIVES);
            let ended = process::run_within(&mut tests, WITHIN)?;
            if !ended.well() {
                let by = match ended.status {
                    Some(_) => failed(&ended.output).unwrap_or("an early end"),
                    None => "its own slowness",
                };
                return Ok(Verdict::Killed(format!("{name} {by}")));
            }
        }
        Ok(Verdict::Survived)
    }

    /// Builds the tests, and says where they are.
    fn build(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut cargo = process::cargo(["test", "--no-run", "--locked", "--quiet"]);
        cargo.args(["--message-format", "json", "-p", PACKAGE]);
        for name in TESTS {
            cargo.args(["--test", name]);
        }
        cargo
            .current_dir(self.copy.folder(""))
            .env("CARGO_TARGET_DIR", &self.copy.target)
            // Nobody debugs a mutant.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_TEST_DEBUG", "0");
        let messages = process::output(&mut cargo)?;
        let mut programs = Vec::new();
        for message in Message::parse_stream(Cursor::new(messages)) {
            if let Message::CompilerArtifact(artifact) = message?
                && let Some(program) = artifact.executable
            {
                programs.push((artifact.target.name, program.into_std_path_buf()));
            }
        }
        ensure!(!programs.is_empty(), "cargo built no tests");
        Ok(programs)
    }
}

/// The first test that failed.
fn failed(output: &str) -> Option<&str> {
    let mut lines = output.lines();
    lines.find_map(|line| {
        let name = line.trim().strip_prefix("test ")?.strip_suffix("FAILED")?;
        Some(name.trim().trim_end_matches("...").trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failed_test_is_named() {
        let output = "test a::one ... ok\ntest a::two   ... FAILED\ntest a::three ... FAILED\n";
        assert_eq!(failed(output), Some("a::two"));
        assert_eq!(failed("test a::one ... ok\ntest result: ok."), None);
    }
}
