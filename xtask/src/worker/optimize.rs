//! A release is made smaller and faster by binaryen's wasm-opt, which comes from npm.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::{npm, process};

/// What the Workers runtime understands. Everything newer stays off, so that a newer wasm-opt
/// does not write what the runtime cannot read.
const FEATURES: [&str; 7] = [
    "mutable-globals",
    "sign-ext",
    "nontrapping-float-to-int",
    "bulk-memory",
    "multivalue",
    "reference-types",
    "exception-handling",
];

/// Optimises the file's bytes; `work` is a folder for the files in between.
pub(super) fn run(work: &Path, wasm: &[u8]) -> Result<Vec<u8>> {
    let (before, after) = (work.join("before.wasm"), work.join("after.wasm"));
    fs::write(&before, wasm).context("cannot write a file for wasm-opt")?;
    let mut command = npm::script("binaryen/bin/wasm-opt");
    command.arg("-Oz").arg("--mvp-features");
    for feature in FEATURES {
        command.arg(format!("--enable-{feature}"));
    }
    command.arg(&before).arg("-o").arg(&after);
    process::run(&mut command)?;
    let optimized = fs::read(&after).context("wasm-opt wrote nothing")?;
    fs::remove_file(&before)?;
    fs::remove_file(&after)?;
    Ok(optimized)
}
