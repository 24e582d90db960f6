//! One axum router over the gateway: for the native server, for Workers, and for a service of an
//! embedder's own.
//!
//! ```no_run
//! # fn example(gateway: gateway_app::Gateway) -> axum::Router {
//! let app: axum::Router = axum::Router::new()
//!     .nest("/llm", adapter_http::router(gateway, adapter_http::HttpOptions::default()));
//! # app
//! # }
//! ```
//!
//! Whoever serves it puts a [`ClientAddress`] into every request's extensions. What is
//! deliberately not here: business rules. A handler reads a request, asks the gateway, and writes
//! what it says.

#![forbid(unsafe_code)]

mod accounts;
mod admin;
mod body;
mod chat;
mod completion;
mod document;
mod embeddings;
mod envelope;
mod error;
mod explain;
mod extract;
mod info;
mod limits;
mod logs;
mod metrics;
mod models;
mod pipeline;
mod place;
mod relay;
mod routes;
mod sse;
mod tokens;
mod wire;

pub use document::openapi;
pub use extract::ClientAddress;
pub use metrics::{MetricsText, metrics_router};
pub use pipeline::AllowedOrigins;
pub use routes::{error_response, router};

use gateway_app::Gateway;
use std::{sync::Arc, time::Duration};

/// How the gateway is served.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Which web pages may call it.
    pub allowed_origins: AllowedOrigins,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// After how long a silence the client of a stream is sent a comment, so that nobody between
    /// takes the connection for dead; zero: never.
    pub keep_alive: Duration,
    /// What `GET /metrics` shows to admins; without it there is no such route.
    pub metrics: Option<MetricsText>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            allowed_origins: AllowedOrigins::Any,
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            metrics: None,
        }
    }
}

/// What every handler has.
#[derive(Clone)]
struct App {
    gateway: Gateway,
    options: Arc<HttpOptions>,
}
