//! The rules of the relay, one a file, as plain functions.

pub mod admission;
pub mod breaker;
pub mod charging;
pub mod estimate;
pub mod funds;
pub mod health;
pub mod plan;
pub mod rate;
pub mod retry;
pub mod select;
