//! The client that reaches providers: pooled connections, TLS by rustls, no redirects, and only
//! addresses that a channel may point at.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture};
use gateway_domain::egress::is_public;
use gateway_ports::{ByteStream, Upstream, UpstreamError};
use http_body_util::{BodyDataStream, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
    time::Duration,
};
use tower::Service;

/// What is read of an answer on HTTP/1.1 before anybody asks for it; also the largest head.
const MOST_UNREAD: usize = 64 << 10;
/// The same on HTTP/2, for each answer.
const STREAM_WINDOW: u32 = 128 << 10;
/// Answers that a connection of HTTP/2 carries at once, as most servers have it. So much room has
/// the connection: readers that are slow must not use up what the others need.
const STREAMS: u32 = 128;

/// How the client connects.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamOptions {
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle: Duration,
    /// Whether channels may point at this machine.
    pub allow_loopback: bool,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            pool_idle: Duration::from_secs(60),
            allow_loopback: false,
        }
    }
}

/// The client on hyper.
#[derive(Clone)]
pub struct HyperUpstream {
    client: Client<HttpsConnector<HttpConnector<VettingResolver>>, Full<Bytes>>,
    allow_loopback: bool,
}

impl fmt::Debug for HyperUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperUpstream").finish_non_exhaustive()
    }
}

impl HyperUpstream {
    /// A client.
    pub fn new(options: UpstreamOptions) -> Self {
        let resolver =
            VettingResolver { inner: GaiResolver::new(), allow_loopback: options.allow_loopback };
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(options.connect_timeout));
        let https = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .http1_max_buf_size(MOST_UNREAD)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(STREAM_WINDOW * STREAMS)
            .pool_idle_timeout(options.pool_idle)
            .pool_timer(TokioTimer::new())
            .build(https);
        Self { client, allow_loopback: options.allow_loopback }
    }

    /// An address in a URL is connected to without asking the resolver, so it is checked here.
    fn check_host(&self, uri: &http::Uri) -> Result<(), UpstreamError> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            Ok(ip) if !(self.allow_loopback && ip.is_loopback()) => Err(UpstreamError::Blocked),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Upstream for HyperUpstream {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<ByteStream>, UpstreamError> {
        self.check_host(request.uri())?;
        let reply = self.client.request(request.map(Full::new)).await.map_err(|e| classify(&e))?;
        Ok(reply.map(|body| -> ByteStream {
            Box::pin(
                BodyDataStream::new(body).map(|read| {
                    read.map_err(|e| UpstreamError::Broken(root_cause(&e).to_string()))
                }),
            )
        }))
    }
}

fn classify(error: &hyper_util::client::legacy::Error) -> UpstreamError {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<NotPublic>() {
            return UpstreamError::Blocked;
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            if io.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<NotPublic>) {
                return UpstreamError::Blocked;
            }
            if error.is_connect() && io.kind() == io::ErrorKind::TimedOut {
                return UpstreamError::ConnectTimeout;
            }
        }
        next = cause.source();
    }
    let cause = root_cause(error).to_string();
    if error.is_connect() { UpstreamError::Connect(cause) } else { UpstreamError::Broken(cause) }
}

fn root_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// A name resolves to an address that no channel may reach.
#[derive(Clone, Copy, Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name resolves to an address that is not public")
    }
}

impl StdError for NotPublic {}

/// Resolves names, and refuses those with any address that is not public. The connection goes to
/// an address from this very answer, so a second answer cannot lead it elsewhere.
#[derive(Clone)]
struct VettingResolver {
    inner: GaiResolver,
    allow_loopback: bool,
}

impl Service<Name> for VettingResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let local = self.allow_loopback && name.as_str() == "localhost";
        let resolving = self.inner.call(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = resolving.await?.collect();
            let admitted = |ip: IpAddr| {
                if local { ip.is_loopback() } else { is_public(ip) }
            };
            if addresses.iter().all(|address| admitted(address.ip())) {
                Ok(addresses.into_iter())
            } else {
                Err(io::Error::other(NotPublic))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> http::Request<Bytes> {
        http::Request::post(uri).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn test_82_addresses_inside_are_never_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let strict = HyperUpstream::new(UpstreamOptions::default());
        for host in ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "localhost"] {
            let error = strict
                .send(request(&format!("http://{host}:{port}/")))
                .await
                .map(|_| ())
                .unwrap_err();
            assert!(matches!(error, UpstreamError::Blocked), "{host}: {error}");
        }
        let local = HyperUpstream::new(UpstreamOptions {
            allow_loopback: true,
            ..UpstreamOptions::default()
        });
        let error = local.send(request("http://10.0.0.1/")).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, UpstreamError::Blocked), "{error}");
        drop(listener);
        let error = local
            .send(request(&format!("http://127.0.0.1:{port}/")))
            .await
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, UpstreamError::Connect(_)), "{error}");
    }
}
