//! Holds and settlements as JSON arrays: the parameters of the ledger's statements. Arrays, not
//! objects, because the names would be read again for each call.

use crate::{
    Value,
    value::{args, count},
};
use gateway_domain::{CallRecord, ChannelId, Credits, RequestId};
use gateway_ports::{Checkpoint, Hold, StoreError};
use serde::Serialize;
use std::{collections::HashMap, hash::Hash};

/// The parameters `?1` and `?2` of a group.
pub(super) fn arguments(holds: &[&Hold], calls: &[&CallRecord]) -> Result<Vec<Value>, StoreError> {
    let (mut by_user, mut by_token) = (HashMap::new(), HashMap::new());
    let holds = holds.iter().map(|h| {
        let user = running(&mut by_user, h.user_id, h.amount);
        let token = running(&mut by_token, h.token_id, h.amount);
        // Only who comes first knows what is free, and can take less than it asks for.
        let first = user == h.amount && token == h.amount;
        if first { hold(h, h.least, h.least) } else { hold(h, user, token) }
    });
    let holds: Result<Vec<_>, _> = holds.collect();
    let calls: Result<Vec<_>, _> = calls.iter().map(|c| settlement(c)).collect();
    Ok(args![json(&holds?)?, json(&calls?)?])
}

/// Floors: 0 request, 1 floor.
pub(super) fn checkpoints(calls: &[Checkpoint]) -> Result<Vec<Value>, StoreError> {
    let calls: Vec<_> = calls.iter().map(|call| (&call.request_id, call.floor)).collect();
    Ok(args![json(&calls)?])
}

/// Adds an amount to the sum of whoever it belongs to.
fn running<K: Eq + Hash>(sums: &mut HashMap<K, Credits>, key: K, amount: Credits) -> Credits {
    let sum = sums.entry(key).or_default();
    *sum = Credits::saturating(sum.units().saturating_add(amount.units()));
    *sum
}

fn json(values: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(values).map_err(StoreError::unavailable)
}

/// 0 request, 1 user, 2 key, 3 revision, 4 amount, 5 floor, 6 price, 7 model, 8 stream,
/// 9 idempotency key, 10 now, 11 end, 12 what the user and 13 the key must have free.
fn hold(hold: &Hold, of_user: Credits, of_token: Credits) -> Result<impl Serialize, StoreError> {
    Ok((
        &hold.request_id,
        hold.user_id,
        hold.token_id,
        hold.token_revision,
        hold.amount,
        hold.floor,
        json(&hold.price)?,
        &hold.model,
        i64::from(hold.stream),
        &hold.idempotency_key,
        hold.created_at,
        hold.expires_at,
        of_user,
        of_token,
    ))
}

/// 0 request, 1 cost, 2 state, 3 channel, 4 upstream's model, 5 prompt, 6 completion, 7 cached,
/// 8 written to the cache, 9 reasoning, 10 estimated, 11 status, 12 end, 13 attempts, 14 failures,
/// 15 latency, 16 first byte, 17 dropped fields.
fn settlement(call: &CallRecord) -> Result<impl Serialize, StoreError> {
    Ok(Settlement(
        &call.request_id,
        call.quota,
        call.state.as_str(),
        call.channel_id,
        &call.upstream_model,
        count(call.counts.prompt),
        count(call.counts.completion),
        count(call.counts.cached),
        count(call.counts.cache_write),
        count(call.counts.reasoning),
        i64::from(call.estimated),
        call.status,
        call.end_reason.as_str(),
        call.attempts,
        json(&call.failures)?,
        count(call.latency_ms),
        call.first_byte_ms.map(count),
        json(&call.dropped)?,
    ))
}

/// An array of more entries than a tuple has.
#[derive(Serialize)]
struct Settlement<'a>(
    &'a RequestId,
    Credits,
    &'static str,
    Option<ChannelId>,
    &'a str,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    u16,
    &'static str,
    u32,
    String,
    i64,
    Option<i64>,
    String,
);
