//! The processes of a benchmark: what each is started with, and on which CPU.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum as _;

use super::account::Account;
use super::load::Sample;
use super::native::Native;
use super::scenario::Scenario;
use super::workers::Workers;
use super::{Args, release};
use crate::local::proc;
use crate::local::server::Server;
use crate::{process, workspace};

/// Which process stands between load and mock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Floor,
    /// Among Workers: the floor that books each request besides.
    D1Floor,
    Gateway,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::D1Floor => "d1-floor",
            Self::Gateway => "gateway",
        }
    }
}

/// What runs proxies and gateway.
pub(super) enum Runtime {
    Native(Native),
    Workers(Workers),
}

/// The mock, a database with an account, and what is needed to start the rest.
pub(super) struct Rig {
    mock: Server,
    /// When there is a gateway.
    account: Option<Account>,
    runtime: Runtime,
    folder: tempfile::TempDir,
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
        let own = folder.path().to_owned();
        let runtime = if args.worker {
            Runtime::Workers(Workers { folder: own })
        } else {
            Runtime::Native(Native {
                folder: own,
                synchronous: args.synchronous.clone(),
                worker_threads: args.worker_threads,
            })
        };
        let mut rig =
            Self { mock: Server::start(mock, "the mock")?, account: None, runtime, folder, cpus };
        if !args.floor_only {
            let gateway = rig.start(Kind::Gateway, &rig.all_cpus())?.context("no gateway")?;
            rig.account = Some(Account::open(gateway.address, rig.mock.address)?);
        }
        Ok(rig)
    }

    /// Everything that there is to compare.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Direct, Kind::Floor];
        if matches!(self.runtime, Runtime::Workers(_)) {
            kinds.push(Kind::D1Floor);
        }
        if self.account.is_some() {
            kinds.push(Kind::Gateway);
        }
        kinds
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
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
        match &self.runtime {
            Runtime::Native(native) => native.command(kind, self.mock.address, cpus.0.len()),
            Runtime::Workers(workers) => workers.command(kind, self.mock.address),
        }
    }

    /// Starts what stands between load and mock.
    pub(super) fn start(&self, kind: Kind, cpus: &Cpus) -> Result<Option<Server>> {
        let Some(command) = self.command(kind, cpus)? else {
            return Ok(None);
        };
        let mut server = Server::start(pinned(&command, cpus), kind.name())?;
        if matches!(self.runtime, Runtime::Workers(_)) {
            // node has nothing to do but to hold its workerd.
            server.stand_back()?;
        }
        Ok(Some(server))
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
        if let Some(account) = &self.account {
            load.args(["--key", &account.key]);
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
        // What has an environment of its own has a whole one.
        outer.env_clear();
    }
    for (name, value) in own {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    outer
}
