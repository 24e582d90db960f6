//! Everyone's road: the target's standard library as a component of the toolchain in use.

use anyhow::{Context as _, Result, ensure};

use super::{TARGET, has_std};
use crate::process;

/// Whether the toolchain of rust-toolchain.toml has the target already.
pub(super) fn has_target() -> bool {
    has_std(&mut process::tool("rustc"))
}

/// Asks rustup for the target and believes it only when the library is there.
pub(super) fn add_target() -> Result<()> {
    process::run(process::tool("rustup").args(["target", "add", TARGET]))
        .context("rustup cannot add the target")?;
    ensure!(has_target(), "rustup added {TARGET}, but rustc does not find it");
    Ok(())
}
