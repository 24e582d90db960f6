//! `SQLite` as a store: an executor for `adapter-sql`'s statements.
//!
//! One connection writes, fed by a bounded queue, so that writers wait for each other here and
//! never meet `SQLITE_BUSY`; a few connections read beside it (WAL). What is deliberately not
//! known here: tables, and what the statements mean.

#![forbid(unsafe_code)]

mod error;
mod executor;
mod lock;
mod options;
mod rows;
mod store;
mod writer;

pub use error::OpenError;
pub use executor::SqliteExecutor;
pub use options::{SqliteOptions, Synchronous};
pub use store::{Grouping, store, watched_store};
