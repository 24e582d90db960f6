//! `cargo xtask tidy`: the rules of the house that no compiler knows, one file a rule.
//!
//! A rule is a plain function from facts to findings, so that its tests need no workspace. This
//! file collects the facts and shows the findings.

mod arrows;
mod graph;
mod manifest;
mod reach;
mod sources;
mod sql;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// One broken rule, in words that say what to do.
pub(crate) type Finding = String;

/// A file of the workspace: its path from the root, with `/` on every system, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks every rule and lists every finding, so that one run shows them all.
pub(crate) fn run() -> Result<()> {
    let metadata = workspace::metadata()?;
    let graph = graph::Graph::from_metadata(&metadata)?;
    let root = workspace::root();
    let manifest = root.join("Cargo.toml");
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let files = rust_files(root)?;

    let mut findings = arrows::between_rooms(&graph);
    findings.extend(arrows::out_of_the_domain(&graph));
    findings.extend(reach::forbidden(&graph));
    findings.extend(manifest::uncommented(&manifest));
    for file in &files {
        findings.extend(sources::without_opening(file));
        findings.extend(sources::too_long(file));
        findings.extend(sql::outside_its_room(file));
    }

    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    if !findings.is_empty() {
        bail!("{} finding(s)", findings.len());
    }
    println!("tidy: {} files, {} crates", files.len(), graph.members().count());
    Ok(())
}

/// Every Rust file below the root, without what is built or hidden.
fn rust_files(root: &Path) -> Result<Vec<Source>> {
    let mut folders = vec![root.to_path_buf()];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                let built = matches!(&*name, "target" | "node_modules");
                if !built && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let path = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            Ok(Source { path: parts.join("/"), text })
        })
        .collect()
}

#[cfg(test)]
fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}
