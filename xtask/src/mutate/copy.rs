//! A copy of the workspace under `target`, with a target directory of its own that is used again:
//! nobody's files change under their editor, and nobody's build is spoilt.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::workspace;

/// What no build reads, or what a build writes.
const LEFT_OUT: [&str; 4] = ["target", "node_modules", ".git", "tests/e2e"];

/// The copy.
#[derive(Debug)]
pub(super) struct Copy {
    folder: PathBuf,
    pub(super) target: PathBuf,
}

/// A changed file of the copy; it is as before when this is dropped.
#[derive(Debug)]
pub(super) struct Changed {
    path: PathBuf,
    before: String,
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.before) {
            eprintln!("{} cannot be put right: {error}", self.path.display());
        }
    }
}

impl Copy {
    /// Makes it, or what has changed of it.
    pub(super) fn make() -> Result<Self> {
        let home = workspace::target_dir()?.join("mutate");
        let copy = Self { folder: home.join("workspace"), target: home.join("target") };
        let mut files = BTreeSet::new();
        list(workspace::root(), Path::new(""), &mut files)?;
        for file in &files {
            let text = fs::read(workspace::root().join(file))?;
            let path = copy.folder.join(file);
            // What is the same keeps its time, so that it is not built again.
            if fs::read(&path).ok().as_ref() != Some(&text) {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(&path, text)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        let mut there = BTreeSet::new();
        list(&copy.folder, Path::new(""), &mut there)?;
        for file in there.difference(&files) {
            fs::remove_file(copy.folder.join(file))?;
        }
        Ok(copy)
    }

    /// Where a folder of the workspace is in it.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn read(&self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Changes a file for a while.
    pub(super) fn change(&self, file: &str, text: &str) -> Result<Changed> {
        let changed = Changed { path: self.folder.join(file), before: self.read(file)? };
        fs::write(&changed.path, text)?;
        Ok(changed)
    }
}

/// All files below, by their way from the root.
fn list(root: &Path, below: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if LEFT_OUT.iter().any(|name| path == Path::new(name)) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(root, &path, files)?;
        } else if kind.is_file() {
            files.insert(path);
        }
    }
    Ok(())
}
