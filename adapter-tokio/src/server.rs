//! The HTTP server: one task a connection, limits on heads, and a shutdown that lets calls finish.

use adapter_http::ClientAddress;
use axum::{Router, body::Body};
use gateway_domain::SubnetList;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// The largest head of a request.
const MOST_HEAD: usize = 64 << 10;

/// How requests are served.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How long a request's head may take.
    pub header_timeout: Duration,
    /// How long calls in flight may take once a shutdown has begun.
    pub shutdown_timeout: Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Option<SubnetList>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(30),
            trusted_proxies: None,
        }
    }
}

/// Serves a router until `stop` completes, and then until the calls in flight have ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServerOptions,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let trusted = options.trusted_proxies.map(Arc::new);
    let mut connections = http1::Builder::new();
    connections
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(MOST_HEAD);
    let mut tasks = tokio::task::JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (socket, peer) = tokio::select! {
            () = &mut stop => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
        };
        // Small events must not wait for more.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection cannot be set up");
            continue;
        }
        let (router, trusted) = (router.clone(), trusted.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            let address = client_address(&request, peer, trusted.as_deref());
            request.extensions_mut().insert(ClientAddress(address));
            router.clone().oneshot(request)
        });
        let connection =
            graceful.watch(connections.serve_connection(TokioIo::new(socket), service));
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection ended early");
            }
        });
    }
    drop(listener);
    tracing::info!("shutting down: calls in flight may finish");
    if tokio::time::timeout(options.shutdown_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("calls in flight took too long and were cut");
    }
    tasks.shutdown().await;
}

/// Without a pause a process that is out of descriptors would spin.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection cannot be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// The caller's address: the peer's, or what trusted proxies say of it. Of a chain of addresses
/// the last one that no trusted proxy wrote is the caller's: anything before it may be invented.
fn client_address<B>(
    request: &Request<B>,
    peer: SocketAddr,
    trusted: Option<&SubnetList>,
) -> IpAddr {
    let mut address = peer.ip().to_canonical();
    let Some(trusted) = trusted else {
        return address;
    };
    let chain: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in chain.iter().rev() {
        if !trusted.admits(Some(address)) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(hop) => address = hop.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = SubnetList::parse("10.0.0.0/8").unwrap();
        for (peer, chain, expected) in [
            ("1.2.3.4:1", "9.9.9.9", "1.2.3.4"),
            ("10.0.0.1:1", "9.9.9.9", "9.9.9.9"),
            ("10.0.0.1:1", "6.6.6.6, 9.9.9.9", "9.9.9.9"),
            ("10.0.0.1:1", "6.6.6.6, 9.9.9.9, 10.0.0.2", "9.9.9.9"),
            ("10.0.0.1:1", "nonsense", "10.0.0.1"),
        ] {
            let request = Request::builder().header("x-forwarded-for", chain).body(()).unwrap();
            let address = client_address(&request, peer.parse().unwrap(), Some(&trusted));
            assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{peer} {chain}");
            let alone = client_address(&request, peer.parse().unwrap(), None);
            assert_eq!(alone, peer.parse::<SocketAddr>().unwrap().ip());
        }
    }
}
