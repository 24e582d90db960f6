//! Parts of messages, written as blocks.

use super::{
    Context, marks,
    wire::{Block, Kind, Source},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gateway_ports::{
    ProviderError,
    provider::request::{Content, FilePart, ImagePart, Media, Part, PartKind},
};

type Result<T> = std::result::Result<T, ProviderError>;

/// The images that the API takes.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const PDF: &str = "application/pdf";
/// How a PDF begins, in base64.
const PDF_BEGINS: &str = "JVBERi";
/// Media types of text that do not say so by themselves, and the ends of the names of text files.
const TEXTS: [&str; 6] = [
    "application/json",
    "application/jsonl",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
];
const TEXT_ENDS: [&str; 14] = [
    "txt", "text", "md", "markdown", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml",
    "html", "log",
];
/// The beta that files are under that were uploaded before.
const FILES: &str = "files-api-2025-04-14";

/// What a message may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Text only.
    Text,
    /// Text, images and documents.
    All,
}

/// Writes what the message at this place says. Blank text is refused by the API, so it is left out.
pub(super) fn blocks<'a>(
    content: &'a Content,
    at: usize,
    allowed: Allowed,
    context: &mut Context<'_>,
) -> Result<Vec<Block<'a>>> {
    match content {
        Content::None => Ok(Vec::new()),
        Content::Text(text) => Ok(said(text).into_iter().collect()),
        Content::Parts(parts) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (index, part) in parts.iter().enumerate() {
                blocks.extend(block(part, (at, index), allowed, context)?);
            }
            Ok(blocks)
        }
    }
}

/// A text; none if it is blank.
pub(super) fn said(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then(|| Block::text(text))
}

fn block<'a>(
    part: &'a Part,
    (message, index): (usize, usize),
    allowed: Allowed,
    context: &mut Context<'_>,
) -> Result<Option<Block<'a>>> {
    let refused = |code, what: &str| {
        let param = format!("messages.[{message}].content.[{index}]");
        let text = format!("{param} {what}");
        ProviderError::unsupported(param, code, text)
    };
    let unsupported = |what: &str| refused(ProviderError::UNSUPPORTED_CONTENT, what);
    let kind = match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) if text.trim().is_empty() => {
            return Ok(None);
        }
        PartKind::Text(text) | PartKind::Refusal(text) => Kind::Text { text: text.into() },
        _ if allowed == Allowed::Text => {
            return Err(unsupported("must be text: Anthropic takes nothing else here"));
        }
        PartKind::Image(image) => {
            if image.detail.as_ref().is_some_and(|detail| detail != "auto") {
                context.dropped_part("messages.[].content.[].image_url.detail");
            }
            self::image(image)
                .map_err(|what| refused(ProviderError::UNSUPPORTED_IMAGE_URL, what))?
        }
        PartKind::File(file) => {
            if file.data.is_none() && file.id.is_some() {
                context.needs_beta(FILES);
            }
            self::file(file).map_err(unsupported)?
        }
        PartKind::Audio(_) => return Err(unsupported("is sound, which Anthropic does not take")),
        PartKind::Other(_) => return Err(unsupported("is of a type that Anthropic does not have")),
    };
    context.dropped_fields("messages.[].content.[]", &part.other);
    Ok(Some(Block::new(kind, marks::of(&part.cache, context))))
}

fn image(image: &ImagePart) -> std::result::Result<Kind<'_>, &'static str> {
    match &image.source {
        Media::Url(url) => address(url)
            .map(|source| {
                if ends_in_pdf(url) {
                    Kind::Document { source, title: None }
                } else {
                    Kind::Image { source }
                }
            })
            .ok_or("must be a data URL, or an address that starts with https://"),
        Media::Data { media_type, base64 } => match media_type.as_deref() {
            Some(PDF) => Ok(Kind::Document { source: here(PDF, base64), title: None }),
            Some("image/jpg" | "image/pjpeg") => {
                Ok(Kind::Image { source: here("image/jpeg", base64) })
            }
            Some(kind) if IMAGES.contains(&kind) => Ok(Kind::Image { source: here(kind, base64) }),
            _ => Err("must be a JPEG, PNG, GIF or WebP image"),
        },
    }
}

fn file(file: &FilePart) -> std::result::Result<Kind<'_>, &'static str> {
    let title = file.name.as_deref().filter(|name| !name.trim().is_empty());
    let source = match (&file.data, &file.id) {
        (Some(Media::Url(url)), _) => address(url).ok_or("is at an address of another scheme")?,
        (Some(Media::Data { media_type, base64 }), _) => {
            match sort(media_type.as_deref(), title.unwrap_or_default(), base64) {
                Some(Sort::Pdf) => here(PDF, base64),
                Some(Sort::Text) => Source::Text { media_type: "text/plain", data: text(base64)? },
                None => return Err("must be a PDF or text"),
            }
        }
        // Those of other providers begin otherwise.
        (None, Some(id)) if id.starts_with("file_") => Source::File { file_id: id },
        (None, Some(_)) => return Err("is a file that another provider has"),
        (None, None) => return Err("has no file_data"),
    };
    Ok(Kind::Document { source, title })
}

enum Sort {
    Pdf,
    Text,
}

/// What a document is: by its media type, or by its name, or by how it begins.
fn sort(media_type: Option<&str>, name: &str, base64: &str) -> Option<Sort> {
    match media_type.filter(|kind| *kind != "application/octet-stream") {
        Some(PDF) => return Some(Sort::Pdf),
        Some(kind) if kind.starts_with("text/") || TEXTS.contains(&kind) => {
            return Some(Sort::Text);
        }
        Some(_) => return None,
        None => {}
    }
    let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    match end.as_str() {
        "pdf" => Some(Sort::Pdf),
        end if TEXT_ENDS.contains(&end) => Some(Sort::Text),
        _ if base64.starts_with(PDF_BEGINS) => Some(Sort::Pdf),
        _ => None,
    }
}

fn text(base64: &str) -> std::result::Result<String, &'static str> {
    let bytes = STANDARD.decode(base64).map_err(|_| "has broken base64")?;
    String::from_utf8(bytes).map_err(|_| "is text that is not in UTF-8")
}

fn here<'a>(media_type: &'a str, data: &'a str) -> Source<'a> {
    Source::Base64 { media_type, data }
}

/// An address that the API fetches from: it is on the Internet, and so is what is at it. What is
/// at any other is not asked for, least of all by the gateway.
fn address(url: &str) -> Option<Source<'_>> {
    let (scheme, _) = url.split_once("://")?;
    scheme.eq_ignore_ascii_case("https").then_some(Source::Url { url })
}

fn ends_in_pdf(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("pdf"))
}
