//! `cargo xtask build-worker`: the two files that Cloudflare takes, `index.js` and
//! `index_bg.wasm`.
//!
//! cargo builds the crate, wasm-bindgen writes the JavaScript around it, all JavaScript becomes
//! one module with the Worker's entry, a release is made smaller by esbuild and wasm-opt, and both files are
//! put into the output folder at once. A build of what is built already ends after cargo.

mod bind;
mod compile;
mod fresh;
mod join;
mod module;
mod optimize;
mod output;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use crate::{npm, wasm, workspace};

/// The Worker that is deployed.
pub(crate) const GATEWAY: &str = "adapter-worker";

/// The Worker that only tests use.
pub(crate) const FOR_TESTS: &str = "test-worker";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Small, or quickly built
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
    /// The crate that has the Worker's entry points
    #[arg(long, default_value = GATEWAY)]
    package: String,
    /// Where the two files go [default: `build/PACKAGE/PROFILE`]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// To be deployed: as small as it gets
    Release,
    /// To be tested: built again in seconds
    Dev,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "dev",
        }
    }

    /// The profile in the workspace's Cargo.toml.
    fn of_cargo(self) -> &'static str {
        match self {
            Self::Release => "worker",
            Self::Dev => "worker-dev",
        }
    }
}

/// Where a build goes unless somebody says otherwise.
pub(crate) fn folder(package: &str, profile: Profile) -> PathBuf {
    workspace::root().join("build").join(package).join(profile.name())
}

/// Builds a package's Worker into its own folder.
pub(crate) fn build(package: &str, profile: Profile) -> Result<()> {
    run(&Args { profile, package: package.to_owned(), out: None })
}

/// Builds the Worker and says how large it is.
pub(crate) fn run(args: &Args) -> Result<()> {
    let toolchain = wasm::for_worker()?;
    npm::node()?;
    let release = args.profile == Profile::Release;
    if release {
        npm::ensure()?;
    }
    let compiled = compile::run(&toolchain, &args.package, args.profile.of_cargo())?;
    let out = match &args.out {
        Some(out) => std::path::absolute(out)?,
        None => folder(&args.package, args.profile),
    };

    let work = workspace::target_dir()?.join("build-worker");
    let _lock = output::lock(&work)?;
    let fresh = fresh::Record::of(&compiled, &format!("{:?} {args:?}", toolchain.panic()))?;
    let stamp = work.join(format!("{}-{}.stamp", args.package, args.profile.name()));
    if !fresh.is_that_of(&stamp, &out) {
        let bound = bind::run(&compiled, !release)?;
        let script = join::run(&bound)?;
        let (script, wasm) = if release {
            (optimize::script(&work, &script)?, optimize::wasm(&work, &bound.wasm)?)
        } else {
            (script, bound.wasm)
        };
        let files = [(output::SCRIPT, script.as_bytes()), (output::WASM, wasm.as_slice())];
        output::swap(&out, files, |new| {
            let sizes = output::sizes(new)?;
            if release { sizes.within_limit() } else { Ok(()) }
        })?;
        fresh.write(&stamp, &out)?;
    }
    println!("{}: {}", out.display(), output::sizes(&out)?);
    Ok(())
}
