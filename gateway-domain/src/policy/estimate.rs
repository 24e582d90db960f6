//! How much a call may cost, before it is made, without a tokenizer.
//!
//! An estimate that is too low could let a budget be overdrawn, so what is reserved is a quarter
//! more than the estimate; an answer is bounded by the limit that the caller set or by
//! [`DEFAULT_COMPLETION`].

use crate::{Credits, ModelCall, Operation, Price, TokenCounts, policy::rate::TokenNeed};

/// The completion tokens that are reserved for each answer when neither the caller nor the operator
/// sets a limit. The worst case of a large model would hold the whole balance of most users.
pub const DEFAULT_COMPLETION: u64 = 4096;

/// Tokens that every message costs besides its text.
const PER_MESSAGE: u64 = 8;
/// Tokens of an image, at a high resolution.
const PER_IMAGE: u64 = 1500;

/// The size of text, as far as an estimate needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSize {
    /// Bytes of ASCII characters.
    pub ascii: u64,
    /// Bytes of all other characters.
    pub other: u64,
}

impl TextSize {
    /// The size of a text.
    pub fn of(text: &str) -> Self {
        let ascii =
            if text.is_ascii() { text.len() } else { text.bytes().filter(u8::is_ascii).count() };
        Self { ascii: to_u64(ascii), other: to_u64(text.len() - ascii) }
    }

    /// Adds another text's size.
    pub fn add(&mut self, other: Self) {
        self.ascii = self.ascii.saturating_add(other.ascii);
        self.other = self.other.saturating_add(other.other);
    }

    /// Whether there is no text.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// About how many tokens: four ASCII characters a token, two bytes of anything else.
    pub fn tokens(self) -> u64 {
        self.ascii.div_ceil(4).saturating_add(self.other.div_ceil(2))
    }
}

/// What the prompt of a call is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptSize {
    /// All text in it, schemas of tools included.
    pub text: TextSize,
    /// Messages, or inputs of an embedding.
    pub messages: u64,
    /// Images.
    pub images: u64,
    /// Tokens that the caller counted already (embeddings of token lists).
    pub tokens: u64,
}

impl PromptSize {
    /// The estimated number of prompt tokens.
    pub fn estimate(&self) -> u64 {
        self.text
            .tokens()
            .saturating_add(self.messages.saturating_mul(PER_MESSAGE))
            .saturating_add(self.images.saturating_mul(PER_IMAGE))
            .saturating_add(self.tokens)
    }

    /// The number of prompt tokens that is reserved: a quarter more than estimated, and 64.
    pub fn reserve(&self) -> u64 {
        let estimate = self.estimate();
        estimate.saturating_add(estimate / 4).saturating_add(64)
    }
}

/// The completion tokens of each answer that are worth a call, where its caller leaves the number
/// to the gateway.
const LEAST_COMPLETION: u64 = 16;

/// What to hold for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The most that it can cost.
    pub amount: Credits,
    /// The least that is worth holding; the same where the caller set the limit.
    pub least: Credits,
    /// What it costs if nothing is ever heard of it: the prompt's estimate.
    pub floor: Credits,
}

/// The tokens that a call counts for under a limit of tokens a minute.
pub fn tokens(call: &ModelCall, default_completion: u64) -> TokenNeed {
    let prompt = call.prompt.estimate();
    let of = |completion: u64| prompt.saturating_add(completion.saturating_mul(call.choices));
    match (call.operation, call.max_completion) {
        (Operation::Embeddings, _) => TokenNeed { most: prompt, least: prompt },
        (Operation::Chat, Some(limit)) => TokenNeed { most: of(limit), least: of(limit) },
        (Operation::Chat, None) => TokenNeed { most: of(default_completion), least: prompt },
    }
}

/// What to hold for a call. `default_completion` bounds each answer where the caller did not.
pub fn reservation(call: &ModelCall, default_completion: u64, price: &Price) -> Reservation {
    let of = |completion: u64| {
        reserve_amount(&call.prompt, completion.saturating_mul(call.choices), price)
    };
    let (bound, least) = match (call.operation, call.max_completion) {
        (Operation::Embeddings, _) => (0, 0),
        (Operation::Chat, Some(limit)) => (limit, limit),
        (Operation::Chat, None) => (default_completion, default_completion.min(LEAST_COMPLETION)),
    };
    let floor = price.cost(&TokenCounts::of(call.prompt.estimate(), 0));
    Reservation { amount: of(bound), least: of(least), floor: floor.min(of(least)) }
}

/// The completion tokens that each answer may have: what the caller set, or what is paid for by
/// what is held. The latter is told to the upstream, so that a call costs no more than its hold.
pub fn ceiling(
    call: &ModelCall,
    held: Credits,
    default_completion: u64,
    price: &Price,
) -> Option<u64> {
    if call.operation != Operation::Chat || call.max_completion.is_some() {
        return None;
    }
    let prompt = u128::from(call.prompt.reserve()) * u128::from(dearest_prompt(price));
    let left = (u128::from(held.units()) * MILLION).saturating_sub(prompt);
    let tokens = left
        .checked_div(u128::from(price.completion) * u128::from(call.choices.max(1)))
        .and_then(|tokens| u64::try_from(tokens).ok());
    Some(tokens.unwrap_or(u64::MAX).clamp(1, default_completion.max(1)))
}

/// What to reserve for a call with this prompt and at most this many completion tokens: each token
/// of the prompt at the dearest that it can be.
fn reserve_amount(prompt: &PromptSize, completion: u64, price: &Price) -> Credits {
    let price = Price { prompt: dearest_prompt(price), ..*price };
    price.cost(&TokenCounts::of(prompt.reserve(), completion))
}

fn dearest_prompt(price: &Price) -> u64 {
    price.prompt.max(price.cached).max(price.cache_write).min(Price::MOST)
}

const MILLION: u128 = 1_000_000;

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_estimated_by_its_script() {
        assert_eq!(TextSize::of("hello world").tokens(), 3);
        assert_eq!(TextSize::of("\u{4f60}\u{597d}").tokens(), 3);
        assert_eq!(TextSize::of("").tokens(), 0);
    }

    #[test]
    fn a_reservation_covers_more_than_the_estimate() {
        let prompt = PromptSize {
            text: TextSize::of(&"word ".repeat(100)),
            messages: 2,
            ..PromptSize::default()
        };
        assert_eq!(prompt.estimate(), 141);
        assert_eq!(prompt.reserve(), 141 + 35 + 64);
        assert_eq!(reserve_amount(&prompt, 10, &Price::DEFAULT), Credits::saturating(270));
        // A prompt that is written to a cache may cost more than a plain one.
        let price = Price { cache_write: 1_250_000, ..Price::DEFAULT };
        assert_eq!(reserve_amount(&prompt, 0, &price), Credits::saturating(300));
    }

    fn chat(more: &str) -> ModelCall {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
        ModelCall::chat(body.into()).unwrap()
    }

    #[test]
    fn who_sets_no_limit_takes_what_is_there() {
        let call = chat(r#","n":2"#);
        let prompt = call.prompt.reserve();
        let needed = reservation(&call, 4096, &Price::DEFAULT);
        assert_eq!(needed.amount.units(), prompt + 2 * 4096 * 3);
        assert_eq!(needed.least.units(), prompt + 2 * 16 * 3);
        assert_eq!(needed.floor.units(), call.prompt.estimate());
        let ceiling = |held| ceiling(&call, held, 4096, &Price::DEFAULT);
        assert_eq!(ceiling(needed.amount), Some(4096));
        assert_eq!(ceiling(needed.least), Some(16));
        assert_eq!(ceiling(Credits::saturating(needed.least.units() + 11)), Some(17));
        // More may be held than was asked for only by mistake.
        assert_eq!(ceiling(Credits::MAX), Some(4096));
    }

    #[test]
    fn tokens_are_counted_with_the_callers_limit_or_the_default() {
        let need = |more| {
            let call = chat(more);
            let need = tokens(&call, 4096);
            let prompt = call.prompt.estimate();
            (need.least - prompt, need.most - prompt)
        };
        assert_eq!(need(r#","n":2"#), (0, 2 * 4096));
        assert_eq!(need(r#","n":2,"max_tokens":10"#), (20, 20));
        let call = ModelCall::embeddings(r#"{"model":"m","input":"hi"}"#.into()).unwrap();
        let prompt = call.prompt.estimate();
        assert_eq!(tokens(&call, 4096), TokenNeed { most: prompt, least: prompt });
    }

    #[test]
    fn what_a_ceiling_allows_is_never_more_than_the_hold() {
        let call = chat("");
        for completion in [0, 1, 999_999, 3_000_000, 7_777_777, Price::MOST] {
            for prompt in [0, 1, 1_234_567, 50_000_000] {
                let price = Price { prompt, cached: 0, cache_write: prompt, completion };
                let needed = reservation(&call, 4096, &price);
                for held in [needed.least, needed.amount] {
                    let tokens = ceiling(&call, held, 4096, &price).unwrap();
                    let cost = price.cost(&TokenCounts::of(call.prompt.reserve(), tokens));
                    assert!(cost <= held, "{tokens} tokens cost {cost} of {held} at {price:?}");
                }
            }
        }
    }

    #[test]
    fn a_callers_own_limit_is_held_whole_and_left_alone() {
        let call = chat(r#","max_tokens":100"#);
        let needed = reservation(&call, 4096, &Price::DEFAULT);
        assert_eq!(needed.least, needed.amount);
        assert_eq!(ceiling(&call, needed.amount, 4096, &Price::DEFAULT), None);
    }
}
