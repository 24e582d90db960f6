//! Where the gateway spends its time: perf's samples where the kernel allows
//! them, callgrind's list of functions where not.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::callgrind;
use super::rig::{Length, Rig};
use super::scenario::Scenario;
use crate::process;

const LENGTH: Duration = Duration::from_secs(8);

/// Lines of the report that are shown.
const LINES: usize = 60;

/// Profiles the gateway, or the floor when there is nothing else.
pub(super) fn run(rig: &Rig, scenario: Scenario) -> Result<()> {
    let kind = rig.kinds().pop().context("nothing to profile")?;
    if !works() {
        println!("perf cannot sample here; instructions counted by callgrind instead\n");
        println!("{}", callgrind::count(rig, kind, scenario)?);
        return Ok(());
    }
    let cpus = rig.one_cpu();
    rig.pin_mock(&cpus)?;
    let server = rig.start(kind, &cpus)?.context("nothing to profile")?;
    let load = |length| rig.load(Some(&server), scenario, &cpus, Length::Time(length));
    load(LENGTH / 10)?;

    let data = rig.folder()?.join("perf.data");
    // The clock of the CPU: virtual machines have no counters.
    let mut recorder = Command::new("perf")
        .args(["record", "--quiet", "--event", "cpu-clock", "--freq", "2000"])
        .args(["--pid", &server.pid().to_string(), "--output"])
        .arg(&data)
        .args(["--", "sleep", &LENGTH.as_secs().to_string()])
        .stderr(Stdio::null())
        .spawn()?;
    let sample = load(LENGTH)?;
    recorder.wait()?;
    let title = scenario.title();
    println!("{title}, {}: {:.1} µs of CPU a request\n", kind.name(), sample.cpu_us_per_request);
    println!("{}", report(&data, "overhead,dso")?);
    // What the kernel does for us is one sum above; here is what we do.
    println!("{}", report(&data, "overhead,symbol")?);
    Ok(())
}

fn report(data: &std::path::Path, fields: &str) -> Result<String> {
    let mut report = Command::new("perf");
    report
        .args(["report", "--stdio", "--no-children", "--percent-limit", "0.3"])
        .args(["--fields", fields, "--input"])
        .arg(data)
        .stderr(Stdio::null());
    let output = report.output().context("cannot start perf")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter(|line| !line.contains("[k]"))
        .take(LINES);
    let mut shown = String::new();
    for line in lines {
        shown.push_str(line.trim_end());
        shown.push('\n');
    }
    Ok(shown)
}

/// Whether perf is there and the kernel lets it sample.
fn works() -> bool {
    let mut probe = Command::new("perf");
    probe.args(["record", "--quiet", "--event", "cpu-clock", "--output", "/dev/null", "true"]);
    process::succeeds(&mut probe)
}
