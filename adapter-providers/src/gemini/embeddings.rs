//! Embeddings: always in batches, as Google's own clients ask for them, and in several where one
//! does not take them all.

use super::reader::malformed;
use crate::gemini::{
    fault,
    wire::{Lenient, List, UsageMetadata},
};
use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, TokenCounts};
use gateway_ports::{Answer, EmbeddingsRequest, Json, ProviderError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The most texts that one request takes.
const BATCH: usize = 100;

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

/// Writes a request as bodies, in the order in which they are to be sent; also says what was left
/// out. `resource` is the model as it stands in the address.
pub(super) fn write<'a>(
    request: &'a EmbeddingsRequest,
    resource: &'a str,
) -> Result<(Vec<Bytes>, Vec<String>), ProviderError> {
    let texts = request.input.texts().ok_or_else(|| {
        ProviderError::unsupported(
            "input",
            ProviderError::UNSUPPORTED_VALUE,
            "this model takes texts, not the tokens of another one",
        )
    })?;
    let task_type = request.other.get("task_type").filter(|value| value.as_text().is_some());
    let one = |text: &'a String| Request {
        model: resource,
        content: Content { parts: [Part { text }] },
        task_type,
        output_dimensionality: request.dimensions,
    };
    // Only a map with keys that are no strings could fail, and there is none.
    let body = |texts: &'a [String]| {
        let requests = texts.iter().map(one).collect();
        Bytes::from(serde_json::to_vec(&Batch { requests }).unwrap_or_default())
    };
    let mut passed = vec!["dimensions"];
    passed.extend(task_type.map(|_| "task_type"));
    Ok((texts.chunks(BATCH).map(body).collect(), request.dropped(&passed)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Embedded<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    embeddings: List<Vector>,
    #[serde(default)]
    embedding: Lenient<Vector>,
    #[serde(default)]
    usage_metadata: Lenient<UsageMetadata>,
}

#[derive(Deserialize)]
struct Vector {
    values: Vec<f32>,
}

/// Reads the answer to one batch.
pub(super) fn decode(call: &ModelCall, body: &[u8]) -> Result<Answer, Fault> {
    let unreadable = || malformed("the answer is not what the API promises");
    let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
    let answer: Embedded<'_> = serde_json::from_str(text).map_err(|_| unreadable())?;
    if let Some(error) = answer.error.filter(|error| error.get() != "null") {
        return Err(fault::of_error(error.get()));
    }
    let vectors = answer.embeddings.0.into_iter().chain(answer.embedding.0);
    let mut vectors: Vec<Vec<f32>> = vectors.map(|vector| vector.values).collect();
    if !is_whole_batch(call, vectors.len()) {
        return Err(malformed("the answer has not one embedding for each input"));
    }
    if !vectors.iter().flatten().all(|number| number.is_finite()) {
        return Err(malformed("an embedding has a number that is none"));
    }
    if is_shortened(call) {
        vectors.iter_mut().for_each(normalise);
    }
    let prompt = answer.usage_metadata.0.and_then(|usage| usage.prompt_token_count.0);
    Ok(Answer::of_embeddings(vectors, prompt.map(|prompt| TokenCounts::of(prompt, 0))))
}

/// Whether so many vectors are the answer to one of a call's batches.
fn is_whole_batch(call: &ModelCall, vectors: usize) -> bool {
    let inputs = usize::try_from(call.prompt.messages).unwrap_or(usize::MAX);
    let last = inputs % BATCH;
    vectors > 0 && (vectors == last || (inputs >= BATCH && vectors == BATCH))
}

/// Whether the caller asked for vectors of another length than the model's own.
fn is_shortened(call: &ModelCall) -> bool {
    let value = call.field_span("dimensions").and_then(|span| call.body().get(span));
    value.is_some_and(|value| value != b"null")
}

/// A vector of the length 1, as `OpenAI`'s are: those that Gemini cuts short are not.
fn normalise(vector: &mut Vec<f32>) {
    let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
    let length = square.sqrt();
    if length > 0.0 {
        for number in vector {
            #[expect(clippy::cast_possible_truncation, reason = "it was one and is now at most 1")]
            let shorter = (f64::from(*number) / length) as f32;
            *number = shorter;
        }
    }
}
