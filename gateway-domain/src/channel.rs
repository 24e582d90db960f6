//! Channels: configured ways to a provider.

use crate::{ChannelId, ModelName, ModelSet, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// Which provider a channel speaks to: a number for the built-in ones, a name for those that an
/// embedder registers. Open on purpose: a new provider is a new value, not a new variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderKind(Cow<'static, str>);

impl ProviderKind {
    /// `OpenAI`.
    pub const OPENAI: Self = Self(Cow::Borrowed("1"));
    /// Azure `OpenAI`.
    pub const AZURE: Self = Self(Cow::Borrowed("3"));
    /// Anthropic.
    pub const ANTHROPIC: Self = Self(Cow::Borrowed("14"));
    /// Google Gemini.
    pub const GEMINI: Self = Self(Cow::Borrowed("24"));
    /// Any server that speaks `OpenAI`'s dialect.
    pub const CUSTOM: Self = Self(Cow::Borrowed("99"));

    /// A kind by its name: 1 to 32 lower-case letters, digits, `-` or `_`; or a number.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Option<Self> {
        let name = name.into();
        let fits = (1..=32).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        fits.then_some(Self(name))
    }

    /// A kind by a name that stands in the code.
    ///
    /// # Panics
    /// If the name does not fit: in a `const`, when it is compiled.
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 32, "a kind has 1 to 32 characters");
        Self(Cow::Borrowed(name))
    }

    /// The name, or the number in decimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number where it is one, as the API has always shown it.
impl Serialize for ProviderKind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<u32>() {
            Ok(number) => s.serialize_u32(number),
            Err(_) => s.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for ProviderKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u32),
            Name(String),
        }
        let name = match Either::deserialize(d)? {
            Either::Number(number) => number.to_string(),
            Either::Name(name) => name,
        };
        Self::new(name).ok_or_else(|| D::Error::custom("a channel type is a number or a name"))
    }
}

/// Public model names and what the upstream calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelMapping(BTreeMap<ModelName, ModelName>);

impl ModelMapping {
    /// The most entries a mapping may have.
    pub const MOST: usize = 1000;

    /// Takes a mapping.
    pub fn new(names: BTreeMap<ModelName, ModelName>) -> Self {
        Self(names)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is renamed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the upstream calls this model.
    pub fn upstream<'a>(&'a self, model: &'a ModelName) -> &'a ModelName {
        self.0.get(model).unwrap_or(model)
    }

    /// Whether this public name is renamed here.
    pub fn renames(&self, model: &ModelName) -> bool {
        self.0.contains_key(model)
    }

    /// The public names.
    pub fn public_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(ModelName::as_str)
    }
}

/// A configured way to a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// The id.
    pub id: ChannelId,
    /// The name for people.
    pub name: String,
    /// Which provider.
    pub kind: ProviderKind,
    /// Where it is.
    pub base_url: String,
    /// The provider's key, encrypted.
    pub sealed_key: String,
    /// The key's last four characters, for people.
    pub key_hint: String,
    /// The models it serves; empty: every model.
    pub models: ModelSet,
    /// Models that the upstream knows under another name.
    pub model_mapping: ModelMapping,
    /// Options of this provider.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// False: not used.
    pub enabled: bool,
    /// Channels of a higher priority are tried first.
    pub priority: i64,
    /// The share of the calls among channels of one priority. Zero: only when nothing else is left.
    pub weight: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Channel {
    /// The largest weight.
    pub const MAX_WEIGHT: u32 = 1_000_000;

    /// Whether this channel serves a model.
    pub fn serves(&self, model: &ModelName) -> bool {
        self.models.contains(model.as_str()) || self.model_mapping.renames(model)
    }

    /// The entry of this channel's models that a model stands for, if it is named here at all: a
    /// channel for every model names none. There are only as many entries as the operator wrote.
    pub fn entry(&self, model: &ModelName) -> Option<&str> {
        let renamed = self.model_mapping.0.get_key_value(model).map(|(name, _)| name.as_str());
        renamed.or_else(|| self.models.entry(model.as_str()))
    }

    /// The models that can be listed by name.
    pub fn listed_models(&self) -> impl Iterator<Item = &str> {
        self.models.names().chain(self.model_mapping.public_names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_stands_for_an_entry_that_the_operator_wrote() {
        let name = |name: &str| ModelName::new(name).unwrap();
        let channel = Channel {
            id: ChannelId(1),
            name: String::new(),
            kind: ProviderKind::CUSTOM,
            base_url: String::new(),
            sealed_key: String::new(),
            key_hint: String::new(),
            models: ModelSet::parse("gpt-*,gpt-4o").unwrap(),
            model_mapping: ModelMapping::new([(name("mini"), name("gemma"))].into()),
            config: serde_json::Map::new(),
            enabled: true,
            priority: 0,
            weight: 1,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        };
        let entry = |model: &str| channel.entry(&name(model)).map(str::to_owned);
        assert_eq!(entry("gpt-4o").as_deref(), Some("gpt-4o"));
        assert_eq!(entry("gpt-17").as_deref(), Some("gpt-*"));
        assert_eq!(entry("mini").as_deref(), Some("mini"));
        assert_eq!(entry("other"), None);
        let any = Channel { models: ModelSet::default(), ..channel.clone() };
        assert_eq!(any.entry(&name("gpt-4o")), None);
        assert!(any.serves(&name("gpt-4o")));
    }

    #[test]
    fn a_kind_is_a_number_or_a_name() {
        for (json, kind) in [("1", "1"), ("99", "99"), ("\"acme\"", "acme"), ("\"14\"", "14")] {
            let parsed: ProviderKind = serde_json::from_str(json).unwrap();
            assert_eq!(parsed.as_str(), kind);
        }
        assert_eq!(serde_json::to_string(&ProviderKind::CUSTOM).unwrap(), "99");
        for bad in ["-1", "1.5", "\"\"", "\"A B\"", "null", "[1]"] {
            assert!(serde_json::from_str::<ProviderKind>(bad).is_err(), "{bad}");
        }
    }
}
