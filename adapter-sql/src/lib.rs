//! The repositories and the ledger in SQL, once for every store.
//!
//! [`catalogue`] has every statement, in the SQL that `SQLite` and D1 share; one file a repository
//! turns rows into domain types; [`SqlExecutor`] is all that a store has to give. What is
//! deliberately not known here: drivers, connections, and how a store binds its parameters.

#![forbid(unsafe_code)]

pub mod audit;
pub mod books;
pub mod catalogue;
pub mod channel;
pub mod executor;
pub mod health;
pub mod ledger;
pub mod login;
pub mod price;
pub mod row;
pub mod settings;
pub mod store;
pub mod token;
pub mod usage;
pub mod user;
pub mod value;

pub use audit::SqlAudit;
pub use books::SqlBooks;
pub use channel::SqlChannels;
pub use executor::{Batch, SqlError, SqlExecutor};
pub use health::SqlHealth;
pub use ledger::{SqlLedger, group::GroupedLedger, watch::GroupWatch};
pub use login::SqlLogins;
pub use price::SqlPrices;
pub use row::Row;
pub use settings::SqlSettings;
pub use store::store;
pub use token::SqlTokens;
pub use usage::SqlUsage;
pub use user::SqlUsers;
pub use value::Value;
