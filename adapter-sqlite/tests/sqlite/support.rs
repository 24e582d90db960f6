//! Databases, payers and calls.

use adapter_sqlite::{SqliteExecutor, SqliteOptions, Synchronous};
use gateway_domain::{
    ApiKey, CallRecord, CallState, ChannelId, Credits, EndReason, FrozenPrice, ModelSet, RequestId,
    Role, SubnetList, Timestamp, TokenCounts, TokenId, UserId,
};
use gateway_ports::{AuditAction, AuditEntry, Hold, NewToken, NewUser, Store};
use std::{path::Path, sync::Arc};

pub(crate) const NOW: i64 = 1_700_000_000_000;

pub(crate) fn options(folder: &Path) -> SqliteOptions {
    SqliteOptions {
        synchronous: Synchronous::Normal,
        ..SqliteOptions::new(format!("sqlite:{}", folder.join("test.db").display()))
    }
}

pub(crate) async fn open(folder: &Path) -> Arc<SqliteExecutor> {
    SqliteExecutor::open(&options(folder)).await.unwrap()
}

pub(crate) fn credits(units: u64) -> Credits {
    Credits::new(units).unwrap()
}

pub(crate) fn request(n: u64) -> RequestId {
    RequestId(format!("018bcfe5-6800-7000-8000-{n:012x}"))
}

pub(crate) fn new_user(name: &str, granted: u64) -> NewUser {
    NewUser {
        username: name.to_owned(),
        display_name: name.to_owned(),
        email: None,
        password_hash: String::new(),
        role: Role::User,
        must_change_password: false,
        granted: credits(granted),
        created_at: Timestamp::from_millis(NOW),
    }
}

pub(crate) fn new_token(user_id: UserId, n: u8, cap: Option<u64>) -> NewToken {
    NewToken {
        user_id,
        name: String::new(),
        digest: ApiKey::from_random(&[n; 32]).digest(),
        key_prefix: String::new(),
        key_last4: String::new(),
        cap: cap.map(credits),
        models: ModelSet::default(),
        subnet: SubnetList::default(),
        expires_at: None,
        limits: gateway_domain::Limits::default(),
    }
}

/// The entry of a change.
pub(crate) fn entry(action: AuditAction) -> AuditEntry {
    AuditEntry::new(request(0), Timestamp::from_millis(NOW), action)
}

/// A user with a balance, and a key of theirs.
pub(crate) async fn payer(
    store: &Store,
    n: u8,
    granted: u64,
    cap: Option<u64>,
) -> (UserId, TokenId) {
    let user = new_user(&format!("user{n}"), granted);
    let user = store.users.insert(&user).await.unwrap();
    let token =
        store.tokens.insert(&new_token(user, n, cap), 100, &entry(AuditAction::TokenCreate)).await;
    (user, token.unwrap().unwrap())
}

pub(crate) fn hold((user_id, token_id): (UserId, TokenId), n: u64, amount: u64) -> Hold {
    Hold {
        request_id: request(n),
        user_id,
        token_id,
        token_revision: 0,
        amount: credits(amount),
        least: credits(amount),
        floor: credits(amount / 4),
        model: "gpt-4o".to_owned(),
        stream: false,
        price: FrozenPrice::DEFAULT,
        idempotency_key: None,
        created_at: Timestamp::from_millis(NOW),
        expires_at: Timestamp::from_millis(NOW + 1000),
    }
}

pub(crate) fn call((user_id, token_id): (UserId, TokenId), n: u64, cost: u64) -> CallRecord {
    CallRecord {
        request_id: request(n),
        user_id,
        token_id,
        channel_id: Some(ChannelId(1)),
        model: "gpt-4o".to_owned(),
        upstream_model: "gpt-4o".to_owned(),
        state: CallState::Settled,
        price: FrozenPrice::DEFAULT,
        counts: TokenCounts { prompt: 9, completion: 5, ..TokenCounts::default() },
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
        created_at: Timestamp::from_millis(NOW),
    }
}

/// Numbers that look random and are the same in every run (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
