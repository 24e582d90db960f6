//! What Gemini answers, as far as it is read. A field of the wrong type is one that is not there:
//! an answer is worth more than its oddities.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A value, if it is one of this type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lenient<T>(pub(super) Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(d)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// A list without the items that are none.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let items: Lenient<Vec<Lenient<T>>> = Lenient::deserialize(d)?;
        Ok(Self(items.0.into_iter().flatten().filter_map(|item| item.0).collect()))
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// One answer to `generateContent`, or one piece of a stream of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
#[expect(clippy::struct_field_names, reason = "the names are the provider's")]
pub(super) struct Response<'a> {
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) candidates: List<Candidate<'a>>,
    #[serde(default)]
    pub(super) prompt_feedback: Lenient<PromptFeedback<'a>>,
    #[serde(default)]
    pub(super) usage_metadata: Lenient<UsageMetadata>,
    #[serde(default)]
    pub(super) response_id: Lenient<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct PromptFeedback<'a> {
    #[serde(default)]
    pub(super) block_reason: Lenient<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Candidate<'a> {
    #[serde(default)]
    pub(super) index: Lenient<usize>,
    #[serde(default)]
    pub(super) content: Lenient<Content<'a>>,
    #[serde(default)]
    pub(super) finish_reason: Lenient<Text<'a>>,
    #[serde(default)]
    pub(super) finish_message: Lenient<Text<'a>>,
    #[serde(default)]
    pub(super) logprobs_result: Lenient<LogprobsResult<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Content<'a> {
    #[serde(default)]
    pub(super) parts: List<Part<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Part<'a> {
    #[serde(default)]
    pub(super) text: Lenient<Text<'a>>,
    #[serde(default)]
    pub(super) thought: Lenient<bool>,
    #[serde(default)]
    pub(super) thought_signature: Lenient<Text<'a>>,
    #[serde(default)]
    pub(super) function_call: Lenient<FunctionCall<'a>>,
    #[serde(default)]
    pub(super) inline_data: Lenient<InlineData<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct FunctionCall<'a> {
    #[serde(default)]
    pub(super) id: Lenient<Text<'a>>,
    #[serde(default)]
    pub(super) name: Lenient<Text<'a>>,
    pub(super) args: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct InlineData<'a> {
    #[serde(default)]
    pub(super) mime_type: Lenient<Text<'a>>,
    #[serde(default)]
    pub(super) data: Lenient<Text<'a>>,
}

/// The probabilities of an answer's tokens, or of those of one piece.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct LogprobsResult<'a> {
    #[serde(default)]
    pub(super) chosen_candidates: List<Token<'a>>,
    #[serde(default)]
    pub(super) top_candidates: List<Alternatives<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Alternatives<'a> {
    #[serde(default)]
    pub(super) candidates: List<Token<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Token<'a> {
    #[serde(default)]
    pub(super) token: Lenient<Text<'a>>,
    pub(super) log_probability: Option<&'a RawValue>,
}

/// Counters so far; those that are zero are not there.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are the provider's")]
pub(super) struct UsageMetadata {
    #[serde(default)]
    pub(super) prompt_token_count: Lenient<u64>,
    #[serde(default)]
    pub(super) tool_use_prompt_token_count: Lenient<u64>,
    #[serde(default)]
    pub(super) cached_content_token_count: Lenient<u64>,
    #[serde(default)]
    pub(super) candidates_token_count: Lenient<u64>,
    #[serde(default)]
    pub(super) thoughts_token_count: Lenient<u64>,
}
