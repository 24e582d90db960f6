//! A streamed answer on its way to the client.

use super::{
    attempt::{fault_of_exchange, timeout},
    drain::{Stretch, listen_on},
    exit::Exit,
    turn::Turn,
    within,
};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use gateway_domain::{
    Credits, EndReason, Fault, FaultKind, RequestId, Timestamp, policy::breaker::Sign,
};
use gateway_ports::{ByteStream, Checkpoint, StoreError, StreamDecoder, StreamEvent};
use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// How long the end of an answer's body is waited for, so that its connection can be used again.
const END_OF_BODY: Duration = Duration::from_secs(2);

/// An upstream's stream, before the commit point.
pub(super) struct Opened {
    body: ByteStream,
    decoder: Box<dyn StreamDecoder>,
    pending: VecDeque<StreamEvent>,
    scratch: Vec<StreamEvent>,
    body_over: bool,
}

impl Opened {
    pub(super) fn new(body: ByteStream, decoder: Box<dyn StreamDecoder>) -> Self {
        Self { body, decoder, pending: VecDeque::new(), scratch: Vec::new(), body_over: false }
    }

    /// Reads up to the first meaningful event, which stays to be delivered. Whatever comes instead
    /// is a fault, and another channel may be tried.
    pub(super) async fn wait_for_answer(
        mut self,
        exit: &mut Exit,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let parts = exit.parts().clone();
        let ready = async {
            loop {
                let mut failed = None;
                for event in &self.pending {
                    match event {
                        StreamEvent::Failed(fault) => failed = Some(fault.clone()),
                        event if event.is_meaningful() => return Ok(()),
                        _ => {}
                    }
                }
                if let Some(fault) = failed {
                    return Err(fault);
                }
                if self.body_over {
                    return Err(Fault::new(FaultKind::Malformed, "the answer is empty"));
                }
                // What came before the answer, such as comments, is not kept.
                self.pending.retain(|event| matches!(event, StreamEvent::Usage(_)));
                poll_fn(|context| self.poll_read(context)).await?;
            }
        };
        within(&parts, limit, ready).await.ok_or_else(timeout)??;
        exit.relay().commit(parts.runtime.clock.now());
        exit.answering();
        Ok(self)
    }

    /// Reads once from the upstream and decodes what came.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        match ready!(self.body.poll_next_unpin(context)) {
            Some(Ok(bytes)) => self.decoder.feed(bytes, &mut self.scratch),
            Some(Err(error)) => {
                self.body_over = true;
                return Poll::Ready(Err(fault_of_exchange(&error)));
            }
            None => {
                self.body_over = true;
                self.decoder.finish(&mut self.scratch);
            }
        }
        self.pending.extend(self.scratch.drain(..));
        Poll::Ready(Ok(()))
    }
}

/// A streamed answer. It ends with [`StreamEvent::Done`] or [`StreamEvent::Failed`]. When it is
/// dropped earlier, the upstream is listened to for a while, because what it charges is known at
/// its end. Either way the call is settled.
pub struct RelayStream(Option<Box<Answering>>);

impl RelayStream {
    pub(super) fn new(opened: Opened, exit: Exit, turn: Turn) -> Self {
        exit.tell(gateway_ports::Observer::stream_opened);
        Self(Some(Box::new(Answering::new(opened, exit, turn))))
    }
}

impl fmt::Debug for RelayStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exit = self.0.as_ref().map(|answering| &answering.exit);
        f.debug_struct("RelayStream").field("exit", &exit).finish_non_exhaustive()
    }
}

impl Stream for RelayStream {
    type Item = StreamEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        match &mut self.get_mut().0 {
            Some(answering) => answering.poll_event(context),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for RelayStream {
    fn drop(&mut self) {
        let Some(mut answering) = self.0.take() else {
            return;
        };
        answering.exit.tell(gateway_ports::Observer::stream_closed);
        // What panicked must not go on.
        if answering.over || std::thread::panicking() {
            return;
        }
        answering.exit.client().leave();
        let parts = answering.exit.parts().clone();
        listen_on(&parts, parts.config.drain.mid_stream, async move {
            let mut stretch = Stretch::new(answering.exit.parts());
            while poll_fn(|context| answering.poll_event(context)).await.is_some() {
                stretch.one_more().await;
            }
        });
    }
}

/// An answer whose first meaningful event has come.
struct Answering {
    opened: Opened,
    exit: Exit,
    turn: Turn,
    last_read: Timestamp,
    deadline: Timestamp,
    watch: BoxFuture<'static, ()>,
    checkpoints: Checkpoints,
    estimated: bool,
    over: bool,
}

/// What the ledger is told on the way, so that a crash leaves little uncharged.
struct Checkpoints {
    next: Timestamp,
    floor: Credits,
    asked: Option<BoxFuture<'static, Result<Vec<RequestId>, StoreError>>>,
}

impl Answering {
    fn new(opened: Opened, mut exit: Exit, turn: Turn) -> Self {
        let parts = exit.parts().clone();
        let timeouts = parts.config.timeouts;
        let now = parts.runtime.clock.now();
        let deadline = exit.relay().facts().started.plus(timeouts.total);
        Self {
            opened,
            last_read: now,
            deadline,
            watch: parts.runtime.timer.sleep(timeouts.idle.min(deadline.since(now))),
            checkpoints: Checkpoints {
                next: now.plus(timeouts.checkpoint),
                floor: exit.relay().floor(),
                asked: None,
            },
            exit,
            turn,
            estimated: false,
            over: false,
        }
    }

    fn finish(&mut self, reason: EndReason) {
        self.over = true;
        self.exit.end(reason, 200);
        self.release();
    }

    /// Gives the connection back if the upstream is done with it, and drops it otherwise.
    fn release(&mut self) {
        if self.opened.body_over {
            return;
        }
        self.opened.body_over = true;
        let empty: ByteStream = Box::pin(futures_util::stream::empty());
        let mut body = std::mem::replace(&mut self.opened.body, empty);
        let parts = self.exit.parts().clone();
        self.exit.parts().runtime.background.spawn(Box::pin(async move {
            let mut stretch = Stretch::new(&parts);
            let drain = async {
                while let Some(Ok(_)) = body.next().await {
                    stretch.one_more().await;
                }
            };
            within(&parts, END_OF_BODY, drain).await;
        }));
    }

    /// The watch went off: time is over, or it is set again for what is left. It is set once and
    /// not moved by every read, because reads are many.
    fn check_time(&mut self) -> Option<(EndReason, Fault)> {
        let parts = self.exit.parts().clone();
        let now = parts.runtime.clock.now();
        let idle = parts.config.timeouts.idle;
        if now >= self.deadline {
            return Some((
                EndReason::Timeout,
                Fault::new(FaultKind::Timeout, "the call took too long"),
            ));
        }
        let quiet = now.since(self.last_read);
        if quiet >= idle {
            return Some((EndReason::UpstreamIdle, timeout()));
        }
        self.watch =
            parts.runtime.timer.sleep(idle.saturating_sub(quiet).min(self.deadline.since(now)));
        None
    }

    fn deliver(&mut self, event: StreamEvent, at_end: bool) -> StreamEvent {
        match &event {
            StreamEvent::Usage(counts) => self.exit.relay().reported(*counts),
            StreamEvent::Done => {
                let usage = self.exit.relay().usage();
                if usage.estimated && !self.estimated {
                    self.estimated = true;
                    self.opened.pending.push_front(event);
                    return StreamEvent::Estimated(usage.counts);
                }
                self.turn.hear(Sign::Fine);
                self.finish(EndReason::Complete);
            }
            StreamEvent::Failed(fault) => {
                tracing::warn!(
                    request_id = %self.exit.relay().facts().request_id,
                    kind = ?fault.kind,
                    message = fault.message,
                    "an answer broke off"
                );
                self.turn.failed(fault);
                self.over = true;
                // At its end a decoder may also find an error that was told in full.
                let cut = at_end && fault.kind == FaultKind::Malformed;
                self.exit.attempt_failed(fault.kind);
                self.exit
                    .end(if cut { EndReason::UpstreamCut } else { EndReason::UpstreamError }, 200);
            }
            other => {
                let text = other.text();
                self.exit.relay().produced(text);
            }
        }
        event
    }

    /// Bytes came: now and then the ledger is told what they have cost so far.
    fn has_read(&mut self) {
        let now = self.exit.parts().runtime.clock.now();
        self.last_read = now;
        if now < self.checkpoints.next || self.checkpoints.asked.is_some() {
            return;
        }
        let parts = self.exit.parts().clone();
        self.checkpoints.next = now.plus(parts.config.timeouts.checkpoint);
        let floor = self.exit.relay().floor();
        if floor <= self.checkpoints.floor {
            return;
        }
        self.checkpoints.floor = floor;
        let request_id = self.exit.relay().facts().request_id.clone();
        let ledger = parts.store.ledger.clone();
        self.checkpoints.asked =
            Some(Box::pin(
                async move { ledger.checkpoint(&[Checkpoint { request_id, floor }]).await },
            ));
    }

    /// The ledger's answer, if it is there; the stream does not wait for it.
    fn check_hold(&mut self, context: &mut Context<'_>) -> Option<(EndReason, Fault)> {
        let asked = self.checkpoints.asked.as_mut()?;
        let Poll::Ready(answer) = asked.as_mut().poll(context) else {
            return None;
        };
        self.checkpoints.asked = None;
        let id = &self.exit.relay().facts().request_id;
        match answer {
            Ok(lost) if lost.contains(id) => {
                tracing::error!(request_id = %id, "a stream lost its hold and was ended");
                let fault =
                    Fault::new(FaultKind::Timeout, "nothing is held for this call any more");
                Some((EndReason::Timeout, fault))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(request_id = %id, %error, "a checkpoint could not be written");
                None
            }
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            if let Some((reason, fault)) = self.check_hold(context) {
                return Poll::Ready(Some(self.cut(reason, fault)));
            }
            if let Some(event) = self.opened.pending.pop_front() {
                let at_end = self.opened.body_over;
                return Poll::Ready(Some(self.deliver(event, at_end)));
            }
            if self.opened.body_over {
                // A decoder that says nothing at the end of a stream leaves it unfinished.
                let fault = Fault::new(FaultKind::Malformed, "the upstream's stream broke off");
                return Poll::Ready(Some(self.deliver(StreamEvent::Failed(fault), true)));
            }
            match self.opened.poll_read(context) {
                Poll::Ready(Ok(())) => self.has_read(),
                Poll::Ready(Err(fault)) => {
                    return Poll::Ready(Some(self.cut(EndReason::UpstreamCut, fault)));
                }
                Poll::Pending => {
                    ready!(self.watch.as_mut().poll(context));
                    if let Some((reason, fault)) = self.check_time() {
                        return Poll::Ready(Some(self.cut(reason, fault)));
                    }
                }
            }
        }
    }

    /// The answer ends here, and not because its decoder says so.
    fn cut(&mut self, reason: EndReason, fault: Fault) -> StreamEvent {
        // That a call takes too long, or lost its hold, is not the channel's fault.
        if matches!(reason, EndReason::UpstreamIdle | EndReason::UpstreamCut) {
            self.turn.failed(&fault);
        }
        tracing::warn!(
            request_id = %self.exit.relay().facts().request_id,
            kind = ?fault.kind,
            message = fault.message,
            "an answer was cut"
        );
        self.take_stock();
        self.over = true;
        self.exit.attempt_failed(fault.kind);
        self.exit.end(reason, 200);
        StreamEvent::Failed(fault)
    }

    /// There will be no more of the answer. What was used until now may have been told already,
    /// where its decoder still waited for more.
    fn take_stock(&mut self) {
        let mut last = Vec::new();
        self.opened.decoder.finish(&mut last);
        for event in last {
            if let StreamEvent::Usage(counts) = event {
                self.exit.relay().reported(counts);
            }
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // What panicked must not go on.
        if !self.over && !std::thread::panicking() {
            self.take_stock();
        }
    }
}
