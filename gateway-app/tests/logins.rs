//! Logins on fakes: what they do to stored passwords, and what the clock does to them.
#![expect(clippy::unwrap_used, reason = "a test says what broke by panicking")]

use gateway_app::{Gateway, MasterKeys, Runtime, SessionKey, Vault};
use gateway_domain::Timestamp;
use gateway_ports::{
    AuditFilter, Store,
    memory::{self, CollectedTasks, ManualClock, MemorySnapshots, SeededEntropy},
    runtime::MockPasswordHasher,
    upstream::MockUpstream,
};
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};

const OLD: &str = "$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA";
const NEW: &str = "$argon2id$v=19$m=7168,t=5,p=1$c2FsdA$aGFzaA";

fn gateway(store: &Store, hasher: MockPasswordHasher, clock: &ManualClock) -> Gateway {
    Gateway::builder()
        .store(store.clone())
        .cache(Arc::new(MemorySnapshots::new(Arc::new(clock.clone()))))
        .upstream(Arc::new(MockUpstream::new()))
        .runtime(Runtime {
            clock: Arc::new(clock.clone()),
            timer: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(7)),
            background: Arc::new(CollectedTasks::default()),
            hasher: Arc::new(hasher),
        })
        .sessions(SessionKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap())
        .vault(Vault::new(MasterKeys::parse(&MasterKeys::format("k", &[1; 32])).unwrap()))
        .build()
        .unwrap()
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_000_000_000))
}

/// What each hash comes to, one after the other; every password fits.
fn hasher(hashes: &'static [&'static str]) -> MockPasswordHasher {
    let mut hasher = MockPasswordHasher::new();
    let mut next = hashes.iter();
    hasher
        .expect_hash()
        .times(hashes.len())
        .returning(move |_| next.next().map(|hash| (*hash).to_owned()));
    hasher.expect_verify().returning(|_, hash| Some(hash.is_some()));
    hasher
}

#[tokio::test]
async fn h4_a_hash_of_older_parameters_is_replaced_at_the_next_login() {
    let store = memory::store();
    let gateway = gateway(&store, hasher(&[OLD, NEW]), &clock());
    gateway.ensure_admin().await.unwrap();
    let stored =
        || async { store.users.find_by_username("admin").await.unwrap().unwrap().password_hash };
    assert_eq!(stored().await, OLD);
    let first = gateway.login("admin", "x".into(), None).await.unwrap();
    assert_eq!(stored().await, NEW);
    // Once, and no login ends by it.
    gateway.login("admin", "x".into(), None).await.unwrap();
    gateway.session_user(&first.token).await.unwrap();
    let entries = store.audit.list(&AuditFilter::default(), None, 9).await.unwrap();
    let anew = entries.iter().filter(|e| e.entry.detail.contains_key("password")).count();
    assert_eq!((anew, entries[0].entry.actor), (1, None));
}

#[tokio::test]
async fn h4_no_login_fails_because_a_password_cannot_be_hashed_anew() {
    let store = memory::store();
    let mut busy = MockPasswordHasher::new();
    let mut first = true;
    busy.expect_hash().returning(move |_| std::mem::take(&mut first).then(|| OLD.to_owned()));
    busy.expect_verify().returning(|_, hash| Some(hash.is_some()));
    let gateway = gateway(&store, busy, &clock());
    gateway.ensure_admin().await.unwrap();
    gateway.login("admin", "x".into(), None).await.unwrap();
}

#[tokio::test]
async fn h12_a_check_that_could_not_be_made_is_no_failure() {
    let store = memory::store();
    let mut busy = MockPasswordHasher::new();
    busy.expect_hash().returning(|_| Some(NEW.to_owned()));
    busy.expect_verify().times(20).returning(|_, _| None);
    busy.expect_verify().returning(|_, hash| Some(hash.is_some()));
    let gateway = gateway(&store, busy, &clock());
    gateway.ensure_admin().await.unwrap();
    let home = "10.0.0.1".parse().ok();
    for _ in 0..20 {
        assert_eq!(gateway.login("admin", "x".into(), home).await.unwrap_err().code, "busy");
    }
    gateway.login("admin", "x".into(), home).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_keeps_nobody_out_for_longer() {
    let store = memory::store();
    let mut wrong = MockPasswordHasher::new();
    wrong.expect_hash().returning(|_| Some(NEW.to_owned()));
    wrong.expect_verify().times(5).returning(|_, _| Some(false));
    wrong.expect_verify().returning(|_, hash| Some(hash.is_some()));
    let clock = clock();
    let gateway = gateway(&store, wrong, &clock);
    gateway.ensure_admin().await.unwrap();
    for _ in 0..5 {
        assert_eq!(
            gateway.login("admin", "x".into(), None).await.unwrap_err().code,
            "invalid_credentials"
        );
    }
    let error = gateway.login("admin", "x".into(), None).await.unwrap_err();
    assert_eq!(error.code, "too_many_attempts");
    clock.advance(Duration::from_hours(1));
    let login = gateway.login("admin", "x".into(), None).await.unwrap();
    // A login of the hour before is still one, within its life.
    gateway.session_user(&login.token).await.unwrap();
}
