//! What only `SQLite` has to answer for: files, locks, commits, plans, and groups of calls.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod books;
mod catalogue;
mod executor;
mod group;
mod ledger;
mod support;
