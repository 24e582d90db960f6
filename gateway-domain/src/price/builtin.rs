//! The prices that the gateway starts with.
//!
//! The list prices of OpenAI, Anthropic and Google for their APIs at the standard rate, in US
//! dollars, as far as known on 19 November 2026. They were taken from stored copies of the
//! providers' pages and from public collections of prices, and compared where more than one had
//! them; some old names rest on what is generally known of them, and nothing was checked on a bill.
//! Providers change their prices at any time: an operator's own table goes before this one.
//!
//! What one price for each model cannot say, and how it is decided here:
//!
//! - **Long prompts.** Some models cost more when the prompt is long: OpenAI's large ones from 5.4
//!   on above 272,000 tokens, Gemini's pro models from 2.5 to 3.1 and Claude Sonnet 4 and 4.5 above
//!   200,000. That is up to twice the price, and the lower one is used for all prompts. Only Claude
//!   Haiku 5.5 costs five times as much, above 100,000 tokens: there it is the higher one.
//! - **Introductory prices.** Where a provider announced the price that follows, that one is used:
//!   Gemini 4 Argon and Carbon, Gemini 3.6 to 3.8 Flash.
//! - **Cache writes** have the price of the shortest time, five minutes at Anthropic; longer ones
//!   cost up to twice that. Where a provider takes nothing extra they cost as much as other prompt
//!   tokens, and so do cached tokens where there is no discount. What Google takes by the hour for
//!   keeping a cache is left out.
//! - **Other rates**: batch, flex, fast and priority, regional surcharges, fees for each search or
//!   tool call, and audio as input of a text model are not known here. Azure sells the same models
//!   at prices of its own, mostly the same.
//! - **Left out**, so that the default price applies: models for audio, realtime, images, search
//!   and deep research, names whose model changes (`gemini-flash-latest`), fine-tuned models, and
//!   every model whose price is not certain.

use super::{Price, PriceEntry, PriceTable};
use std::sync::LazyLock;

/// The version of the built-in table: the day of its figures.
pub const BUILTIN_VERSION: u64 = 20_261_119;

/// A name or pattern, and the price of its prompt, cached, cache write and completion tokens in
/// units per million tokens: a dollar is 500,000.
type Row = (&'static str, u64, u64, u64, u64);

/// Models that may have dated snapshots: each name stands for itself and `name-20*`.
const OPENAI: &[Row] = &[
    ("gpt-6.2-astra", 4_000_000, 200_000, 5_000_000, 20_000_000),
    ("gpt-6.2-sol", 1_000_000, 50_000, 1_250_000, 5_000_000),
    ("gpt-6.1-sol", 1_000_000, 50_000, 1_250_000, 5_000_000),
    ("gpt-6-astra", 5_000_000, 500_000, 6_250_000, 25_000_000),
    ("gpt-6-sol", 1_000_000, 100_000, 1_250_000, 5_000_000),
    ("gpt-6-luna", 50_000, 5_000, 62_500, 250_000),
    ("gpt-5.6", 2_000_000, 200_000, 2_500_000, 10_000_000),
    ("gpt-5.6-sol", 2_000_000, 200_000, 2_500_000, 10_000_000),
    ("gpt-5.6-terra", 1_000_000, 100_000, 1_250_000, 6_000_000),
    ("gpt-5.6-luna", 100_000, 10_000, 125_000, 600_000),
    ("gpt-5.5", 2_500_000, 250_000, 2_500_000, 15_000_000),
    ("gpt-5.5-pro", 15_000_000, 15_000_000, 15_000_000, 90_000_000),
    ("gpt-5.4", 1_250_000, 125_000, 1_250_000, 7_500_000),
    ("gpt-5.4-pro", 15_000_000, 15_000_000, 15_000_000, 90_000_000),
    ("gpt-5.4-mini", 375_000, 37_500, 375_000, 2_250_000),
    ("gpt-5.4-nano", 100_000, 10_000, 100_000, 625_000),
    ("gpt-5.3-codex", 875_000, 87_500, 875_000, 7_000_000),
    ("gpt-5.2", 875_000, 87_500, 875_000, 7_000_000),
    ("gpt-5.2-pro", 10_500_000, 10_500_000, 10_500_000, 84_000_000),
    ("gpt-5.2-codex", 875_000, 87_500, 875_000, 7_000_000),
    ("gpt-5.1", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5.1-codex", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5.1-codex-max", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5.1-codex-mini", 125_000, 12_500, 125_000, 1_000_000),
    ("gpt-5", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5-pro", 7_500_000, 7_500_000, 7_500_000, 60_000_000),
    ("gpt-5-codex", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5-mini", 125_000, 12_500, 125_000, 1_000_000),
    ("gpt-5-nano", 25_000, 2_500, 25_000, 200_000),
    ("gpt-4.1", 1_000_000, 250_000, 1_000_000, 4_000_000),
    ("gpt-4.1-mini", 200_000, 50_000, 200_000, 800_000),
    ("gpt-4.1-nano", 50_000, 12_500, 50_000, 200_000),
    ("gpt-4.5-preview", 37_500_000, 18_750_000, 37_500_000, 75_000_000),
    ("gpt-4o", 1_250_000, 625_000, 1_250_000, 5_000_000),
    ("gpt-4o-mini", 75_000, 37_500, 75_000, 300_000),
    ("gpt-4-turbo", 5_000_000, 5_000_000, 5_000_000, 15_000_000),
    ("o1", 7_500_000, 3_750_000, 7_500_000, 30_000_000),
    ("o1-preview", 7_500_000, 3_750_000, 7_500_000, 30_000_000),
    ("o1-mini", 550_000, 275_000, 550_000, 2_200_000),
    ("o1-pro", 75_000_000, 75_000_000, 75_000_000, 300_000_000),
    ("o3", 1_000_000, 250_000, 1_000_000, 4_000_000),
    ("o3-mini", 550_000, 275_000, 550_000, 2_200_000),
    ("o3-pro", 10_000_000, 10_000_000, 10_000_000, 40_000_000),
    ("o4-mini", 550_000, 137_500, 550_000, 2_200_000),
];

/// Other names, Azure's included.
const OPENAI_NAMES: &[Row] = &[
    ("gpt-5-chat", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5-chat-latest", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5.1-chat", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5.1-chat-latest", 625_000, 62_500, 625_000, 5_000_000),
    ("gpt-5.2-chat", 875_000, 87_500, 875_000, 7_000_000),
    ("gpt-5.2-chat-latest", 875_000, 87_500, 875_000, 7_000_000),
    ("gpt-5.3-chat", 875_000, 87_500, 875_000, 7_000_000),
    ("gpt-5.3-chat-latest", 875_000, 87_500, 875_000, 7_000_000),
    ("codex-mini", 750_000, 187_500, 750_000, 3_000_000),
    ("codex-mini-latest", 750_000, 187_500, 750_000, 3_000_000),
    ("chatgpt-4o-latest", 2_500_000, 2_500_000, 2_500_000, 7_500_000),
    ("gpt-4o-2024-05-13", 2_500_000, 2_500_000, 2_500_000, 7_500_000),
    ("gpt-4-turbo-preview", 5_000_000, 5_000_000, 5_000_000, 15_000_000),
    ("gpt-4-0125-preview", 5_000_000, 5_000_000, 5_000_000, 15_000_000),
    ("gpt-4-1106-preview", 5_000_000, 5_000_000, 5_000_000, 15_000_000),
    ("gpt-4-1106-vision-preview", 5_000_000, 5_000_000, 5_000_000, 15_000_000),
    ("gpt-4-vision-preview", 5_000_000, 5_000_000, 5_000_000, 15_000_000),
    ("gpt-4", 15_000_000, 15_000_000, 15_000_000, 30_000_000),
    ("gpt-4-0314", 15_000_000, 15_000_000, 15_000_000, 30_000_000),
    ("gpt-4-0613", 15_000_000, 15_000_000, 15_000_000, 30_000_000),
    ("gpt-4-32k", 30_000_000, 30_000_000, 30_000_000, 60_000_000),
    ("gpt-4-32k-0314", 30_000_000, 30_000_000, 30_000_000, 60_000_000),
    ("gpt-4-32k-0613", 30_000_000, 30_000_000, 30_000_000, 60_000_000),
    ("gpt-3.5-turbo", 250_000, 250_000, 250_000, 750_000),
    ("gpt-3.5-turbo-0125", 250_000, 250_000, 250_000, 750_000),
    ("gpt-3.5-turbo-1106", 500_000, 500_000, 500_000, 1_000_000),
    ("gpt-3.5-turbo-0613", 750_000, 750_000, 750_000, 1_000_000),
    ("gpt-3.5-turbo-0301", 750_000, 750_000, 750_000, 1_000_000),
    ("gpt-3.5-turbo-16k", 1_500_000, 1_500_000, 1_500_000, 2_000_000),
    ("gpt-3.5-turbo-16k-0613", 1_500_000, 1_500_000, 1_500_000, 2_000_000),
    ("gpt-3.5-turbo-instruct", 750_000, 750_000, 750_000, 1_000_000),
    ("gpt-3.5-turbo-instruct-0914", 750_000, 750_000, 750_000, 1_000_000),
    // Azure writes these without a dot.
    ("gpt-35-turbo", 250_000, 250_000, 250_000, 750_000),
    ("gpt-35-turbo-0125", 250_000, 250_000, 250_000, 750_000),
    ("gpt-35-turbo-1106", 500_000, 500_000, 500_000, 1_000_000),
    ("gpt-35-turbo-0613", 750_000, 750_000, 750_000, 1_000_000),
    ("gpt-35-turbo-16k", 1_500_000, 1_500_000, 1_500_000, 2_000_000),
    ("gpt-35-turbo-16k-0613", 1_500_000, 1_500_000, 1_500_000, 2_000_000),
    ("gpt-35-turbo-instruct", 750_000, 750_000, 750_000, 1_000_000),
    ("text-embedding-3-small", 10_000, 10_000, 10_000, 0),
    ("text-embedding-3-large", 65_000, 65_000, 65_000, 0),
    ("text-embedding-ada-002", 50_000, 50_000, 50_000, 0),
];

/// Models that may have dated snapshots: each name stands for itself and `name-20*`.
const ANTHROPIC: &[Row] = &[
    ("claude-fable-5-2", 4_000_000, 100_000, 5_000_000, 20_000_000),
    ("claude-fable-5-1", 5_000_000, 125_000, 6_250_000, 25_000_000),
    ("claude-fable-5", 5_000_000, 500_000, 6_250_000, 25_000_000),
    ("claude-mythos-5-1", 5_000_000, 125_000, 6_250_000, 25_000_000),
    ("claude-mythos-5", 5_000_000, 500_000, 6_250_000, 25_000_000),
    ("claude-opus-5-5", 2_000_000, 100_000, 2_500_000, 10_000_000),
    ("claude-opus-5", 2_500_000, 250_000, 3_125_000, 12_500_000),
    ("claude-opus-4-8", 2_500_000, 250_000, 3_125_000, 12_500_000),
    ("claude-opus-4-7", 2_500_000, 250_000, 3_125_000, 12_500_000),
    ("claude-opus-4-6", 2_500_000, 250_000, 3_125_000, 12_500_000),
    ("claude-opus-4-5", 2_500_000, 250_000, 3_125_000, 12_500_000),
    ("claude-opus-4-1", 7_500_000, 750_000, 9_375_000, 37_500_000),
    ("claude-opus-4", 7_500_000, 750_000, 9_375_000, 37_500_000),
    ("claude-sonnet-5-5", 1_000_000, 50_000, 1_250_000, 5_000_000),
    ("claude-sonnet-5", 1_000_000, 100_000, 1_250_000, 5_000_000),
    ("claude-sonnet-4-6", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-sonnet-4-5", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-sonnet-4", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-haiku-5-5", 250_000, 25_000, 312_500, 1_250_000),
    ("claude-haiku-4-5", 500_000, 50_000, 625_000, 2_500_000),
    ("claude-3-7-sonnet", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-3-5-sonnet", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-3-5-haiku", 400_000, 40_000, 500_000, 2_000_000),
    ("claude-3-opus", 7_500_000, 750_000, 9_375_000, 37_500_000),
    ("claude-3-sonnet", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-3-haiku", 125_000, 15_000, 150_000, 625_000),
];

/// Other names.
const ANTHROPIC_NAMES: &[Row] = &[
    ("claude-opus-4-0", 7_500_000, 750_000, 9_375_000, 37_500_000),
    ("claude-sonnet-4-0", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-3-7-sonnet-latest", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-3-5-sonnet-latest", 1_500_000, 150_000, 1_875_000, 7_500_000),
    ("claude-3-5-haiku-latest", 400_000, 40_000, 500_000, 2_000_000),
    ("claude-3-opus-latest", 7_500_000, 750_000, 9_375_000, 37_500_000),
];

/// Each name stands for itself and `models/name`, as Google writes them.
const GEMINI: &[Row] = &[
    ("gemini-4-neon", 1_500_000, 75_000, 1_500_000, 7_500_000),
    ("gemini-4-argon", 2_000_000, 100_000, 2_000_000, 10_000_000),
    ("gemini-4-carbon", 2_000_000, 100_000, 2_000_000, 10_000_000),
    ("gemini-4-hydrogen", 750_000, 37_500, 750_000, 3_750_000),
    ("gemini-3.8-flash", 750_000, 75_000, 750_000, 3_750_000),
    ("gemini-3.7-flash", 750_000, 75_000, 750_000, 3_750_000),
    ("gemini-3.6-flash", 750_000, 75_000, 750_000, 3_750_000),
    ("gemini-3.5-flash", 750_000, 75_000, 750_000, 4_500_000),
    ("gemini-3.5-flash-lite", 150_000, 15_000, 150_000, 1_250_000),
    ("gemini-3.1-pro-preview", 1_000_000, 100_000, 1_000_000, 6_000_000),
    ("gemini-3.1-pro-preview-customtools", 1_000_000, 100_000, 1_000_000, 6_000_000),
    ("gemini-3.1-flash-lite", 125_000, 12_500, 125_000, 750_000),
    ("gemini-3.1-flash-lite-preview", 125_000, 12_500, 125_000, 750_000),
    ("gemini-3-pro-preview", 1_000_000, 100_000, 1_000_000, 6_000_000),
    ("gemini-3-flash-preview", 250_000, 25_000, 250_000, 1_500_000),
    ("gemini-2.5-pro", 625_000, 62_500, 625_000, 5_000_000),
    ("gemini-2.5-pro-preview-0*", 625_000, 62_500, 625_000, 5_000_000),
    ("gemini-2.5-flash", 150_000, 15_000, 150_000, 1_250_000),
    ("gemini-2.5-flash-preview-0*", 150_000, 15_000, 150_000, 1_250_000),
    ("gemini-2.5-flash-lite", 50_000, 5_000, 50_000, 200_000),
    ("gemini-2.5-flash-lite-preview-0*", 50_000, 5_000, 50_000, 200_000),
    ("gemini-2.0-flash", 50_000, 12_500, 50_000, 200_000),
    ("gemini-2.0-flash-001", 50_000, 12_500, 50_000, 200_000),
    ("gemini-2.0-flash-lite", 37_500, 37_500, 37_500, 150_000),
    ("gemini-2.0-flash-lite-001", 37_500, 37_500, 37_500, 150_000),
    ("gemini-embedding-001", 75_000, 75_000, 75_000, 0),
];

/// The built-in table.
pub fn builtin() -> &'static PriceTable {
    static TABLE: LazyLock<PriceTable> =
        LazyLock::new(|| PriceTable::new(entries().collect()).unwrap_or_default());
    &TABLE
}

fn entries() -> impl Iterator<Item = PriceEntry> {
    let dated = OPENAI.iter().chain(ANTHROPIC);
    let names = dated.clone().chain(OPENAI_NAMES).chain(ANTHROPIC_NAMES).chain(GEMINI);
    names
        .map(|row| entry(row.0.to_owned(), row))
        .chain(dated.map(|row| entry(format!("{}-20*", row.0), row)))
        .chain(GEMINI.iter().map(|row| entry(format!("models/{}", row.0), row)))
}

fn entry(pattern: String, row: &Row) -> PriceEntry {
    let &(_, prompt, cached, cache_write, completion) = row;
    let price = Price { prompt, cached, cache_write, completion };
    PriceEntry { pattern, price, version: BUILTIN_VERSION }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn price(model: &str) -> (u64, u64, u64, u64) {
        let found = builtin().find(model).unwrap_or_else(|| panic!("{model} has no price"));
        assert_eq!(found.version, BUILTIN_VERSION);
        let Price { prompt, cached, cache_write, completion } = found.price;
        (prompt, cached, cache_write, completion)
    }

    #[test]
    fn every_entry_is_valid_and_plausible() {
        assert_eq!(builtin(), &PriceTable::new(entries().collect()).unwrap());
        assert_eq!(builtin().entries().len(), entries().count());
        for PriceEntry { pattern, price, .. } in builtin().entries() {
            assert!(price.prompt > 0 && price.cached > 0, "{pattern}");
            assert!(price.cached <= price.prompt, "{pattern}");
            assert!(price.prompt <= price.cache_write, "{pattern}");
            assert!(price.cache_write * 4 <= price.prompt * 5, "{pattern}");
            let embeds = pattern.contains("embedding");
            assert_eq!(price.completion == 0, embeds, "{pattern}");
            assert!(embeds || price.prompt < price.completion, "{pattern}");
            // Nothing costs more than 1,000 dollars for a million tokens: a zero too many shows.
            assert!(price.completion <= 500_000_000, "{pattern}");
        }
    }

    #[test]
    fn claude_has_the_discounts_of_its_cache() {
        for &(name, prompt, cached, cache_write, _) in ANTHROPIC.iter().chain(ANTHROPIC_NAMES) {
            if name == "claude-3-haiku" {
                assert_eq!((cached, cache_write), (15_000, 150_000), "rounded by the provider");
                continue;
            }
            assert_eq!(cache_write * 4, prompt * 5, "{name}");
            let divisor = match name {
                "claude-fable-5-1" | "claude-fable-5-2" | "claude-mythos-5-1" => 40,
                "claude-opus-5-5" | "claude-sonnet-5-5" => 20,
                _ => 10,
            };
            assert_eq!(cached * divisor, prompt, "{name}");
        }
    }

    #[test]
    fn well_known_models_have_their_prices() {
        for (model, expected) in [
            ("gpt-6.2-astra", (4_000_000, 200_000, 5_000_000, 20_000_000)),
            ("gpt-6-luna", (50_000, 5_000, 62_500, 250_000)),
            ("gpt-5.6", (2_000_000, 200_000, 2_500_000, 10_000_000)),
            ("gpt-5.5", (2_500_000, 250_000, 2_500_000, 15_000_000)),
            ("gpt-5", (625_000, 62_500, 625_000, 5_000_000)),
            ("gpt-5-nano", (25_000, 2_500, 25_000, 200_000)),
            ("gpt-5.2-pro", (10_500_000, 10_500_000, 10_500_000, 84_000_000)),
            ("gpt-4.1-nano", (50_000, 12_500, 50_000, 200_000)),
            ("gpt-4o", (1_250_000, 625_000, 1_250_000, 5_000_000)),
            ("gpt-4o-mini", (75_000, 37_500, 75_000, 300_000)),
            ("o3", (1_000_000, 250_000, 1_000_000, 4_000_000)),
            ("o4-mini", (550_000, 137_500, 550_000, 2_200_000)),
            ("gpt-3.5-turbo", (250_000, 250_000, 250_000, 750_000)),
            ("gpt-35-turbo", (250_000, 250_000, 250_000, 750_000)),
            ("text-embedding-3-small", (10_000, 10_000, 10_000, 0)),
            ("claude-opus-5-5", (2_000_000, 100_000, 2_500_000, 10_000_000)),
            ("claude-opus-4-5", (2_500_000, 250_000, 3_125_000, 12_500_000)),
            ("claude-opus-4-1", (7_500_000, 750_000, 9_375_000, 37_500_000)),
            ("claude-sonnet-4-5", (1_500_000, 150_000, 1_875_000, 7_500_000)),
            ("claude-haiku-4-5", (500_000, 50_000, 625_000, 2_500_000)),
            ("gemini-2.5-pro", (625_000, 62_500, 625_000, 5_000_000)),
            ("gemini-2.5-flash-lite", (50_000, 5_000, 50_000, 200_000)),
            ("gemini-embedding-001", (75_000, 75_000, 75_000, 0)),
        ] {
            assert_eq!(price(model), expected, "{model}");
        }
    }

    #[test]
    fn snapshots_cost_as_much_as_their_model() {
        for (snapshot, model) in [
            ("gpt-5-2025-08-07", "gpt-5"),
            ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
            ("gpt-5.4-pro-2026-03-05", "gpt-5.4-pro"),
            ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o-2024-11-20", "gpt-4o"),
            ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            ("gpt-4-turbo-2024-04-09", "gpt-4-turbo"),
            ("o1-pro-2025-03-19", "o1-pro"),
            ("o3-2025-04-16", "o3"),
            ("o4-mini-2025-04-16", "o4-mini"),
            ("claude-opus-4-20250514", "claude-opus-4"),
            ("claude-opus-4-0", "claude-opus-4"),
            ("claude-opus-4-5-20251101", "claude-opus-4-5"),
            ("claude-sonnet-4-20250514", "claude-sonnet-4"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
            ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
            ("claude-3-haiku-20240307", "claude-3-haiku"),
            ("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
            ("gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"),
            ("gemini-2.0-flash-001", "gemini-2.0-flash"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("models/gemini-2.5-flash-lite-preview-06-17", "gemini-2.5-flash-lite"),
        ] {
            assert_eq!(price(snapshot), price(model), "{snapshot}");
        }
        // The first snapshot of gpt-4o kept its price when the others became cheaper.
        assert_eq!(price("gpt-4o-2024-05-13"), (2_500_000, 2_500_000, 2_500_000, 7_500_000));
    }

    #[test]
    fn models_that_are_priced_otherwise_are_not_taken_for_text_models() {
        for model in [
            "gpt-4o-audio-preview",
            "gpt-4o-audio-preview-2024-12-17",
            "gpt-4o-mini-audio-preview",
            "gpt-4o-realtime-preview-2024-12-17",
            "gpt-4o-mini-realtime-preview",
            "gpt-4o-search-preview",
            "gpt-4o-search-preview-2025-03-11",
            "gpt-4o-mini-search-preview",
            "gpt-4o-transcribe",
            "gpt-4o-mini-tts",
            "gpt-5-search-api",
            "gpt-5.3-codex-spark",
            "gpt-5.4-codex",
            "gpt-audio",
            "gpt-realtime",
            "gpt-image-1",
            "gpt-6",
            "gpt-7",
            "o1-ultra",
            "o3-deep-research",
            "o3-deep-research-2025-06-26",
            "o4-mini-deep-research",
            "ft:gpt-4o-2024-08-06:team::id",
            "claude-opus-6",
            "claude-opus-4-6-fast",
            "claude-mythos-preview",
            "gemini-2.5-flash-image",
            "gemini-2.5-flash-image-preview",
            "gemini-2.5-flash-preview-tts",
            "gemini-2.5-pro-preview-tts",
            "gemini-2.5-flash-native-audio-preview-09-2025",
            "gemini-2.0-flash-live-001",
            "gemini-2.0-flash-preview-image-generation",
            "gemini-3-pro-image-preview",
            "gemini-3.1-flash-tts-preview",
            "gemini-flash-latest",
            "gemini-embedding-2",
            "gemini-5-pro",
            "",
            "*",
        ] {
            assert_eq!(builtin().find(model), None, "{model}");
        }
    }
}
