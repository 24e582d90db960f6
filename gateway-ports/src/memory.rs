//! The reference fakes: every port of the store, in memory, and a runtime that tests can steer.
//!
//! One lock around one plain state, so that every method is atomic because nothing else can be.
//! They pass the same contract as every other store. Made for tests and examples, not for speed.

mod audit;
mod books;
mod cache;
mod channel;
mod health;
mod ledger;
mod login;
mod price;
mod runtime;
mod settings;
mod token;
mod usage;
mod user;

pub use cache::MemorySnapshots;
pub use runtime::{CollectedTasks, ManualClock, NeverTimer, PlainHasher, SeededEntropy};

use crate::{AuditRecord, Grant, Page, Settings, Store};
use gateway_domain::{
    CallRecord, Channel, ChannelId, ModelName, PriceTable, RequestId, Timestamp, Token, TokenId,
    User, UserId, policy::health::Verdict,
};
use ledger::Call;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A whole store in memory; it implements every port of [`Store`]. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, StoredUser>,
    tokens: BTreeMap<TokenId, Token>,
    channels: BTreeMap<ChannelId, Channel>,
    verdicts: BTreeMap<(ChannelId, Option<ModelName>), Verdict>,
    calls: BTreeMap<RequestId, Call>,
    /// Calls up to this one are in the sums of their days.
    rolled_up_through: Option<RequestId>,
    /// Calls that are only in the sums of their days.
    deleted: Vec<CallRecord>,
    grants: BTreeMap<String, Grant>,
    settings: Settings,
    prices: PriceTable,
    price_version: u64,
    failures: Vec<(String, Timestamp)>,
    audit: Vec<AuditRecord>,
    last_id: i64,
}

#[derive(Debug)]
struct StoredUser {
    user: User,
    password_hash: String,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// It as a value with all ports.
    pub fn store(&self) -> Store {
        Store {
            users: Arc::new(self.clone()),
            tokens: Arc::new(self.clone()),
            channels: Arc::new(self.clone()),
            health: Arc::new(self.clone()),
            usage: Arc::new(self.clone()),
            ledger: Arc::new(self.clone()),
            books: Arc::new(self.clone()),
            prices: Arc::new(self.clone()),
            settings: Arc::new(self.clone()),
            logins: Arc::new(self.clone()),
            audit: Arc::new(self.clone()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panics while it holds the lock must not hide its own message.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An empty store in memory.
pub fn store() -> Store {
    MemoryStore::new().store()
}

impl State {
    /// The next id, of whatever it is: an id is never used again.
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn closed(&self) -> impl DoubleEndedIterator<Item = &CallRecord> {
        self.calls.values().filter_map(|call| match call {
            Call::Closed(_, record) => Some(&**record),
            Call::Held(_) => None,
        })
    }
}

impl Page {
    /// This part of all entries.
    fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let fits = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        all.skip(fits(self.offset)).take(fits(self.limit))
    }
}
