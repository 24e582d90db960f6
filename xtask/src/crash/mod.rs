//! `cargo xtask crash`: what the books are worth when the gateway dies.
//!
//! The real binary is killed again and again under streaming load (`kill -9`) and started again on
//! the same database. A fake upstream keeps a log of the tokens that it made, clients remember what
//! they got, and at the end the books are compared with both, call by call. All choices follow from
//! the seed; when what happens is the machine's business.

mod client;
mod gateway;
mod plan;
mod report;
mod rules;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::client::{Crowd, Gateway};
use self::gateway::{Accounts, CHECKPOINT, DRAIN, Home};
use self::plan::{Payer, Plan, Tokens};
use self::rules::{Account, Breach, Evidence, Life, Promise, Row};
use self::upstream::Upstream;
use crate::counts::Counts;
use crate::local::api::{number, text};
use crate::local::server::Server;
use crate::{process, workspace};

/// Clients at once.
const CLIENTS: usize = 24;
/// What the poor have for each second of the run: it is used up in the middle.
const SCARCE_A_SECOND: u64 = 500;
/// A process that is told to stop has stopped.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// No client waits longer for its last call.
const CLIENTS_WITHIN: Duration = Duration::from_secs(30);
/// Runs of so many seconds must have seen everything.
const LONG: u64 = 20;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// How long the gateway is killed again and again
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// What all choices follow from; from the clock if absent
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// What a run showed.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Each promise is a test.
    pub(crate) counts: Counts,
}

impl Outcome {
    /// An error if a promise was broken.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.counts.failed == 0, "{} promises were broken", self.counts.failed);
        Ok(())
    }
}

/// Runs, reports, and fails if a promise was broken.
pub(crate) fn run(args: &Args) -> Result<()> {
    let outcome = promises(args)?;
    println!("{}", outcome.counts);
    outcome.check()
}

/// Runs and reports.
pub(crate) fn promises(args: &Args) -> Result<Outcome> {
    let seed = args.seed.unwrap_or_else(seed_of_the_clock);
    println!("crash: seed {seed}, {} s, {CLIENTS} clients", args.seconds);
    // Where the build is: on a disk, and not in memory.
    let folder = tempfile::Builder::new().prefix("crash-").tempdir_in(workspace::target_dir()?)?;
    let home = Home { binary: binary()?, folder: folder.path().to_owned() };
    let mut stage = Stage::open(Plan { seed }, home, args.seconds)?;
    let lived = stage.kill_again_and_again(Duration::from_secs(args.seconds));
    let lived = lived.and_then(|()| stage.close());
    let (evidence, mut breaches) = match lived {
        Ok(evidence) => (evidence, stage.breaches),
        Err(error) => return Err(error.context(kept(folder))),
    };
    breaches.extend(rules::compare(&evidence));
    print!("{}", report::summary(&evidence, &breaches));
    let counts = report::counts(&breaches);
    if counts.failed > 0 {
        println!("{}", kept(folder));
    }
    if args.seconds >= LONG {
        let missing = report::missing(&evidence);
        ensure!(missing.is_empty(), "the run proves little: it had no {}", missing.join(", no "));
    }
    Ok(Outcome { counts })
}

fn seed_of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_micros()) + now.as_secs() % 1_000_000 * 1_000_000
}

/// Database and log are worth a look.
fn kept(folder: tempfile::TempDir) -> String {
    format!("the database and the gateway's log are in {}", folder.keep().display())
}

/// The binary that the tests have built, or a new one.
fn binary() -> Result<PathBuf> {
    let name = format!("gateway{}", std::env::consts::EXE_SUFFIX);
    let path = workspace::target_dir()?.join("debug").join(name);
    if !path.exists() {
        let build = ["build", "--locked", "-p", "adapter-tokio", "--bin", "gateway"];
        process::run(&mut process::cargo(build))?;
    }
    ensure!(path.exists(), "{} has not been built", path.display());
    Ok(path)
}

/// Everything that runs.
struct Stage {
    plan: Plan,
    began: Instant,
    home: Home,
    /// The process that serves, and when it was started.
    serving: Option<(Server, Duration)>,
    lives: Vec<Life>,
    accounts: Accounts,
    upstream: Upstream,
    crowd: Arc<Crowd>,
    clients: JoinSet<()>,
    state: watch::Sender<Gateway>,
    breaches: Vec<Breach>,
    // Last: what else there is may still need it while it is dropped.
    runtime: Runtime,
}

impl Stage {
    fn open(plan: Plan, home: Home, seconds: u64) -> Result<Self> {
        let began = Instant::now();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let upstream = Upstream::new(plan, began);
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(upstream.clone().serve(listener));
        let started = began.elapsed();
        let server = home.start()?;
        let scarce = SCARCE_A_SECOND * seconds;
        let accounts = runtime
            .block_on(Accounts::open(server.address, address, scarce))
            .context("cannot set the gateway up")?;
        let (state, gateway) = watch::channel(Gateway::Up(0, server.address));
        let crowd = Arc::new(Crowd::new(plan, began, accounts.keys(), gateway));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn_on(Arc::clone(&crowd).keep_calling(), runtime.handle());
        }
        Ok(Self {
            plan,
            began,
            home,
            serving: Some((server, started)),
            lives: Vec::new(),
            accounts,
            upstream,
            crowd,
            clients,
            state,
            breaches: Vec::new(),
            runtime,
        })
    }

    /// Which process it is, from 0.
    fn number(&self) -> u64 {
        u64::try_from(self.lives.len()).unwrap_or(u64::MAX)
    }

    /// Kills each process when its time has come, and starts the next, until all time is over.
    fn kill_again_and_again(&mut self, length: Duration) -> Result<()> {
        let end = self.began.elapsed() + length;
        loop {
            let ready = Instant::now();
            let life = self.plan.life(self.number());
            self.verify("under load")?;
            std::thread::sleep(life.saturating_sub(ready.elapsed()));
            if self.began.elapsed() >= end {
                return Ok(());
            }
            self.kill()?;
            if self.plan.looks_at_the_dead(self.number()) {
                self.verify("after a kill")?;
            }
            self.start()?;
        }
    }

    fn verify(&mut self, when: &str) -> Result<()> {
        if let Some(wrong) = self.home.verify()? {
            let what = format!("{when}, in life {}: {wrong}", self.number());
            self.breaches.push(Breach::new(Promise::Books, what));
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let (server, from) = self.serving.take().context("nothing is served")?;
        // Only so that nobody knocks at a dead door: those who are in stay in.
        self.state.send_replace(Gateway::Down);
        let until = self.began.elapsed();
        // A server is killed by its end, with SIGKILL.
        drop(server);
        self.lives.push(Life { from, until, gone: self.began.elapsed(), killed: true });
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let (server, from) = self.serving.take().context("nothing is served")?;
        self.state.send_replace(Gateway::Over);
        let until = self.began.elapsed();
        let stopped = server.stop(STOPPED_WITHIN);
        self.lives.push(Life { from, until, gone: self.began.elapsed(), killed: false });
        stopped
    }

    fn start(&mut self) -> Result<SocketAddr> {
        let started = self.began.elapsed();
        let server = self.home.start()?;
        let address = server.address;
        self.state.send_if_modified(|state| {
            // After the end no client begins again.
            let goes_on = *state == Gateway::Down;
            if goes_on {
                *state = Gateway::Up(self.lives.len(), address);
            }
            goes_on
        });
        self.serving = Some((server, started));
        Ok(address)
    }

    /// Stops under load, starts once more, so that what crashed processes left is closed, and
    /// collects what everybody knows.
    fn close(&mut self) -> Result<Evidence> {
        self.stop()?;
        let clients = &mut self.clients;
        let ended = self.runtime.block_on(async {
            let all = async { while clients.join_next().await.is_some() {} };
            tokio::time::timeout(CLIENTS_WITHIN, all).await
        });
        ended.context("the clients do not end")?;

        let gateway = self.start()?;
        self.verify("at the end")?;
        let collected = self.runtime.block_on(collect(&self.accounts, gateway))?;
        if let Err(error) = self.runtime.block_on(self.accounts.take_all(gateway)) {
            self.breaches.push(Breach::new(Promise::NothingOpen, format!("{error:#}")));
        }
        self.stop()?;
        self.verify("after the end")?;
        Ok(Evidence {
            plan: self.plan,
            lives: self.lives.clone(),
            seen: self.crowd.seen(),
            made: self.upstream.log(),
            rows: collected.rows,
            accounts: collected.accounts,
            checkpoint: CHECKPOINT,
            drain: DRAIN,
        })
    }
}

/// What the gateway shows.
struct Collected {
    rows: BTreeMap<u64, Vec<Row>>,
    accounts: Vec<Account>,
}

async fn collect(accounts: &Accounts, gateway: SocketAddr) -> Result<Collected> {
    let mut rows: BTreeMap<u64, Vec<Row>> = BTreeMap::new();
    for row in accounts.rows(gateway).await? {
        let model = text(&row, "model")?;
        let number = plan::number(&model).with_context(|| format!("nobody asked for {model}"))?;
        rows.entry(number).or_default().push(read(&row, accounts)?);
    }
    let mut all = Vec::new();
    let users = ["the rich user", "the poor user"].into_iter();
    let of = [vec![Payer::Rich, Payer::Capped], vec![Payer::Poor]];
    for ((name, payers), shown) in users.zip(of).zip(accounts.users(gateway).await?) {
        let name = name.to_owned();
        all.push(Account { name, payers, used: shown.used, requests: shown.requests });
    }
    for payer in Payer::ALL {
        let shown = accounts.key(gateway, payer).await?;
        let name = format!("the key {payer:?}");
        let payers = vec![payer];
        all.push(Account { name, payers, used: shown.used, requests: shown.requests });
    }
    Ok(Collected { rows, accounts: all })
}

fn read(row: &Value, accounts: &Accounts) -> Result<Row> {
    Ok(Row {
        payer: accounts.payer(number(row, "token_id")?),
        state: text(row, "state")?,
        end_reason: text(row, "end_reason")?,
        tokens: Tokens {
            prompt: number(row, "prompt_tokens")?,
            completion: number(row, "completion_tokens")?,
        },
        quota: number(row, "quota")?,
        unbilled: number(row, "unbilled")?,
        estimated: row.get("estimated").and_then(Value::as_bool).unwrap_or_default(),
    })
}
