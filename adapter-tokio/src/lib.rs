//! The native runtime: a server and an upstream client on tokio, the store on `SQLite`, and the
//! command line. Also the way to embed the whole gateway in another Rust service: see [`Native`].

#![forbid(unsafe_code)]

pub mod cli;
pub mod metrics;
pub mod native;
pub mod relay;
pub mod runtime;
pub mod secrets;
pub mod server;
pub mod upstream;

pub use metrics::Metrics;
pub use native::{Native, NativeError, NativeOptions};
