//! The options of a channel, read. What they mean stands in the provider's own documentation.

use super::misconfigured;
use gateway_ports::ProviderError;
use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, ProviderError>;

/// From this version of the API on, sampling parameters are refused whatever their value.
const NO_SAMPLING: &str = "2026-10-21";

/// A channel's options.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// The version of the API.
    pub(super) version: &'a str,
    /// The betas that every request asks for.
    pub(super) betas: Vec<&'a str>,
    /// Whether what cannot be translated is refused.
    pub(super) strict: bool,
    /// The most completion tokens where the caller sets no limit.
    pub(super) default_max_tokens: Option<u64>,
    /// Whether the end of every prompt is marked for the cache.
    pub(super) auto_cache: bool,
    /// How long marks live that are not the caller's own.
    pub(super) cache_ttl: Option<&'a str>,
    /// Whether it is passed on who asks.
    pub(super) send_user: bool,
    /// What is known of models.
    pub(super) models: Option<&'a Map<String, Value>>,
}

impl<'a> Options<'a> {
    pub(super) fn read(config: &'a Map<String, Value>) -> Result<Self> {
        let cache_ttl = text(config, "cache_ttl")?;
        if cache_ttl.is_some_and(|ttl| !["5m", "1h"].contains(&ttl)) {
            return Err(wrong("cache_ttl", "5m or 1h"));
        }
        let models = match field(config, "models") {
            None => None,
            Some(Value::Object(models)) => Some(models),
            Some(_) => return Err(wrong("models", "an object")),
        };
        Ok(Self {
            version: text(config, "anthropic_version")?.unwrap_or("2023-06-01"),
            betas: betas(config)?,
            strict: flag(config, "strict")?.unwrap_or(false),
            default_max_tokens: number(config, "default_max_tokens")?,
            auto_cache: flag(config, "auto_cache")?.unwrap_or(false),
            cache_ttl,
            send_user: flag(config, "send_user")?.unwrap_or(true),
            models,
        })
    }

    /// Whether this version of the API knows sampling parameters at all.
    pub(super) fn knows_sampling(&self) -> bool {
        // Dates of this form sort as text.
        self.version < NO_SAMPLING
    }
}

fn betas(config: &Map<String, Value>) -> Result<Vec<&str>> {
    let names = match field(config, "beta") {
        None => Vec::new(),
        Some(Value::String(names)) => vec![names.as_str()],
        Some(Value::Array(names)) => {
            let texts: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            texts.ok_or_else(|| wrong("beta", "a text or an array of texts"))?
        }
        Some(_) => return Err(wrong("beta", "a text or an array of texts")),
    };
    let names = names.into_iter().flat_map(|names| names.split(',')).map(str::trim);
    Ok(names.filter(|name| !name.is_empty()).collect())
}

/// An option that is set; null is not.
pub(super) fn field<'a>(config: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    config.get(name).filter(|value| !value.is_null())
}

pub(super) fn text<'a>(config: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>> {
    let read = |value: &'a Value| value.as_str().ok_or_else(|| wrong(name, "a text"));
    field(config, name).map(read).transpose()
}

pub(super) fn flag(config: &Map<String, Value>, name: &str) -> Result<Option<bool>> {
    let read = |value: &Value| value.as_bool().ok_or_else(|| wrong(name, "true or false"));
    field(config, name).map(read).transpose()
}

pub(super) fn number(config: &Map<String, Value>, name: &str) -> Result<Option<u64>> {
    let read = |value: &Value| value.as_u64().filter(|n| *n > 0);
    let read = |value: &Value| read(value).ok_or_else(|| wrong(name, "a number above 0"));
    field(config, name).map(read).transpose()
}

/// Says what an option must be, and never what it is.
pub(super) fn wrong(name: &str, expected: &str) -> ProviderError {
    misconfigured(format!("its option {name} must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_read_and_those_of_others_left_alone() {
        let config = json!({"beta": ["a, b", "c"], "strict": true, "anthropic_version": "2026-10-21", "default_max_tokens": 5, "x": 1, "cache_ttl": null});
        let options = Options::read(config.as_object().unwrap()).unwrap();
        assert_eq!(options.betas, ["a", "b", "c"]);
        assert!(options.strict && options.send_user && !options.knows_sampling());
        assert_eq!((options.default_max_tokens, options.cache_ttl), (Some(5), None));
        let none = Map::new();
        let options = Options::read(&none).unwrap();
        assert!(options.version == "2023-06-01" && options.knows_sampling() && !options.strict);
    }

    #[test]
    fn an_option_of_the_wrong_type_is_named() {
        for (config, name) in [
            (json!({"anthropic_version": 2023}), "anthropic_version"),
            (json!({"beta": [1]}), "beta"),
            (json!({"beta": {}}), "beta"),
            (json!({"strict": "yes"}), "strict"),
            (json!({"default_max_tokens": 0}), "default_max_tokens"),
            (json!({"cache_ttl": "30m"}), "cache_ttl"),
            (json!({"models": []}), "models"),
        ] {
            let error = Options::read(config.as_object().unwrap()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
