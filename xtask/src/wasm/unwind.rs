//! A standard library for the Worker's target that unwinds, built here once per compiler.
//!
//! What rustup ships for this target aborts: one panic would end every other stream of the
//! isolate. The source of the library comes with the compiler, and a stable compiler builds it
//! when it is told that it may (`RUSTC_BOOTSTRAP`). The result is a folder that `rustc --sysroot`
//! takes, kept in the user's cache and shared by every checkout. Build scripts and macros do not
//! see it: they are built with the compiler's own library.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};

use super::TARGET;
use super::compiler::{self, Compiler};
use crate::{digest, process};

/// Where the libraries are kept, unless this variable says otherwise.
const PREFIX_VARIABLE: &str = "GATEWAY_WASM_PREFIX";

/// How the library is built. Link-time optimisation of a Worker needs its bitcode.
const FLAGS: &str = "-Cpanic=unwind -Cembed-bitcode=yes";
const CRATES: &str = "-Zbuild-std=std,panic_unwind";
/// The library has smaller ways to do some things, and traces of panics are of no use in a Worker.
const FEATURES: &str = "-Zbuild-std-features=panic-unwind,optimize_for_size";
const PROFILE: &str = "[profile.release]\nopt-level = \"z\"\ncodegen-units = 1\n";

/// A library that is ready.
#[derive(Debug)]
pub(super) struct Sysroot {
    pub(super) path: PathBuf,
    /// What it was built by and when: another stamp is another library.
    pub(super) stamp: String,
}

/// Finds the compiler's library or builds it. The linker is for a compiler that brings none.
pub(super) fn ensure(compiler: Compiler, linker: Option<&Path>) -> Result<Sysroot> {
    let version = compiler.version()?;
    let prefix = prefix()?;
    fs::create_dir_all(&prefix).with_context(|| format!("cannot make {}", prefix.display()))?;
    // Held until the end of this function, and given back by the system if we die.
    let lock = File::create(prefix.join("lock"))?;
    lock.lock().context("cannot lock the cache of standard libraries")?;

    let path = prefix.join(name(&version));
    if let Ok(stamp) = fs::read_to_string(stamp_file(&path)) {
        return Ok(Sysroot { path, stamp });
    }
    let headline = compiler::headline(&version);
    println!("building a standard library for {TARGET} that unwinds, with {headline}");
    let build = prefix.join("build");
    let new = prefix.join("new");
    for folder in [&build, &new, &path] {
        remove(folder)?;
    }
    build_std(compiler, &build)?;
    collect(&build, &new)?;
    if let Some(linker) = linker {
        let bin = new.join("lib").join("rustlib").join(compiler::host(&version)?).join("bin");
        fs::create_dir_all(&bin)?;
        script(&bin.join("rust-lld"), &format!("exec '{}' \"$@\"", linker.display()))?;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let stamp = format!("{headline}\n{}\n", now.as_millis());
    fs::write(stamp_file(&new), &stamp)?;
    fs::rename(&new, &path).context("cannot put the standard library into its place")?;
    remove(&build)?;
    Ok(Sysroot { path, stamp })
}

fn stamp_file(sysroot: &Path) -> PathBuf {
    sysroot.join("built-by")
}

/// A folder for each compiler and way of building, so that checkouts with different compilers
/// do not take turns in building.
fn name(version: &str) -> String {
    let digest =
        digest::hex(format!("{version}\n{FLAGS}\n{CRATES}\n{FEATURES}\n{PROFILE}").as_bytes());
    format!("unwind-{}", digest.get(..12).unwrap_or(&digest))
}

fn prefix() -> Result<PathBuf> {
    if let Some(prefix) = std::env::var_os(PREFIX_VARIABLE) {
        return Ok(prefix.into());
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(cache.join("llm-gateway").join("wasm-toolchain"))
}

/// Builds std, core, alloc and their friends as the dependencies of an empty crate.
fn build_std(compiler: Compiler, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src").join("lib.rs"), "#![no_std]\n")?;
    let manifest = folder.join("Cargo.toml");
    let package = "[package]\nname = \"only-std\"\nedition = \"2021\"\n\n[workspace]\n\n";
    fs::write(&manifest, format!("{package}{PROFILE}"))?;
    let mut command = compiler.cargo();
    command
        .args(["build", "--quiet", "--release", "--target", TARGET, CRATES, FEATURES])
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(folder.join("target"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::run(&mut command).context("cannot build a standard library")
}

/// Puts the built library where a compiler looks for it.
fn collect(build: &Path, sysroot: &Path) -> Result<()> {
    let library = sysroot.join("lib").join("rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&library)?;
    let built = build.join("target").join(TARGET).join("release").join("deps");
    let mut libraries = 0;
    for entry in fs::read_dir(&built)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with("libonly_std") {
            fs::copy(&path, library.join(&*name))?;
            libraries += 1;
        }
    }
    ensure!(libraries > 0, "cargo built no library in {}", built.display());
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn script(path: &Path, line: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(not(unix))]
fn script(_: &Path, _: &str) -> Result<()> {
    anyhow::bail!("Debian's packages are for Debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_compiler_has_another_folder() {
        let one = name("rustc 1.95.0");
        assert_eq!(one, name("rustc 1.95.0"));
        assert_ne!(one, name("rustc 1.96.0"));
        assert_eq!(one.len(), "unwind-".len() + 12);
    }

    #[test]
    fn only_the_library_is_collected() {
        let folder = tempfile::tempdir().unwrap();
        let (build, sysroot) = (folder.path().join("build"), folder.path().join("sysroot"));
        let deps = build.join("target").join(TARGET).join("release").join("deps");
        fs::create_dir_all(&deps).unwrap();
        assert!(collect(&build, &sysroot).is_err());
        for name in ["libcore-1.rlib", "libonly_std-1.rlib", "core-1.d"] {
            fs::write(deps.join(name), "").unwrap();
        }
        collect(&build, &sysroot).unwrap();
        let library = sysroot.join("lib").join("rustlib").join(TARGET).join("lib");
        assert_eq!(fs::read_dir(&library).unwrap().count(), 1);
        assert!(library.join("libcore-1.rlib").exists());
    }
}
