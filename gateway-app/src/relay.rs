//! The relay: one way in and one way out.
//!
//! admit -> estimate -> reserve -> select -> encode -> upstream -> commit point -> stream -> settle.
//! No step goes back up, but failover from before the commit point to select. What is reserved is
//! settled by its `Exit`, whatever ends the call.

pub(crate) mod attempt;
pub(crate) mod drain;
mod exit;
pub(crate) mod limiter;
mod stream;
mod turn;

pub use stream::RelayStream;

use crate::{ErrorKind, Gateway, GatewayError, RequestContext, gateway::Parts};
use attempt::{Attempted, Outcome};
use drain::Outliving;
use exit::{Client, Exit};
use futures_util::future::{Either, select};
use gateway_domain::{
    EndReason, Fault, FaultKind, FrozenPrice, ModelCall, Price, Timestamp,
    policy::{admission, breaker::Sign, estimate, rate::Standing, select::check_served},
    price,
    relay::{CallFacts, Next, Relay},
};
use gateway_ports::{Answer, Hold, Principal, Refusal, Reserved, Routing, UnpricedModels};
use std::{pin::pin, sync::Arc, time::Duration};

/// What a call comes to, and what the caller is told of it.
#[derive(Debug)]
pub struct Relayed {
    /// The answer.
    pub reply: Reply,
    /// The caller's fields that the provider was not given, or was given in another form.
    pub dropped: Vec<String>,
    /// How the limits of a minute stand now.
    pub standing: Standing,
}

/// What a call comes to.
#[derive(Debug)]
pub enum Reply {
    /// A whole answer.
    Whole(Answer),
    /// A stream. Dropping it hangs up on the upstream and settles the call.
    Stream(Box<RelayStream>),
}

impl Gateway {
    /// Relays a call for a key that was let in.
    pub async fn relay(
        &self,
        principal: Arc<Principal>,
        call: ModelCall,
        context: &RequestContext,
    ) -> Result<Relayed, GatewayError> {
        let parts = &self.0;
        let admitted = self.admit(principal.clone(), &call, context).await;
        let (routing, exit) =
            admitted.inspect_err(|error| parts.refused(Some(call.operation), context, error))?;
        exit.tell(gateway_ports::Observer::admitted);
        let client = exit.client().clone();
        let call = run(parts.clone(), routing, call, exit);
        let mut relayed = Outliving::new(parts.clone(), client, Box::pin(call)).await?;
        relayed.standing = parts.limiter.standing(&principal, parts.runtime.clock.now());
        Ok(relayed)
    }

    /// Lets a call in and holds what it may cost, or refuses it.
    async fn admit(
        &self,
        principal: Arc<Principal>,
        call: &ModelCall,
        context: &RequestContext,
    ) -> Result<(Arc<Routing>, Exit), GatewayError> {
        let parts = &self.0;
        let routing = parts.routing().await?;
        check_served(&routing.channels, &call.model)?;
        admission::admit_model(&principal.token, &call.model)?;
        let price = price(parts, &routing, call).inspect_err(|_| {
            let model = call.model.as_str();
            tracing::warn!(model, "a call was refused because its model has no price");
        })?;
        parts.check_available(&routing, &call.model)?;
        let facts = CallFacts {
            request_id: context.request_id.clone(),
            user_id: principal.user.id,
            token_id: principal.token.id,
            model: call.model.as_str().to_owned(),
            stream: call.stream,
            prompt_estimate: call.prompt.estimate(),
            price,
            prompt_on_abort: parts.config.charge_prompt_on_abort,
            started: context.started,
        };
        let need = estimate::tokens(call, parts.config.default_completion);
        let admitted = parts.limiter.admit(&principal, need, parts.runtime.clock.now())?;
        parts.watch.budget().deposit(parts.runtime.clock.now());
        let seen = parts.seen(&context.request_id, call, &routing);
        let mut exit = Exit::new(parts.clone(), Relay::new(facts), Client::new(admitted), seen);
        match reserve(&mut exit, principal, call, price, context).await {
            Ok(()) => Ok((routing, exit)),
            Err(error) => Err(refuse(exit, error)),
        }
    }
}

/// What tokens of a model cost: by the operator's table, else by the built-in one, else by default.
pub(crate) fn price(
    parts: &Parts,
    routing: &Routing,
    call: &ModelCall,
) -> Result<FrozenPrice, GatewayError> {
    let model = call.model.as_str();
    if let Some(known) = routing.prices.find(model).or_else(|| price::builtin().find(model)) {
        return Ok(FrozenPrice { version: known.version, price: known.price });
    }
    let settings = &routing.settings;
    match settings.unpriced_models.unwrap_or(parts.config.unpriced_models) {
        UnpricedModels::Charge => {
            let price = settings.default_price.unwrap_or(Price::DEFAULT);
            Ok(FrozenPrice { version: 0, price })
        }
        UnpricedModels::Refuse => Err(GatewayError::new(
            ErrorKind::Unavailable,
            "model_not_priced",
            "this model has no price yet",
        )),
    }
}

/// Holds the most that the call may cost. A key that changed since it was read is looked up again,
/// once.
async fn reserve(
    exit: &mut Exit,
    mut principal: Arc<Principal>,
    call: &ModelCall,
    price: FrozenPrice,
    context: &RequestContext,
) -> Result<(), GatewayError> {
    let parts = exit.parts().clone();
    let needed = estimate::reservation(call, parts.config.default_completion, &price.price);
    let life = parts.config.timeouts.total + Duration::from_secs(60);
    for look in 0..2 {
        let hold = Hold {
            request_id: context.request_id.clone(),
            user_id: principal.user.id,
            token_id: principal.token.id,
            token_revision: principal.token.revision,
            amount: needed.amount,
            least: needed.least,
            floor: needed.floor,
            model: call.model.as_str().to_owned(),
            stream: call.stream,
            price,
            idempotency_key: context.idempotency_key.clone(),
            created_at: context.started,
            expires_at: context.started.plus(life),
        };
        match exit.reserve(hold, parts.config.timeouts.ledger).await {
            Some(Ok(Reserved::Granted(_))) => return Ok(()),
            Some(Ok(Reserved::Refused(Refusal::Stale))) if look == 0 => {
                principal = look_again(&parts, &principal, call, context).await?;
            }
            Some(Ok(Reserved::Refused(refusal))) => return Err(refusal.into()),
            Some(Err(error)) => return Err(GatewayError::ledger_unavailable(Some(error))),
            None => return Err(GatewayError::ledger_unavailable(None)),
        }
    }
    Err(GatewayError::invalid_api_key())
}

async fn look_again(
    parts: &Arc<Parts>,
    stale: &Principal,
    call: &ModelCall,
    context: &RequestContext,
) -> Result<Arc<Principal>, GatewayError> {
    let digest = stale.token.digest;
    parts.cache.forget(&gateway_ports::SnapshotKey::Principal(digest)).await;
    let principal = parts.principal(&digest).await?;
    admission::admit_key(&principal.user, &principal.token, context.address, context.started)?;
    admission::admit_model(&principal.token, &call.model)?;
    Ok(principal)
}

/// Tries channels until one answers, or none is left, or it is the caller's own fault.
async fn run(
    parts: Arc<Parts>,
    routing: Arc<Routing>,
    call: ModelCall,
    mut exit: Exit,
) -> Result<Relayed, GatewayError> {
    let (parts, call) = (&parts, &call);
    let mut tried = Vec::new();
    let mut last: Option<Fault> = None;
    loop {
        let chosen = turn::choose(parts, &routing, &call.model, &mut tried).await;
        let (channel, mut turn) = match chosen {
            Ok(chosen) => chosen,
            Err(none) => {
                let error = last.map_or_else(|| none.into(), GatewayError::from);
                return Err(refuse(exit, error));
            }
        };
        let upstream_model = channel.model_mapping.upstream(&call.model);
        exit.relay().send(channel.id, upstream_model.as_str());
        exit.attempt_began(&channel, upstream_model);
        let fault = match attempt::attempt(parts, &channel, call, &mut exit).await {
            Ok(Attempted { outcome, dropped }) => {
                exit.tell(gateway_ports::Observer::first_byte);
                let reply = match outcome {
                    Outcome::Whole(answer) => {
                        turn.hear(Sign::Fine);
                        whole(parts, exit, answer)
                    }
                    Outcome::Stream(opened) => {
                        turn.hear(Sign::Began);
                        Reply::Stream(Box::new(RelayStream::new(opened, exit, turn)))
                    }
                };
                return Ok(Relayed { reply, dropped, standing: Standing::default() });
            }
            Err(fault) => fault,
        };
        turn.failed(&fault);
        tracing::warn!(
            request_id = %exit.relay().facts().request_id,
            channel_id = channel.id.0,
            kind = ?fault.kind,
            message = fault.message,
            "a channel failed before its answer began"
        );
        exit.attempt_failed(fault.kind);
        let next = exit.relay().fail(fault.kind);
        let started = exit.relay().facts().started;
        let out_of_time = left(parts, started, parts.config.timeouts.total).is_zero();
        if !fault.kind.is_retryable() {
            return Err(refuse(exit, fault.into()));
        }
        let told = worse(last, fault);
        // For nobody, no other channel is tried.
        if next == Next::GiveUp || out_of_time || exit.client().is_gone() {
            return Err(refuse(exit, told.into()));
        }
        last = Some(told);
    }
}

/// Of two channels' faults the one that tells the caller more: that it may help to wait, and how
/// long until the first of them takes calls.
fn worse(last: Option<Fault>, mut fault: Fault) -> Fault {
    match last {
        Some(last) if last.kind == FaultKind::RateLimited => {
            if fault.kind != FaultKind::RateLimited {
                return last;
            }
            fault.retry_after = fault.retry_after.min(last.retry_after);
            fault
        }
        _ => fault,
    }
}

fn whole(parts: &Arc<Parts>, mut exit: Exit, answer: Answer) -> Reply {
    let now = parts.runtime.clock.now();
    let relay = exit.relay();
    relay.commit(now);
    relay.produced(answer.text);
    if let Some(counts) = answer.usage {
        relay.reported(counts);
    }
    exit.end(EndReason::Complete, 200);
    Reply::Whole(answer)
}

fn refuse(mut exit: Exit, error: GatewayError) -> GatewayError {
    let reason = match error.kind {
        ErrorKind::UpstreamTimeout => EndReason::Timeout,
        _ => EndReason::Refused,
    };
    exit.end(reason, error.kind.status());
    error
}

/// A future's result, or `None` if it took longer.
async fn within<F: Future>(parts: &Parts, limit: Duration, future: F) -> Option<F::Output> {
    let timer = parts.runtime.timer.sleep(limit);
    match select(pin!(future), timer).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}

/// What is left of a limit that began at `since`.
fn left(parts: &Parts, since: Timestamp, limit: Duration) -> Duration {
    limit.saturating_sub(parts.runtime.clock.now().since(since))
}
