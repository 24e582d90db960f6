//! What a call is charged, whatever ended it: the one place that decides.
//!
//! | How the call ended | Charge |
//! |---|---|
//! | complete, the provider reported usage | exactly that |
//! | complete, no usage reported | estimate of the prompt and of what was delivered |
//! | refused before an upstream accepted it | nothing |
//! | failed or cut after content, or the client hung up after the upstream accepted | reported usage if any, else the estimate |
//! | the gateway died in between | the prompt's estimate |

use super::estimate::TextSize;
use crate::{EndReason, TokenCounts};

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
}

/// Tokens to charge, and whether they are an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// The tokens.
    pub counts: TokenCounts,
    /// True: nobody reported them.
    pub estimated: bool,
}

/// Decides what is charged.
pub fn charge(end: &CallEnd) -> Charge {
    if let Some(reported) = end.reported {
        return Charge { counts: reported.sane(), estimated: false };
    }
    if end.reason == EndReason::Refused || !end.accepted {
        return Charge::default();
    }
    let counts = TokenCounts {
        prompt: end.prompt_estimate,
        completion: end.produced.tokens(),
        ..TokenCounts::default()
    };
    Charge { counts: counts.sane(), estimated: true }
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
        let exact = Charge { counts: reported, estimated: false };
        let guess = Charge { counts: estimate, estimated: true };
        let nothing = Charge::default();
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
            };
            assert_eq!(charge(&end), expected, "{reason:?} accepted={accepted} usage={with_usage}");
        }
    }
}
