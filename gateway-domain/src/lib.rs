//! What the gateway decides, without touching the world.
//!
//! Everything here is a plain value, a plain function or a state machine: no I/O, no clock, no
//! randomness, no HTTP, no SQL. Whoever calls brings the time, the random number and the rows.
//! That is why these tests need no runtime, no network and only seconds.

#![forbid(unsafe_code)]

pub mod call;
pub mod channel;
pub mod credits;
pub mod egress;
pub mod fault;
pub mod id;
pub mod key;
pub mod limit;
pub mod model;
pub mod policy;
pub mod price;
pub mod relay;
pub mod subnet;
pub mod time;
pub mod token;
pub mod usage;
pub mod user;

pub use call::{CallError, ModelCall, Operation};
pub use channel::{Channel, ModelMapping, ProviderKind};
pub use credits::Credits;
pub use egress::UnsafeUrl;
pub use fault::{Fault, FaultKind};
pub use id::{ChannelId, RequestId, TokenId, UserId};
pub use key::{ApiKey, KeyDigest};
pub use limit::{Limits, LimitsChange};
pub use model::{ModelName, ModelSet};
pub use price::{FrozenPrice, Price, PriceEntry, PriceTable};
pub use subnet::SubnetList;
pub use time::Timestamp;
pub use token::Token;
pub use usage::{CallRecord, CallState, EndReason, FailedAttempt, TokenCounts};
pub use user::{Role, User};
