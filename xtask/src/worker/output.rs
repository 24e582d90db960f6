//! The output folder: two files that belong together, put there at once.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{npm, process};

/// The Worker's script.
pub(super) const SCRIPT: &str = "index.js";
/// The Worker's wasm file, which the script imports.
pub(super) const WASM: &str = "index_bg.wasm";

/// What a release may weigh, compressed: a third of what Cloudflare takes on the free plan, and
/// cold starts grow with it.
const LIMIT: u64 = 1_000_000;

/// Keeps other builds away from the working folder until the file is dropped.
pub(super) fn lock(work: &Path) -> Result<File> {
    fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let lock = File::create(work.join("lock"))?;
    lock.lock().context("cannot lock the build")?;
    Ok(lock)
}

/// Writes the files beside the folder, lets `check` see them, and then swaps the folders.
pub(super) fn swap<const N: usize>(
    out: &Path,
    files: [(&str, &[u8]); N],
    check: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if let Some(other) = other_file(out)? {
        anyhow::bail!("{} holds {other}: choose a folder that is empty", out.display());
    }
    let (new, old) = (beside(out, "new")?, beside(out, "old")?);
    for folder in [&new, &old] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    fs::create_dir_all(&new).with_context(|| format!("cannot make {}", new.display()))?;
    for (name, bytes) in files {
        fs::write(new.join(name), bytes)?;
    }
    if let Err(error) = check(&new) {
        fs::remove_dir_all(&new)?;
        return Err(error);
    }
    if out.exists() {
        fs::rename(out, &old)?;
    }
    fs::rename(&new, out).with_context(|| format!("cannot write {}", out.display()))?;
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    Ok(())
}

/// A file in the folder that no build has put there.
fn other_file(out: &Path) -> Result<Option<String>> {
    if !out.exists() {
        return Ok(None);
    }
    for entry in fs::read_dir(out).with_context(|| format!("cannot read {}", out.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != SCRIPT && name != WASM {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// `build/name` gives `build/.name.new`: on the same disk, so that a rename does.
fn beside(out: &Path, suffix: &str) -> Result<PathBuf> {
    let name = out.file_name().with_context(|| format!("{} is no folder's name", out.display()))?;
    Ok(out.with_file_name(format!(".{}.{suffix}", name.to_string_lossy())))
}

/// What the two files weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    script: Size,
    wasm: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    raw: u64,
    gzip: u64,
}

/// Weighs the files of a folder. Node has the compressor that this program would need.
pub(super) fn sizes(out: &Path) -> Result<Sizes> {
    const PROGRAM: &str = "const fs = require('fs'), zlib = require('zlib'); \
        for (const path of process.argv.slice(1)) { const bytes = fs.readFileSync(path); \
        console.log(bytes.length, zlib.gzipSync(bytes, { level: 9 }).length); }";
    let mut command = npm::program(PROGRAM);
    command.arg(out.join(SCRIPT)).arg(out.join(WASM));
    let text = process::output(&mut command)?;
    read_sizes(&text).with_context(|| format!("node says `{}` about two files", text.trim()))
}

fn read_sizes(text: &str) -> Option<Sizes> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let mut size = || Some(Size { raw: numbers.next()?.ok()?, gzip: numbers.next()?.ok()? });
    Some(Sizes { script: size()?, wasm: size()? })
}

impl Sizes {
    /// Whether a release may be this large.
    pub(super) fn within_limit(self) -> Result<()> {
        let sum = self.script.gzip + self.wasm.gzip;
        ensure!(
            sum <= LIMIT,
            "the Worker is too large: {sum} bytes compressed, and {LIMIT} are the limit ({self})"
        );
        Ok(())
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { script, wasm } = self;
        write!(
            f,
            "{WASM} {} bytes (gzip {}), {SCRIPT} {} (gzip {})",
            wasm.raw, wasm.gzip, script.raw, script.gzip
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes_of(gzip: u64) -> Sizes {
        read_sizes(&format!("40000 8000\n2000000 {gzip}\n")).unwrap()
    }

    #[test]
    fn the_limit_is_for_both_files_compressed() {
        assert!(sizes_of(LIMIT - 8000).within_limit().is_ok());
        let error = sizes_of(LIMIT - 7999).within_limit().unwrap_err().to_string();
        assert!(error.contains(&format!("{} bytes compressed", LIMIT + 1)), "{error}");
        assert_eq!(read_sizes("1 2 3"), None);
    }

    #[test]
    fn a_folder_is_swapped_whole() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a").join("b");
        let write = |text: &str, check: bool| {
            let bytes = text.as_bytes();
            swap(&out, [(SCRIPT, bytes), (WASM, bytes)], |new| {
                assert!(new.join(WASM).exists());
                ensure!(check, "too large");
                Ok(())
            })
        };
        write("one", true).unwrap();
        write("two", true).unwrap();
        assert_eq!(fs::read_to_string(out.join(SCRIPT)).unwrap(), "two");
        // What fails its check leaves what was there, and nothing beside it.
        assert!(write("three", false).is_err());
        assert_eq!(fs::read_to_string(out.join(WASM)).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine.txt"), "").unwrap();
        let error = swap(folder.path(), [(SCRIPT, b"")], |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("mine.txt"));
        assert!(folder.path().join("mine.txt").exists());
    }
}
