//! A toolchain that builds for the Worker's target, wherever this machine can get one from.
//!
//! Two roads: rustup's own component, which is everyone's, and where that cannot be had a
//! standard library built from Debian's packages.

mod debian;
mod rustup;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{process, workspace};

/// Cloudflare Workers' target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// When set, Debian's road is taken even where rustup's is open (to try it out).
const FORCE: &str = "GATEWAY_WASM_FORCE_DEBIAN";

/// Which toolchain builds for [`TARGET`].
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The one of rust-toolchain.toml.
    Default,
    /// The linked one, with a target directory of its own.
    Debian { target_dir: PathBuf },
}

impl Toolchain {
    /// A cargo that finds the target's standard library.
    pub(crate) fn cargo<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = process::cargo(arguments);
        if let Self::Debian { target_dir } = self {
            command
                .env("RUSTUP_TOOLCHAIN", debian::NAME)
                .env("CARGO_TARGET_DIR", target_dir)
                // Points into the other toolchain.
                .env_remove("LD_LIBRARY_PATH");
        }
        command
    }
}

/// `cargo xtask setup-wasm`
pub(crate) fn setup() -> Result<()> {
    match ensure()? {
        Toolchain::Default => println!("the default toolchain builds for {TARGET}"),
        Toolchain::Debian { .. } => {
            println!("`cargo +{}` builds for {TARGET}", debian::NAME);
        }
    }
    Ok(())
}

/// Finds a toolchain for the target, or makes one. Does nothing the second time.
pub(crate) fn ensure() -> Result<Toolchain> {
    if std::env::var_os(FORCE).is_none() {
        if rustup::has_target() {
            return Ok(Toolchain::Default);
        }
        match rustup::add_target() {
            Ok(()) => return Ok(Toolchain::Default),
            Err(error) => println!("{error:#}; trying Debian's packages"),
        }
    }
    let sysroot = debian::ensure().context("no toolchain for wasm32 can be had here")?;
    let target_dir = workspace::target_dir()?.join(debian::NAME);
    forget_other_std(&target_dir, &debian::stamp(&sysroot)?)?;
    Ok(Toolchain::Debian { target_dir })
}

/// Cargo does not notice that a standard library was built anew, and rustc then misses crates
/// (E0463): what was built against another one is thrown away.
fn forget_other_std(target_dir: &Path, stamp: &str) -> Result<()> {
    let file = target_dir.join("std.stamp");
    if fs::read_to_string(&file).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    if target_dir.exists() {
        fs::remove_dir_all(target_dir).context("cannot remove an outdated target directory")?;
    }
    fs::create_dir_all(target_dir)?;
    fs::write(&file, stamp).context("cannot write the stamp")
}

/// Whether this rustc has a standard library for the target.
fn has_std(rustc: &mut Command) -> bool {
    let Ok(output) = rustc.args(["--target", TARGET, "--print", "target-libdir"]).output() else {
        return false;
    };
    let folder = String::from_utf8_lossy(&output.stdout);
    let Ok(entries) = fs::read_dir(folder.trim()) else {
        return false;
    };
    output.status.success()
        && entries.flatten().any(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with("libcore-")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_std_built_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("wasm");
        forget_other_std(&target, "one").unwrap();
        fs::write(target.join("built"), "").unwrap();
        forget_other_std(&target, "one").unwrap();
        assert!(target.join("built").exists());
        forget_other_std(&target, "two").unwrap();
        assert!(!target.join("built").exists());
    }
}
