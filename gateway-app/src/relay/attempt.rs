//! One channel's turn: from encoding the call to the commit point.

use super::{exit::Exit, left, stream::Opened, within};
use crate::gateway::Parts;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gateway_domain::{Channel, Fault, FaultKind, ModelCall};
use gateway_ports::{
    Answer, ByteStream, ProviderError, Target, UpstreamError, provider::ErrorReply,
};
use http::{HeaderMap, header::CONTENT_TYPE};
use std::{sync::Arc, time::Duration};

/// The largest whole answer: embeddings of many inputs are the largest there are.
const MOST_ANSWER: usize = 64 << 20;
/// The part of an error answer that is read.
const MOST_ERROR: usize = 64 << 10;

pub(super) enum Outcome {
    Whole(Answer),
    Stream(Opened),
}

/// Sends a call through a channel. An error means that nothing reached the client.
pub(super) async fn attempt(
    parts: &Arc<Parts>,
    channel: &Channel,
    call: &ModelCall,
    exit: &mut Exit,
) -> Result<Outcome, Fault> {
    let provider = parts.providers.get(&channel.kind).ok_or_else(|| {
        misconfigured(format!("no provider of type '{}' is registered", channel.kind))
    })?;
    let key = parts
        .vault
        .open(channel.id, &channel.sealed_key)
        .map_err(|e| misconfigured(e.to_string()))?;
    let target = Target {
        base_url: &channel.base_url,
        key: &key,
        model: channel.model_mapping.upstream(&call.model),
        config: &channel.config,
    };
    let request = provider.encode(call, &target).map_err(|error| match error {
        ProviderError::Unsupported { param, message } => {
            Fault { param, ..Fault::new(FaultKind::Rejected, message) }
        }
        ProviderError::Misconfigured(why) => misconfigured(why),
    })?;
    let started = parts.runtime.clock.now();
    let limit = parts.config.timeouts.first_byte;
    let reply = within(parts, limit, parts.upstream.send(request))
        .await
        .ok_or_else(timeout)?
        .map_err(|error| fault_of_exchange(&error))?;
    let (head, body) = reply.into_parts();
    if FaultKind::of_status(head.status.as_u16()).is_some() {
        // An error's body is worth little: what cannot be read in time is left.
        let body =
            collect(parts, body, MOST_ERROR, Duration::from_secs(5)).await.unwrap_or_default();
        let status = head.status.as_u16();
        let now = parts.runtime.clock.now();
        return Err(provider.fault(&ErrorReply {
            status,
            headers: &head.headers,
            body: &body,
            now,
        }));
    }
    let streams = call.stream && is_stream(&head.headers)?;
    if streams {
        let opened = Opened::new(body, provider.decoder(call, &target));
        return opened
            .wait_for_answer(exit, left(parts, started, limit))
            .await
            .map(Outcome::Stream);
    }
    let body = collect(parts, body, MOST_ANSWER, parts.config.timeouts.idle).await?;
    provider.decode(call, &target, body).map(Outcome::Whole)
}

/// Whether an answer of success is a stream; HTML never is an answer.
fn is_stream(headers: &HeaderMap) -> Result<bool, Fault> {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/html" => Err(Fault::new(FaultKind::Malformed, "the answer is a web page")),
        "application/json" => Ok(false),
        _ => Ok(true),
    }
}

/// Reads a whole body, up to a size, as long as bytes keep coming.
async fn collect(
    parts: &Parts,
    mut body: ByteStream,
    most: usize,
    idle: Duration,
) -> Result<Bytes, Fault> {
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    loop {
        match within(parts, idle, body.next()).await {
            None => return Err(timeout()),
            Some(None) => break,
            Some(Some(Err(error))) => return Err(fault_of_exchange(&error)),
            Some(Some(Ok(bytes))) if first.is_none() => first = Some(bytes),
            Some(Some(Ok(bytes))) => {
                if whole.is_empty() {
                    whole.extend_from_slice(first.as_deref().unwrap_or_default());
                }
                whole.extend_from_slice(&bytes);
            }
        }
        if whole.len().max(first.as_ref().map_or(0, Bytes::len)) > most {
            return Err(Fault::new(FaultKind::Malformed, "the answer is too large"));
        }
    }
    // Most answers come in one piece, which need not be copied.
    Ok(if whole.is_empty() { first.unwrap_or_default() } else { whole.freeze() })
}

pub(super) fn fault_of_exchange(error: &UpstreamError) -> Fault {
    let kind = match error {
        UpstreamError::Connect(_) => FaultKind::Unreachable,
        UpstreamError::ConnectTimeout => FaultKind::Timeout,
        UpstreamError::Blocked => FaultKind::Blocked,
        UpstreamError::Broken(_) => FaultKind::Server,
    };
    Fault::new(kind, error.to_string())
}

pub(super) fn timeout() -> Fault {
    Fault::new(FaultKind::Timeout, "nothing came in time")
}

fn misconfigured(why: String) -> Fault {
    Fault::new(FaultKind::Misconfigured, why)
}
