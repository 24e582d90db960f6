//! The gateway's use cases, written against ports only.
//!
//! [`Gateway`] is what a runtime or an embedder holds: it is built once from a store, an upstream
//! client, providers and a runtime, and cloned freely. What is deliberately not known here: HTTP
//! servers, databases, runtimes.

#![forbid(unsafe_code)]

pub mod authenticate;
pub mod cache;
pub mod config;
pub mod error;
pub mod explain;
pub mod gateway;
pub mod health;
pub mod housekeeping;
pub mod manage;
pub mod models;
mod observe;
pub mod password;
pub mod proxy;
pub mod relay;
pub mod report;
pub mod session;
pub mod setup;
pub mod variables;
pub mod vault;

pub use authenticate::RequestContext;
pub use cache::MemoryCache;
pub use config::{Config, Drain, Timeouts};
pub use error::{ErrorKind, GatewayError};
pub use gateway::{Gateway, GatewayBuilder, MissingPart, Runtime};
pub use relay::{RelayStream, Relayed, Reply};
pub use session::SessionKey;
pub use vault::{MasterKeys, Vault};
