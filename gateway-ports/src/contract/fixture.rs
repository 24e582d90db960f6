//! Users, keys and calls as the cases need them.

use crate::{
    AuditAction,
    AuditAction::{TokenCreate, UserBalance},
    AuditEntry, BalanceChange, BalanceChanged, Grant, Hold, NewToken, NewUser, Refusal, Reserved,
    Settled, Store, StoreError,
};
use gateway_domain::{
    ApiKey, CallRecord, CallState, ChannelId, Credits, EndReason, FrozenPrice, KeyDigest, ModelSet,
    RequestId, Role, SubnetList, Timestamp, Token, TokenCounts, TokenId, User, UserId,
};

/// When everything happens, unless a case says otherwise.
pub(super) const NOW: i64 = 1_700_000_000_000;

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(super) fn credits(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

/// Is it this error? (Errors cannot be compared.)
pub(super) fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}

pub(super) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.to_owned(),
        display_name: format!("{name} the user"),
        email: Some(format!("{name}@example.com")),
        password_hash: format!("hash of {name}"),
        role: Role::User,
        must_change_password: false,
        granted: Credits::ZERO,
        created_at: at(NOW),
    }
}

/// The entry of a change that is made for its own sake.
pub(super) fn entry(action: AuditAction) -> AuditEntry {
    entry_at(at(NOW), action)
}

/// The same at another time.
pub(super) fn entry_at(at: Timestamp, action: AuditAction) -> AuditEntry {
    AuditEntry { actor: Some(UserId(1)), ..AuditEntry::new(request(0), at, action) }
}

pub(super) fn digest(n: u8) -> KeyDigest {
    ApiKey::from_random(&[n; 32]).digest()
}

pub(super) fn new_token(user_id: UserId, n: u8) -> NewToken {
    NewToken {
        user_id,
        name: format!("key {n}"),
        digest: digest(n),
        key_prefix: format!("sk-{n:04}"),
        key_last4: format!("{n:04}"),
        cap: None,
        models: ModelSet::default(),
        subnet: SubnetList::default(),
        expires_at: None,
        limits: gateway_domain::Limits::default(),
    }
}

/// A user with a balance and one key.
pub(super) struct Payer<'a> {
    pub(super) store: &'a Store,
    pub(super) user_id: UserId,
    pub(super) token_id: TokenId,
}

/// A user with so much, whose key has this number (and this cap).
pub(super) async fn payer(store: &Store, n: u8, granted: u64, cap: Option<u64>) -> Payer<'_> {
    let user = NewUser { granted: credits(granted), ..new_user(&format!("user{n}")) };
    let user_id = store.users.insert(&user).await.unwrap();
    let token = NewToken { cap: cap.map(credits), ..new_token(user_id, n) };
    let token_id = store.tokens.insert(&token, 1000, &entry(TokenCreate)).await.unwrap().unwrap();
    Payer { store, user_id, token_id }
}

impl Payer<'_> {
    pub(super) async fn user(&self) -> User {
        self.store.users.find(self.user_id).await.unwrap().unwrap()
    }

    pub(super) async fn token(&self) -> Token {
        let found = self.store.tokens.find(self.user_id, self.token_id).await;
        found.unwrap().unwrap()
    }

    /// A hold of the call with this number, with the key as it was made.
    pub(super) fn hold(&self, n: u64, amount: u64) -> Hold {
        Hold {
            request_id: request(n),
            user_id: self.user_id,
            token_id: self.token_id,
            token_revision: 0,
            amount: credits(amount),
            least: credits(amount),
            floor: credits(amount.min(1)),
            model: "gpt-4o".to_owned(),
            stream: false,
            price: FrozenPrice::DEFAULT,
            idempotency_key: None,
            created_at: at(NOW),
            expires_at: at(NOW + 60_000),
        }
    }

    pub(super) async fn reserve(&self, n: u64, amount: u64) -> Got {
        self.try_reserve(&self.hold(n, amount)).await
    }

    pub(super) async fn try_reserve(&self, hold: &Hold) -> Got {
        match self.store.ledger.reserve(hold).await.unwrap() {
            Reserved::Granted(amount) => {
                assert_eq!(amount, hold.amount, "another amount is held than was asked for");
                Got::Granted
            }
            Reserved::Refused(refusal) => Got::Refused(refusal),
        }
    }

    pub(super) async fn settle(&self, n: u64, cost: u64) -> Settled {
        let call = self.call(n, cost);
        self.store.ledger.settle(&call).await.unwrap()
    }

    /// The end of the call with this number.
    pub(super) fn call(&self, n: u64, cost: u64) -> CallRecord {
        CallRecord {
            request_id: request(n),
            user_id: self.user_id,
            token_id: self.token_id,
            channel_id: Some(ChannelId(7)),
            model: "gpt-4o".to_owned(),
            upstream_model: "gpt-4o-2024".to_owned(),
            state: CallState::Settled,
            counts: TokenCounts {
                prompt: 9,
                completion: 5,
                cached: 3,
                cache_write: 2,
                reasoning: 1,
            },
            price: FrozenPrice::DEFAULT,
            quota: credits(cost),
            unbilled: Credits::ZERO,
            estimated: false,
            stream: false,
            status: 200,
            end_reason: EndReason::Complete,
            attempts: 1,
            failures: Vec::new(),
            dropped: Vec::new(),
            latency_ms: 1234,
            first_byte_ms: Some(56),
            created_at: at(NOW),
        }
    }

    /// Changes the balance under this id.
    pub(super) async fn change(&self, id: &str, change: BalanceChange) -> BalanceChanged {
        let grant = Grant { id: id.to_owned(), user_id: self.user_id, change };
        self.store.ledger.grant(&grant, &entry(UserBalance)).await.unwrap()
    }

    pub(super) async fn grant(&self, id: &str, amount: u64) {
        let changed = self.change(id, BalanceChange::Grant(credits(amount))).await;
        assert_eq!(changed, BalanceChanged::Changed);
    }

    /// Nothing in the books is wrong.
    pub(super) async fn expect_books_to_add_up(&self) {
        assert_eq!(self.store.books.verify(at(NOW)).await.unwrap(), []);
    }

    /// What the user and the key have spent and hold: both must say the same.
    pub(super) async fn expect_money(&self, spent: u64, held: u64) {
        let user = self.user().await;
        let token = self.token().await;
        let of = |spent: Credits, held: Credits| (spent.units(), held.units());
        assert_eq!(of(user.spent, user.held), (spent, held), "of the user");
        assert_eq!(of(token.spent, token.held), (spent, held), "of the key");
    }
}

/// Request ids sort by their numbers, as `UUIDv7` sort by time.
pub(super) fn request(n: u64) -> RequestId {
    RequestId(format!("018bcfe5-6800-7000-8000-{n:012x}"))
}

/// What came of a hold that takes everything or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    Granted,
    Refused(Refusal),
}

pub(super) const GRANTED: Got = Got::Granted;

pub(super) fn refused(refusal: Refusal) -> Got {
    Got::Refused(refusal)
}

pub(super) fn charged(units: u64) -> Settled {
    Settled { charged: credits(units) }
}
