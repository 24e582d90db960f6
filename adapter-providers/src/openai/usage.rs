//! Usage, as the servers of this dialect write it.

use gateway_domain::TokenCounts;
use gateway_ports::Json;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Usage as a provider writes it; what is no whole number is not believed.
#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    completion_tokens: Option<&'a RawValue>,
    total_tokens: Option<&'a RawValue>,
    prompt_tokens_details: Option<Details<'a>>,
    completion_tokens_details: Option<Details<'a>>,
    // Where some servers have it that know no details.
    cached_tokens: Option<&'a RawValue>,
    prompt_cache_hit_tokens: Option<&'a RawValue>,
}

/// The parts of a count, under the provider's own names.
#[expect(clippy::struct_field_names, reason = "the names are the provider's")]
#[derive(Default, Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    cache_write_tokens: Option<&'a RawValue>,
    reasoning_tokens: Option<&'a RawValue>,
}

fn number(raw: Option<&RawValue>) -> Option<u64> {
    serde_json::from_str(raw?.get()).ok()
}

/// Reads a `usage` object; `None` if it does not say how long the prompt was, or says that nothing
/// was used: no call uses nothing.
pub(super) fn usage(raw: &RawValue) -> Option<TokenCounts> {
    let usage: Usage<'_> = serde_json::from_str(raw.get()).ok()?;
    let prompt = number(usage.prompt_tokens)?;
    let mut completion = match usage.completion_tokens {
        Some(raw) => number(Some(raw))?,
        None => 0,
    };
    if (prompt, completion) == (0, 0) {
        return None;
    }
    let of_prompt = usage.prompt_tokens_details.unwrap_or_default();
    let of_completion = usage.completion_tokens_details.unwrap_or_default();
    let cached = number(of_prompt.cached_tokens)
        .or_else(|| number(usage.cached_tokens))
        .or_else(|| number(usage.prompt_cache_hit_tokens));
    let reasoning = number(of_completion.reasoning_tokens).unwrap_or(0);
    // Some servers count reasoning beside the completion: then only the total has all of it.
    let beside = prompt.saturating_add(completion).saturating_add(reasoning);
    if reasoning > 0 && number(usage.total_tokens) == Some(beside) {
        completion = completion.saturating_add(reasoning);
    }
    Some(TokenCounts {
        prompt,
        completion,
        cached: cached.unwrap_or(0),
        cache_write: number(of_prompt.cache_write_tokens).unwrap_or(0),
        reasoning,
    })
}

/// The same usage with the total that clients count on, if it has none.
pub(super) fn with_total(raw: &RawValue, counts: &TokenCounts) -> Option<Json> {
    let mut fields = Json::from(raw).fields()?;
    if fields.get("total_tokens").is_some_and(|total| total.get() != "null") {
        return None;
    }
    fields.set("total_tokens", Json::of(&counts.prompt.saturating_add(counts.completion)));
    Some(Json::of(&fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<TokenCounts> {
        usage(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn usage_that_cannot_be_is_not_believed() {
        for (text, expected) in [
            (r#"{"prompt_tokens":-1,"completion_tokens":5}"#, None),
            (r#"{"prompt_tokens":"9","completion_tokens":5}"#, None),
            (r#"{"prompt_tokens":9,"completion_tokens":1.5}"#, None),
            (r#"{"prompt_tokens":9}"#, Some((9, 0))),
            (r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#, None),
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":null}"#,
                Some((9, 5)),
            ),
            ("{}", None),
            ("null", None),
            ("5", None),
        ] {
            assert_eq!(read(text).map(|c| (c.prompt, c.completion)), expected, "{text}");
        }
    }

    #[test]
    fn parts_are_found_where_servers_have_them() {
        let counts = |completion, cached, reasoning| {
            Some(TokenCounts { cached, reasoning, ..TokenCounts::of(9, completion) })
        };
        for (more, expected) in [
            (r#""prompt_tokens_details":{"cached_tokens":4},"cached_tokens":5"#, counts(5, 4, 0)),
            (r#""cached_tokens":4"#, counts(5, 4, 0)),
            (r#""prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5"#, counts(5, 4, 0)),
            (
                r#""total_tokens":14,"completion_tokens_details":{"reasoning_tokens":3}"#,
                counts(5, 0, 3),
            ),
            (
                r#""total_tokens":17,"completion_tokens_details":{"reasoning_tokens":3}"#,
                counts(8, 0, 3),
            ),
        ] {
            let text = format!(r#"{{"prompt_tokens":9,"completion_tokens":5,{more}}}"#);
            assert_eq!(read(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_total_is_added_where_there_is_none() {
        let counts = TokenCounts::of(9, 5);
        for (text, expected) in [
            (r#"{"a":1e2,"total_tokens":14}"#, None),
            (r#"{"a":1e2}"#, Some(r#"{"a":1e2,"total_tokens":14}"#)),
            (r#"{"total_tokens":null,"a":1}"#, Some(r#"{"total_tokens":14,"a":1}"#)),
        ] {
            let raw = serde_json::from_str(text).unwrap();
            let json = with_total(raw, &counts);
            assert_eq!(json.as_ref().map(Json::get), expected, "{text}");
        }
    }
}
