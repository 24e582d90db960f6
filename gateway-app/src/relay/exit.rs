//! The one exit of a call: whatever ends it, it is settled once.
//!
//! An [`Exit`] is made before anything is held, and settles when it is told how the call ended or,
//! if nobody tells it, when it is dropped: then the client is gone.

use crate::gateway::Parts;
use gateway_domain::{CallRecord, EndReason, relay::Relay};
use std::{sync::Arc, time::Duration};

/// A client that hung up before its answer began; the status that logs use for it.
const CLIENT_CLOSED: u16 = 499;
const MOST_TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Exit {
    parts: Arc<Parts>,
    relay: Relay,
    held: bool,
    answering: bool,
}

impl std::fmt::Debug for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exit").field("relay", &self.relay).finish_non_exhaustive()
    }
}

impl Exit {
    pub(super) fn new(parts: Arc<Parts>, relay: Relay) -> Self {
        Self { parts, relay, held: true, answering: false }
    }

    pub(super) fn relay(&mut self) -> &mut Relay {
        &mut self.relay
    }

    pub(super) fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// The ledger holds nothing for this call: there is nothing to settle.
    pub(super) fn nothing_held(&mut self) {
        self.held = false;
    }

    /// A status of success is on its way to the client.
    pub(super) fn answering(&mut self) {
        self.answering = true;
    }

    /// The call is over. The client does not wait for the ledger: what is held is safe there.
    pub(super) fn end(&mut self, reason: EndReason, status: u16) {
        let now = self.parts.runtime.clock.now();
        if let Some(call) = self.relay.end(reason, status, now)
            && self.held
        {
            let parts = self.parts.clone();
            self.parts
                .runtime
                .background
                .spawn(Box::pin(async move { settle(&parts, call).await }));
        }
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        let status = if self.answering { 200 } else { CLIENT_CLOSED };
        self.end(EndReason::ClientGone, status);
    }
}

/// Settles a call, trying again while the store is busy. What cannot be settled stays held until a
/// sweep charges its floor.
async fn settle(parts: &Parts, call: CallRecord) {
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=MOST_TRIES {
        match parts.store.ledger.settle(&call).await {
            Ok(settled) => {
                tracing::info!(
                    request_id = %call.request_id,
                    user_id = call.user_id.0,
                    token_id = call.token_id.0,
                    channel_id = call.channel_id.map(|id| id.0),
                    model = call.model,
                    status = call.status,
                    end_reason = call.end_reason.as_str(),
                    prompt_tokens = call.counts.prompt,
                    completion_tokens = call.counts.completion,
                    quota = settled.charged.units(),
                    latency_ms = call.latency_ms,
                    first_byte_ms = call.first_byte_ms,
                    "call"
                );
                return;
            }
            Err(error) => {
                tracing::warn!(request_id = %call.request_id, attempt, error = %error, "a call could not be settled yet");
                if attempt < MOST_TRIES {
                    parts.runtime.timer.sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }
    tracing::error!(request_id = %call.request_id, "a call could not be settled: it stays held until it is swept");
}
