//! User-space instructions a small request, counted by valgrind: a figure that no other load on
//! the machine can disturb, and with it the functions that take the most.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::float;
use super::rig::{Kind, Length, Rig};
use super::scenario::Scenario;
use super::server::Server;
use crate::process;

/// Requests before counting begins, so that pools, caches and statements are warm.
const WARM_UP: u32 = 300;
/// Requests that are counted.
const COUNTED: u32 = 2000;
/// Functions that are listed.
const FUNCTIONS: usize = 40;

/// Counts for every proxy that there is and lists the last one's functions.
pub(super) fn run(rig: &Rig) -> Result<()> {
    println!("| Small chat, 32 at once | Instructions a request | × floor |\n|---|--:|--:|");
    let mut floor = None;
    let mut functions = String::new();
    for kind in rig.kinds() {
        if kind == Kind::Direct {
            continue;
        }
        let profile = count(rig, kind)?;
        let each = profile.each();
        let ratio = floor.map_or_else(String::new, |floor: f64| format!("{:.2}", each / floor));
        println!("| {} | {each:.0} | {ratio} |", kind.name());
        floor = floor.or(Some(each));
        functions = profile.functions();
    }
    println!("\n{functions}");
    Ok(())
}

/// Runs a proxy under callgrind and counts what a number of small requests take.
pub(super) fn count(rig: &Rig, kind: Kind) -> Result<Profile> {
    let folder = rig.folder()?;
    let out = folder.join(format!("{}.callgrind", kind.name()));
    let inner = rig.command(kind)?.context("nothing to run")?;
    let server = Server::start(under_callgrind(&inner, &out), kind.name())?;
    let cpus = rig.one_cpu();
    let load = |count| rig.load(Some(&server), Scenario::Chat, &cpus, Length::Requests(count));
    load(WARM_UP)?;
    control(&server, "--zero")?;
    load(COUNTED)?;
    control(&server, "--dump")?;

    // The first dump has this name; a second one would be written at the end.
    let dump = folder.join(format!("{}.callgrind.1", kind.name()));
    let text = fs::read_to_string(&dump)
        .with_context(|| format!("callgrind wrote no {}", dump.display()))?;
    let costs = costs(&text);
    ensure!(!costs.is_empty(), "callgrind counted nothing");
    Ok(Profile { costs })
}

/// Instructions that each function itself took.
pub(super) struct Profile {
    costs: BTreeMap<String, u64>,
}

impl Profile {
    /// All instructions a request.
    fn each(&self) -> f64 {
        float(self.costs.values().sum()) / f64::from(COUNTED)
    }

    /// The most expensive functions and what they take a request.
    pub(super) fn functions(&self) -> String {
        let mut sorted: Vec<_> = self.costs.iter().collect();
        sorted.sort_by_key(|(_, cost)| std::cmp::Reverse(**cost));
        let mut text = format!("{:>8}  {:>5}  function\n", "each", "share");
        for (name, cost) in sorted.into_iter().take(FUNCTIONS) {
            let each = float(*cost) / f64::from(COUNTED);
            let share = 100.0 * each / self.each();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{each:>8.0}  {share:>4.1}%  {name}");
        }
        text
    }
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

/// Reads callgrind's file: what each function itself took. The tool that comes with valgrind
/// counts functions that were under way when counting began as if all was theirs.
fn costs(text: &str) -> BTreeMap<String, u64> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut costs = BTreeMap::new();
    let mut current = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("calls=") {
            // The next line is what the called function took.
            lines.next();
        } else if let Some(function) = line.strip_prefix("fn=") {
            current = name(function, &mut names);
        } else if let Some(function) = line.strip_prefix("cfn=") {
            name(function, &mut names);
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line.split_whitespace().nth(1);
            if let Some(Ok(cost)) = cost.map(str::parse::<u64>) {
                *costs.entry(current.to_owned()).or_default() += cost;
            }
        }
    }
    costs
}

/// `(7) name` the first time, `(7)` from then on.
fn name<'a>(text: &'a str, names: &mut BTreeMap<&'a str, &'a str>) -> &'a str {
    match text.split_once(' ') {
        Some((id, name)) => {
            names.insert(id, name);
            name
        }
        None => names.get(text).copied().unwrap_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_functions_own_instructions_count() {
        let text = "\
version: 1
fn=(1) main
10 5
cfn=(2) work
calls=3 20
+1 900
fn=(2)
20 300
* 4
totals: 309
";
        let costs = costs(text);
        assert_eq!(costs.get("main"), Some(&5));
        assert_eq!(costs.get("work"), Some(&304));
        assert_eq!(costs.len(), 2);
    }
}
