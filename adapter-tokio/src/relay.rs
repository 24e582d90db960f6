//! The relay proxy: a small server that passes requests of a gateway on to the providers, so that
//! they come from a fixed address.
//!
//! `POST /proxy` with the key in `X-Proxy-Key` and the whole address in `X-Target-URL`. The body and
//! the headers go on, but for those that are about this connection or this caller; the answer comes
//! back as it arrives. What the relay itself has to say carries `x-relay-error`. What is
//! deliberately not known here: accounts, quota, dialects.

mod body;
mod headers;

use crate::upstream::{HyperUpstream, UpstreamOptions};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use body::Limits;
use bytes::Bytes;
use gateway_app::proxy::{self, LEAST_KEY, code};
use gateway_domain::egress::{self, HostList, Purpose};
use gateway_ports::{Upstream as _, UpstreamError};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc, time::Duration};

/// The largest body of a request.
const MOST_BODY: usize = 32 << 20;

/// What a relay is allowed to reach unless its operator says otherwise: the four providers.
pub const DEFAULT_HOSTS: &str =
    "api.openai.com,.openai.azure.com,api.anthropic.com,generativelanguage.googleapis.com";

/// How a relay works.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// What callers have to show.
    pub key: SecretString,
    /// The hosts that it reaches, and no others.
    pub hosts: HostList,
    /// Whether it may reach this machine, where the hosts name it.
    pub allow_loopback: bool,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// From the request to the head of the answer.
    pub first_byte_timeout: Duration,
    /// Between two reads of an answer.
    pub idle_timeout: Duration,
    /// A whole exchange.
    pub total_timeout: Duration,
}

/// The key is too short to be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RELAY_PROXY_KEY must be at least {LEAST_KEY} bytes long")]
pub struct WeakKey;

struct Relay {
    options: RelayOptions,
    key: [u8; 32],
    upstream: HyperUpstream,
    /// What this relay calls itself on the way: a request that has it comes from here.
    mark: HeaderValue,
}

/// The relay as a router. `instance` tells it from other relays.
///
/// # Errors
/// [`WeakKey`], if the key is too short.
pub fn router(options: RelayOptions, instance: u64) -> Result<Router, WeakKey> {
    if options.key.expose_secret().len() < LEAST_KEY {
        return Err(WeakKey);
    }
    let upstream = HyperUpstream::new(UpstreamOptions {
        connect_timeout: options.connect_timeout,
        allow_loopback: options.allow_loopback,
        ..UpstreamOptions::default()
    });
    let mark = HeaderValue::try_from(format!("1.1 relay-{instance:016x}"))
        .unwrap_or(HeaderValue::from_static("1.1 relay"));
    let key = digest(options.key.expose_secret().as_bytes());
    let relay = Arc::new(Relay { options, key, upstream, mark });
    Ok(Router::new()
        .route("/proxy", post(pass_on))
        .route("/health", get(health))
        .method_not_allowed_fallback(|| async { Refused::METHOD })
        .fallback(|request: Request<Body>| async move {
            // A request for another server (CONNECT) has no path at all.
            if request.uri().path().starts_with('/') { Refused::ROUTE } else { Refused::METHOD }
        })
        .with_state(relay))
}

async fn health() -> impl IntoResponse {
    let version = env!("CARGO_PKG_VERSION");
    let body = format!(r#"{{"status":"ok","version":"{version}"}}"#);
    ([(CONTENT_TYPE, "application/json")], body)
}

async fn pass_on(
    State(relay): State<Arc<Relay>>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let id = headers::request_id(&head.headers).map(str::to_owned);
    let answered = relay.exchange(head.headers, body).await;
    match &answered {
        Ok(answer) => {
            tracing::info!(request_id = id, status = answer.status().as_u16(), "passed on");
        }
        Err(refused) => tracing::warn!(request_id = id, code = refused.code, "not passed on"),
    }
    answered
}

impl Relay {
    async fn exchange(&self, given: HeaderMap, body: Body) -> Result<Response, Refused> {
        // Before the key: what comes back from here has lost it.
        if given.get_all(http::header::VIA).iter().any(|via| headers::has_hop(via, &self.mark)) {
            return Err(Refused::LOOP);
        }
        self.check_key(&given)?;
        let target = self.target(&given)?;
        let most = Limited::new(body, MOST_BODY);
        let body = tokio::time::timeout(self.options.body_timeout, most.collect())
            .await
            .map_err(|_| Refused::SLOW)?
            .map_err(
                |error| if error.is::<LengthLimitError>() { Refused::SIZE } else { Refused::BODY },
            )?
            .to_bytes();
        let limits = Limits::new(self.options.idle_timeout, self.options.total_timeout);
        let request = self.request(&target, &given, body)?;
        let sent =
            tokio::time::timeout(self.options.first_byte_timeout, self.upstream.send(request));
        let answer = sent.await.map_err(|_| Refused::TIMEOUT)?.map_err(|error| refused(&error))?;
        let (head, stream) = answer.into_parts();
        let mut response = Response::new(Body::from_stream(limits.of(stream)));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers::of_answer(&head.headers);
        Ok(response)
    }

    /// Digests are compared, so that the time that it takes tells nothing of the key.
    fn check_key(&self, given: &HeaderMap) -> Result<(), Refused> {
        let mut keys = given.get_all(proxy::KEY).iter();
        match (keys.next(), keys.next()) {
            (Some(key), None) if digest(key.as_bytes()) == self.key => Ok(()),
            _ => Err(Refused::KEY),
        }
    }

    fn target(&self, given: &HeaderMap) -> Result<http::Uri, Refused> {
        let mut targets = given.get_all(proxy::TARGET).iter();
        let (Some(text), None) = (targets.next(), targets.next()) else {
            return Err(Refused::NO_TARGET);
        };
        let text = text.to_str().map_err(|_| Refused::UNSAFE)?;
        let url = egress::vet(text, Purpose::Target, self.options.allow_loopback)
            .map_err(|_| Refused::UNSAFE)?;
        if !self.options.hosts.names(&url) {
            return Err(Refused::HOST);
        }
        url.as_str().parse().map_err(|_| Refused::UNSAFE)
    }

    fn request(
        &self,
        target: &http::Uri,
        given: &HeaderMap,
        body: Bytes,
    ) -> Result<Request<Bytes>, Refused> {
        let mut request = Request::post(target.clone()).body(body).map_err(|_| Refused::UNSAFE)?;
        *request.headers_mut() = headers::of_request(given, &self.mark);
        Ok(request)
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn refused(error: &UpstreamError) -> Refused {
    match error {
        UpstreamError::Blocked => Refused::BLOCKED,
        UpstreamError::ConnectTimeout => Refused::TIMEOUT,
        _ => Refused::UNREACHABLE,
    }
}

/// What the relay itself answers.
#[derive(Clone, Copy)]
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

macro_rules! refusals {
    ($($name:ident: $status:ident, $code:expr, $message:literal;)*) => {
        impl Refused {
            $(const $name: Self =
                Self { status: StatusCode::$status, code: $code, message: $message };)*
        }
    };
}

refusals! {
    METHOD: METHOD_NOT_ALLOWED, "method_not_allowed", "POST /proxy and GET /health are all there is";
    ROUTE: NOT_FOUND, "not_found", "POST /proxy and GET /health are all there is";
    KEY: UNAUTHORIZED, "invalid_proxy_key", "X-Proxy-Key must be there once, and right";
    LOOP: LOOP_DETECTED, "loop_detected", "the target is this relay itself";
    NO_TARGET: BAD_REQUEST, "invalid_target", "X-Target-URL must be there once";
    UNSAFE: BAD_REQUEST, "unsafe_target", "X-Target-URL must be an https URL of a public host";
    HOST: FORBIDDEN, "target_not_allowed", "this relay does not reach that host (RELAY_ALLOWED_HOSTS)";
    SIZE: PAYLOAD_TOO_LARGE, "payload_too_large", "the body is larger than 32 MiB";
    SLOW: REQUEST_TIMEOUT, "request_timeout", "the body took too long";
    BODY: BAD_REQUEST, "invalid_body", "the body could not be read";
    BLOCKED: BAD_GATEWAY, code::BLOCKED, "the target's name resolves to an address that is not public";
    TIMEOUT: GATEWAY_TIMEOUT, code::TIMEOUT, "the target did not answer in time";
    UNREACHABLE: BAD_GATEWAY, code::UNREACHABLE, "the target cannot be reached";
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        let body = format!(r#"{{"error":{{"message":"{message}","code":"{code}"}}}}"#);
        let kind = HeaderValue::from_static("application/json");
        let mut response = (status, [(CONTENT_TYPE, kind)], body).into_response();
        response.headers_mut().insert(proxy::ERROR, HeaderValue::from_static(code));
        response
    }
}
