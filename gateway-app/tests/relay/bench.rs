//! A gateway on fakes, for tests that look at what reaches an upstream and the ledger.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gateway_app::{
    Config, Gateway, GatewayBuilder, GatewayError, MasterKeys, Relayed, RequestContext, Runtime,
    SessionKey, Vault,
    manage::{accounts::Registration, channels::ChannelRequest, tokens::TokenRequest},
};
use gateway_domain::{CallRecord, Credits, ModelCall, ProviderKind, Timestamp, User};
use gateway_ports::{
    AuditAction, AuditEntry, BalanceChange, ByteStream, Clock, Grant, Principal, Store, Upstream,
    UpstreamError, UsageFilter,
    memory::{self, CollectedTasks, ManualClock, MemorySnapshots, PlainHasher, SeededEntropy},
};
use gateway_ports::{ledger::MockLedger, upstream::MockUpstream};
use http::Response;
use secrecy::SecretString;
use std::sync::{Arc, Mutex};

/// A gateway on fakes, with a user, a key and a channel.
pub(crate) struct Bench {
    pub(crate) gateway: Gateway,
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) tasks: CollectedTasks,
    pub(crate) key: String,
    pub(crate) admin: User,
}

pub(crate) fn config() -> Config {
    Config { allow_loopback: true, ..Config::default() }
}

pub(crate) fn gateway(
    config: Config,
    store: &Store,
    upstream: Arc<dyn Upstream>,
    clock: &ManualClock,
    tasks: &CollectedTasks,
) -> Gateway {
    seeded(7, config, store, upstream, clock, tasks)
}

/// A gateway whose chance is its own: processes that share a store must not make the same ids.
pub(crate) fn seeded(
    seed: u64,
    config: Config,
    store: &Store,
    upstream: Arc<dyn Upstream>,
    clock: &ManualClock,
    tasks: &CollectedTasks,
) -> Gateway {
    builder(seed, config, store, upstream, clock, tasks).build().unwrap()
}

pub(crate) fn builder(
    seed: u64,
    config: Config,
    store: &Store,
    upstream: Arc<dyn Upstream>,
    clock: &ManualClock,
    tasks: &CollectedTasks,
) -> GatewayBuilder {
    Gateway::builder()
        .config(config)
        .store(store.clone())
        .cache(Arc::new(MemorySnapshots::new(Arc::new(clock.clone()))))
        .upstream(upstream)
        .providers(adapter_providers::defaults().unwrap())
        .runtime(Runtime {
            clock: Arc::new(clock.clone()),
            timer: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(seed)),
            background: Arc::new(tasks.clone()),
            hasher: Arc::new(PlainHasher),
        })
        .sessions(SessionKey::new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap())
        .vault(Vault::new(MasterKeys::parse(&MasterKeys::format("k", &[1; 32])).unwrap()))
}

fn context(gateway: &Gateway) -> RequestContext {
    RequestContext {
        request_id: gateway.new_request_id(),
        address: None,
        started: gateway.now(),
        idempotency_key: None,
    }
}

impl Bench {
    /// Everything stored in memory; `ledger` replaces the memory ledger once the user has money.
    pub(crate) async fn new(upstream: impl Upstream + 'static, ledger: Option<MockLedger>) -> Self {
        Self::configured(config(), upstream, ledger).await
    }

    pub(crate) async fn configured(
        config: Config,
        upstream: impl Upstream + 'static,
        ledger: Option<MockLedger>,
    ) -> Self {
        let mut store = memory::store();
        let (clock, tasks) =
            (ManualClock::at(Timestamp::from_millis(1_000_000)), CollectedTasks::default());
        let upstream: Arc<dyn Upstream> = Arc::new(upstream);
        let gateway_ = gateway(config.clone(), &store, upstream.clone(), &clock, &tasks);
        gateway_.ensure_admin().await.unwrap();
        let admin = store.users.find_by_username("admin").await.unwrap().unwrap().user;
        let registration =
            Registration { username: "bob".into(), password: "test123".into(), email: None };
        let id = gateway_.register(registration).await.unwrap();
        let context = context(&gateway_);
        let grant = Grant {
            id: "first".into(),
            user_id: id,
            change: BalanceChange::Set(Credits::saturating(1_000_000)),
        };
        let entry =
            AuditEntry::new(context.request_id.clone(), clock.now(), AuditAction::UserBalance);
        store.ledger.grant(&grant, &entry).await.unwrap();
        let user = store.users.find(id).await.unwrap().unwrap();
        let (_, key) = gateway_
            .create_token(
                &user,
                TokenRequest { name: "k".into(), ..TokenRequest::default() },
                &context,
            )
            .await
            .unwrap();
        if let Some(ledger) = ledger {
            store.ledger = Arc::new(ledger);
        }
        let gateway = gateway(config, &store, upstream, &clock, &tasks);
        Self { gateway, store, clock, tasks, key: key.reveal().to_owned(), admin }
    }

    pub(crate) async fn channel(&self, name: &str, priority: i64) {
        let request = ChannelRequest {
            name: Some(name.into()),
            kind: Some(ProviderKind::CUSTOM),
            key: Some(SecretString::from("sk-provider-key")),
            base_url: Some(format!("http://127.0.0.1:1/{name}")),
            priority: Some(priority),
            ..ChannelRequest::default()
        };
        self.gateway.create_channel(&self.admin, request, &self.context()).await.unwrap();
    }

    pub(crate) fn context(&self) -> RequestContext {
        context(&self.gateway)
    }

    pub(crate) async fn principal(&self) -> Arc<Principal> {
        self.gateway.authenticate_key(&self.key, &self.context()).await.unwrap()
    }

    pub(crate) async fn call(&self, body: &str) -> Result<Relayed, GatewayError> {
        let call = ModelCall::chat(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        self.gateway.relay(self.principal().await, call, &self.context()).await
    }

    pub(crate) async fn rows(&self) -> Vec<CallRecord> {
        self.tasks.run().await;
        self.store.usage.list(&UsageFilter::default(), None, 10).await.unwrap()
    }

    pub(crate) async fn held(&self) -> u64 {
        self.store.users.find_by_username("bob").await.unwrap().unwrap().user.held.units()
    }
}

pub(crate) const CHAT: &str =
    r#"{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;
pub(crate) const STREAM: &str =
    r#"{"model":"m","max_tokens":10,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
pub(crate) const ANSWER: &str = r#"{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":5}}"#;
pub(crate) const CHUNK: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";

pub(crate) type Pieces = Vec<Result<Bytes, UpstreamError>>;

pub(crate) fn body(pieces: Pieces) -> ByteStream {
    Box::pin(stream::iter(pieces))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what an upstream returns")]
pub(crate) fn reply(
    status: u16,
    kind: &str,
    pieces: &[&str],
) -> Result<Response<ByteStream>, UpstreamError> {
    let pieces = pieces.iter().map(|p| Ok(Bytes::copy_from_slice(p.as_bytes()))).collect();
    Ok(Response::builder().status(status).header("content-type", kind).body(body(pieces)).unwrap())
}

/// An upstream that must not be reached.
pub(crate) fn unreachable() -> MockUpstream {
    let mut upstream = MockUpstream::new();
    upstream.expect_send().never();
    upstream
}

/// An upstream whose stream gives some pieces and then nothing, and that notices its drop.
#[derive(Debug)]
pub(crate) struct Stalling {
    pub(crate) pieces: Vec<&'static str>,
    pub(crate) dropped: Arc<Mutex<bool>>,
}

pub(crate) struct OnDrop(Arc<Mutex<bool>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = true;
    }
}

#[async_trait]
impl Upstream for Stalling {
    async fn send(&self, _: http::Request<Bytes>) -> Result<Response<ByteStream>, UpstreamError> {
        let pieces = self.pieces.clone();
        let guard = OnDrop(self.dropped.clone());
        let stalled = stream::iter(pieces).map(|p| Ok(Bytes::from_static(p.as_bytes()))).chain(
            stream::poll_fn(move |_| {
                let _ = &guard;
                std::task::Poll::Pending
            }),
        );
        let body: ByteStream = Box::pin(stalled);
        Ok(Response::builder().header("content-type", "text/event-stream").body(body).unwrap())
    }
}
