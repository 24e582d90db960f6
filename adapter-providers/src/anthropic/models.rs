//! What models can do, by their names.
//!
//! A table, from the newest to the oldest: the first row that fits counts, so a model that is newer
//! than all of them is taken for the newest of its family. A channel's options come before it. What
//! is deliberately not known here: how any of it is asked for.

use super::options::{self, Options, wrong};
use gateway_ports::ProviderError;
use serde_json::{Map, Value};

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It does not.
    None,
    /// With a budget of tokens.
    Budget,
    /// As much as it sees fit, with an effort, and with a budget still.
    BudgetOrAdaptive,
    /// As much as it sees fit, with an effort.
    Adaptive,
    /// The same, and where it does not think before its answer it may between calls of tools.
    BetweenTools,
    /// The same, and it cannot be told not to.
    Always,
}

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// How it is told to think.
    pub(super) thinking: Thinking,
    /// Which sampling parameters it takes.
    pub(super) sampling: Sampling,
    /// Whether its answer can be bound to a schema.
    pub(super) structured_outputs: bool,
    /// The most completion tokens, if they are known.
    pub(super) max_tokens: Option<u64>,
}

/// Which sampling parameters a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// None.
    No,
    /// One of temperature and nucleus.
    One,
    /// Both.
    Both,
}

/// A row: the family, or "" for all of them; the first version of it; what it can do.
type Row = (&'static str, Version, Model);
type Version = (u8, u8);

const fn row(
    family: &'static str,
    from: Version,
    thinking: Thinking,
    sampling: Sampling,
    structured_outputs: bool,
    max_tokens: u64,
) -> Row {
    (family, from, Model { thinking, sampling, structured_outputs, max_tokens: Some(max_tokens) })
}

const ROWS: [Row; 14] = [
    row("fable", (0, 0), Thinking::Always, Sampling::No, true, 128_000),
    row("mythos", (0, 0), Thinking::Always, Sampling::No, true, 128_000),
    row("opus", (5, 5), Thinking::Always, Sampling::No, true, 128_000),
    row("sonnet", (5, 5), Thinking::BetweenTools, Sampling::No, true, 128_000),
    row("", (4, 7), Thinking::Adaptive, Sampling::No, true, 128_000),
    row("opus", (4, 6), Thinking::BudgetOrAdaptive, Sampling::One, true, 128_000),
    row("", (4, 6), Thinking::BudgetOrAdaptive, Sampling::One, true, 64_000),
    row("", (4, 5), Thinking::Budget, Sampling::One, true, 64_000),
    row("opus", (4, 1), Thinking::Budget, Sampling::One, false, 32_000),
    row("opus", (4, 0), Thinking::Budget, Sampling::Both, false, 32_000),
    row("", (4, 0), Thinking::Budget, Sampling::Both, false, 64_000),
    row("", (3, 7), Thinking::Budget, Sampling::Both, false, 64_000),
    row("", (3, 5), Thinking::None, Sampling::Both, false, 8192),
    row("", (0, 0), Thinking::None, Sampling::Both, false, 4096),
];

/// A model of another house behind this dialect: most take what the older models took, and what
/// they do not take they refuse by themselves.
const FOREIGN: Model = Model {
    thinking: Thinking::Budget,
    sampling: Sampling::Both,
    structured_outputs: true,
    max_tokens: None,
};

impl Model {
    /// What a model of this name can do, by the channel's options and the table.
    pub(super) fn of(name: &str, options: &Options<'_>) -> Result<Self, ProviderError> {
        let built_in = Self::built_in(name);
        let entries = options.models.into_iter().flatten();
        let fitting = entries.filter(|(beginning, _)| name.starts_with(beginning.as_str()));
        match fitting.max_by_key(|(beginning, _)| beginning.len()) {
            None => Ok(built_in),
            Some((_, Value::Object(said))) => built_in.but(said),
            Some(_) => Err(wrong("models", "an object of objects")),
        }
    }

    fn built_in(name: &str) -> Self {
        let Some((family, version)) = family_and_version(name) else { return FOREIGN };
        let fits = |row: &&Row| (row.0.is_empty() || row.0 == family) && version >= row.1;
        ROWS.iter().find(fits).map_or(FOREIGN, |row| row.2)
    }

    fn but(self, said: &Map<String, Value>) -> Result<Self, ProviderError> {
        let thinking = match options::text(said, "thinking")? {
            None => self.thinking,
            Some("none") => Thinking::None,
            Some("budget") => Thinking::Budget,
            Some("budget_or_adaptive") => Thinking::BudgetOrAdaptive,
            Some("adaptive") => Thinking::Adaptive,
            Some("between_tools") => Thinking::BetweenTools,
            Some("always") => Thinking::Always,
            Some(_) => return Err(wrong("models.*.thinking", "a way of thinking")),
        };
        let sampling = match options::flag(said, "sampling")? {
            Some(false) => Sampling::No,
            Some(true) if self.sampling == Sampling::No => Sampling::One,
            None | Some(true) => self.sampling,
        };
        let structured = options::flag(said, "structured_outputs")?;
        Ok(Self {
            thinking,
            sampling,
            structured_outputs: structured.unwrap_or(self.structured_outputs),
            max_tokens: options::number(said, "max_tokens")?.or(self.max_tokens),
        })
    }
}

/// `opus` and 4.5 in `claude-opus-4-5-20251101`, `claude-4.5-opus` and `us.anthropic.claude-opus-4-5-v1:0`;
/// `None` if the name is none of this house. A name without a version is that of the newest.
fn family_and_version(name: &str) -> Option<(String, Version)> {
    const FAMILIES: [&str; 6] = ["opus", "sonnet", "haiku", "fable", "mythos", "instant"];
    let name = name.to_ascii_lowercase();
    let (_, rest) = name.split_once("claude")?;
    let mut family = "";
    let mut version = None;
    let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    let mut word = words.next();
    while let Some(this) = word {
        word = words.next();
        if family.is_empty() && FAMILIES.contains(&this) {
            family = this;
        } else if version.is_none()
            && let Some(major) = number(this)
        {
            let minor = word.and_then(number);
            if minor.is_some() {
                word = words.next();
            }
            version = Some((major, minor.unwrap_or(0)));
        }
    }
    Some((family.to_owned(), version.unwrap_or((u8::MAX, 0))))
}

/// A part of a version; a date is none.
fn number(word: &str) -> Option<u8> {
    word.parse().ok().filter(|_| word.len() <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn models_are_known_by_their_names() {
        use Sampling::{Both, No, One};
        for (name, thinking, sampling, most) in [
            ("claude-3-haiku-20240307", Thinking::None, Both, Some(4096)),
            ("claude-3-5-sonnet-20241022", Thinking::None, Both, Some(8192)),
            ("claude-3-7-sonnet-latest", Thinking::Budget, Both, Some(64_000)),
            ("claude-sonnet-4-20250514", Thinking::Budget, Both, Some(64_000)),
            ("claude-opus-4-0", Thinking::Budget, Both, Some(32_000)),
            ("claude-opus-4-1-20250805", Thinking::Budget, One, Some(32_000)),
            ("claude-sonnet-4-5", Thinking::Budget, One, Some(64_000)),
            ("claude-haiku-4-5-20251001", Thinking::Budget, One, Some(64_000)),
            ("us.anthropic.claude-opus-4-5-20251101-v1:0", Thinking::Budget, One, Some(64_000)),
            ("claude-opus-4-6", Thinking::BudgetOrAdaptive, One, Some(128_000)),
            ("claude-sonnet-4-6", Thinking::BudgetOrAdaptive, One, Some(64_000)),
            ("anthropic/claude-opus-4.7", Thinking::Adaptive, No, Some(128_000)),
            ("claude-opus-4-8", Thinking::Adaptive, No, Some(128_000)),
            ("claude-opus-5", Thinking::Adaptive, No, Some(128_000)),
            ("claude-sonnet-5@20260301", Thinking::Adaptive, No, Some(128_000)),
            ("claude-haiku-5-5", Thinking::Adaptive, No, Some(128_000)),
            ("claude-sonnet-5-5", Thinking::BetweenTools, No, Some(128_000)),
            ("claude-opus-5-5", Thinking::Always, No, Some(128_000)),
            ("claude-fable-5-1", Thinking::Always, No, Some(128_000)),
            ("claude-mythos-preview", Thinking::Always, No, Some(128_000)),
            ("claude-2.1", Thinking::None, Both, Some(4096)),
            ("glm-4.7", Thinking::Budget, Both, None),
        ] {
            let model = Model::built_in(name);
            assert_eq!(
                (model.thinking, model.sampling, model.max_tokens),
                (thinking, sampling, most),
                "{name}"
            );
        }
        assert!(!Model::built_in("claude-opus-4-1").structured_outputs);
        assert!(Model::built_in("claude-haiku-4-5").structured_outputs);
    }

    #[test]
    fn a_channel_knows_better() {
        let of = |config: &Value, name: &str| {
            Model::of(name, &Options::read(config.as_object().unwrap()).unwrap())
        };
        let config = json!({"models": {"": {"max_tokens": 5}, "glm": {"thinking": "adaptive", "sampling": false}, "claude": 1}});
        let glm = of(&config, "glm-5").unwrap();
        assert_eq!((glm.thinking, glm.sampling), (Thinking::Adaptive, Sampling::No));
        assert_eq!((glm.max_tokens, of(&config, "x").unwrap().max_tokens), (None, Some(5)));
        assert!(of(&config, "claude-opus-5").is_err());
        for bad in [json!({"thinking": "hard"}), json!({"sampling": 1}), json!({"max_tokens": 0})] {
            assert!(of(&json!({"models": {"": bad}}), "x").is_err(), "{bad}");
        }
    }
}
