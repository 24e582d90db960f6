//! What the gateway says about a call that is not made.

use crate::bench::{Bench, CHAT, unreachable};
use bytes::Bytes;
use gateway_app::explain::{Explanation, Question};
use gateway_domain::{ChannelId, Credits, ModelSet, Operation, TokenId, User, policy::plan::Skip};
use gateway_ports::{AuditAction, AuditEntry, ChannelChange, Page, TokenChange};

/// A bench whose upstream must not be reached, the owner of its key, and the key.
async fn asked() -> (Bench, User, TokenId) {
    let bench = Bench::new(unreachable(), None).await;
    let bob = bench.store.users.find_by_username("bob").await.unwrap().unwrap().user;
    let keys = bench.store.tokens.list(bob.id, Page { offset: 0, limit: 9 }).await.unwrap();
    let id = keys[0].id;
    (bench, bob, id)
}

fn question(token_id: TokenId, body: &str) -> Question {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Question { token_id, operation: Operation::Chat, body, address: None }
}

async fn verdict(bench: &Bench, asker: &User, id: TokenId, body: &str) -> (u16, String) {
    let told = bench.gateway.explain(asker, question(id, body)).await.unwrap();
    told.denied().map_or((200, String::new()), |e| (e.kind.status(), e.code.clone().into_owned()))
}

fn entry(bench: &Bench, action: AuditAction) -> AuditEntry {
    AuditEntry::new(bench.context().request_id, bench.context().started, action)
}

fn outcomes(told: &Explanation) -> Vec<(&'static str, Option<bool>)> {
    told.rules.iter().map(|r| (r.name, r.outcome.as_ref().map(Result::is_ok))).collect()
}

#[tokio::test]
async fn every_rule_is_asked_in_order_and_nothing_is_held_or_sent() {
    let (bench, bob, id) = asked().await;
    bench.channel("low", 1).await;
    bench.channel("high", 2).await;
    let told = bench.gateway.explain(&bob, question(id, CHAT)).await.unwrap();
    assert!(told.denied().is_none());
    let names = [
        "key_status",
        "key_expiry",
        "user_status",
        "password_change",
        "subnet",
        "request",
        "model_served",
        "model_allowed",
        "model_priced",
        "channel_available",
        "limits",
        "balance",
        "cap",
        "held",
    ];
    assert_eq!(outcomes(&told), names.map(|name| (name, Some(true))));
    let order: Vec<_> =
        told.tiers.iter().map(|t| (t.priority, t.channels[0].name.clone())).collect();
    assert_eq!(order, [(2, "high".to_owned()), (1, "low".to_owned())]);
    let cost = told.cost.unwrap();
    assert_eq!((cost.held, cost.max_completion), (Some(cost.reservation.amount), Some(10)));
    assert!(bench.rows().await.is_empty());
    assert_eq!(bench.held().await, 0);
}

#[tokio::test]
async fn what_cannot_be_asked_is_left_open() {
    let (bench, bob, id) = asked().await;
    let told = bench.gateway.explain(&bob, question(id, "{")).await.unwrap();
    assert_eq!(told.denied().unwrap().code, "invalid_json");
    let open: Vec<_> = told.rules.iter().filter(|r| r.outcome.is_none()).map(|r| r.name).collect();
    let unknown = [
        "model_served",
        "model_allowed",
        "model_priced",
        "channel_available",
        "limits",
        "balance",
        "cap",
        "held",
    ];
    assert_eq!(open, unknown);
    assert!(told.cost.is_none() && told.tiers.is_empty());
}

#[tokio::test]
async fn the_two_top_questions_are_answered() {
    let (bench, bob, id) = asked().await;
    assert_eq!(verdict(&bench, &bob, id, CHAT).await, (503, "no_available_channel".into()));
    bench.channel("a", 0).await;
    let disable = ChannelChange { enabled: Some(false), ..ChannelChange::default() };
    let channel = bench.gateway.channels().await.unwrap()[0].id;
    bench
        .store
        .channels
        .update(channel, &disable, &entry(&bench, AuditAction::ChannelUpdate))
        .await
        .unwrap();
    let told = bench.gateway.explain(&bob, question(id, CHAT)).await.unwrap();
    // The copy of the channels is not older than it may be.
    assert!(told.denied().is_none_or(|e| e.code == "no_available_channel"));
    bench.clock.advance(std::time::Duration::from_secs(11));
    let told = bench.gateway.explain(&bob, question(id, CHAT)).await.unwrap();
    assert_eq!(told.denied().unwrap().code, "no_available_channel");
    assert_eq!((told.skipped[0].id, told.skipped[0].why), (channel, Skip::Disabled));

    let enable = ChannelChange { enabled: Some(true), ..ChannelChange::default() };
    bench
        .store
        .channels
        .update(channel, &enable, &entry(&bench, AuditAction::ChannelUpdate))
        .await
        .unwrap();
    bench.clock.advance(std::time::Duration::from_secs(11));
    let cap = TokenChange { cap: Some(Credits::new(3)), ..TokenChange::default() };
    bench
        .store
        .tokens
        .update(bob.id, id, &cap, &entry(&bench, AuditAction::TokenUpdate))
        .await
        .unwrap();
    let told = bench.gateway.explain(&bob, question(id, CHAT)).await.unwrap();
    assert_eq!(told.denied().unwrap().code, "insufficient_quota");
    let money: Vec<_> = outcomes(&told).into_iter().skip(11).collect();
    assert_eq!(money, [("balance", Some(true)), ("cap", Some(false)), ("held", None)]);
    let dear = r#"{"model":"m","max_tokens":10000000,"messages":[{"role":"user","content":"hi"}]}"#;
    let told = bench.gateway.explain(&bob, question(id, dear)).await.unwrap();
    assert_eq!(outcomes(&told)[11], ("balance", Some(false)));
    assert_eq!(told.cost.unwrap().held, None);
}

#[tokio::test]
async fn where_less_is_free_the_answer_is_clamped_as_the_relay_does() {
    let (bench, bob, id) = asked().await;
    bench.channel("a", 0).await;
    let cap = TokenChange { cap: Some(Credits::new(1000)), ..TokenChange::default() };
    bench
        .store
        .tokens
        .update(bob.id, id, &cap, &entry(&bench, AuditAction::TokenUpdate))
        .await
        .unwrap();
    let open = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let cost = bench.gateway.explain(&bob, question(id, open)).await.unwrap().cost.unwrap();
    assert_eq!(cost.held.map(Credits::units), Some(1000));
    assert!(cost.reservation.amount.units() > 12_000);
    assert_eq!(cost.max_completion, Some((1000 - (9 + 2 + 64)) / 3));
}

#[tokio::test]
async fn others_keys_are_for_admins_only() {
    let (bench, bob, id) = asked().await;
    bench.channel("a", 0).await;
    assert_eq!(verdict(&bench, &bench.admin, id, CHAT).await, (200, String::new()));
    let stranger = User { id: gateway_domain::UserId(4711), ..bob.clone() };
    for (asker, id) in [(&stranger, id), (&bob, TokenId(4711)), (&bench.admin, TokenId(4711))] {
        let error = bench.gateway.explain(asker, question(id, CHAT)).await.unwrap_err();
        assert_eq!((error.kind.status(), error.code.as_ref()), (404, "not_found"));
    }
}

#[tokio::test]
async fn a_model_that_the_key_may_not_call_and_a_channel_that_does_not_serve_it() {
    let (bench, bob, id) = asked().await;
    bench.channel("a", 0).await;
    let models = TokenChange { models: ModelSet::parse("n").ok(), ..TokenChange::default() };
    bench
        .store
        .tokens
        .update(bob.id, id, &models, &entry(&bench, AuditAction::TokenUpdate))
        .await
        .unwrap();
    assert_eq!(verdict(&bench, &bob, id, CHAT).await, (403, "model_not_allowed".into()));
    let other = ChannelChange { models: ModelSet::parse("o").ok(), ..ChannelChange::default() };
    let channel: ChannelId = bench.gateway.channels().await.unwrap()[0].id;
    bench
        .store
        .channels
        .update(channel, &other, &entry(&bench, AuditAction::ChannelUpdate))
        .await
        .unwrap();
    bench.clock.advance(std::time::Duration::from_secs(11));
    let told = bench.gateway.explain(&bob, question(id, CHAT)).await.unwrap();
    assert_eq!(told.denied().unwrap().code, "model_not_found");
    assert_eq!(told.skipped[0].why, Skip::NotServed);
}
