//! One relay call from its admission to its end, as a state machine without I/O.
//!
//! Whoever drives it reports what happens; it says whether another channel may be tried and, once
//! and only once, what the call comes to. Nothing is sent to a client before [`Relay::commit`];
//! after it no other channel is tried.

use crate::{
    CallRecord, ChannelId, Credits, EndReason, FailedAttempt, FaultKind, FrozenPrice, RequestId,
    Timestamp, TokenCounts, TokenId, UserId,
    policy::{
        charging::{CallEnd, Charge, charge},
        estimate::TextSize,
    },
};

/// Channels that are tried for one call, at most.
pub const MOST_ATTEMPTS: u32 = 3;

/// Who calls, and what: everything about a call that does not change on its way.
#[derive(Clone, Debug)]
pub struct CallFacts {
    /// The request.
    pub request_id: RequestId,
    /// Who pays.
    pub user_id: UserId,
    /// With which key.
    pub token_id: TokenId,
    /// The model that was asked for.
    pub model: String,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// The estimate of the prompt, in tokens.
    pub prompt_estimate: u64,
    /// What tokens cost, frozen when the call was admitted.
    pub price: FrozenPrice,
    /// Whether a prompt is charged if the client left before the answer began.
    pub prompt_on_abort: bool,
    /// When the request came.
    pub started: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No upstream has the call.
    Choosing,
    /// An upstream has the call, and has not answered.
    Sent,
    /// The answer has begun.
    Committed,
    /// It is over.
    Ended,
}

/// What to do after a channel failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try another channel.
    TryAnother,
    /// Tell the client.
    GiveUp,
}

/// A call on its way.
#[derive(Clone, Debug)]
pub struct Relay {
    facts: CallFacts,
    phase: Phase,
    attempts: u32,
    failures: Vec<FailedAttempt>,
    channel: Option<ChannelId>,
    upstream_model: String,
    dropped: Vec<String>,
    reported: Option<TokenCounts>,
    produced: TextSize,
    first_byte: Option<Timestamp>,
}

impl Relay {
    /// A call that was admitted.
    pub fn new(facts: CallFacts) -> Self {
        Self {
            facts,
            phase: Phase::Choosing,
            attempts: 0,
            failures: Vec::new(),
            channel: None,
            upstream_model: String::new(),
            dropped: Vec::new(),
            reported: None,
            produced: TextSize::default(),
            first_byte: None,
        }
    }

    /// What does not change.
    pub fn facts(&self) -> &CallFacts {
        &self.facts
    }

    /// The call goes to a channel.
    pub fn send(&mut self, channel: ChannelId, upstream_model: &str) {
        if self.phase == Phase::Choosing {
            self.phase = Phase::Sent;
            self.attempts += 1;
            self.channel = Some(channel);
            upstream_model.clone_into(&mut self.upstream_model);
            self.dropped.clear();
        }
    }

    /// The channel failed before its answer began. What it reported is not charged.
    pub fn fail(&mut self, fault: FaultKind) -> Next {
        if self.phase != Phase::Sent {
            return Next::GiveUp;
        }
        self.phase = Phase::Choosing;
        self.failures.extend(self.channel.map(|channel| FailedAttempt(channel, fault)));
        self.reported = None;
        self.produced = TextSize::default();
        let again =
            self.failures.iter().filter(|FailedAttempt(_, before)| *before == fault).count();
        let enough = fault.is_retryable_once() && again > 1;
        if fault.is_retryable() && !enough && self.attempts < MOST_ATTEMPTS {
            Next::TryAnother
        } else {
            Next::GiveUp
        }
    }

    /// The first meaningful piece of the answer is here: from now on this channel is the one.
    pub fn commit(&mut self, now: Timestamp) {
        if self.phase == Phase::Sent {
            self.phase = Phase::Committed;
            self.first_byte = Some(now);
        }
    }

    /// The upstream produced this much text.
    pub fn produced(&mut self, text: TextSize) {
        self.produced.add(text);
    }

    /// The upstream reported usage. The last report counts: they are cumulative.
    pub fn reported(&mut self, counts: TokenCounts) {
        self.reported = Some(counts);
    }

    /// What a complete answer used so far, and whether that is an estimate.
    pub fn usage(&self) -> Charge {
        charge(&self.ending(EndReason::Complete, true))
    }

    fn ending(&self, reason: EndReason, accepted: bool) -> CallEnd {
        CallEnd {
            reason,
            accepted,
            reported: self.reported,
            prompt_estimate: self.facts.prompt_estimate,
            produced: self.produced,
            prompt_on_abort: self.facts.prompt_on_abort,
        }
    }

    /// What of the call the channel's provider was not given, or in another form.
    pub fn dropped(&mut self, fields: &[String]) {
        fields.clone_into(&mut self.dropped);
    }

    /// What the call costs if nothing more is heard of it. Never less than before, while one
    /// channel has it.
    pub fn floor(&self) -> Credits {
        let accepted = matches!(self.phase, Phase::Sent | Phase::Committed);
        self.facts.price.price.cost(&charge(&self.ending(EndReason::UpstreamCut, accepted)).counts)
    }

    /// The call is over. Returns its usage row the first time, and `None` ever after: there is one
    /// exit, and it is taken once.
    pub fn end(&mut self, reason: EndReason, status: u16, now: Timestamp) -> Option<CallRecord> {
        if self.phase == Phase::Ended {
            return None;
        }
        let accepted = matches!(self.phase, Phase::Sent | Phase::Committed);
        self.phase = Phase::Ended;
        let charge = charge(&self.ending(reason, accepted));
        let millis = |from: Timestamp, to: Timestamp| {
            u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
        };
        Some(CallRecord {
            request_id: self.facts.request_id.clone(),
            user_id: self.facts.user_id,
            token_id: self.facts.token_id,
            channel_id: self.channel,
            model: self.facts.model.clone(),
            upstream_model: std::mem::take(&mut self.upstream_model),
            state: charge.state,
            counts: charge.counts,
            price: self.facts.price,
            quota: self.facts.price.price.cost(&charge.counts),
            unbilled: Credits::ZERO,
            estimated: charge.estimated,
            stream: self.facts.stream,
            status,
            end_reason: reason,
            attempts: self.attempts,
            failures: std::mem::take(&mut self.failures),
            dropped: std::mem::take(&mut self.dropped),
            latency_ms: millis(self.facts.started, now),
            first_byte_ms: self.first_byte.map(|at| millis(self.facts.started, at)),
            created_at: self.facts.started,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> Relay {
        Relay::new(CallFacts {
            request_id: RequestId("r".into()),
            user_id: UserId(1),
            token_id: TokenId(2),
            model: "m".into(),
            stream: true,
            prompt_estimate: 100,
            price: FrozenPrice::DEFAULT,
            prompt_on_abort: true,
            started: Timestamp::from_millis(1000),
        })
    }

    #[test]
    fn a_call_ends_once() {
        let mut call = relay();
        call.send(ChannelId(3), "up");
        call.commit(Timestamp::from_millis(1040));
        call.reported(TokenCounts { prompt: 9, completion: 5, ..TokenCounts::default() });
        let row = call.end(EndReason::Complete, 200, Timestamp::from_millis(1100)).unwrap();
        assert_eq!((row.quota.units(), row.latency_ms, row.first_byte_ms), (24, 100, Some(40)));
        assert_eq!(
            (row.channel_id, row.upstream_model.as_str(), row.attempts),
            (Some(ChannelId(3)), "up", 1)
        );
        assert_eq!(call.end(EndReason::ClientGone, 499, Timestamp::from_millis(1200)), None);
    }

    #[test]
    fn another_channel_is_tried_before_the_commit_point_only() {
        let mut call = relay();
        for _ in 1..MOST_ATTEMPTS {
            call.send(ChannelId(1), "up");
            assert_eq!(call.fail(FaultKind::Server), Next::TryAnother);
        }
        call.send(ChannelId(1), "up");
        assert_eq!(call.fail(FaultKind::Server), Next::GiveUp);

        let mut call = relay();
        call.send(ChannelId(1), "up");
        assert_eq!(call.fail(FaultKind::Rejected), Next::GiveUp);

        for once in [FaultKind::Malformed, FaultKind::Conflict] {
            let mut call = relay();
            call.send(ChannelId(1), "up");
            assert_eq!(call.fail(once), Next::TryAnother);
            call.send(ChannelId(2), "up");
            assert_eq!(call.fail(once), Next::GiveUp);
        }

        let mut call = relay();
        call.send(ChannelId(1), "up");
        call.commit(Timestamp::from_millis(1001));
        assert_eq!(call.fail(FaultKind::Server), Next::GiveUp);
    }

    #[test]
    fn a_failed_attempt_is_never_charged() {
        let mut call = relay();
        call.send(ChannelId(1), "up");
        call.reported(TokenCounts { prompt: 9, completion: 5, ..TokenCounts::default() });
        call.fail(FaultKind::Malformed);
        let row = call.end(EndReason::Refused, 502, Timestamp::from_millis(1100)).unwrap();
        assert_eq!((row.quota, row.counts), (Credits::ZERO, TokenCounts::default()));
        assert_eq!(row.state, crate::CallState::Void);
        assert_eq!(row.failures, [FailedAttempt(ChannelId(1), FaultKind::Malformed)]);
    }

    #[test]
    fn a_floor_follows_what_was_produced() {
        let mut call = relay();
        assert_eq!(call.floor(), Credits::ZERO);
        call.send(ChannelId(1), "up");
        assert_eq!(call.floor().units(), 100);
        call.commit(Timestamp::from_millis(1050));
        call.produced(TextSize::of("12345678"));
        assert_eq!(call.floor().units(), 106);
        call.reported(TokenCounts::of(9, 50));
        assert_eq!(call.floor().units(), 159);
    }

    #[test]
    fn a_client_that_leaves_pays_what_was_under_way() {
        let mut call = relay();
        assert_eq!(
            call.clone()
                .end(EndReason::ClientGone, 499, Timestamp::from_millis(1100))
                .unwrap()
                .quota,
            Credits::ZERO
        );
        call.send(ChannelId(1), "up");
        assert_eq!(
            call.clone()
                .end(EndReason::ClientGone, 499, Timestamp::from_millis(1100))
                .unwrap()
                .quota
                .units(),
            100
        );
        call.commit(Timestamp::from_millis(1050));
        call.produced(TextSize::of("12345678"));
        let row = call.end(EndReason::ClientGone, 200, Timestamp::from_millis(1100)).unwrap();
        assert_eq!((row.quota.units(), row.estimated), (106, true));
    }
}
