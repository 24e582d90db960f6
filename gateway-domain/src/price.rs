//! What tokens cost.

mod builtin;
mod frozen;
mod table;

pub use builtin::{BUILTIN_VERSION, builtin};
pub use frozen::FrozenPrice;
pub use table::{BadPriceTable, PriceEntry, PriceTable};

use crate::{Credits, TokenCounts};
use serde::{Deserialize, Serialize};

/// Units per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// For prompt tokens.
    pub prompt: u64,
    /// For prompt tokens that the provider had cached.
    pub cached: u64,
    /// For prompt tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// For tokens of the answer.
    pub completion: u64,
}

impl Price {
    /// The formula of the gateway's original, for models without a price of their own: one unit a
    /// prompt token and three a completion token.
    pub const DEFAULT: Self = Self {
        prompt: 1_000_000,
        cached: 1_000_000,
        cache_write: 1_000_000,
        completion: 3_000_000,
    };

    /// The largest price that counts, so that no cost can overflow.
    pub const MOST: u64 = 1_000_000_000_000;

    /// What these tokens cost, rounded up, at least 1 for anything that has a price.
    pub fn cost(&self, counts: &TokenCounts) -> Credits {
        let counts = counts.sane();
        let plain = counts.prompt - counts.cached - counts.cache_write;
        let millionths: u128 = [
            (plain, self.prompt),
            (counts.cached, self.cached),
            (counts.cache_write, self.cache_write),
            (counts.completion, self.completion),
        ]
        .into_iter()
        .map(|(tokens, price)| u128::from(tokens) * u128::from(price.min(Self::MOST)))
        .sum();
        Credits::saturating(u64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(prompt: u64, cached: u64, completion: u64) -> TokenCounts {
        TokenCounts { prompt, completion, cached, ..TokenCounts::default() }
    }

    #[test]
    fn the_default_is_the_formula_of_the_original() {
        assert_eq!(Price::DEFAULT.cost(&counts(9, 0, 5)), Credits::saturating(24));
        assert_eq!(Price::DEFAULT.cost(&counts(0, 0, 0)), Credits::ZERO);
    }

    #[test]
    fn cost_rounds_up_and_never_overflows() {
        let cheap = Price { prompt: 1, cached: 0, cache_write: 0, completion: 1 };
        assert_eq!(cheap.cost(&counts(1, 0, 0)), Credits::saturating(1));
        assert_eq!(cheap.cost(&counts(1, 1, 0)), Credits::ZERO);
        let dear = Price {
            prompt: u64::MAX,
            cached: u64::MAX,
            cache_write: u64::MAX,
            completion: u64::MAX,
        };
        assert_eq!(dear.cost(&counts(u64::MAX, u64::MAX, u64::MAX)).units(), 2_000_000_000_000_000);
    }

    #[test]
    fn parts_that_exceed_their_whole_do_not_underflow() {
        let odd = TokenCounts { prompt: 5, cached: 9, cache_write: 9, completion: 1, reasoning: 7 };
        assert_eq!(Price::DEFAULT.cost(&odd), Credits::saturating(8));
    }
}
