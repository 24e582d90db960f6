//! What a call is charged, whatever ended it: the one place that decides.
//!
//! | How the call ended | Charge |
//! |---|---|
//! | complete, the provider reported usage | exactly that |
//! | complete, no usage reported | estimate of the prompt and of what was produced |
//! | refused before an upstream accepted it: no connection, 4xx, 429, 5xx, an error event before content | nothing: the call is void |
//! | failed or cut after content | reported usage if any, else the estimate |
//! | the client left before any content, and the upstream reported no usage in time | estimate of the prompt, or nothing if the operator says so |
//! | the client left in mid-stream | reported usage if it came in time, else the estimate |
//! | failed attempts before the channel that answered | nothing to the user; they stand in the usage row |
//! | the gateway died in between | the last checkpoint, at least the prompt's estimate |

use super::estimate::TextSize;
use crate::{CallState, EndReason, TokenCounts};

/// What is known when a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// How it ended.
    pub reason: EndReason,
    /// Whether an upstream had accepted the call: its answer had begun, or the call was under way
    /// when the client left.
    pub accepted: bool,
    /// What the provider reported.
    pub reported: Option<TokenCounts>,
    /// The estimate of the prompt, in tokens.
    pub prompt_estimate: u64,
    /// The text that the provider produced and the gateway saw.
    pub produced: TextSize,
    /// Whether a prompt is charged if the client left before the answer began. Providers do.
    pub prompt_on_abort: bool,
}

/// Tokens to charge, and whether they are an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The tokens.
    pub counts: TokenCounts,
    /// True: nobody reported them.
    pub estimated: bool,
    /// Settled, or void.
    pub state: CallState,
}

impl Charge {
    /// Of a call that no upstream accepted.
    const VOID: Self =
        Self { counts: TokenCounts::of(0, 0), estimated: false, state: CallState::Void };
}

/// Decides what is charged.
pub fn charge(end: &CallEnd) -> Charge {
    if let Some(reported) = end.reported {
        return Charge { counts: reported.sane(), estimated: false, state: CallState::Settled };
    }
    if end.reason == EndReason::Refused || !end.accepted {
        return Charge::VOID;
    }
    let nothing_yet = end.reason == EndReason::ClientGone && end.produced.is_empty();
    let counts = if nothing_yet && !end.prompt_on_abort {
        TokenCounts::default()
    } else {
        TokenCounts::of(end.prompt_estimate, end.produced.tokens())
    };
    Charge { counts: counts.sane(), estimated: true, state: CallState::Settled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EndReason::{
        ClientGone, Complete, Refused, Timeout, UpstreamCut, UpstreamError, UpstreamIdle,
    };

    #[test]
    fn every_row_of_the_table() {
        let reported = TokenCounts { prompt: 9, completion: 5, ..TokenCounts::default() };
        let estimate = TokenCounts { prompt: 100, completion: 3, ..TokenCounts::default() };
        let state = CallState::Settled;
        let exact = Charge { counts: reported, estimated: false, state };
        let guess = Charge { counts: estimate, estimated: true, state };
        let nothing = Charge::VOID;
        for (reason, accepted, with_usage, expected) in [
            (Complete, true, true, exact),
            (Complete, true, false, guess),
            (Refused, false, false, nothing),
            (Timeout, false, false, nothing),
            (UpstreamError, false, false, nothing),
            (UpstreamError, true, true, exact),
            (UpstreamCut, true, true, exact),
            (UpstreamCut, true, false, guess),
            (UpstreamIdle, true, false, guess),
            (ClientGone, false, false, nothing),
            (ClientGone, true, false, guess),
            (ClientGone, true, true, exact),
        ] {
            let end = CallEnd {
                reason,
                accepted,
                reported: with_usage.then_some(reported),
                prompt_estimate: 100,
                produced: TextSize { ascii: 12, other: 0 },
                prompt_on_abort: true,
            };
            assert_eq!(charge(&end), expected, "{reason:?} accepted={accepted} usage={with_usage}");
            // Whoever has seen content pays for it whatever the operator says.
            let end = CallEnd { prompt_on_abort: false, ..end };
            assert_eq!(charge(&end), expected, "{reason:?} accepted={accepted} usage={with_usage}");
        }
    }

    #[test]
    fn a_prompt_without_an_answer_is_the_operators_choice() {
        let end = |prompt_on_abort| CallEnd {
            reason: ClientGone,
            accepted: true,
            reported: None,
            prompt_estimate: 100,
            produced: TextSize::default(),
            prompt_on_abort,
        };
        let counts = |end: CallEnd| (charge(&end).counts, charge(&end).state);
        assert_eq!(counts(end(true)), (TokenCounts::of(100, 0), CallState::Settled));
        assert_eq!(counts(end(false)), (TokenCounts::default(), CallState::Settled));
    }
}
