//! One channel's turn: from encoding the call to the commit point.

use super::{exit::Exit, left, stream::Opened, within};
use crate::gateway::Parts;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gateway_domain::{Channel, Fault, FaultKind, ModelCall, Timestamp, policy::estimate};
use gateway_ports::{
    Answer, ByteStream, Provider, ProviderError, Target, UpstreamError, provider::ErrorReply,
};
use http::{HeaderMap, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use std::{sync::Arc, time::Duration};

/// The largest whole answer: embeddings of many inputs are the largest there are.
const MOST_ANSWER: usize = 64 << 20;
/// The part of an error answer that is read.
const MOST_ERROR: usize = 64 << 10;

pub(super) enum Outcome {
    Whole(Answer),
    Stream(Opened),
}

/// What a channel answered, and what of the call its provider was not given.
pub(super) struct Attempted {
    pub(super) outcome: Outcome,
    pub(super) dropped: Vec<String>,
}

/// Sends a call through a channel. An error means that nothing reached the client.
pub(super) async fn attempt(
    parts: &Arc<Parts>,
    channel: &Channel,
    call: &ModelCall,
    exit: &mut Exit,
) -> Result<Attempted, Fault> {
    let max_completion = estimate::ceiling(
        call,
        exit.held(),
        parts.config.default_completion,
        &exit.relay().facts().price.price,
    );
    let (provider, key) = open(parts, channel)?;
    let target = target(channel, call, &key, max_completion, parts.runtime.clock.now());
    let attempted = exchange(parts, &**provider, &target, call, exit).await;
    attempted.map_err(|fault| of_channel(fault, call, &target))
}

/// Sends a call that is not streamed through a channel, for nobody's account.
pub(crate) async fn try_once(
    parts: &Arc<Parts>,
    channel: &Channel,
    call: &ModelCall,
) -> Result<Answer, Fault> {
    let (provider, key) = open(parts, channel)?;
    let target = target(channel, call, &key, None, parts.runtime.clock.now());
    let answer = async {
        let encoded = provider.encode(call, &target).map_err(refused)?;
        let started = parts.runtime.clock.now();
        let limit = parts.config.timeouts.first_byte;
        let (_, body) = send(parts, &**provider, encoded.request, limit).await?;
        let idle = parts.config.timeouts.idle;
        let body = collect(parts, body, MOST_ANSWER, idle, started.plus(limit)).await?;
        provider.decode(call, &target, body)
    };
    answer.await.map_err(|fault| of_channel(fault, call, &target))
}

/// A channel's provider and key.
fn open<'a>(
    parts: &'a Parts,
    channel: &Channel,
) -> Result<(&'a Arc<dyn Provider>, SecretString), Fault> {
    let provider = parts.providers.get(&channel.kind).ok_or_else(|| {
        misconfigured(format!("no provider of type '{}' is registered", channel.kind))
    })?;
    let key = parts.vault.open(channel.id, &channel.sealed_key);
    Ok((provider, key.map_err(|e| misconfigured(e.to_string()))?))
}

fn target<'a>(
    channel: &'a Channel,
    call: &'a ModelCall,
    key: &'a SecretString,
    max_completion: Option<u64>,
    now: Timestamp,
) -> Target<'a> {
    Target {
        base_url: &channel.base_url,
        key,
        model: channel.model_mapping.upstream(&call.model),
        max_completion,
        config: &channel.config,
        now,
    }
}

fn refused(error: ProviderError) -> Fault {
    match error {
        ProviderError::Unsupported { param, code, message } => {
            let code = Some(code.to_owned());
            Fault { param, code, ..Fault::new(FaultKind::Rejected, message) }
        }
        ProviderError::Misconfigured(why) => misconfigured(why),
    }
}

/// A fault as that of a channel: a model that is not there is the caller's fault only by the name
/// that the caller gave it.
fn of_channel(mut fault: Fault, call: &ModelCall, target: &Target<'_>) -> Fault {
    if fault.kind == FaultKind::NotFound && *target.model != call.model {
        fault.kind = FaultKind::Misnamed;
    }
    without(fault, target.key)
}

/// A fault that does not repeat the channel's key: an upstream may quote what it was sent.
fn without(mut fault: Fault, key: &SecretString) -> Fault {
    let key = key.expose_secret();
    let texts = [Some(&mut fault.message), fault.code.as_mut(), fault.param.as_mut()];
    for text in texts.into_iter().flatten().filter(|text| text.contains(key)) {
        *text = text.replace(key, "[redacted]");
    }
    fault
}

async fn exchange(
    parts: &Arc<Parts>,
    provider: &dyn Provider,
    target: &Target<'_>,
    call: &ModelCall,
    exit: &mut Exit,
) -> Result<Attempted, Fault> {
    let mut encoded = provider.encode(call, target).map_err(refused)?;
    for request in std::iter::once(&mut encoded.request).chain(&mut encoded.more) {
        request.extensions_mut().insert(exit.relay().facts().request_id.clone());
    }
    let dropped = encoded.dropped;
    exit.relay().dropped(&dropped);
    let started = parts.runtime.clock.now();
    let timeouts = parts.config.timeouts;
    let end = exit.relay().facts().started.plus(timeouts.total);
    let limit = timeouts.first_byte.min(end.since(started));
    let (headers, body) = send(parts, provider, encoded.request, limit).await?;
    if call.stream && is_stream(&headers)? {
        let opened = Opened::new(body, provider.decoder(call, target));
        let opened = opened.wait_for_answer(exit, left(parts, started, limit)).await?;
        return Ok(Attempted { outcome: Outcome::Stream(opened), dropped });
    }
    let body = collect(parts, body, MOST_ANSWER, timeouts.idle, end).await?;
    let mut answer = provider.decode(call, target, body)?;
    if !encoded.more.is_empty() {
        let mut answers = vec![answer];
        for request in encoded.more {
            let limit = timeouts.first_byte.min(end.since(parts.runtime.clock.now()));
            let (_, body) = send(parts, provider, request, limit).await?;
            let body = collect(parts, body, MOST_ANSWER, timeouts.idle, end).await?;
            answers.push(provider.decode(call, target, body)?);
        }
        answer = Answer::join(answers);
    }
    Ok(Attempted { outcome: Outcome::Whole(answer), dropped })
}

/// The head and the body of an answer of success; any other answer is a fault.
async fn send(
    parts: &Parts,
    provider: &dyn Provider,
    request: http::Request<Bytes>,
    limit: Duration,
) -> Result<(HeaderMap, ByteStream), Fault> {
    let reply = within(parts, limit, parts.upstream.send(request))
        .await
        .ok_or_else(timeout)?
        .map_err(|error| fault_of_exchange(&error))?;
    let (head, body) = reply.into_parts();
    if FaultKind::of_status(head.status.as_u16()).is_none() {
        return Ok((head.headers, body));
    }
    // An error's body is worth little: what cannot be read in time is left.
    let patience = Duration::from_secs(5);
    let end = parts.runtime.clock.now().plus(patience);
    let body = collect(parts, body, MOST_ERROR, patience, end).await.unwrap_or_default();
    Err(provider.fault(&ErrorReply {
        status: head.status.as_u16(),
        headers: &head.headers,
        body: &body,
        now: parts.runtime.clock.now(),
    }))
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

/// Reads a whole body, up to a size, as long as bytes keep coming and until a moment at most.
async fn collect(
    parts: &Parts,
    mut body: ByteStream,
    most: usize,
    idle: Duration,
    end: Timestamp,
) -> Result<Bytes, Fault> {
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    loop {
        let patience = idle.min(end.since(parts.runtime.clock.now()));
        match within(parts, patience, body.next()).await {
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
        UpstreamError::Relay(_) => FaultKind::Misconfigured,
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
