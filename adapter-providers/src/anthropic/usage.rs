//! What was used, as Anthropic counts: its `input_tokens` are those that were neither read from the
//! cache nor written to it.

use gateway_domain::TokenCounts;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Counters that are put together from more than one report. In a stream each report is of
/// everything so far, so a later counter replaces an earlier one, and one that is missing or null
/// leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    input: Option<u64>,
    cache_written: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    tier: Option<&'static str>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    cache_creation_input_tokens: Option<&'a RawValue>,
    cache_read_input_tokens: Option<&'a RawValue>,
    output_tokens: Option<&'a RawValue>,
    output_tokens_details: Option<&'a RawValue>,
    service_tier: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    thinking_tokens: Option<&'a RawValue>,
}

impl Usage {
    /// Takes a report.
    pub(super) fn merge(&mut self, report: &RawValue) {
        let Ok(wire) = serde_json::from_str::<Wire<'_>>(report.get()) else { return };
        let details = wire.output_tokens_details;
        let details = details.and_then(|raw| serde_json::from_str::<Details<'_>>(raw.get()).ok());
        for (counter, reported) in [
            (&mut self.input, wire.input_tokens),
            (&mut self.cache_written, wire.cache_creation_input_tokens),
            (&mut self.cache_read, wire.cache_read_input_tokens),
            (&mut self.output, wire.output_tokens),
            (&mut self.thinking, details.and_then(|details| details.thinking_tokens)),
        ] {
            // What is no whole number is not believed.
            let number = reported.and_then(|raw| serde_json::from_str(raw.get()).ok());
            *counter = number.or(*counter);
        }
        self.tier = wire.service_tier.and_then(tier).or(self.tier);
    }

    /// The counts; `None` if it was not said how long the prompt was.
    pub(super) fn counts(&self) -> Option<TokenCounts> {
        let cached = self.cache_read.unwrap_or(0);
        let cache_write = self.cache_written.unwrap_or(0);
        Some(TokenCounts {
            prompt: self.input?.saturating_add(cache_write).saturating_add(cached),
            completion: self.output.unwrap_or(0),
            cached,
            cache_write,
            reasoning: self.thinking.unwrap_or(0),
        })
    }

    /// With which priority the call was answered, in the words of the gateway's own API.
    pub(super) fn tier(&self) -> Option<&'static str> {
        self.tier
    }
}

fn tier(raw: &RawValue) -> Option<&'static str> {
    match serde_json::from_str::<Cow<'_, str>>(raw.get()).ok()?.as_ref() {
        "standard" => Some("default"),
        "priority" => Some("priority"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(reports: &[&str]) -> Usage {
        let mut usage = Usage::default();
        for report in reports {
            usage.merge(&RawValue::from_string((*report).to_owned()).unwrap());
        }
        usage
    }

    #[test]
    fn the_prompt_is_all_three_and_later_reports_replace_earlier_ones() {
        for (reports, expected) in [
            (
                &[
                    r#"{"input_tokens":12,"cache_creation_input_tokens":100,"cache_read_input_tokens":30,"output_tokens":25,"output_tokens_details":{"thinking_tokens":20}}"#,
                ][..],
                Some((142, 25, 30, 100, 20)),
            ),
            (
                &[
                    r#"{"input_tokens":12,"output_tokens":1}"#,
                    r#"{"input_tokens":null,"output_tokens":5}"#,
                    r#"{"output_tokens":25}"#,
                ],
                Some((12, 25, 0, 0, 0)),
            ),
            (
                &[
                    r#"{"input_tokens":12,"output_tokens":"7"}"#,
                    r#"{"output_tokens":-1,"output_tokens_details":7}"#,
                    "5",
                    "null",
                ],
                Some((12, 0, 0, 0, 0)),
            ),
            (&[r#"{"output_tokens":25}"#], None),
            (
                &[r#"{"input_tokens":18446744073709551615,"cache_read_input_tokens":9}"#],
                Some((u64::MAX, 0, 9, 0, 0)),
            ),
            (&[], None),
        ] {
            let counts = merged(reports).counts();
            let counts =
                counts.map(|c| (c.prompt, c.completion, c.cached, c.cache_write, c.reasoning));
            assert_eq!(counts, expected, "{reports:?}");
        }
    }

    #[test]
    fn the_tier_is_told_in_the_words_of_the_api() {
        for (tier, expected) in [
            ("\"standard\"", Some("default")),
            ("\"priority\"", Some("priority")),
            ("\"batch\"", None),
            ("null", None),
            ("7", None),
        ] {
            let report = format!(r#"{{"service_tier":{tier}}}"#);
            assert_eq!(merged(&[&report]).tier(), expected, "{tier}");
        }
    }
}
