//! HTTP exchanges with providers.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use std::{fmt::Debug, pin::Pin};

/// The body of an answer, as it comes. Dropping it drops the exchange.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, UpstreamError>> + Send>>;

/// An exchange failed below HTTP.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection: refused, no such host, TLS. Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection in time. Nothing was sent.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The host is, or resolves to, an address that no channel may reach. Nothing was sent.
    #[error("the address is not public")]
    Blocked,
    /// What stands between here and the upstream does not do its work. Nothing was sent on.
    #[error("the relay proxy: {0}")]
    Relay(String),
    /// The connection broke after the request was sent.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// An HTTP exchange. A 4xx or 5xx is a reply, not an error; a redirect is a reply, and is never
/// followed.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Upstream: Send + Sync + Debug {
    /// Sends a request and returns when the head of the answer is here. MUST stop the exchange
    /// when the future or the body is dropped.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<ByteStream>, UpstreamError>;
}
