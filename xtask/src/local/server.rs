//! A process that listens: started, ready, and ended with the value that holds it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::proc;
use crate::process;

/// A program is ready, or something is wrong. Under valgrind it takes its time.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A killed process is gone.
const GONE_WITHIN_SECONDS: u32 = 5;

/// A started program that listens; it ends with this value.
pub(crate) struct Server {
    child: Child,
    /// The process that does the work, if it is another.
    worker: Option<u32>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a program and waits until it says `listening on http://ADDRESS`.
    pub(crate) fn start(mut command: Command, name: &str) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take();
        let (sender, receiver) = mpsc::channel();
        // Reads on to the end, so that the program never waits for us.
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()) {
                let address = line.ok().and_then(|line| address(&line));
                if let Some(address) = address {
                    // Nobody waits for a second address.
                    let _ = sender.send(address);
                }
            }
        });
        let Ok(address) = receiver.recv_timeout(READY_WITHIN) else {
            end(&mut child);
            bail!("{name} did not say where it listens");
        };
        Ok(Self { child, worker: None, address })
    }

    /// From here on its child stands for it: the program only started that.
    pub(crate) fn stand_back(&mut self) -> Result<()> {
        self.worker = Some(proc::only_child(self.child.id())?);
        Ok(())
    }

    /// Tells it to stop, and waits until it has; an error if it does not in time, or not well.
    pub(crate) fn stop(mut self, limit: Duration) -> Result<()> {
        let pid = self.child.id().to_string();
        // The shell's own `kill`, because there need not be a program of that name.
        process::run(Command::new("sh").args(["-c", r#"kill -TERM "$0""#, &pid]))?;
        let status = process::wait_within(&mut self.child, limit)?;
        let status = status.with_context(|| format!("process {pid} did not stop in {limit:?}"))?;
        ensure!(status.success(), "process {pid} was told to stop, and failed ({status})");
        Ok(())
    }

    /// The process that does the work.
    pub(crate) fn pid(&self) -> u32 {
        self.worker.unwrap_or_else(|| self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
        // It ends with its parent, if a moment later; until then it has files open.
        let gone = |worker: u32| !Path::new(&format!("/proc/{worker}")).exists();
        for _ in 0..GONE_WITHIN_SECONDS * 100 {
            if self.worker.is_none_or(gone) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        eprintln!("a process that should have ended with its parent did not: {:?}", self.worker);
    }
}

/// Kills a child that may have ended already.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The address in `listening on http://127.0.0.1:8787`, whatever stands around it.
fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_tells_the_address() {
        let expected: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        assert_eq!(address("listening on http://127.0.0.1:4711"), Some(expected));
        assert_eq!(address("listening on http://127.0.0.1:4711 (2 threads)"), Some(expected));
        assert_eq!(address("starting"), None);
    }

    #[test]
    fn a_program_that_says_nothing_is_an_error() {
        assert!(Server::start(Command::new("true"), "nothing").is_err());
    }
}
