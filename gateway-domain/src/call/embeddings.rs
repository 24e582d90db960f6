//! Embeddings: what is checked and measured of a body.

use super::{
    CallError, ModelCall, Operation, chat,
    json::{otherwise, span, without_forbidden},
};
use crate::policy::estimate::{PromptSize, TextSize};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

const MOST_INPUTS: u64 = 2048;
const MOST_DIMENSIONS: u64 = 100_000;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    input: Option<Input>,
    dimensions: Option<&'a RawValue>,
    encoding_format: Option<&'a RawValue>,
    api_base: Option<IgnoredAny>,
    base_url: Option<IgnoredAny>,
    api_key: Option<IgnoredAny>,
    extra_headers: Option<IgnoredAny>,
}

pub(super) fn parse(body: Bytes) -> Result<ModelCall, CallError> {
    let fields: Body<'_> =
        serde_json::from_slice(&body).map_err(|e| CallError::Json(e.to_string()))?;
    if [&fields.api_base, &fields.base_url, &fields.api_key, &fields.extra_headers]
        .iter()
        .any(|field| field.is_some())
    {
        return parse(without_forbidden(&body)?);
    }
    let model = chat::model(fields.model)?;
    chat::positive(fields.dimensions, "dimensions", MOST_DIMENSIONS)?;
    if fields.encoding_format.is_some_and(|f| !matches!(f.get(), "\"float\"" | "\"base64\"")) {
        return Err(CallError::field("encoding_format", "encoding_format must be float or base64"));
    }
    let prompt = match fields.input {
        Some(Input::Read { size, .. }) if size.messages > MOST_INPUTS => {
            return Err(CallError::field("input", format!("at most {MOST_INPUTS} inputs")));
        }
        Some(Input::Bad | Input::Read { kind: Kind::Token, .. }) => {
            return Err(CallError::field(
                "input",
                "input must be a non-empty string, or an array of non-empty strings or of token lists",
            ));
        }
        Some(Input::Read { size, .. }) => size,
        None => return Err(CallError::field("input", "input is required")),
    };
    let model_span = fields.model.map(|raw| span(&body, raw.get())).unwrap_or_default();
    Ok(ModelCall {
        operation: Operation::Embeddings,
        model,
        stream: false,
        include_usage: false,
        prompt,
        max_completion: None,
        base64: fields.encoding_format.is_some_and(|f| f.get() == "\"base64\""),
        choices: 1,
        body,
        model_span,
        stream_options_span: None,
    })
}

/// What is to be embedded, measured; `kind` tells texts from tokens, which must not be mixed.
enum Input {
    Read { size: PromptSize, kind: Kind },
    Bad,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Token,
    Tokens,
    List,
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Input;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("input")
            }
            otherwise!(Input::Bad; scalar object);
            fn visit_str<E>(self, text: &str) -> Result<Input, E> {
                let size =
                    PromptSize { text: TextSize::of(text), messages: 1, ..PromptSize::default() };
                Ok(if text.is_empty() {
                    Input::Bad
                } else {
                    Input::Read { size, kind: Kind::Text }
                })
            }
            fn visit_u64<E>(self, token: u64) -> Result<Input, E> {
                let size = PromptSize { tokens: 1, ..PromptSize::default() };
                let known = u32::try_from(token).is_ok();
                Ok(if known { Input::Read { size, kind: Kind::Token } } else { Input::Bad })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
                let mut total = PromptSize::default();
                let mut first: Option<Kind> = None;
                let mut fits = true;
                while let Some(item) = seq.next_element::<Input>()? {
                    match item {
                        Input::Read { size, kind } => {
                            fits &= kind != Kind::List && *first.get_or_insert(kind) == kind;
                            total.text.add(size.text);
                            total.messages += size.messages;
                            total.tokens += size.tokens;
                        }
                        Input::Bad => fits = false,
                    }
                }
                let kind = match first {
                    Some(Kind::Token) => Kind::Tokens,
                    Some(_) => Kind::List,
                    None => return Ok(Input::Bad),
                };
                total.messages = total.messages.max(1);
                Ok(if fits { Input::Read { size: total, kind } } else { Input::Bad })
            }
        }
        d.deserialize_any(Value)
    }
}
