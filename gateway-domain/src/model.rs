//! Names of models, and sets of them with patterns.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A model's name as a caller wrote it: 1 to 256 characters without control characters. Names are
/// compared exactly, case included, as the providers do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelName(String);

/// A text is no model name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a model name has 1 to 256 characters and no control characters")]
pub struct BadModelName;

impl ModelName {
    /// Takes a name if it fits.
    pub fn new(name: impl Into<String>) -> Result<Self, BadModelName> {
        let name = name.into();
        let fits = !name.is_empty()
            && name.len() <= 1024
            && name.chars().count() <= 256
            && !name.chars().any(char::is_control);
        if fits { Ok(Self(name)) } else { Err(BadModelName) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ModelName {
    type Error = BadModelName;
    fn try_from(name: String) -> Result<Self, BadModelName> {
        Self::new(name)
    }
}

/// Model names and patterns, comma-separated where people write them. `*` stands for any run of
/// characters. An empty set means every model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelSet(Vec<String>);

/// A list of models cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadModelSet {
    /// An entry is no name or pattern.
    #[error("models: every entry has 1 to 256 characters and no control characters")]
    Entry,
    /// There are too many entries.
    #[error("models: at most {} entries", ModelSet::MOST)]
    TooMany,
}

impl ModelSet {
    /// The most entries a set may have.
    pub const MOST: usize = 1000;

    /// Reads a comma-separated list.
    pub fn parse(text: &str) -> Result<Self, BadModelSet> {
        let mut entries: Vec<String> = Vec::new();
        for entry in text.split([',', '\n']).map(str::trim).filter(|e| !e.is_empty()) {
            if entries.len() == Self::MOST {
                return Err(BadModelSet::TooMany);
            }
            ModelName::new(entry).map_err(|_| BadModelSet::Entry)?;
            if !entries.iter().any(|known| known == entry) {
                entries.push(entry.to_owned());
            }
        }
        Ok(Self(entries))
    }

    /// Whether the set has this model.
    pub fn contains(&self, model: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, model))
    }

    /// The entry that a model stands for: its own name if that is one, else the first pattern that
    /// fits.
    pub fn entry(&self, model: &str) -> Option<&str> {
        let whole = self.names().find(|name| *name == model);
        whole.or_else(|| self.0.iter().map(String::as_str).find(|entry| matches(entry, model)))
    }

    /// The entries that are whole names, not patterns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|entry| !entry.contains('*'))
    }

    /// Whether the set stands for every model.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }
}

/// Matches `*` against any run of characters, without recursion: on a mismatch the last star
/// takes one more character.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(prefix) else {
        return false;
    };
    let Some((middle, suffix)) = rest.rsplit_once('*') else {
        return text.ends_with(rest);
    };
    for part in middle.split('*') {
        match text.find(part).and_then(|at| text.get(at + part.len()..)) {
            Some(behind) => text = behind,
            None => return false,
        }
    }
    text.ends_with(suffix)
}

impl fmt::Display for ModelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl From<ModelSet> for String {
    fn from(set: ModelSet) -> Self {
        set.to_string()
    }
}

impl TryFrom<String> for ModelSet {
    type Error = BadModelSet;
    fn try_from(text: String) -> Result<Self, BadModelSet> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_people_expect() {
        for (pattern, model, expected) in [
            ("gpt-4", "gpt-4", true),
            ("gpt-4", "GPT-4", false),
            ("gpt-4", "gpt-4o", false),
            ("gpt-4*", "gpt-4o", true),
            ("gpt-4*", "gpt-4", true),
            ("*", "anything", true),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-4o-mini-2", false),
            ("gpt-*-mini", "gpt-mini", false),
            ("gpt-*-mini", "gpt-4o-mini", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "ac", true),
            ("ab*ba", "aba", false),
            ("*\u{e9}*", "caf\u{e9}!", true),
        ] {
            assert_eq!(
                ModelSet::parse(pattern).unwrap().contains(model),
                expected,
                "{pattern} {model}"
            );
        }
    }

    #[test]
    fn an_empty_set_is_everything_and_a_huge_one_is_refused() {
        assert!(ModelSet::parse(" , ").unwrap().contains("x"));
        let many = (0..10_000).map(|i| format!("m{i}")).collect::<Vec<_>>().join(",");
        assert_eq!(ModelSet::parse(&many), Err(BadModelSet::TooMany));
        assert_eq!(ModelSet::parse(&"x".repeat(300)), Err(BadModelSet::Entry));
        assert_eq!(ModelSet::parse("a, b,a").unwrap().to_string(), "a,b");
    }

    #[test]
    fn names_have_bounds() {
        assert!(ModelName::new("../../v1beta/models/x?key=y#").is_ok());
        for bad in ["", &"x".repeat(300), "a\nb", "a\u{0}b"] {
            assert_eq!(ModelName::new(bad), Err(BadModelName));
        }
    }
}
