//! Just enough of a client for the gateway's own API: JSON there and back.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// A call of `/api/*`, with a body unless that is null; what it answers is the envelope's `data`.
pub(crate) async fn call(
    server: SocketAddr,
    (method, path): (Method, &str),
    bearer: Option<&str>,
    body: &Value,
) -> Result<Value> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method.clone())
        .uri(path)
        .header(HOST, server.to_string())
        .header(CONTENT_TYPE, "application/json");
    if let Some(bearer) = bearer {
        request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
    }
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let request = request.body(Full::new(body))?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let text = answer.into_body().collect().await?.to_bytes();
    let shown = String::from_utf8_lossy(&text);
    ensure!(status.is_success(), "{method} {path} answered {status}: {shown}");
    let mut envelope: Value =
        serde_json::from_str(&shown).with_context(|| format!("{method} {path}: no JSON"))?;
    Ok(envelope.get_mut("data").map(Value::take).unwrap_or_default())
}

/// Logs in; what it gives goes into `bearer` from then on.
pub(crate) async fn login(server: SocketAddr, username: &str, password: &str) -> Result<String> {
    let body = json!({"username": username, "password": password});
    let data = call(server, (Method::POST, "/api/user/login"), None, &body).await?;
    text(&data, "token")
}

/// A text of an answer.
pub(crate) fn text(data: &Value, name: &str) -> Result<String> {
    let text = data.get(name).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the answer has no `{name}`"))?.to_owned())
}

/// A whole number of an answer.
pub(crate) fn number(data: &Value, name: &str) -> Result<u64> {
    let number = data.get(name).and_then(Value::as_u64);
    number.with_context(|| format!("the answer has no number `{name}`"))
}
