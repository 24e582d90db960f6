//! Every statement, in the SQL that `SQLite` and D1 share.
//!
//! The rules, each because of a difference between the two:
//! - parameters are numbered, and the statements of a [`Batch`](crate::Batch) share their numbers;
//! - a bound number may arrive as a float: no division by one, and `CAST` where its type shows;
//! - lists go in as one JSON array, whose integers stay integers;
//! - every selected column has a name of its own;
//! - nothing depends on `changes()`, and the time is a parameter.

pub mod audit;
pub mod books;
pub mod channel;
pub mod health;
pub mod ledger;
pub mod login;
pub mod price;
pub mod settings;
pub mod token;
pub mod usage;
pub mod user;

/// All of them, for tests that prepare each against the migrated database.
pub const ALL: &[&[&str]] = &[
    user::ALL,
    token::ALL,
    channel::ALL,
    health::ALL,
    usage::ALL,
    ledger::ALL,
    books::ALL,
    price::ALL,
    settings::ALL,
    login::ALL,
    audit::ALL,
];
