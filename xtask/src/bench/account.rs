//! What the gateway needs before it relays anything: a channel to the mock, a user who can pay,
//! and that user's key. Made through the gateway's own API, as its operator would.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::scenario::MODEL;
use crate::local::api::{call, login, text};

/// Of databases that live for one run and listen on loopback only.
pub(super) const ADMIN_PASSWORD: &str = "bench-admin-password";

/// What a new user has, before it is made [`QUOTA`].
pub(super) const NEW_USER_QUOTA: &str = "1000000";

const USER: &str = "bench";
const USER_PASSWORD: &str = "bench-user-password";

/// More than any run can spend.
const QUOTA: u64 = 9_000_000_000_000;

/// A user who can pay.
pub(super) struct Account {
    /// The API key.
    pub(super) key: String,
    /// The login.
    session: String,
}

impl Account {
    /// Sets the gateway up.
    pub(super) fn open(gateway: SocketAddr, mock: SocketAddr) -> Result<Self> {
        wait_for(set_up(gateway, mock)).context("cannot set the gateway up")
    }

    /// How many calls the gateway's log has of this user.
    pub(super) fn logged(&self, gateway: SocketAddr) -> Result<u64> {
        let path = (Method::GET, "/api/log/self/stat");
        let sums = wait_for(call(gateway, path, Some(&self.session), &Value::Null))?;
        let requests = sums.get("requests").and_then(Value::as_u64);
        requests.context("the log tells no number of requests")
    }
}

fn wait_for<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn set_up(gateway: SocketAddr, mock: SocketAddr) -> Result<Account> {
    let admin = login(gateway, "admin", ADMIN_PASSWORD).await?;
    let registered = call(
        gateway,
        (Method::POST, "/api/user/register"),
        None,
        &json!({"username": USER, "password": USER_PASSWORD}),
    )
    .await?;
    let id = registered.get("user_id").and_then(Value::as_i64);
    let id = id.context("registering gave no user_id")?;
    let path = format!("/api/user/{id}");
    call(gateway, (Method::PUT, &path), Some(&admin), &json!({"quota": QUOTA})).await?;
    let channel = json!({
        "name": "mock",
        "type": 99,
        "key": "sk-bench-upstream-0000000000000000",
        "base_url": format!("http://{mock}/v1"),
        "models": MODEL,
    });
    call(gateway, (Method::POST, "/api/channel"), Some(&admin), &channel).await?;

    let user = login(gateway, USER, USER_PASSWORD).await?;
    let token =
        call(gateway, (Method::POST, "/api/token"), Some(&user), &json!({"name": "bench"})).await?;
    Ok(Account { key: text(&token, "key")?, session: user })
}
