//! Holds and settlements as JSON arrays: the parameters of the ledger's statements. Arrays, not
//! objects, because the names would be read again for each call.

use crate::{
    Value,
    value::{args, count},
};
use gateway_domain::{CallRecord, Credits};
use gateway_ports::{Hold, StoreError};
use serde::Serialize;
use std::{collections::HashMap, hash::Hash};

/// The parameters `?1` to `?3` of a group.
pub(super) fn arguments(holds: &[&Hold], calls: &[&CallRecord]) -> Result<Vec<Value>, StoreError> {
    let hold_ids: Vec<&str> = holds.iter().map(|h| h.request_id.0.as_str()).collect();
    let (mut by_user, mut by_token) = (HashMap::new(), HashMap::new());
    let holds: Vec<_> = holds
        .iter()
        .map(|h| {
            let user = running(&mut by_user, h.user_id, h.amount);
            hold(h, user, running(&mut by_token, h.token_id, h.amount))
        })
        .collect();
    let calls: Vec<_> = calls.iter().map(|c| settlement(c)).collect();
    Ok(args![json(&holds)?, json(&hold_ids)?, json(&calls)?])
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

/// 0 request, 1 user, 2 key, 3 revision, 4 amount, 5 floor, 6 model, 7 stream, 8 idempotency key,
/// 9 now, 10 end, 11 amount of the user's calls up to here, 12 of the key's.
fn hold(hold: &Hold, user_sum: Credits, token_sum: Credits) -> impl Serialize {
    (
        &hold.request_id,
        hold.user_id,
        hold.token_id,
        hold.token_revision,
        hold.amount,
        hold.floor,
        &hold.model,
        i64::from(hold.stream),
        &hold.idempotency_key,
        hold.created_at,
        hold.expires_at,
        user_sum,
        token_sum,
    )
}

/// 0 request, 1 cost, 2 channel, 3 upstream's model, 4 prompt, 5 completion, 6 cached, 7 written to
/// the cache, 8 reasoning, 9 estimated, 10 status, 11 end, 12 attempts, 13 latency, 14 first byte.
fn settlement(call: &CallRecord) -> impl Serialize {
    (
        &call.request_id,
        call.quota,
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
        count(call.latency_ms),
        call.first_byte_ms.map(count),
    )
}
