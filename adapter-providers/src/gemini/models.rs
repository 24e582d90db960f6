//! What each generation of models can do, and where a channel says otherwise.
//!
//! A model's rules come from its name, and every one of them can be set by the channel's `config`:
//! at its top for all models, or under `models` and the upstream's exact name for one of them. The
//! keys are listed in [`super`]. What is deliberately not known here: requests.

use gateway_ports::ProviderError;
use serde_json::{Map, Value};

/// How much a model thinks is said in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It cannot be said.
    Fixed,
    /// By a number of tokens.
    Budget,
    /// By a word.
    Level,
}

/// What becomes of the signatures of thoughts that led to tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signatures {
    /// The model has none.
    Unknown,
    /// It takes them back.
    Optional,
    /// It refuses a conversation in which one is missing.
    Required,
}

/// What a model can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
pub(super) struct Rules {
    /// How thinking is set.
    pub(super) thinking: Thinking,
    /// It is one of the large models, which cannot be kept from thinking.
    pub(super) pro: bool,
    /// It has the level `MEDIUM`.
    pub(super) medium: bool,
    /// It has the level `XHIGH`.
    pub(super) xhigh: bool,
    /// Schemas are taken as JSON Schema, and not only as the older `Schema`.
    pub(super) json_schema: bool,
    /// JSON may be asked for beside tools.
    pub(super) json_with_tools: bool,
    /// What becomes of signatures.
    pub(super) signatures: Signatures,
    /// The ids of its calls are sent back.
    pub(super) call_ids: bool,
    /// It fetches images from public addresses.
    pub(super) image_urls: bool,
    /// It takes penalties.
    pub(super) penalties: bool,
    /// It gives several answers.
    pub(super) candidates: bool,
}

/// Models of which nothing is known: what every one of them takes.
const PLAIN: Rules = Rules {
    thinking: Thinking::Fixed,
    pro: false,
    medium: true,
    xhigh: false,
    json_schema: false,
    json_with_tools: false,
    signatures: Signatures::Unknown,
    call_ids: false,
    image_urls: false,
    penalties: false,
    candidates: false,
};
/// Gemini 1 and 2.0: the only ones with penalties.
const FIRST: Rules = Rules { penalties: true, ..PLAIN };
/// Gemini 2.5.
const SECOND: Rules = Rules {
    thinking: Thinking::Budget,
    json_schema: true,
    signatures: Signatures::Optional,
    ..PLAIN
};
/// Gemini 3 and later.
const THIRD: Rules = Rules {
    thinking: Thinking::Level,
    json_schema: true,
    json_with_tools: true,
    signatures: Signatures::Required,
    call_ids: true,
    image_urls: true,
    ..PLAIN
};

/// The version that names like `gemini-flash-latest` mean.
const LATEST: (u32, u32) = (3, u32::MAX);

impl Rules {
    /// The rules of a model on a channel.
    ///
    /// # Errors
    /// [`ProviderError::Misconfigured`] for an option of the wrong type.
    pub(super) fn of(model: &str, config: &Map<String, Value>) -> Result<Self, ProviderError> {
        let options = Options { model, config };
        let generation = match options.text("generation")? {
            None => None,
            Some(text) => {
                Some(version(text).ok_or_else(|| wrong("generation", "a version, like \"2.5\""))?.0)
            }
        };
        let mut rules = by_name(model, generation);
        rules.thinking = match options.text("thinking")? {
            None => rules.thinking,
            Some("none") => Thinking::Fixed,
            Some("budget") => Thinking::Budget,
            Some("level") => Thinking::Level,
            Some(_) => return Err(wrong("thinking", "\"none\", \"budget\" or \"level\"")),
        };
        rules.signatures = match options.flag("thought_signatures")? {
            None => rules.signatures,
            Some(true) => Signatures::Required,
            Some(false) => Signatures::Unknown,
        };
        for (name, rule) in [
            ("xhigh", &mut rules.xhigh),
            ("json_schema", &mut rules.json_schema),
            ("json_with_tools", &mut rules.json_with_tools),
            ("call_ids", &mut rules.call_ids),
            ("image_urls", &mut rules.image_urls),
            ("penalties", &mut rules.penalties),
            ("candidate_count", &mut rules.candidates),
        ] {
            *rule = options.flag(name)?.unwrap_or(*rule);
        }
        Ok(rules)
    }
}

/// The options of a channel for one model.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) model: &'a str,
    pub(super) config: &'a Map<String, Value>,
}

impl<'a> Options<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let own = self.config.get("models").and_then(|models| models.get(self.model));
        let value = own.and_then(|own| own.get(name)).or_else(|| self.config.get(name));
        value.filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, ProviderError> {
        let read = |value: &'a Value| value.as_str().ok_or_else(|| wrong(name, "a string"));
        self.get(name).map(read).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ProviderError> {
        let read = |value: &Value| value.as_bool().ok_or_else(|| wrong(name, "true or false"));
        self.get(name).map(read).transpose()
    }
}

pub(super) fn wrong(name: &str, expected: &str) -> ProviderError {
    ProviderError::Misconfigured(format!("its option {name} must be {expected}"))
}

fn by_name(model: &str, generation: Option<(u32, u32)>) -> Rules {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let named = name.strip_prefix("gemini-").and_then(|rest| match version(rest) {
        Some((version, _)) => Some(version),
        None if rest.ends_with("-latest") => Some(LATEST),
        // The first ones had no number.
        None if rest.starts_with("pro") => Some((1, 0)),
        None => None,
    });
    let Some(version) = generation.or(named) else { return PLAIN };
    let has = |word: &str| name.split('-').any(|part| part == word);
    let rules = match version {
        (0..=1, _) | (2, 0..=4) => FIRST,
        (2, _) => SECOND,
        _ => THIRD,
    };
    // What makes pictures or speech does not let its thinking be set.
    let speaks = has("image") || has("tts") || has("audio") || has("live");
    Rules {
        pro: has("pro"),
        // The first large model of its generation came without it.
        medium: !(has("pro") && version == (3, 0)),
        thinking: if speaks { Thinking::Fixed } else { rules.thinking },
        ..rules
    }
}

/// The version at the beginning of a text, and what comes after it.
fn version(text: &str) -> Option<((u32, u32), &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    let major = major.parse().ok()?;
    Some(((major, minor.parse().unwrap_or(0)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(model: &str, config: &Value) -> Rules {
        Rules::of(model, config.as_object().unwrap()).unwrap()
    }

    #[test]
    fn a_name_says_what_a_model_can_do() {
        let pro = |rules: Rules| Rules { pro: true, ..rules };
        let quiet = |rules: Rules| Rules { thinking: Thinking::Fixed, ..rules };
        for (model, expected) in [
            ("gemini-1.5-flash-8b", FIRST),
            ("gemini-pro", pro(FIRST)),
            ("gemini-2.0-flash", FIRST),
            ("gemini-2.5-flash", SECOND),
            ("models/gemini-2.5-flash-lite-preview-09-2025", SECOND),
            ("gemini-2.5-pro", pro(SECOND)),
            ("gemini-2.5-flash-image", quiet(SECOND)),
            ("gemini-2.5-flash-preview-tts", quiet(SECOND)),
            ("gemini-3-flash-preview", THIRD),
            ("gemini-3-pro-preview", Rules { medium: false, ..pro(THIRD) }),
            ("gemini-3.1-pro", pro(THIRD)),
            ("Gemini-4-Flash", THIRD),
            ("gemini-flash-latest", THIRD),
            ("gemini-pro-latest", pro(THIRD)),
            ("gemini-exp-1206", PLAIN),
            ("gemma-3-27b-it", PLAIN),
            ("tunedModels/mine", PLAIN),
            ("", PLAIN),
            ("gemini-", PLAIN),
            ("gemini-99999999999-x", PLAIN),
        ] {
            assert_eq!(rules(model, &json!({})), expected, "{model}");
        }
    }

    #[test]
    fn a_channel_knows_better() {
        let config = json!({
            "generation": "2.5", "penalties": true,
            "models": {"mine": {"generation": "3.1", "xhigh": true, "thought_signatures": false}},
        });
        let others = Rules { penalties: true, ..SECOND };
        assert_eq!(rules("other", &config), others);
        let signatures = Signatures::Unknown;
        assert_eq!(
            rules("mine", &config),
            Rules { penalties: true, xhigh: true, signatures, ..THIRD }
        );
        let level = rules("x", &json!({"thinking": "level"}));
        assert_eq!(level, Rules { thinking: Thinking::Level, ..PLAIN });
        for broken in [
            json!({"generation": "new"}),
            json!({"generation": 3}),
            json!({"thinking": "much"}),
            json!({"xhigh": "yes"}),
        ] {
            let error = Rules::of("m", broken.as_object().unwrap()).unwrap_err();
            assert!(matches!(error, ProviderError::Misconfigured(_)), "{broken}: {error}");
        }
    }
}
