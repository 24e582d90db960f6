//! Where the workspace is and what cargo knows about it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The repository's root: xtask is one folder below it.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Everything `cargo metadata` says, with the dependencies resolved for the machine we run on.
pub(crate) fn metadata() -> Result<Metadata> {
    let host = crate::process::output(crate::process::tool("rustc").arg("-vV"))?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(vec![
        "--locked".to_owned(),
        "--filter-platform".to_owned(),
        host.to_owned(),
    ]);
    command.exec().context("cargo metadata")
}

/// The target directory, wherever the developer has put it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let mut command = MetadataCommand::new();
    command
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--locked".to_owned()]);
    let metadata = command.exec().context("cargo metadata")?;
    Ok(metadata.target_directory.into_std_path_buf())
}
