//! Licences, advisories, banned crates and sources: `cargo deny check`, where it is installed.
//!
//! It is never installed from here: compiling it takes longer than everything else that CI does.
//! The workflow has a job of its own for it.

use anyhow::Result;

use crate::process;

/// Runs `cargo deny check`, or says that it did not.
pub(crate) fn run() -> Result<()> {
    if !process::succeeds(&mut process::cargo(["deny", "--version"])) {
        println!("skipped: cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    process::run(&mut process::cargo(["deny", "check"]))
}
