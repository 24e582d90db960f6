//! The way to the providers through a relay proxy, for a gateway that needs a fixed address.
//!
//! A request goes to the relay, which is told in headers where it is for; the answer comes back as
//! it is. What the relay itself has to say is marked by a header, so that it is never taken for a
//! provider's word.

use async_trait::async_trait;
use bytes::Bytes;
use gateway_domain::{
    RequestId,
    egress::{self, UnsafeUrl},
};
use gateway_ports::{ByteStream, Upstream, UpstreamError};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, sync::Arc};

/// The relay's key.
pub const KEY: HeaderName = HeaderName::from_static("x-proxy-key");
/// Where a request is for.
pub const TARGET: HeaderName = HeaderName::from_static("x-target-url");
/// The id of the call that a request belongs to, for the relay's log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// On an answer: it is the relay's own, and this is its code.
pub const ERROR: HeaderName = HeaderName::from_static("x-relay-error");
/// The shortest key, in bytes.
pub const LEAST_KEY: usize = 32;

/// The codes of the relay's own answers that a gateway tells apart.
pub mod code {
    /// No connection to the target.
    pub const UNREACHABLE: &str = "target_unreachable";
    /// No connection to the target in time, or nothing came of it.
    pub const TIMEOUT: &str = "target_timeout";
    /// The target is no public address.
    pub const BLOCKED: &str = "blocked_target";
}

/// Why a relay cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRelay {
    /// `RELAY_PROXY_URL`.
    #[error("RELAY_PROXY_URL: {0}")]
    Url(#[from] UnsafeUrl),
    /// `RELAY_PROXY_KEY`.
    #[error("RELAY_PROXY_KEY must be what the relay has: at least 32 characters of ASCII")]
    Key,
}

/// Where the relay is, and its key.
#[derive(Clone)]
pub struct RelayProxy {
    uri: Uri,
    key: HeaderValue,
}

impl fmt::Debug for RelayProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayProxy").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl RelayProxy {
    /// A relay at an https address, or on this machine.
    ///
    /// # Errors
    /// [`BadRelay`] names the part that is wrong.
    pub fn new(url: &str, key: &SecretString) -> Result<Self, BadRelay> {
        let base = egress::base_url(url, true)?;
        let uri = format!("{base}/proxy").parse().map_err(|_| BadRelay::Url(UnsafeUrl::Form))?;
        if key.expose_secret().len() < LEAST_KEY {
            return Err(BadRelay::Key);
        }
        let mut key = HeaderValue::from_str(key.expose_secret()).map_err(|_| BadRelay::Key)?;
        key.set_sensitive(true);
        Ok(Self { uri, key })
    }

    /// A client that sends everything through the relay, by way of another client.
    pub fn over(self, inner: Arc<dyn Upstream>) -> ProxiedUpstream {
        ProxiedUpstream { relay: self, inner }
    }
}

/// A client that sends everything through a relay.
#[derive(Debug)]
pub struct ProxiedUpstream {
    relay: RelayProxy,
    inner: Arc<dyn Upstream>,
}

#[async_trait]
impl Upstream for ProxiedUpstream {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<ByteStream>, UpstreamError> {
        let target = HeaderValue::try_from(request.uri().to_string())
            .map_err(|error| UpstreamError::Connect(error.to_string()))?;
        let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        *request.uri_mut() = self.relay.uri.clone();
        let headers = request.headers_mut();
        headers.insert(TARGET, target);
        headers.insert(KEY, self.relay.key.clone());
        if let Some(id) = id.and_then(|id| HeaderValue::try_from(id).ok()) {
            headers.insert(REQUEST_ID, id);
        }
        let reply = self.inner.send(request).await.map_err(unreachable_relay)?;
        match own_word(reply.headers()) {
            Some(error) => Err(error),
            None => Ok(reply),
        }
    }
}

fn unreachable_relay(error: UpstreamError) -> UpstreamError {
    match error {
        UpstreamError::Connect(why) => UpstreamError::Relay(format!("cannot be reached: {why}")),
        UpstreamError::ConnectTimeout => UpstreamError::Relay("cannot be reached in time".into()),
        UpstreamError::Blocked => UpstreamError::Relay("its address is not public".into()),
        other => other,
    }
}

/// What the relay itself says of a request, if it is its word.
fn own_word(headers: &HeaderMap) -> Option<UpstreamError> {
    let said = headers.get(ERROR)?.to_str().unwrap_or("unreadable");
    Some(match said {
        code::UNREACHABLE => UpstreamError::Connect("by way of the relay".into()),
        code::TIMEOUT => UpstreamError::ConnectTimeout,
        code::BLOCKED => UpstreamError::Blocked,
        other => UpstreamError::Relay(other.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use gateway_ports::upstream::MockUpstream;
    use http::{Request, Response, header::CONTENT_TYPE};

    const SECRET: &str = "relay-key-of-thirty-two-characters";

    fn relay() -> RelayProxy {
        RelayProxy::new("https://relay.example.com/", &SECRET.into()).unwrap()
    }

    fn answer(headers: &[(&str, &str)]) -> Response<ByteStream> {
        let mut answer = Response::builder().status(502);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(Box::pin(stream::empty()) as ByteStream).unwrap()
    }

    fn request() -> Request<Bytes> {
        let mut request = Request::post("https://api.example.com/v1/x?alt=sse")
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        request.extensions_mut().insert(RequestId("id-1".into()));
        request
    }

    #[tokio::test]
    async fn a_request_goes_to_the_relay_and_says_where_it_is_for() {
        let mut inner = MockUpstream::new();
        inner.expect_send().once().returning(|request| {
            assert_eq!(request.uri(), "https://relay.example.com/proxy");
            assert_eq!(request.headers()[TARGET], "https://api.example.com/v1/x?alt=sse");
            assert_eq!(request.headers()[KEY], SECRET);
            assert_eq!(request.headers()[REQUEST_ID], "id-1");
            assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(request.body().as_ref(), b"{}");
            Ok(answer(&[]))
        });
        // A provider's own 502 is passed on as it is.
        assert_eq!(relay().over(Arc::new(inner)).send(request()).await.unwrap().status(), 502);
    }

    #[tokio::test]
    async fn the_relays_own_word_is_not_a_providers() {
        for (said, expected) in [
            (code::UNREACHABLE, "cannot connect: by way of the relay"),
            (code::TIMEOUT, "connecting took too long"),
            (code::BLOCKED, "the address is not public"),
            ("invalid_proxy_key", "the relay proxy: invalid_proxy_key"),
        ] {
            let mut inner = MockUpstream::new();
            inner.expect_send().once().returning(move |_| Ok(answer(&[("x-relay-error", said)])));
            let sent = relay().over(Arc::new(inner)).send(request()).await.map(|_| ());
            assert_eq!(sent.unwrap_err().to_string(), expected);
        }
        let mut inner = MockUpstream::new();
        inner.expect_send().once().returning(|_| Err(UpstreamError::Connect("refused".into())));
        let sent = relay().over(Arc::new(inner)).send(request()).await.map(|_| ());
        let error = sent.unwrap_err().to_string();
        assert_eq!(error, "the relay proxy: cannot be reached: refused");
    }

    #[test]
    fn a_relay_needs_a_safe_address_and_a_long_key() {
        let new = |url: &str, key: &str| RelayProxy::new(url, &key.into()).map(|_| ());
        assert_eq!(new("http://relay.example.com", SECRET), Err(BadRelay::Url(UnsafeUrl::Scheme)));
        assert_eq!(new("https://relay.example.com", "short"), Err(BadRelay::Key));
        assert_eq!(new("https://relay.example.com", &"\n".repeat(40)), Err(BadRelay::Key));
        assert!(new("http://127.0.0.1:8788", SECRET).is_ok());
        assert!(!format!("{:?}", relay()).contains("relay-key"));
    }
}
