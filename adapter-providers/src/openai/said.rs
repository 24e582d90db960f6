//! What of a message or a delta is looked at. Only looked at: what is deliberately not known here
//! is what becomes of it.

use gateway_domain::policy::estimate::TextSize;
use gateway_ports::Json;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The value of a field, `null` too, and where it stands; nothing if the field is not there.
#[derive(Clone, Copy, Default)]
pub(super) struct Slot<'a>(pub(super) Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Slot<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <&'a RawValue>::deserialize(d).map(|raw| Self(Some(raw)))
    }
}

impl<'a> Slot<'a> {
    /// The value, if it is none of `null` and `""`.
    pub(super) fn filled(self) -> Option<&'a RawValue> {
        self.0.filter(|raw| !matches!(raw.get(), "null" | "\"\""))
    }
}

/// The fields of a message or a delta that are looked at.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    content: Option<&'a RawValue>,
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    refusal: Option<&'a RawValue>,
    tool_calls: Option<&'a RawValue>,
    function_call: Option<&'a RawValue>,
}

/// A tool call in a message, or a piece of one in a delta.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Piece<'a> {
    #[serde(borrow)]
    pub(super) index: Option<&'a RawValue>,
    pub(super) id: Slot<'a>,
    #[serde(rename = "type")]
    pub(super) kind: Option<&'a RawValue>,
    pub(super) function: Option<Function<'a>>,
    pub(super) custom: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Slot<'a>,
    pub(super) arguments: Option<&'a RawValue>,
}

impl<'a> Said<'a> {
    /// The size of the text, whatever fields carry it.
    pub(super) fn size(&self) -> TextSize {
        let mut size = TextSize::default();
        for raw in [
            self.content,
            self.reasoning_content.or(self.reasoning),
            self.refusal,
            self.tool_calls,
            self.function_call,
        ]
        .into_iter()
        .flatten()
        {
            size.add(text_size(raw));
        }
        size
    }

    /// Whether it says whose it is.
    pub(super) fn has_role(&self) -> bool {
        Slot(self.role).filled().is_some()
    }

    /// Whether reasoning is in the field that few clients know.
    pub(super) fn other_reasoning(&self) -> Option<&'a RawValue> {
        let there = |raw: &&RawValue| raw.get().starts_with('"');
        self.reasoning.filter(there).filter(|_| Slot(self.reasoning_content).filled().is_none())
    }

    /// The tool calls; none if they are of another shape.
    pub(super) fn calls(&self) -> Vec<Piece<'a>> {
        self.tool_calls.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }
}

/// The size of a text in JSON, without building it.
fn text_size(raw: &RawValue) -> TextSize {
    match serde_json::from_str::<Cow<'_, str>>(raw.get()) {
        Ok(text) => TextSize::of(&text),
        Err(_) if raw.get() == "null" => TextSize::default(),
        Err(_) => TextSize::of(raw.get()),
    }
}

/// Arguments that are not written as text, as text.
pub(super) fn as_text(arguments: &RawValue) -> Option<Json> {
    (!arguments.get().starts_with('"')).then(|| Json::of(arguments.get()))
}
