//! PriceListDto on the wire.

use super::Whole;
use gateway_app::{GatewayError, manage::prices::PriceList};
use gateway_domain::{
    Price, PriceEntry, PriceTable,
    price::{BUILTIN_VERSION, builtin},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Units per million tokens.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceDto {
    /// For prompt tokens.
    #[schema(maximum = 1_000_000_000_000u64)]
    prompt: u64,
    /// For prompt tokens that the provider had cached.
    #[schema(maximum = 1_000_000_000_000u64)]
    cached: u64,
    /// For prompt tokens that the provider wrote to its cache.
    #[schema(maximum = 1_000_000_000_000u64)]
    cache_write: u64,
    /// For tokens of the answer.
    #[schema(maximum = 1_000_000_000_000u64)]
    completion: u64,
}

impl From<Price> for PriceDto {
    fn from(price: Price) -> Self {
        let Price { prompt, cached, cache_write, completion } = price;
        Self { prompt, cached, cache_write, completion }
    }
}

impl From<PriceDto> for Price {
    fn from(price: PriceDto) -> Self {
        let PriceDto { prompt, cached, cache_write, completion } = price;
        Self { prompt, cached, cache_write, completion }
    }
}

/// What one model, or the models of one pattern, cost: units per million tokens.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelPrice {
    /// A model's name, or a pattern as `gpt-4*`. A whole name goes before a pattern, and a pattern
    /// with more plain characters before one with fewer.
    model: String,
    /// For prompt tokens.
    #[schema(maximum = 1_000_000_000_000u64)]
    prompt: u64,
    /// For prompt tokens that the provider had cached; as much as others if absent.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000_000u64)]
    cached: Option<u64>,
    /// For prompt tokens that the provider wrote to its cache; as much as others if absent.
    #[serde(default)]
    #[schema(maximum = 1_000_000_000_000u64)]
    cache_write: Option<u64>,
    /// For tokens of the answer.
    #[schema(maximum = 1_000_000_000_000u64)]
    completion: u64,
}

impl From<&PriceEntry> for ModelPrice {
    fn from(entry: &PriceEntry) -> Self {
        Self {
            model: entry.pattern.clone(),
            prompt: entry.price.prompt,
            cached: Some(entry.price.cached),
            cache_write: Some(entry.price.cache_write),
            completion: entry.price.completion,
        }
    }
}

impl From<ModelPrice> for PriceEntry {
    fn from(price: ModelPrice) -> Self {
        Self {
            price: Price {
                prompt: price.prompt,
                cached: price.cached.unwrap_or(price.prompt),
                cache_write: price.cache_write.unwrap_or(price.prompt),
                completion: price.completion,
            },
            pattern: price.model,
            // The store's to give.
            version: 0,
        }
    }
}

/// Prices in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceListDto {
    /// The version of `prices`; 0: there were never any.
    version: u64,
    /// The operator's own, which go first.
    prices: Vec<ModelPrice>,
    /// The day of the built-in prices.
    builtin_version: u64,
    /// What the others cost; models in neither list cost the default price of the settings.
    builtin: Vec<ModelPrice>,
}

impl From<PriceList> for PriceListDto {
    fn from(list: PriceList) -> Self {
        let all = |table: &PriceTable| table.entries().iter().map(ModelPrice::from).collect();
        Self {
            version: list.version,
            prices: all(&list.table),
            builtin_version: BUILTIN_VERSION,
            builtin: all(builtin()),
        }
    }
}

/// The operator's own prices, all of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPrices {
    prices: Vec<ModelPrice>,
    /// The version that they were made from: 409 if it is not in force any more. Without it they
    /// replace whatever is.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    version: Option<Whole>,
}

impl NewPrices {
    pub(crate) fn try_into_domain(self) -> Result<(PriceTable, Option<u64>), GatewayError> {
        let entries = self.prices.into_iter().map(PriceEntry::from).collect();
        Ok((PriceTable::new(entries)?, self.version.map(Whole::count)))
    }
}
