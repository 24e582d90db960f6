//! What happens to every request: an id, a look at its host, the headers of its answer.

use crate::{App, extract::Arrival, limits, relay::DROPPED_PARAMS, routes::error_response};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use gateway_app::{ErrorKind, GatewayError};
use http::{
    HeaderName, HeaderValue, Method,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    },
};
use std::{panic::AssertUnwindSafe, time::Duration};
use tower_http::cors::{AllowOrigin, CorsLayer};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which web pages may call the gateway from a browser. Credentials are never allowed: keys and
/// logins travel in a header that the page itself sets.
#[derive(Clone, Debug, Default)]
pub enum AllowedOrigins {
    /// Every page.
    #[default]
    Any,
    /// Pages of these origins.
    These(Vec<HeaderValue>),
}

impl AllowedOrigins {
    /// Reads `*`, or a comma-separated list of origins; `None` if one of them cannot be.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self::Any);
        }
        text.split(',')
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(|origin| {
                let fits = origin
                    .split_once("://")
                    .is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
                if fits { HeaderValue::from_str(origin).ok() } else { None }
            })
            .collect::<Option<Vec<_>>>()
            .map(Self::These)
    }
}

pub(crate) fn cors(origins: &AllowedOrigins) -> CorsLayer {
    let origin = match origins {
        AllowedOrigins::Any => AllowOrigin::any(),
        AllowedOrigins::These(list) => AllowOrigin::list(list.iter().cloned()),
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("api-key"),
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers(
            [REQUEST_ID, DROPPED_PARAMS, RETRY_AFTER]
                .into_iter()
                .chain(limits::names())
                .collect::<Vec<_>>(),
        )
        .max_age(Duration::from_secs(600))
}

/// Gives a request its id, and its answer the headers that all have.
pub(crate) async fn arrive(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let request_id = app.gateway.new_request_id();
    let id = HeaderValue::from_str(&request_id.0).ok();
    let management = request.uri().path().starts_with("/api");
    let mut response = if host_is_plain(&request) {
        request.extensions_mut().insert(Arrival { request_id, started: app.gateway.now() });
        run(request, next).await
    } else {
        let error =
            GatewayError::new(ErrorKind::Invalid, "bad_host", "the Host header is not a host");
        error_response(request.uri().path(), error)
    };
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if management {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Runs a handler. A panic is an answer too: it must not look like the client's fault, nor tell
/// what broke. What was held is settled, because dropping a call settles it.
async fn run(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(path = uri.path(), "a handler panicked");
            let error = GatewayError::new(
                ErrorKind::Internal,
                "internal_error",
                "the gateway made a mistake: the request was not completed",
            );
            error_response(uri.path(), error)
        }
    }
}

fn host_is_plain(request: &Request) -> bool {
    request.headers().get(HOST).is_none_or(|host| {
        let host = host.as_bytes();
        host.len() <= 255 && host.iter().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(b))
    })
}
