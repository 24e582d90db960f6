//! The Node side: the packages of package-lock.json, installed once per lock file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{digest, process, workspace};

/// The program, from the search path.
pub(crate) const NODE: &str = "node";

/// The oldest major version that the packages run on.
const OLDEST: u32 = 20;

/// Inside of the folder of packages, so that it is gone when that is: what they were made from.
const STAMP: &str = ".installed-from";

fn folder() -> PathBuf {
    workspace::root().join("node_modules")
}

/// Makes sure of a Node that is new enough.
pub(crate) fn node() -> Result<()> {
    let version = process::output(process::tool(NODE).arg("--version"))
        .with_context(|| format!("the Worker needs Node {OLDEST} or newer"))?;
    let major = major(&version).with_context(|| format!("node's version is `{version}`"))?;
    ensure!(
        major >= OLDEST,
        "the Worker needs Node {OLDEST} or newer, and this is {}",
        version.trim()
    );
    Ok(())
}

/// `v20.20.2` gives 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs the packages, unless those of this very lock file are there.
pub(crate) fn ensure() -> Result<()> {
    node()?;
    let stamp = stamp()?;
    let file = folder().join(STAMP);
    if fs::read_to_string(&file).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    println!("installing the packages of package-lock.json");
    process::run(process::tool("npm").args(["ci", "--silent"]))
        .context("npm cannot install the packages")?;
    fs::write(file, stamp).context("cannot write the stamp")
}

/// What the packages are installed from.
pub(crate) fn stamp() -> Result<String> {
    let lock = workspace::root().join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    Ok(digest::hex(&lock))
}

/// A package's script, run by Node: `binaryen/bin/wasm-opt`.
pub(crate) fn script(path: impl AsRef<Path>) -> Command {
    let mut command = process::tool(NODE);
    command.arg(package(path));
    command
}

/// A short program, run by Node.
pub(crate) fn program(text: &str) -> Command {
    let mut command = process::tool(NODE);
    command.args(["-e", text]);
    command
}

/// Where a package is, or something in it.
pub(crate) fn package(path: impl AsRef<Path>) -> PathBuf {
    folder().join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_begins_with_its_major() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v8.0.0"), Some(8));
        assert_eq!(major("20"), None);
    }
}
