//! The real binary on a database of this run: started, looked at, set up.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::plan::Payer;
use crate::local::api::{call, login, number, text};
use crate::local::server::Server;
use crate::process;

/// Of databases that live for one run and listen on loopback only.
const ADMIN_PASSWORD: &str = "crash-admin-password";
const USER_PASSWORD: &str = "crash-user-password";

/// Between two checkpoints of a stream.
pub(super) const CHECKPOINT: Duration = Duration::from_millis(200);
/// For how long an upstream is listened to without its client.
pub(super) const DRAIN: Duration = Duration::from_millis(300);
/// What calls in flight have when a process is told to stop.
const SHUTDOWN: Duration = Duration::from_millis(1500);

/// A look at the books takes a moment.
const VERIFIED_WITHIN: Duration = Duration::from_secs(30);

/// More than any run can spend, and a cap that none reaches.
const RICH: u64 = 1_000_000_000_000;
const RICH_CAP: u64 = 100_000_000_000;

/// The binary and its database.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) binary: PathBuf,
    pub(super) folder: PathBuf,
}

impl Home {
    fn database(&self) -> String {
        format!("sqlite://{}", self.folder.join("gateway.db").display())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(&self.folder)
            // A developer's own settings must not decide what is tested.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("DATABASE_URL", self.database())
            .env("RUST_LOG", "error");
        command
    }

    /// Starts a process and waits until it listens.
    pub(super) fn start(&self) -> Result<Server> {
        let log = self.folder.join("gateway.log");
        let log = File::options().create(true).append(true).open(log)?;
        let millis = |duration: Duration| duration.as_millis().to_string();
        let mut gateway = self.command();
        gateway
            .arg("serve")
            .env("LISTEN", "127.0.0.1:0")
            .env("ALLOW_LOOPBACK_UPSTREAMS", "1")
            .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("DEFAULT_MAX_TOKENS", "600")
            // Its upstream fails as the plan says, and is asked all the same.
            .env("BREAKER_FAILURES", "1000000")
            .env("RATE_LIMIT_COOLDOWN_MS", "0")
            .env("RETRY_BUDGET_PER_SECOND", "100000")
            .env("CHECKPOINT_MS", millis(CHECKPOINT))
            .env("DRAIN_MS", millis(DRAIN))
            .env("DRAIN_BEFORE_ANSWER_MS", millis(DRAIN))
            .env("SHUTDOWN_TIMEOUT_MS", millis(SHUTDOWN))
            .stderr(Stdio::from(log));
        Server::start(gateway, "the gateway")
    }

    /// `gateway ledger verify`: what does not add up, if anything.
    pub(super) fn verify(&self) -> Result<Option<String>> {
        let mut verify = self.command();
        verify.args(["ledger", "verify", "--database-url", &self.database()]);
        let ended = process::run_within(&mut verify, VERIFIED_WITHIN)?;
        Ok((!ended.well()).then(|| {
            let how = ended.status.map_or("no end".to_owned(), |status| status.to_string());
            format!("{how}: {}", ended.output.trim())
        }))
    }
}

/// Somebody who is logged in.
#[derive(Debug)]
struct Session {
    id: u64,
    bearer: String,
}

/// Who is known to the gateway.
#[derive(Debug)]
pub(super) struct Accounts {
    admin: String,
    rich: Session,
    poor: Session,
    /// The ids of keys, and the keys.
    keys: BTreeMap<Payer, (u64, String)>,
}

/// A user, as the gateway shows it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) used: u64,
    pub(super) requests: u64,
}

impl Shown {
    fn of(data: &Value) -> Result<Self> {
        Ok(Self { used: number(data, "used_quota")?, requests: number(data, "request_count")? })
    }
}

impl Accounts {
    /// Makes them, and a channel to the upstream that serves every model. `scarce` is what the poor
    /// have.
    pub(super) async fn open(
        gateway: SocketAddr,
        upstream: SocketAddr,
        scarce: u64,
    ) -> Result<Self> {
        let admin = login(gateway, "admin", ADMIN_PASSWORD).await?;
        let channel = json!({
            "name": "upstream",
            "type": 99,
            "key": "sk-crash-upstream-0000000000000000",
            "base_url": format!("http://{upstream}/v1"),
        });
        call(gateway, (Method::POST, "/api/channel"), Some(&admin), &channel).await?;
        let rich = user(gateway, &admin, "rich", RICH).await?;
        let poor = user(gateway, &admin, "poor", scarce).await?;
        let keys = [
            (Payer::Rich, key(gateway, &rich, "rich", RICH_CAP).await?),
            (Payer::Capped, key(gateway, &rich, "capped", scarce).await?),
            (Payer::Poor, key(gateway, &poor, "poor", 0).await?),
        ];
        Ok(Self { admin, rich, poor, keys: keys.into() })
    }

    /// The keys that calls are made with.
    pub(super) fn keys(&self) -> BTreeMap<Payer, String> {
        self.keys.iter().map(|(payer, (_, key))| (*payer, key.clone())).collect()
    }

    /// Whose key has this id.
    pub(super) fn payer(&self, token_id: u64) -> Option<Payer> {
        self.keys.iter().find(|(_, (id, _))| *id == token_id).map(|(payer, _)| *payer)
    }

    /// What the rich and the poor have spent.
    pub(super) async fn users(&self, gateway: SocketAddr) -> Result<[Shown; 2]> {
        let shown = async |user: &Session| {
            let path = format!("/api/user/{}", user.id);
            let get = (Method::GET, path.as_str());
            Shown::of(&call(gateway, get, Some(&self.admin), &Value::Null).await?)
        };
        Ok([shown(&self.rich).await?, shown(&self.poor).await?])
    }

    /// What was spent with a key.
    pub(super) async fn key(&self, gateway: SocketAddr, payer: Payer) -> Result<Shown> {
        let (id, _) = self.keys.get(&payer).context("no such key")?;
        let owner = if payer == Payer::Poor { &self.poor } else { &self.rich };
        let path = format!("/api/token/{id}");
        let get = (Method::GET, path.as_str());
        Shown::of(&call(gateway, get, Some(&owner.bearer), &Value::Null).await?)
    }

    /// Takes all that is left from both users. That is refused as long as any call holds something.
    pub(super) async fn take_all(&self, gateway: SocketAddr) -> Result<()> {
        for user in [&self.rich, &self.poor] {
            set(gateway, &self.admin, user.id, 0).await?;
        }
        Ok(())
    }

    /// All usage rows.
    pub(super) async fn rows(&self, gateway: SocketAddr) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/log?limit=200&cursor={cursor}");
            let get = (Method::GET, path.as_str());
            let mut page = call(gateway, get, Some(&self.admin), &Value::Null).await?;
            let items = page.get_mut("items").map(Value::take);
            let Some(Value::Array(items)) = items else {
                anyhow::bail!("the usage log has no items");
            };
            rows.extend(items);
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => next.clone_into(&mut cursor),
                None => return Ok(rows),
            }
        }
    }
}

async fn user(gateway: SocketAddr, admin: &str, name: &str, balance: u64) -> Result<Session> {
    let new = json!({"username": name, "password": USER_PASSWORD});
    let made = call(gateway, (Method::POST, "/api/user/register"), None, &new).await?;
    let id = number(&made, "user_id")?;
    set(gateway, admin, id, balance).await?;
    Ok(Session { id, bearer: login(gateway, name, USER_PASSWORD).await? })
}

async fn set(gateway: SocketAddr, admin: &str, user: u64, balance: u64) -> Result<()> {
    let path = format!("/api/user/{user}");
    let change = json!({"quota": balance});
    call(gateway, (Method::PUT, &path), Some(admin), &change).await.map(drop)
}

async fn key(gateway: SocketAddr, owner: &Session, name: &str, cap: u64) -> Result<(u64, String)> {
    let new = json!({"name": name, "quota": cap});
    let made = call(gateway, (Method::POST, "/api/token"), Some(&owner.bearer), &new).await?;
    Ok((number(&made, "id")?, text(&made, "key")?))
}
