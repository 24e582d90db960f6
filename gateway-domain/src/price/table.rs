//! Prices by the names of models.

use super::Price;
use crate::model::{ModelName, matches};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::HashMap};

/// What the tokens of some models cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceEntry {
    /// A model's name, or a pattern in which `*` stands for any run of characters.
    pub pattern: String,
    /// What tokens cost.
    pub price: Price,
    /// The version of the table that the entry belongs to.
    pub version: u64,
}

/// A price list cannot be taken. The texts name the pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPriceTable {
    /// An entry is for no name or pattern.
    #[error(
        "prices: '{0}' is no model name or pattern, which has 1 to 256 characters, \
         no comma and no control characters"
    )]
    Pattern(String),
    /// A price is larger than [`Price::MOST`].
    #[error("prices: a price of '{0}' is above {most} units per million tokens", most = Price::MOST)]
    TooDear(String),
    /// A name or pattern has more than one entry.
    #[error("prices: '{0}' has more than one entry")]
    Twice(String),
    /// There are too many entries.
    #[error("prices: at most {} entries", PriceTable::MOST)]
    TooMany,
}

/// Prices by names and patterns. A whole name goes before every pattern, a pattern with more
/// characters besides its `*` before one with fewer; among equals the order of their texts decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<PriceEntry>", try_from = "Vec<PriceEntry>")]
pub struct PriceTable {
    /// Whole names first, then patterns in the order in which they are tried.
    entries: Vec<PriceEntry>,
    /// Where each whole name is in `entries`.
    names: HashMap<String, usize>,
}

impl PriceTable {
    /// The most entries a table may have.
    pub const MOST: usize = 2000;

    /// A table of these entries, in any order.
    pub fn new(mut entries: Vec<PriceEntry>) -> Result<Self, BadPriceTable> {
        if entries.len() > Self::MOST {
            return Err(BadPriceTable::TooMany);
        }
        entries.iter().try_for_each(check)?;
        entries.sort_by_cached_key(|entry| {
            let literal = entry.pattern.chars().filter(|&c| c != '*').count();
            let is_pattern = is_pattern(entry);
            (is_pattern, is_pattern.then_some(Reverse(literal)), entry.pattern.clone())
        });
        let mut neighbours = entries.iter().zip(entries.iter().skip(1));
        if let Some((one, _)) = neighbours.find(|(one, next)| one.pattern == next.pattern) {
            return Err(BadPriceTable::Twice(shown(&one.pattern)));
        }
        let names = entries.iter().take_while(|entry| !is_pattern(entry));
        let names = names.enumerate().map(|(at, entry)| (entry.pattern.clone(), at)).collect();
        Ok(Self { entries, names })
    }

    /// The same prices as another version.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        for entry in &mut self.entries {
            entry.version = version;
        }
        self
    }

    /// What a model costs, if the table knows.
    pub fn find(&self, model: &str) -> Option<&PriceEntry> {
        if let Some(&at) = self.names.get(model) {
            return self.entries.get(at);
        }
        let patterns = self.entries.get(self.names.len()..)?;
        patterns.iter().find(|entry| matches(&entry.pattern, model))
    }

    /// All entries: whole names by their text, then patterns in the order in which they are tried.
    pub fn entries(&self) -> &[PriceEntry] {
        &self.entries
    }

    /// Whether the table has no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl From<PriceTable> for Vec<PriceEntry> {
    fn from(table: PriceTable) -> Self {
        table.entries
    }
}

impl TryFrom<Vec<PriceEntry>> for PriceTable {
    type Error = BadPriceTable;
    fn try_from(entries: Vec<PriceEntry>) -> Result<Self, BadPriceTable> {
        Self::new(entries)
    }
}

fn is_pattern(entry: &PriceEntry) -> bool {
    entry.pattern.contains('*')
}

fn check(entry: &PriceEntry) -> Result<(), BadPriceTable> {
    let pattern = entry.pattern.as_str();
    if pattern.contains(',') || ModelName::new(pattern).is_err() {
        return Err(BadPriceTable::Pattern(shown(pattern)));
    }
    let Price { prompt, cached, cache_write, completion } = entry.price;
    if [prompt, cached, cache_write, completion].into_iter().any(|price| price > Price::MOST) {
        return Err(BadPriceTable::TooDear(shown(pattern)));
    }
    Ok(())
}

/// A pattern as a message may repeat it: its beginning, and nothing that a terminal obeys.
fn shown(pattern: &str) -> String {
    pattern.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pattern: &str, prompt: u64) -> PriceEntry {
        let price = Price { prompt, cached: 1, cache_write: 2, completion: 3 };
        PriceEntry { pattern: pattern.to_owned(), price, version: 1 }
    }

    fn table(patterns: &[&str]) -> PriceTable {
        PriceTable::new(patterns.iter().map(|pattern| entry(pattern, 9)).collect()).unwrap()
    }

    #[track_caller]
    fn found<'t>(table: &'t PriceTable, model: &str) -> Option<&'t str> {
        table.find(model).map(|entry| entry.pattern.as_str())
    }

    #[test]
    fn the_most_specific_entry_wins_in_any_order() {
        let mut patterns =
            ["*", "gpt-*", "gpt-4o*", "*-mini", "gpt-4o", "gpt-4o-mini*", "b*", "*b"];
        for _ in 0..patterns.len() {
            patterns.rotate_left(1);
            let table = table(&patterns);
            for (model, expected) in [
                ("gpt-4o", "gpt-4o"),
                ("gpt-4o-2024-08-06", "gpt-4o*"),
                ("gpt-4o-mini", "gpt-4o-mini*"),
                ("gpt-5-mini", "*-mini"),
                ("gpt-5", "gpt-*"),
                ("GPT-4o", "*"),
                ("bob", "*b"),
                ("", "*"),
            ] {
                assert_eq!(found(&table, model), Some(expected), "{model} in {patterns:?}");
            }
        }
    }

    #[test]
    fn a_whole_name_goes_before_a_longer_pattern_and_stars_do_not_count() {
        let table = table(&["a", "a**********", "a*a", "\u{e9}*"]);
        assert_eq!(found(&table, "a"), Some("a"));
        assert_eq!(found(&table, "aa"), Some("a*a"));
        assert_eq!(found(&table, "ab"), Some("a**********"));
        assert_eq!(found(&table, "\u{e9}t\u{e9}"), Some("\u{e9}*"));
        assert_eq!(found(&table, "b"), None);
        // A caller's star is a character like any other.
        assert_eq!(found(&table, "*"), None);
        assert_eq!(PriceTable::default().find("a"), None);
    }

    #[test]
    fn a_table_survives_json_and_is_checked_again() {
        let before = table(&["b*", "a", "c", "*"]).with_version(7);
        assert!(before.entries().iter().all(|entry| entry.version == 7));
        let text = serde_json::to_string(&before).unwrap();
        let after: PriceTable = serde_json::from_str(&text).unwrap();
        assert_eq!(after, before);
        assert_eq!(found(&after, "bb"), Some("b*"));
        assert_eq!(serde_json::to_string(&after).unwrap(), text);
        assert_eq!(
            serde_json::to_string(&table(&["a"])).unwrap(),
            r#"[{"pattern":"a","price":{"prompt":9,"cached":1,"cache_write":2,"completion":3},"version":1}]"#
        );
        for bad in [text.replace("\"a\"", "\"\""), text.replace("\"a\"", "\"c\"")] {
            assert!(serde_json::from_str::<PriceTable>(&bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<PriceTable>("[]").unwrap().is_empty());
    }

    #[test]
    fn bad_entries_are_refused_by_name() {
        let new = |entries: &[PriceEntry]| PriceTable::new(entries.to_vec()).map(|_| ());
        for bad in ["", "a,b", "a\nb", "a\u{0}", &"x".repeat(257)] {
            let error = new(&[entry("ok", 1), entry(bad, 1)]).unwrap_err();
            assert!(matches!(error, BadPriceTable::Pattern(_)), "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
            assert!(error.to_string().len() < 300, "{error}");
        }
        assert_eq!(new(&[entry(&"x".repeat(256), Price::MOST)]), Ok(()));
        assert_eq!(
            new(&[entry("gpt-4o", Price::MOST + 1)]).unwrap_err().to_string(),
            "prices: a price of 'gpt-4o' is above 1000000000000 units per million tokens"
        );
        let mut dear = entry("gpt-4o", 1);
        dear.price.completion = u64::MAX;
        assert_eq!(new(&[dear]), Err(BadPriceTable::TooDear("gpt-4o".to_owned())));
        for twice in ["a", "a*"] {
            let entries = [entry(twice, 1), entry("b", 2), entry(twice, 3)];
            assert_eq!(new(&entries), Err(BadPriceTable::Twice(twice.to_owned())));
        }
        let many: Vec<_> = (0..=PriceTable::MOST).map(|i| entry(&format!("m{i}"), 1)).collect();
        assert_eq!(new(&many), Err(BadPriceTable::TooMany));
        assert_eq!(new(&many[1..]), Ok(()));
    }
}
