//! Parts of messages: text, and the bytes or addresses of images, sound and documents.

use super::{Model, Notes, Result};
use crate::media;
use gateway_ports::{
    Json, ProviderError,
    provider::request::{AudioPart, FilePart, ImagePart, Media, Part as Asked, PartKind},
};
use serde::Serialize;
use std::borrow::Cow;

/// Exactly one of the fields is there, and a signature beside it.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inline_data: Option<InlineData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineData<'a> {
    mime_type: Cow<'a, str>,
    data: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
    file_uri: &'a str,
}

#[derive(Serialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) args: Json,
}

#[derive(Serialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) response: Output<'a>,
}

/// Always under this name: an object that a tool gave could be taken for an error.
#[derive(Serialize)]
pub(super) struct Output<'a> {
    pub(super) output: Cow<'a, str>,
}

impl<'a> Part<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    fn inline(mime_type: impl Into<Cow<'a, str>>, data: impl Into<Cow<'a, str>>) -> Self {
        let inline_data = Some(InlineData { mime_type: mime_type.into(), data: data.into() });
        Self { inline_data, ..Self::default() }
    }
}

/// Where in a request a part stands: of which message, and which of its parts.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) usize, pub(super) usize);

impl At {
    pub(super) fn refused(self, code: &'static str, why: &str) -> ProviderError {
        let param = format!("messages.[{}].content.[{}]", self.0, self.1);
        let message = format!("{param} {why}");
        ProviderError::unsupported(param, code, message)
    }
}

/// Writes a part; nothing of an empty text, which Gemini does not take.
pub(super) fn write<'a>(
    part: &'a Asked,
    at: At,
    model: &Model<'_>,
    notes: &mut Notes,
) -> Result<Option<Part<'a>>> {
    if part.cache.control.is_some() {
        notes.lose("messages.content.cache_control");
    }
    if part.cache.breakpoint.is_some() {
        notes.lose("messages.content.prompt_cache_breakpoint");
    }
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            Ok(Some(text.as_str()).filter(|text| !text.is_empty()).map(Part::text))
        }
        PartKind::Image(image) => self::image(image, at, model, notes).map(Some),
        PartKind::Audio(audio) => self::audio(audio, at).map(Some),
        PartKind::File(file) => self::file(file, at, model).map(Some),
        PartKind::Other(_) => Err(at.refused(
            ProviderError::UNSUPPORTED_CONTENT,
            "is of a type that this model cannot take",
        )),
    }
}

fn image<'a>(
    image: &'a ImagePart,
    at: At,
    model: &Model<'_>,
    notes: &mut Notes,
) -> Result<Part<'a>> {
    if image.detail.as_deref().is_some_and(|detail| detail != "auto") {
        notes.lose("messages.content.image_url.detail");
    }
    match &image.source {
        Media::Url(url) => address(url, at, model),
        Media::Data { media_type: Some(kind), base64 } => {
            Ok(Part::inline(common(kind), base64.as_str()))
        }
        Media::Data { media_type: None, .. } => Err(at.refused(
            ProviderError::UNSUPPORTED_IMAGE_URL,
            "has a data URL that does not say what it is",
        )),
    }
}

/// What a media type is called by everyone else.
fn common(media_type: &str) -> &str {
    if media_type == "image/jpg" { "image/jpeg" } else { media_type }
}

/// What is at an address is fetched by Gemini, never by the gateway: whoever may name an address
/// would reach into the operator's network.
fn address<'a>(url: &'a str, at: At, model: &Model<'_>) -> Result<Part<'a>> {
    const FILES: &str = "https://generativelanguage.googleapis.com/";
    let own = url.starts_with("gs://") || (url.starts_with(FILES) && url.contains("/files/"));
    let public = model.rules.image_urls && url.starts_with("https://");
    if !own && !public {
        return Err(at.refused(
            ProviderError::UNSUPPORTED_IMAGE_URL,
            "has an address that this model cannot fetch: send the bytes in a data URL",
        ));
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let file_data = Some(FileData { mime_type: by_extension(path), file_uri: url });
    Ok(Part { file_data, ..Part::default() })
}

fn audio(audio: &AudioPart, at: At) -> Result<Part<'_>> {
    let media_type = match audio.format.as_str() {
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "aac" => "audio/aac",
        "aiff" => "audio/aiff",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        _ => {
            return Err(at.refused(
                ProviderError::UNSUPPORTED_CONTENT,
                "has audio of a format that this model cannot take",
            ));
        }
    };
    match media::document(&audio.data) {
        Some(Media::Data { base64, .. }) => Ok(Part::inline(media_type, base64)),
        _ => Err(at.refused(ProviderError::UNSUPPORTED_CONTENT, "has broken base64")),
    }
}

fn file<'a>(file: &'a FilePart, at: At, model: &Model<'_>) -> Result<Part<'a>> {
    let no = |why| Err(at.refused(ProviderError::UNSUPPORTED_CONTENT, why));
    match &file.data {
        Some(Media::Url(url)) => address(url, at, model),
        Some(Media::Data { media_type, base64 }) => {
            // Clients that do not know what a file is call it this.
            let said = media_type.as_deref().filter(|kind| *kind != "application/octet-stream");
            let by_name = file.name.as_deref().and_then(by_extension);
            match said.map(common).or(by_name) {
                Some(kind) => Ok(Part::inline(kind, base64.as_str())),
                None => no("has a file that does not say what it is"),
            }
        }
        None if file.id.is_some() => no("has a file of another provider: send its bytes"),
        None => no("has no file"),
    }
}

/// The media type of what has this name.
fn by_extension(name: &str) -> Option<&'static str> {
    let extension = name.rsplit('/').next()?.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" | "text" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "xml" => "text/xml",
        "json" => "application/json",
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "mp4" => "video/mp4",
        "mov" => "video/mov",
        "webm" => "video/webm",
        _ => return None,
    })
}
