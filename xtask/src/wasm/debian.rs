//! The other road: Debian's `rustc-web` with a standard library for wasm32 that is built here.
//!
//! Debian ships the compiler and the library's source but no compiled library for this target.
//! So: install the packages, build the library once, and put it with Debian's host libraries into
//! a private sysroot, which rustup links as a toolchain. The system's own files stay as they are.
//! Every step is skipped when its result is there; a lock keeps two builds apart.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail, ensure};

use super::{TARGET, has_std};
use crate::process;

/// The linked toolchain's name: `cargo +wasm-debian`.
pub(super) const NAME: &str = "wasm-debian";

/// Where the toolchain is kept, unless this variable says otherwise.
const PREFIX_VARIABLE: &str = "GATEWAY_WASM_PREFIX";

const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const RUSTLIB: &str = "/usr/lib/rustlib";

/// Makes the toolchain, or finds it made, and returns its sysroot.
pub(super) fn ensure() -> Result<PathBuf> {
    let prefix = prefix()?;
    fs::create_dir_all(&prefix).with_context(|| format!("cannot make {}", prefix.display()))?;
    // Held until the end of this function, and given back by the system if we die.
    let lock = File::create(prefix.join("lock"))?;
    lock.lock().context("cannot lock the toolchain")?;

    let sysroot = prefix.join("sysroot");
    if !is_current(&sysroot) {
        install_packages()?;
        let version = version()?;
        println!("building the standard library for {TARGET} with {version}");
        let build = prefix.join("build");
        build_std(&build)?;
        lay_out(&sysroot, &build)?;
        fs::remove_dir_all(&build)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        fs::write(stamp_file(&sysroot), format!("{version}\n{}\n", now.as_secs()))?;
    }
    if !is_linked(&sysroot) {
        process::run(process::tool("rustup").args(["toolchain", "link", NAME]).arg(&sysroot))?;
    }
    ensure!(
        has_std(process::tool("rustc").arg(format!("+{NAME}"))),
        "the linked toolchain {NAME} does not find its library in {}",
        sysroot.display()
    );
    Ok(sysroot)
}

/// What the library in a sysroot was built by and when.
pub(super) fn stamp(sysroot: &Path) -> Result<String> {
    fs::read_to_string(stamp_file(sysroot)).context("the wasm32 sysroot has no stamp")
}

fn stamp_file(sysroot: &Path) -> PathBuf {
    sysroot.join("built-by")
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

/// Debian's compiler, as it names itself.
fn version() -> Result<String> {
    Ok(process::output(Command::new(RUSTC).arg("-V"))?.trim().to_owned())
}

/// Whether the sysroot's library was built by the compiler that is installed now.
fn is_current(sysroot: &Path) -> bool {
    let Ok(found) = stamp(sysroot) else {
        return false;
    };
    Path::new(RUSTC).exists() && version().is_ok_and(|version| found.starts_with(&version))
}

fn is_linked(sysroot: &Path) -> bool {
    let mut rustc = process::tool("rustc");
    rustc.arg(format!("+{NAME}")).args(["--print", "sysroot"]);
    rustc
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()) == sysroot)
}

/// Installs what is missing: the compiler, cargo, the library's source and a linker for wasm.
fn install_packages() -> Result<()> {
    let installed = |name: &str| process::succeeds(Command::new("dpkg").args(["-s", name]));
    let mut missing: Vec<&str> = PACKAGES.into_iter().filter(|name| !installed(name)).collect();
    if rustups_lld().is_none() && debians_lld().is_none() {
        missing.push("lld");
    }
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    apt(&["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    // Its progress is of no use to anyone; its errors come on the other stream.
    command.stdout(std::process::Stdio::null());
    process::run(&mut command)
}

/// A full lld comes with rustup's toolchains.
fn rustups_lld() -> Option<PathBuf> {
    let sysroot = process::output(process::tool("rustc").args(["--print", "sysroot"])).ok()?;
    let rustlib = Path::new(sysroot.trim()).join("lib").join("rustlib");
    let hosts = fs::read_dir(rustlib).ok()?;
    hosts.flatten().map(|host| host.path().join("bin").join("rust-lld")).find(|lld| lld.exists())
}

/// Debian's lld: the unversioned one, or the newest of the others.
fn debians_lld() -> Option<PathBuf> {
    let plain = PathBuf::from("/usr/bin/lld");
    if plain.exists() {
        return Some(plain);
    }
    let versioned = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("lld-")?.parse::<u32>().ok()
    };
    let programs = fs::read_dir("/usr/bin").ok()?;
    programs
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| versioned(path).is_some())
        .max_by_key(versioned)
}

/// Builds std, core, alloc and their friends as the dependencies of an empty crate.
fn build_std(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src").join("lib.rs"), "#![no_std]\n")?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"only-std\"\nedition = \"2021\"\n\n[workspace]\n",
    )?;
    let mut command = process::tool(CARGO);
    command
        .current_dir(folder)
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort")
        .args(["--target-dir"])
        .arg(folder.join("target"))
        .env("RUSTC", RUSTC)
        // -Z options of a stable compiler, for the one thing that it cannot do otherwise.
        .env("RUSTC_BOOTSTRAP", "1")
        // Link-time optimisation of a Worker needs the library's bitcode.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        // rustup's proxies must not answer in Debian's place.
        .env("PATH", "/usr/bin:/bin")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTC_WRAPPER");
    process::run(&mut command)
}

/// Puts the built library beside Debian's host libraries.
fn lay_out(sysroot: &Path, build: &Path) -> Result<()> {
    let host = host()?;
    if sysroot.exists() {
        fs::remove_dir_all(sysroot)?;
    }
    let rustlib = sysroot.join("lib").join("rustlib");
    let (bin, library) = (sysroot.join("bin"), rustlib.join(TARGET).join("lib"));
    let host_bin = rustlib.join(&host).join("bin");
    for folder in [&bin, &library, &host_bin] {
        fs::create_dir_all(folder)?;
    }
    link(Path::new(CARGO), &bin.join("cargo"))?;
    // A link would not do: rustc follows it home and takes /usr for its sysroot.
    let sysroot = sysroot.display();
    script(&bin.join("rustc"), &format!("exec {RUSTC} --sysroot '{sysroot}' \"$@\""))?;
    link(&Path::new(RUSTLIB).join(&host).join("lib"), &rustlib.join(&host).join("lib"))?;
    let lld = rustups_lld().or_else(debians_lld);
    let lld = lld.context("there is no lld, which links wasm")?;
    script(&host_bin.join("rust-lld"), &format!("exec '{}' \"$@\"", lld.display()))?;

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
    if libraries == 0 {
        bail!("cargo built no library in {}", built.display());
    }
    Ok(())
}

/// The triple of Debian's compiler.
fn host() -> Result<String> {
    let about = process::output(Command::new(RUSTC).arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, path)
        .with_context(|| format!("cannot link {}", path.display()))
}

#[cfg(unix)]
fn script(path: &Path, line: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    bail!("Debian's packages are for Debian")
}

#[cfg(not(unix))]
fn script(_: &Path, _: &str) -> Result<()> {
    bail!("Debian's packages are for Debian")
}
