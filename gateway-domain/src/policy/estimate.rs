//! How much a call may cost, before it is made, without a tokenizer.
//!
//! An estimate that is too low could let a budget be overdrawn, so what is reserved is a quarter
//! more than the estimate; an answer is bounded by the limit that the caller set or by
//! [`DEFAULT_COMPLETION`].

use crate::{Credits, Price, TokenCounts};

/// The completion tokens that are reserved when the caller sets no limit. The worst case of a
/// large model would hold the whole balance of most users.
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

/// What to reserve for a call with this prompt and at most this many completion tokens.
pub fn reserve_amount(prompt: &PromptSize, completion: u64, price: &Price) -> Credits {
    price.cost(&TokenCounts { prompt: prompt.reserve(), completion, ..TokenCounts::default() })
}

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
    }
}
