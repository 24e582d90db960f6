//! The probabilities of tokens, as `OpenAI` writes them.

use super::wire::{LogprobsResult, Token};
use gateway_ports::Json;
use serde::Serialize;
use serde_json::{Number, value::RawValue};

#[derive(Serialize)]
struct Logprobs<T> {
    content: T,
    refusal: Option<&'static str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    token: One<'a>,
    top_logprobs: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    token: &'a str,
    logprob: Number,
    bytes: &'a [u8],
}

impl<'a> One<'a> {
    fn of(token: &'a Token<'_>) -> Self {
        let text = token.token.0.as_ref().map(|text| text.0.as_ref()).unwrap_or_default();
        Self { token: text, logprob: logarithm(token.log_probability), bytes: text.as_bytes() }
    }
}

/// A certain token has the logarithm 0, which is not written; an impossible one has none that JSON
/// could write, and has this one at `OpenAI`.
fn logarithm(raw: Option<&RawValue>) -> Number {
    const IMPOSSIBLE: i32 = -9999;
    raw.map_or_else(
        || 0.into(),
        |raw| serde_json::from_str(raw.get()).unwrap_or_else(|_| IMPOSSIBLE.into()),
    )
}

/// The probabilities of one piece of an answer; `None` if there are none.
pub(super) fn logprobs(result: &LogprobsResult<'_>) -> Option<Json> {
    let mut alternatives = result.top_candidates.0.iter();
    let entry = |token| Entry {
        token: One::of(token),
        top_logprobs: alternatives
            .next()
            .map(|top| top.candidates.0.iter().map(One::of).collect())
            .unwrap_or_default(),
    };
    let content: Vec<Entry<'_>> = result.chosen_candidates.0.iter().map(entry).collect();
    Some(content)
        .filter(|content| !content.is_empty())
        .map(|content| Json::of(&Logprobs { content, refusal: None }))
}

/// The probabilities of all pieces of an answer.
pub(super) fn joined(pieces: &[Json]) -> Option<Json> {
    match pieces {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let content = |piece: &Json| piece.fields()?.get("content")?.items();
            let content: Vec<Json> = several.iter().filter_map(content).flatten().collect();
            Some(Json::of(&Logprobs { content, refusal: None }))
        }
    }
}
