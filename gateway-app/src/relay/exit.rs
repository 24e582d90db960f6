//! The one exit of a call: whatever ends it, it is settled once.
//!
//! An [`Exit`] is made before anything is held, and settles when it is told how the call ended or,
//! if nobody tells it, when it is dropped: then the client is gone, or something panicked.

use super::{limiter::Admitted, within};
use crate::gateway::Parts;
use futures_util::future::BoxFuture;
use gateway_domain::{CallRecord, Channel, Credits, EndReason, FaultKind, ModelName, relay::Relay};
use gateway_ports::{
    Hold, Observer, Reserved, StoreError,
    observer::{Attempt, CallEnded, CallSeen},
};
use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

/// A client that hung up before its answer began; the status that logs use for it.
const CLIENT_CLOSED: u16 = 499;
const MOST_TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What the ledger has of a call.
enum Holding {
    /// Nothing: there is nothing to settle.
    Nothing,
    /// It was asked, and has not answered yet. Nobody may settle before it has: the settlement
    /// could overtake the hold, which would then stay open.
    Asked(BoxFuture<'static, Result<Reserved, StoreError>>),
    /// A hold, or an answer that got lost and may have been one.
    Held,
}

/// The client's side of a call: it may be gone, though the upstream is still listened to.
#[derive(Debug)]
pub(super) struct Client {
    gone: AtomicBool,
    admitted: Option<Admitted>,
}

impl Client {
    /// A client whose call was let in, under limits or without any.
    pub(super) fn new(admitted: Option<Admitted>) -> Self {
        Self { gone: AtomicBool::new(false), admitted }
    }

    /// The client is gone: its call is not one of those that it may have at once any more.
    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.admitted.iter().for_each(Admitted::close);
    }

    /// Whether the client is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

pub(super) struct Exit {
    parts: Arc<Parts>,
    relay: Relay,
    holding: Holding,
    /// What is held.
    held: Credits,
    answering: bool,
    client: Arc<Client>,
    /// What observers are told of the call; `None` without observers.
    seen: Option<Arc<CallSeen>>,
    attempt: Option<Attempt>,
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").field("relay", &self.relay).finish_non_exhaustive()
    }
}

impl Exit {
    pub(super) fn new(
        parts: Arc<Parts>,
        relay: Relay,
        client: Client,
        seen: Option<Arc<CallSeen>>,
    ) -> Self {
        Self {
            parts,
            relay,
            holding: Holding::Nothing,
            held: Credits::ZERO,
            answering: false,
            client: Arc::new(client),
            seen,
            attempt: None,
        }
    }

    pub(super) fn relay(&mut self) -> &mut Relay {
        &mut self.relay
    }

    pub(super) fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Asks the ledger for a hold; `None` if it does not answer in time. Whoever drops this future
    /// half-way loses nothing: what was asked is kept here, and settled when it has been answered.
    pub(super) async fn reserve(
        &mut self,
        hold: Hold,
        limit: Duration,
    ) -> Option<Result<Reserved, StoreError>> {
        let parts = self.parts.clone();
        let ledger = parts.store.ledger.clone();
        self.holding = Holding::Asked(Box::pin(async move { ledger.reserve(&hold).await }));
        let answer = poll_fn(|context| {
            let Holding::Asked(asked) = &mut self.holding else {
                return Poll::Pending;
            };
            let answer = std::task::ready!(asked.as_mut().poll(context));
            self.holding = after(&answer);
            if let Ok(Reserved::Granted(held)) = answer {
                self.held = held;
            }
            Poll::Ready(answer)
        });
        within(&parts, limit, answer).await
    }

    /// What is held for the call.
    pub(super) fn held(&self) -> Credits {
        self.held
    }

    /// The client's side.
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// A status of success is on its way to the client.
    pub(super) fn answering(&mut self) {
        self.answering = true;
    }

    /// Tells the observers of something that happens to this call.
    pub(super) fn tell(&self, event: impl Fn(&(dyn Observer + 'static), &CallSeen)) {
        if let Some(seen) = &self.seen {
            self.parts.observers.tell(|observer| event(observer, seen));
        }
    }

    /// A channel's turn begins.
    pub(super) fn attempt_began(&mut self, channel: &Channel, upstream_model: &ModelName) {
        if self.seen.is_none() {
            return;
        }
        let attempt = Attempt {
            channel: channel.id,
            provider: channel.kind.clone(),
            upstream_model: upstream_model.as_str().to_owned(),
        };
        self.tell(|observer, seen| observer.attempt_began(seen, &attempt));
        self.attempt = Some(attempt);
    }

    /// The channel failed, before its answer began or after.
    pub(super) fn attempt_failed(&self, kind: FaultKind) {
        if let Some(attempt) = &self.attempt {
            self.tell(|observer, seen| observer.attempt_failed(seen, attempt, kind));
        }
    }

    /// The call is over. The client does not wait for the ledger: what is held is safe there.
    pub(super) fn end(&mut self, reason: EndReason, status: u16) {
        // However the upstream ended: nobody was there to see it.
        let (reason, status) = match (self.client.is_gone(), self.answering) {
            (false, _) => (reason, status),
            (true, true) => (EndReason::ClientGone, 200),
            (true, false) => (EndReason::ClientGone, CLIENT_CLOSED),
        };
        let now = self.parts.runtime.clock.now();
        let holding = std::mem::replace(&mut self.holding, Holding::Nothing);
        let Some(call) = self.relay.end(reason, status, now) else {
            return;
        };
        if let Some(admitted) = &self.client.admitted {
            admitted.used(call.counts.prompt.saturating_add(call.counts.completion));
            admitted.close();
        }
        let parts = self.parts.clone();
        let seen = self.seen.clone();
        let background = &self.parts.runtime.background;
        match holding {
            Holding::Nothing => {}
            Holding::Held => background
                .spawn(Box::pin(async move { settle(&parts, call, seen.as_deref()).await })),
            Holding::Asked(asked) => background.spawn(Box::pin(async move {
                if let Holding::Held = after(&asked.await) {
                    settle(&parts, call, seen.as_deref()).await;
                }
            })),
        }
    }
}

/// What the ledger has once it has answered. An error may have come after the hold was written.
fn after(answer: &Result<Reserved, StoreError>) -> Holding {
    match answer {
        Ok(Reserved::Refused(_)) => Holding::Nothing,
        Ok(Reserved::Granted(_)) | Err(_) => Holding::Held,
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        let (reason, status) = match (std::thread::panicking(), self.answering) {
            (false, true) => (EndReason::ClientGone, 200),
            (false, false) => (EndReason::ClientGone, CLIENT_CLOSED),
            // A bug ends the call, not the client: nobody pays for an answer that never began.
            (true, true) => (EndReason::UpstreamError, 200),
            (true, false) => (EndReason::Refused, 500),
        };
        self.end(reason, status);
    }
}

/// Settles a call, trying again while the store is busy. What cannot be settled stays held until a
/// sweep charges its floor.
async fn settle(parts: &Parts, call: CallRecord, seen: Option<&CallSeen>) {
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
                if let Some(seen) = seen {
                    let end = CallEnded { record: &call, charged: settled.charged };
                    parts.observers.tell(|observer| observer.ended(seen, &end));
                }
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
