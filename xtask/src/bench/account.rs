//! What the gateway needs before it relays anything: a channel to the mock, a user who can pay,
//! and that user's key. Made through the gateway's own API, as its operator would.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::api::call;
use super::scenario::MODEL;

/// Of databases that live for one run and listen on loopback only.
pub(super) const ADMIN_PASSWORD: &str = "bench-admin-password";

const USER: &str = "bench";
const USER_PASSWORD: &str = "bench-user-password";

/// More than any run can spend.
const QUOTA: u64 = 9_000_000_000_000;

/// Sets the gateway up and returns an API key.
pub(super) fn open(gateway: SocketAddr, mock: SocketAddr) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(set_up(gateway, mock)).context("cannot set the gateway up")
}

async fn set_up(gateway: SocketAddr, mock: SocketAddr) -> Result<String> {
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
    text(&token, "key")
}

async fn login(gateway: SocketAddr, username: &str, password: &str) -> Result<String> {
    let body = json!({"username": username, "password": password});
    let data = call(gateway, (Method::POST, "/api/user/login"), None, &body).await?;
    text(&data, "token")
}

fn text(data: &Value, name: &str) -> Result<String> {
    let text = data.get(name).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the answer has no `{name}`"))?.to_owned())
}
