//! Chat completions: what is checked and measured of a body.

use super::{
    CallError, ModelCall, Operation,
    json::{Entries, otherwise, span, without_forbidden},
};
use crate::{
    ModelName,
    policy::estimate::{PromptSize, TextSize},
};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

const MOST_MESSAGES: usize = 10_000;
const MOST_TOOLS: usize = 1024;
const MOST_TOOL_BYTES: usize = 1 << 20;
const MOST_COMPLETION: u64 = 10_000_000;
const MOST_CHOICES: u64 = 128;
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    messages: Option<Messages>,
    stream: Option<&'a RawValue>,
    stream_options: Option<&'a RawValue>,
    max_tokens: Option<&'a RawValue>,
    max_completion_tokens: Option<&'a RawValue>,
    n: Option<&'a RawValue>,
    tools: Option<&'a RawValue>,
    functions: Option<&'a RawValue>,
    response_format: Option<&'a RawValue>,
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
    let model = model(fields.model)?;
    let stream = flag(fields.stream, "stream")?;
    let include_usage = match fields.stream_options {
        Some(_) if !stream => {
            return Err(CallError::field("stream_options", "stream_options needs stream: true"));
        }
        Some(options) => include_usage(options)?,
        None => false,
    };
    let limit = positive(fields.max_tokens, "max_tokens", MOST_COMPLETION)?;
    let max_completion =
        positive(fields.max_completion_tokens, "max_completion_tokens", MOST_COMPLETION)?.or(limit);
    let choices = positive(fields.n, "n", MOST_CHOICES)?.unwrap_or(1);
    let mut prompt = match fields.messages {
        Some(Messages::Read(size)) => size,
        Some(Messages::Bad { param, message }) => return Err(CallError::field(param, message)),
        None => return Err(CallError::field("messages", "messages is required")),
    };
    if let Some(tools) = fields.tools {
        check_tools(tools)?;
    }
    for schema in [fields.tools, fields.functions, fields.response_format].into_iter().flatten() {
        prompt.text.add(TextSize::of(schema.get()));
    }
    let model_span = fields.model.map(|raw| span(&body, raw.get())).unwrap_or_default();
    let stream_options_span = fields.stream_options.map(|raw| span(&body, raw.get()));
    Ok(ModelCall {
        operation: Operation::Chat,
        model,
        stream,
        include_usage,
        prompt,
        max_completion,
        base64: false,
        choices,
        body,
        model_span,
        stream_options_span,
    })
}

pub(super) fn model(raw: Option<&RawValue>) -> Result<ModelName, CallError> {
    let wrong = |message: &str| CallError::field("model", message);
    let raw = raw.ok_or_else(|| wrong("model is required"))?;
    let name: Cow<'_, str> =
        serde_json::from_str(raw.get()).map_err(|_| wrong("model must be a string"))?;
    ModelName::new(name).map_err(|e| wrong(&e.to_string()))
}

fn flag(raw: Option<&RawValue>, param: &str) -> Result<bool, CallError> {
    raw.map_or(Ok(false), |raw| {
        serde_json::from_str(raw.get())
            .map_err(|_| CallError::field(param, format!("{param} must be true or false")))
    })
}

pub(super) fn positive(
    raw: Option<&RawValue>,
    param: &str,
    most: u64,
) -> Result<Option<u64>, CallError> {
    let Some(raw) = raw else { return Ok(None) };
    match serde_json::from_str::<u64>(raw.get()) {
        Ok(n) if (1..=most).contains(&n) => Ok(Some(n)),
        _ => {
            Err(CallError::field(param, format!("{param} must be a whole number from 1 to {most}")))
        }
    }
}

fn include_usage(raw: &RawValue) -> Result<bool, CallError> {
    let wrong = || CallError::field("stream_options", "stream_options must be an object");
    let Entries(entries) = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let mut asked = false;
    for (_, value) in entries.iter().filter(|(key, _)| key == "include_usage") {
        asked = match value.get() {
            "null" => false,
            _ => flag(Some(value), "stream_options.include_usage")?,
        };
    }
    Ok(asked)
}

fn check_tools(raw: &RawValue) -> Result<(), CallError> {
    #[derive(Deserialize)]
    struct Tool<'a> {
        #[serde(borrow)]
        function: Option<Function<'a>>,
    }
    #[derive(Deserialize)]
    struct Function<'a> {
        #[serde(borrow)]
        name: Option<Cow<'a, str>>,
    }
    let wrong = |message: String| CallError::field("tools", message);
    let tools: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| wrong(String::from("tools must be an array")))?;
    if tools.len() > MOST_TOOLS {
        return Err(wrong(format!("at most {MOST_TOOLS} tools")));
    }
    for (i, raw) in tools.iter().enumerate() {
        if raw.get().len() > MOST_TOOL_BYTES {
            return Err(wrong(format!("tools[{i}] is larger than {MOST_TOOL_BYTES} bytes")));
        }
        let tool: Tool<'_> = serde_json::from_str(raw.get())
            .map_err(|_| wrong(format!("tools[{i}] must be an object with a named function")))?;
        let name = tool.function.and_then(|f| f.name);
        if name.is_some_and(|n| n.is_empty() || n.len() > 256 || n.chars().any(char::is_control)) {
            return Err(wrong(format!("tools[{i}].function.name has 1 to 256 plain characters")));
        }
    }
    Ok(())
}

/// The messages: measured, or the first that cannot be.
enum Messages {
    Read(PromptSize),
    Bad { param: String, message: String },
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct List;
        fn bad(message: &str) -> Messages {
            Messages::Bad { param: String::from("messages"), message: message.to_owned() }
        }
        impl<'de> Visitor<'de> for List {
            type Value = Messages;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("messages")
            }
            otherwise!(bad("messages must be an array"); scalar unsigned text object);
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Messages, A::Error> {
                let mut size = PromptSize::default();
                let mut first_bad = None;
                let mut count = 0usize;
                while let Some(message) = seq.next_element::<Message>()? {
                    match message {
                        Message::Read { text, images } => {
                            size.text.add(text);
                            size.images += images;
                        }
                        Message::Bad(why) => {
                            first_bad.get_or_insert_with(|| Messages::Bad {
                                param: format!("messages[{count}]"),
                                message: format!("messages[{count}]: {why}"),
                            });
                        }
                    }
                    count += 1;
                }
                size.messages = u64::try_from(count).unwrap_or(u64::MAX);
                Ok(match count {
                    0 => bad("messages must not be empty"),
                    n if n > MOST_MESSAGES => bad(&format!("at most {MOST_MESSAGES} messages")),
                    _ => first_bad.unwrap_or(Messages::Read(size)),
                })
            }
        }
        d.deserialize_any(List)
    }
}

enum Message {
    Read { text: TextSize, images: u64 },
    Bad(&'static str),
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Message;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message")
            }
            otherwise!(Message::Bad("must be an object"); scalar unsigned text array);
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
                let mut role = None;
                let mut content = Content::Missing;
                let mut calls = false;
                let mut text = TextSize::default();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    match key.0.as_ref() {
                        "role" => role = map.next_value::<Role>()?.0,
                        "content" => content = map.next_value()?,
                        "tool_calls" | "function_call" | "refusal" | "audio" => {
                            let raw = map.next_value::<&'de RawValue>()?.get();
                            calls |= raw != "null";
                            text.add(TextSize::of(raw));
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let may_be_empty = role == Some(true) && calls;
                Ok(match (role, content) {
                    (None, _) => Message::Bad(
                        "role must be system, developer, user, assistant, tool or function",
                    ),
                    (_, Content::Bad(why)) => Message::Bad(why),
                    (_, Content::Missing) if !may_be_empty => Message::Bad("content is required"),
                    (_, Content::Missing) => Message::Read { text, images: 0 },
                    (_, Content::Read { text: read, images }) => {
                        text.add(read);
                        Message::Read { text, images }
                    }
                })
            }
        }
        d.deserialize_any(One)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A role: known or not, and whether it is the assistant's.
struct Role(Option<bool>);

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Role;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role")
            }
            otherwise!(Role(None); scalar unsigned array object);
            fn visit_str<E>(self, role: &str) -> Result<Role, E> {
                Ok(Role(ROLES.contains(&role).then_some(role == "assistant")))
            }
        }
        d.deserialize_any(Name)
    }
}

/// A message's content, or one part of it.
enum Content {
    Missing,
    Read { text: TextSize, images: u64 },
    Bad(&'static str),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("content")
            }
            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Missing)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
                Ok(Content::Bad(NOT_CONTENT))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Content, E> {
                Ok(Content::Bad(NOT_CONTENT))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
                Ok(Content::Bad(NOT_CONTENT))
            }
            otherwise!(Content::Bad(NOT_CONTENT); unsigned object);
            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Read { text: TextSize::of(text), images: 0 })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let (mut text, mut images, mut bad) = (TextSize::default(), 0, None);
                while let Some(part) = seq.next_element::<Part>()? {
                    match part.0 {
                        Content::Read { text: read, images: seen } => {
                            text.add(read);
                            images += seen;
                        }
                        Content::Bad(why) => bad = bad.or(Some(why)),
                        Content::Missing => {}
                    }
                }
                Ok(bad.map_or(Content::Read { text, images }, Content::Bad))
            }
        }
        d.deserialize_any(Value)
    }
}

const NOT_CONTENT: &str = "content must be a string or an array of parts";
const NOT_PART: &str = "every content part must be an object with a type";

struct Part(Content);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Part;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content part")
            }
            otherwise!(Part(Content::Bad(NOT_PART)); scalar unsigned text array);
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
                let (mut kind, mut text, mut images) = (false, TextSize::default(), 0);
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    let raw = map.next_value::<&'de RawValue>()?.get();
                    match key.0.as_ref() {
                        "type" => {
                            kind = raw.len() > 2 && raw.starts_with('"');
                            images += u64::from(raw == "\"image_url\"");
                        }
                        // An image costs by its size in pixels, not by the length of its address.
                        "image_url" => {}
                        // Base64 of sound or a document: far fewer tokens than characters.
                        "input_audio" | "file" => {
                            let bytes = u64::try_from(raw.len()).unwrap_or(u64::MAX);
                            text.add(TextSize { ascii: bytes / 4, other: 0 });
                        }
                        _ => text.add(TextSize::of(raw)),
                    }
                }
                Ok(Part(if kind { Content::Read { text, images } } else { Content::Bad(NOT_PART) }))
            }
        }
        d.deserialize_any(One)
    }
}
