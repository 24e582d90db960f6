//! Starting other programs: with the developer's environment, from the repository's root, with
//! errors that name the command.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// What cargo sets for the program that `cargo run` starts, and what must not reach a cargo
/// that this program starts: build scripts watch some of these, so a crate would be built again
/// each time a developer changes between `cargo build` and `cargo xtask`.
fn is_outer_cargos(name: &str) -> bool {
    const PREFIXES: [&str; 5] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_CFG_"];
    const NAMES: [&str; 3] = ["CARGO", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A program from the search path, run in the repository's root.
pub(crate) fn tool(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_outer_cargos) {
            command.env_remove(&name);
        }
    }
    command
}

/// `cargo`, through rustup where there is one, so that `RUSTUP_TOOLCHAIN` can choose another.
pub(crate) fn cargo<I, S>(arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = tool("cargo");
    command.args(arguments);
    command
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Runs a command to its end with its output on ours. Anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let text = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{text}`"))?;
    if !status.success() {
        bail!("`{text}` failed ({status})");
    }
    Ok(())
}

/// Whether the command can be started and succeeds; what it says is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let text = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{text}`"))?;
    if !output.status.success() {
        bail!("`{text}` failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command, passes its standard output on as it comes, and shows each line to `each`.
/// Lines have been seen even when the command then fails.
pub(crate) fn run_watching(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let text = shown(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{text}`"))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let mut out = std::io::stdout().lock();
            out.write_all(&line)?;
            out.flush()?;
            each(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{text}` failed ({status})");
    }
    Ok(())
}

/// A command that was given a time.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How; `None` if it took too long and was killed.
    pub(crate) status: Option<ExitStatus>,
    /// What it wrote to both its streams.
    pub(crate) output: String,
}

impl Ended {
    pub(crate) fn well(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs a command that may take so long, and no longer.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<Ended> {
    let text = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{text}`"))?;
    // Both are read as they come: a full pipe would stop it.
    let readers = [
        child.stdout.take().map(|pipe| std::thread::spawn(|| read_all(pipe))),
        child.stderr.take().map(|pipe| std::thread::spawn(|| read_all(pipe))),
    ];
    let status = wait_within(&mut child, limit)?;
    if status.is_none() {
        // It may just have ended.
        let _ = child.kill();
        child.wait()?;
    }
    let output = readers.into_iter().flatten().filter_map(|reader| reader.join().ok()).collect();
    Ok(Ended { status, output })
}

fn read_all(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // What came before an error is still worth showing.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a child to end by itself; `None` if it does not in time.
pub(crate) fn wait_within(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    const LOOK_EVERY: Duration = Duration::from_millis(5);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_cargos_variables_are_dropped_and_the_developers_stay() {
        assert!(is_outer_cargos("CARGO_MANIFEST_DIR"));
        assert!(is_outer_cargos("CARGO"));
        assert!(!is_outer_cargos("CARGO_HOME"));
        assert!(!is_outer_cargos("CARGO_TARGET_DIR"));
        assert!(!is_outer_cargos("CARGO_INCREMENTAL"));
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let mut command = tool("sh");
        command.args(["-c", "echo here; exec sleep 60"]);
        let ended = run_within(&mut command, Duration::from_millis(200)).unwrap();
        assert!(ended.status.is_none() && !ended.well());
        assert_eq!(ended.output, "here\n");
        let mut command = tool("sh");
        command.args(["-c", "echo there >&2"]);
        let ended = run_within(&mut command, Duration::from_mins(1)).unwrap();
        assert!(ended.well());
        assert_eq!(ended.output, "there\n");
    }

    #[test]
    fn lines_are_seen_even_when_the_command_fails() {
        let mut seen = Vec::new();
        let mut command = tool("sh");
        command.args(["-c", "echo one; echo two; exit 3"]);
        let result = run_watching(&mut command, |line| seen.push(line.trim().to_owned()));
        assert!(result.is_err());
        assert_eq!(seen, ["one", "two"]);
    }
}
