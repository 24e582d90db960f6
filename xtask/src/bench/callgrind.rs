//! User-space instructions a request, counted by valgrind: a figure that no other load on
//! the machine can disturb, and with it the functions that take the most.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::instructions::Instructions;
use super::rig::{Kind, Length, Rig};
use super::scenario::Scenario;
use crate::local::server::Server;
use crate::process;

/// Requests before counting begins, so that pools, caches and statements are warm.
const WARM_UP: u32 = 300;
/// Requests that are counted.
const COUNTED: u32 = 2000;

/// Counts for every proxy that there is and lists the last one's functions.
pub(super) fn run(rig: &Rig, scenario: Scenario) -> Result<()> {
    println!("| {} | Instructions a request | × floor |\n|---|--:|--:|", scenario.title());
    let mut floor = None;
    let mut functions = String::new();
    for kind in rig.kinds() {
        if kind == Kind::Direct {
            continue;
        }
        let profile = count(rig, kind, scenario)?;
        let each = profile.each();
        let ratio = floor.map_or_else(String::new, |floor: f64| format!("{:.2}", each / floor));
        println!("| {} | {each:.0} | {ratio} |", kind.name());
        floor = floor.or(Some(each));
        functions = profile.to_string();
    }
    println!("\n{functions}");
    Ok(())
}

/// Runs a proxy under callgrind and counts what a number of requests take.
pub(super) fn count(rig: &Rig, kind: Kind, scenario: Scenario) -> Result<Instructions> {
    let folder = rig.folder()?;
    let out = folder.join(format!("{}.callgrind", kind.name()));
    let cpus = rig.one_cpu();
    let inner = rig.command(kind, &cpus)?.context("nothing to run")?;
    let server = Server::start(under_callgrind(&inner, &out), kind.name())?;
    let load = |count| rig.load(Some(&server), scenario, &cpus, Length::Requests(count));
    load(WARM_UP)?;
    control(&server, "--zero")?;
    load(COUNTED)?;
    control(&server, "--dump")?;

    // The first dump has this name; a second one would be written at the end.
    let dump = folder.join(format!("{}.callgrind.1", kind.name()));
    let text = fs::read_to_string(&dump)
        .with_context(|| format!("callgrind wrote no {}", dump.display()))?;
    let profile = Instructions::read(&text, COUNTED);
    ensure!(profile.each() > 0.0, "callgrind counted nothing");
    Ok(profile)
}

/// The same command under valgrind.
fn under_callgrind(inner: &Command, out: &Path) -> Command {
    let mut outer = Command::new("valgrind");
    outer
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(inner.get_program())
        .args(inner.get_args());
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    outer
}

fn control(server: &Server, what: &str) -> Result<()> {
    let mut command = Command::new("callgrind_control");
    command.arg(what).arg(server.pid().to_string());
    command.stdout(Stdio::null());
    if !process::succeeds(&mut command) {
        bail!("callgrind_control {what} failed");
    }
    Ok(())
}
