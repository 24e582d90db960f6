//! The floor: the least that a hyper proxy can do. No accounts, no parsing, no log; pooled
//! connections upstream, and both bodies streamed as they come.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use hyper::body::Incoming;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

use crate::local::http;

/// Listens on a free port, says which, and passes everything on until it is killed.
pub(super) async fn run(upstream: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, upstream).await
}

pub(super) async fn serve(listener: TcpListener, upstream: SocketAddr) -> Result<()> {
    let upstream: Authority = upstream.to_string().parse().context("not an address")?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    http::serve(listener, move |request| pass_on(&client, &upstream, request)).await
}

/// Sends the request on and answers with what comes back.
fn pass_on(
    client: &Client<HttpConnector, Incoming>,
    upstream: &Authority,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Incoming>, Error>> + use<> {
    let (mut head, body) = request.into_parts();
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(upstream.clone());
    // Scheme, authority and the path of a parsed request always fit together.
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    client.request(Request::from_parts(head, body))
}
