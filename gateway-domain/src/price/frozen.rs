//! The price that a call was admitted with.

use super::Price;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A price as it was when a call was admitted, and the version of the table that it came from.
/// Stores keep it as an array of five numbers: version, prompt, cached, cache write, completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrozenPrice {
    /// The version of the operator's table, or of the built-in one; 0: the default price.
    pub version: u64,
    /// What tokens cost.
    pub price: Price,
}

impl FrozenPrice {
    /// The default price of the gateway's original.
    pub const DEFAULT: Self = Self { version: 0, price: Price::DEFAULT };
}

impl Serialize for FrozenPrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Price { prompt, cached, cache_write, completion } = self.price;
        (self.version, prompt, cached, cache_write, completion).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FrozenPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (version, prompt, cached, cache_write, completion) =
            Deserialize::deserialize(deserializer)?;
        Ok(Self { version, price: Price { prompt, cached, cache_write, completion } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_price_is_five_numbers() {
        let price = Price { prompt: 1, cached: 2, cache_write: 3, completion: 4 };
        let frozen = FrozenPrice { version: 7, price };
        let text = serde_json::to_string(&frozen).unwrap();
        assert_eq!(text, "[7,1,2,3,4]");
        assert_eq!(serde_json::from_str::<FrozenPrice>(&text).unwrap(), frozen);
        assert!(serde_json::from_str::<FrozenPrice>("[7,1,2,3]").is_err());
    }
}
