//! A release is made smaller: its wasm by binaryen's wasm-opt, its script by esbuild. Both come
//! from npm.

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
pub(super) fn wasm(work: &Path, wasm: &[u8]) -> Result<Vec<u8>> {
    let (before, after) = (work.join("before.wasm"), work.join("after.wasm"));
    fs::write(&before, wasm).context("cannot write a file for wasm-opt")?;
    let mut command = npm::script("binaryen/bin/wasm-opt");
    // What the first pass has made smaller, the second sees with new eyes.
    command.args(["-Oz", "-Oz", "--strip-producers", "--mvp-features"]);
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

/// The script without its blanks and with short names; what it imports stays outside. By way of
/// Node, because the package's program is a script or a binary, as its installation chose.
pub(super) fn script(work: &Path, script: &str) -> Result<String> {
    const PROGRAM: &str = "const [esbuild, path] = process.argv.slice(1); \
        const source = require('fs').readFileSync(path, 'utf8'); \
        const options = { minify: true, format: 'esm', target: 'es2022' }; \
        process.stdout.write(require(esbuild).transformSync(source, options).code);";
    let before = work.join("before.js");
    fs::write(&before, script).context("cannot write a file for esbuild")?;
    let mut command = npm::program(PROGRAM);
    command.arg(npm::package("esbuild")).arg(&before);
    let minified = process::output(&mut command)?;
    fs::remove_file(&before)?;
    Ok(minified)
}
