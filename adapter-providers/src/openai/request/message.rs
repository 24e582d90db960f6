//! Messages, read: their parts and the calls in them.

use super::object::{Object, Path, each};
use crate::media;
use gateway_ports::{
    ProviderError,
    provider::request::{
        AudioPart, CallMade, ChatMessage, Content, FilePart, ImagePart, Part, PartKind, Role,
    },
};
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, ProviderError>;

pub(super) fn read(raw: &RawValue, path: Path<'_>) -> Result<ChatMessage> {
    let mut fields = Object::new(raw, path)?;
    let role = role(&fields.required("role")?).ok_or_else(|| {
        Path::Field(&path, "role").error(ProviderError::INVALID_VALUE, "is unknown")
    })?;
    let calls = fields.raw("tool_calls");
    let call = fields.raw("function_call");
    let blocks = fields.raw("thinking_blocks");
    let block = |raw: &RawValue, path: Path<'_>| {
        Object::new(raw, path)?;
        Ok(raw.into())
    };
    Ok(ChatMessage {
        role,
        content: content(fields.raw("content"), Path::Field(&path, "content"))?,
        name: fields.text("name")?,
        tool_call_id: fields.text("tool_call_id")?,
        tool_calls: each(calls, Path::Field(&path, "tool_calls"), tool_call)?,
        function_call: call
            .map(|raw| function_call(raw, Path::Field(&path, "function_call")))
            .transpose()?,
        refusal: fields.text("refusal")?,
        audio: fields.json("audio"),
        reasoning: fields.text("reasoning_content")?,
        thinking_blocks: each(blocks, Path::Field(&path, "thinking_blocks"), block)?,
        cache: fields.cache_marks(),
        other: fields.rest(),
    })
}

fn role(name: &str) -> Option<Role> {
    Some(match name {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => Role::Function,
        _ => return None,
    })
}

fn content(raw: Option<&RawValue>, path: Path<'_>) -> Result<Content> {
    match raw {
        None => Ok(Content::None),
        Some(text) if text.get().starts_with('"') => {
            path.read(text, "a string or an array of parts").map(Content::Text)
        }
        Some(parts) => each(Some(parts), path, part).map(Content::Parts),
    }
}

fn part(raw: &RawValue, path: Path<'_>) -> Result<Part> {
    let mut fields = Object::new(raw, path)?;
    let kind = fields.required("type")?;
    let kind = match kind.as_str() {
        "text" => PartKind::Text(fields.required("text")?),
        "refusal" => PartKind::Refusal(fields.required("refusal")?),
        "image_url" => PartKind::Image(image(fields.raw("image_url"), path)?),
        "input_audio" => {
            let mut inside =
                Object::inside(fields.raw("input_audio"), Path::Field(&path, "input_audio"))?;
            PartKind::Audio(AudioPart {
                data: inside.required("data")?,
                format: inside.required("format")?,
                other: inside.rest(),
            })
        }
        "file" => PartKind::File(file(fields.raw("file"), path)?),
        _ => PartKind::Other(kind),
    };
    Ok(Part { kind, cache: fields.cache_marks(), other: fields.rest() })
}

/// An image. Some clients write its address where the object should be.
fn image(raw: Option<&RawValue>, part: Path<'_>) -> Result<ImagePart> {
    let path = Path::Field(&part, "image_url");
    let (url, mut fields) = match raw {
        Some(text) if text.get().starts_with('"') => {
            (path.read(text, "an object")?, Object::empty(path))
        }
        raw => {
            let mut fields = Object::inside(raw, path)?;
            (fields.required("url")?, fields)
        }
    };
    let source = media::media(&url)
        .ok_or_else(|| part.error(ProviderError::UNSUPPORTED_IMAGE_URL, "has a broken data URL"))?;
    Ok(ImagePart { source, detail: fields.text("detail")?, other: fields.rest() })
}

fn file(raw: Option<&RawValue>, part: Path<'_>) -> Result<FilePart> {
    let mut fields = Object::inside(raw, Path::Field(&part, "file"))?;
    let data = fields.text("file_data")?.map(|text| {
        media::document(&text)
            .ok_or_else(|| part.error(ProviderError::UNSUPPORTED_CONTENT, "has broken base64"))
    });
    Ok(FilePart {
        data: data.transpose()?,
        id: fields.text("file_id")?,
        name: fields.text("filename")?,
        other: fields.rest(),
    })
}

fn tool_call(raw: &RawValue, path: Path<'_>) -> Result<CallMade> {
    let mut fields = Object::new(raw, path)?;
    let kind = fields.text("type")?;
    let (name, input) = match kind.as_deref() {
        None | Some("function") => ("function", "arguments"),
        Some("custom") => ("custom", "input"),
        Some(_) => {
            return Err(Path::Field(&path, "type")
                .error(ProviderError::UNSUPPORTED_VALUE, "must be function or custom"));
        }
    };
    let mut inside = Object::inside(fields.raw(name), Path::Field(&path, name))?;
    Ok(CallMade {
        id: fields.text("id")?.unwrap_or_default(),
        name: inside.required("name")?,
        arguments: arguments(inside.raw(input)),
        custom: name == "custom",
        extra_content: fields.json("extra_content"),
        cache: fields.cache_marks(),
        other: fields.rest(),
        function_other: inside.rest(),
    })
}

fn function_call(raw: &RawValue, path: Path<'_>) -> Result<CallMade> {
    let mut fields = Object::new(raw, path)?;
    Ok(CallMade {
        name: fields.required("name")?,
        arguments: arguments(fields.raw("arguments")),
        function_other: fields.rest(),
        ..CallMade::default()
    })
}

/// The arguments as text; some clients write the object itself where its text should be.
fn arguments(raw: Option<&RawValue>) -> String {
    raw.map(|raw| serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned()))
        .unwrap_or_default()
}
