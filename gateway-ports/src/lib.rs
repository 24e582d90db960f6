//! The traits through which the gateway reaches the world.
//!
//! One small file a port. A port says what an adapter MUST do, and every MUST is a case of the
//! `contract` suite, which each adapter runs. Absence is `Option`, refusal is a value, failure is
//! an error; each method is one atomic act, and there is no transaction handle.
//!
//! Features: `mock` has mockall mocks, `memory` the reference fakes, `contract` the suites.

#![forbid(unsafe_code)]

pub mod audit;
pub mod books;
pub mod cache;
pub mod channel;
#[cfg(feature = "contract")]
pub mod contract;
pub mod error;
pub mod health;
pub mod ledger;
pub mod login;
#[cfg(feature = "memory")]
pub mod memory;
pub mod observer;
pub mod price;
pub mod provider;
pub mod registry;
pub mod runtime;
pub mod settings;
pub mod store;
pub mod token;
pub mod upstream;
pub mod usage;
pub mod user;

pub use audit::{AuditAction, AuditEntry, AuditFilter, AuditLog, AuditObject, AuditRecord};
pub use books::{Books, Mismatch};
pub use cache::{Principal, Routing, Snapshot, SnapshotCache, SnapshotKey};
pub use channel::{ChannelChange, ChannelRepository, NewChannel};
pub use error::StoreError;
pub use health::{HealthBoard, HealthScope, Verdicts};
pub use ledger::{
    BalanceChange, BalanceChanged, Checkpoint, Grant, Hold, Ledger, Refusal, Reserved, Settled,
};
pub use login::LoginAttempts;
pub use observer::Observer;
pub use price::{NewPrices, PriceRepository};
pub use provider::{
    Answer, AnswerBody, ChatAnswer, ChatRequest, Delta, EmbeddingsRequest, Encoded, FinishReason,
    Json, Message, Provider, ProviderError, StreamDecoder, StreamEvent, Target, ToolCall,
};
pub use registry::{KindTaken, Providers};
pub use runtime::{Background, Clock, Entropy, PasswordHasher, Timer};
pub use settings::{Settings, SettingsRepository, UnpricedModels};
pub use store::{Page, Store};
pub use token::{NewToken, TokenChange, TokenChanged, TokenRepository};
pub use upstream::{ByteStream, Upstream, UpstreamError};
pub use usage::{UsageFilter, UsageGroup, UsageLog, UsageSum};
pub use user::{Credential, NewUser, UserChange, UserRepository};
