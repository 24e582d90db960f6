//! Messages, written: their parts and the calls in them.

use super::{Map, Object, Wire};
use gateway_ports::provider::request::{
    CallMade, ChatMessage, Content, ImagePart, Media, Part, PartKind, Role,
};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

impl Serialize for Wire<'_, ChatMessage> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let m = self.0;
        let map = Map::new(s)?.put("role", role(m.role))?;
        let map = match &m.content {
            Content::None => map,
            Content::Text(text) => map.put("content", text)?,
            Content::Parts(parts) => {
                map.put("content", &parts.iter().map(Wire).collect::<Vec<_>>())?
            }
        };
        map.maybe("name", m.name.as_ref())?
            .maybe("tool_call_id", m.tool_call_id.as_ref())?
            .list("tool_calls", &m.tool_calls)?
            .maybe("function_call", m.function_call.as_ref().map(Function).as_ref())?
            .maybe("refusal", m.refusal.as_ref())?
            .maybe("audio", m.audio.as_ref())?
            .maybe("reasoning_content", m.reasoning.as_ref())?
            .maybe("thinking_blocks", Some(&m.thinking_blocks).filter(|all| !all.is_empty()))?
            .marks(&m.cache)?
            .end(&m.other)
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Function => "function",
    }
}

impl Serialize for Wire<'_, Part> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let map = Map::new(s)?;
        let map = match &self.0.kind {
            PartKind::Text(text) => map.put("type", "text")?.put("text", text)?,
            PartKind::Refusal(text) => map.put("type", "refusal")?.put("refusal", text)?,
            PartKind::Image(image) => {
                map.put("type", "image_url")?.put("image_url", &Wire(image))?
            }
            PartKind::Audio(audio) => map.put("type", "input_audio")?.put(
                "input_audio",
                &Object(
                    &[("data", Some(&audio.data)), ("format", Some(&audio.format))],
                    &audio.other,
                ),
            )?,
            PartKind::File(file) => {
                let data = file.data.as_ref().map(|data| address(data).into_owned());
                let fields = [
                    ("file_data", data.as_ref()),
                    ("file_id", file.id.as_ref()),
                    ("filename", file.name.as_ref()),
                ];
                map.put("type", "file")?.put("file", &Object(&fields, &file.other))?
            }
            PartKind::Other(kind) => map.put("type", kind)?,
        };
        map.marks(&self.0.cache)?.end(&self.0.other)
    }
}

impl Serialize for Wire<'_, ImagePart> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Map::new(s)?
            .put("url", address(&self.0.source).as_ref())?
            .maybe("detail", self.0.detail.as_ref())?
            .end(&self.0.other)
    }
}

/// An address, a data URL, or bare base64 if the media type is not known.
fn address(media: &Media) -> Cow<'_, str> {
    match media {
        Media::Url(url) => Cow::Borrowed(url),
        Media::Data { media_type: Some(kind), base64 } => {
            Cow::Owned(format!("data:{kind};base64,{base64}"))
        }
        Media::Data { media_type: None, base64 } => Cow::Borrowed(base64),
    }
}

impl Serialize for Wire<'_, CallMade> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let call = self.0;
        let kind = if call.custom { "custom" } else { "function" };
        Map::new(s)?
            .maybe("id", Some(&call.id).filter(|id| !id.is_empty()))?
            .put("type", kind)?
            .put(kind, &Function(call))?
            .maybe("extra_content", call.extra_content.as_ref())?
            .marks(&call.cache)?
            .end(&call.other)
    }
}

/// The name and the input of a call.
struct Function<'a>(&'a CallMade);

impl Serialize for Function<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let input = if self.0.custom { "input" } else { "arguments" };
        Map::new(s)?
            .put("name", &self.0.name)?
            .put(input, &self.0.arguments)?
            .end(&self.0.function_other)
    }
}
