//! The gateway inside another axum service: its whole API under `/llm`, beside the service's own
//! routes, in one process.
//!
//! `cargo run --example embed_in_axum -- sqlite://embedded.db`

#![expect(clippy::print_stdout, reason = "the address is for whoever started this")]

use adapter_http::ClientAddress;
use adapter_tokio::{Native, NativeOptions};
use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use std::{error::Error, net::SocketAddr, time::Duration};

/// Tells the gateway who calls: keys may be bound to a network.
async fn client_address(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(ClientAddress(peer.ip()));
    next.run(request).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = std::env::args().nth(1).unwrap_or_else(|| "sqlite::memory:".into());
    let mut options = NativeOptions::new(database, adapter_providers::defaults()?);
    options.config.allow_loopback = std::env::var("ALLOW_LOOPBACK_UPSTREAMS").is_ok();
    options.config.admin_password = std::env::var("ADMIN_PASSWORD").ok().map(Into::into);
    let native = Native::open(options).await?;

    let app = Router::new()
        .route("/", get(|| async { "my own service" }))
        .nest("/llm", native.router())
        .layer(middleware::from_fn(client_address));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    native.close(Duration::from_secs(10)).await;
    Ok(())
}
