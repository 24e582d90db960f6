//! The processes of a benchmark: what each is started with, and on which CPU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum as _;

use super::load::Sample;
use super::scenario::Scenario;
use super::server::Server;
use super::{Args, account, proc, release};
use crate::{process, workspace};

/// Which process stands between load and mock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Floor,
    Gateway,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Gateway => "gateway",
        }
    }
}

/// The mock, a database with an account, and what is needed to start the rest.
pub(super) struct Rig {
    mock: Server,
    /// The API key, when there is a gateway.
    key: Option<String>,
    folder: tempfile::TempDir,
    synchronous: String,
    worker_threads: Option<u16>,
    cpus: Vec<u32>,
}

impl Rig {
    pub(super) fn new(args: &Args) -> Result<Self> {
        let target = workspace::target_dir()?;
        // On the disk that holds the build, so that `synchronous = full` means something.
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&target)?;
        let cpus = proc::cpus()?;
        let mut mock = Command::new(release("xtask")?);
        mock.arg("bench-mock");
        let mut rig = Self {
            mock: Server::start(mock, "the mock")?,
            key: None,
            folder,
            synchronous: args.synchronous.clone(),
            worker_threads: args.worker_threads,
            cpus,
        };
        if !args.floor_only {
            let gateway = Server::start(rig.gateway_command(&rig.all_cpus())?, "the gateway")?;
            let key = account::open(gateway.address, rig.mock.address)?;
            rig.key = Some(key);
        }
        Ok(rig)
    }

    /// Everything that there is to compare.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Direct, Kind::Floor];
        if self.key.is_some() {
            kinds.push(Kind::Gateway);
        }
        kinds
    }

    pub(super) fn synchronous(&self) -> &str {
        &self.synchronous
    }

    /// One CPU for all: the last one, since the system likes the first.
    pub(super) fn one_cpu(&self) -> Cpus {
        Cpus(self.cpus.last().copied().into_iter().collect())
    }

    /// All CPUs that we may use.
    pub(super) fn all_cpus(&self) -> Cpus {
        Cpus(self.cpus.clone())
    }

    /// Moves the mock.
    pub(super) fn pin_mock(&self, cpus: &Cpus) -> Result<()> {
        let mut command = process::tool("taskset");
        command
            .args(["--all-tasks", "--cpu-list", "--pid"])
            .args([&cpus.list(), &self.mock.pid().to_string()])
            .stdout(Stdio::null());
        process::run(&mut command).context("pinning needs taskset (util-linux)")
    }

    /// How to start what stands between load and mock; nothing for the mock itself.
    pub(super) fn command(&self, kind: Kind, cpus: &Cpus) -> Result<Option<Command>> {
        match kind {
            Kind::Direct => Ok(None),
            Kind::Floor => {
                let mut floor = Command::new(release("xtask")?);
                floor.arg("bench-floor").args(["--upstream", &self.mock.address.to_string()]);
                Ok(Some(floor))
            }
            Kind::Gateway => self.gateway_command(cpus).map(Some),
        }
    }

    fn gateway_command(&self, cpus: &Cpus) -> Result<Command> {
        let folder = self.folder.path();
        let threads = self.worker_threads.map_or(cpus.0.len(), usize::from);
        let mut gateway = Command::new(release("gateway")?);
        gateway
            .arg("serve")
            .current_dir(folder)
            // A developer's own settings must not decide what is measured.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", database(folder))
            .env("ALLOW_LOOPBACK_UPSTREAMS", "1")
            .env("ADMIN_PASSWORD", account::ADMIN_PASSWORD)
            .env("NEW_USER_QUOTA", "1000000")
            .env("SQLITE_SYNCHRONOUS", &self.synchronous)
            .env("WORKER_THREADS", threads.to_string())
            .env("RUST_LOG", "warn");
        Ok(gateway)
    }

    /// Starts what stands between load and mock.
    pub(super) fn start(&self, kind: Kind, cpus: &Cpus) -> Result<Option<Server>> {
        self.command(kind, cpus)?
            .map(|command| Server::start(pinned(&command, cpus), kind.name()))
            .transpose()
    }

    /// Runs the load generator once against a server, or against the mock itself.
    pub(super) fn load(
        &self,
        server: Option<&Server>,
        scenario: Scenario,
        cpus: &Cpus,
        length: Length,
    ) -> Result<Sample> {
        let name = scenario.to_possible_value();
        let name = name.context("a scenario without a name")?;
        let target = server.map_or(self.mock.address, |server| server.address);
        let mut load = Command::new(release("xtask")?);
        load.arg("bench-load")
            .args(["--target", &target.to_string()])
            .args(["--scenario", name.get_name()]);
        if let Some(key) = &self.key {
            load.args(["--key", key]);
        }
        if let Some(server) = server {
            load.args(["--pid", &server.pid().to_string()]);
        }
        match length {
            Length::Time(time) => load.args(["--millis", &time.as_millis().to_string()]),
            Length::Requests(count) => load.args(["--requests", &count.to_string()]),
        };
        let mut load = pinned(&load, cpus);
        let json = process::output(&mut load)
            // The command line holds an API key, if only one of this run.
            .map_err(|_| anyhow!("the load generator failed on {}", scenario.title()))?;
        serde_json::from_str(&json).context("the load generator said something else")
    }

    /// A folder of this run for tools that write files.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("tools");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// How much a load generator does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    Time(Duration),
    Requests(u32),
}

fn database(folder: &Path) -> String {
    let file: PathBuf = folder.join("gateway.db");
    format!("sqlite://{}", file.display())
}

/// Where processes may run.
pub(super) struct Cpus(Vec<u32>);

impl Cpus {
    /// As taskset reads it.
    fn list(&self) -> String {
        let cpus: Vec<_> = self.0.iter().map(u32::to_string).collect();
        cpus.join(",")
    }
}

/// The same command on these CPUs, and with as many open files as it may have: a thousand streams
/// are two thousand sockets. Both helpers replace themselves, so that the process id is the
/// program's own.
fn pinned(command: &Command, cpus: &Cpus) -> Command {
    let mut outer = Command::new("sh");
    outer
        .args(["-c", r#"ulimit -S -n "$(ulimit -H -n)"; exec "$@""#, "sh"])
        .args(["taskset", "--cpu-list", &cpus.list()])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    let own: Vec<_> = command.get_envs().collect();
    if !own.is_empty() {
        // Only the gateway's command has an environment of its own, and it is a whole one.
        outer.env_clear();
    }
    for (name, value) in own {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    outer
}
