//! Data URLs: the bytes of images and documents inside of a request.
//!
//! Clients write them in many ways; codecs need a media type and clean base64. What is clean
//! already is only looked at. What is deliberately not known here: which media a provider takes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gateway_ports::provider::request::Media;
use std::borrow::Cow;

/// An address, or the bytes in a data URL; `None` for a data URL that cannot be read.
pub(crate) fn media(url: &str) -> Option<Media> {
    const SCHEME: &str = "data:";
    match url.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => data(rest),
        _ => Some(Media::Url(url.to_owned())),
    }
}

/// The bytes in a data URL, or in base64 without one.
pub(crate) fn document(text: &str) -> Option<Media> {
    match media(text)? {
        Media::Url(bare) => {
            Some(Media::Data { media_type: None, base64: clean(&bare)?.into_owned() })
        }
        data @ Media::Data { .. } => Some(data),
    }
}

/// What stands behind the scheme: `image/png;charset=x;base64,AAAA`.
fn data(rest: &str) -> Option<Media> {
    let (head, payload) = rest.split_once(',')?;
    let mut parameters = head.split(';').map(str::trim);
    let media_type = parameters.next().filter(|name| !name.is_empty());
    let media_type = media_type.map(str::to_ascii_lowercase);
    let payload = if payload.contains('%') {
        Cow::Owned(percent_decoded(payload))
    } else {
        Cow::Borrowed(payload.as_bytes())
    };
    let base64 = if parameters.any(|name| name.eq_ignore_ascii_case("base64")) {
        clean(std::str::from_utf8(&payload).ok()?)?.into_owned()
    } else {
        STANDARD.encode(payload)
    };
    Some(Media::Data { media_type, base64 })
}

/// Base64 in the standard alphabet, padded and without white space; `None` if it is none.
fn clean(text: &str) -> Option<Cow<'_, str>> {
    let standard = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let body = text.trim_end_matches('=');
    if text.len().is_multiple_of(4) && text.len() - body.len() <= 2 && body.bytes().all(standard) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 3);
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        out.push(match c {
            '-' => '+',
            '_' => '/',
            '=' => c,
            _ if u8::try_from(c).is_ok_and(standard) => c,
            _ => return None,
        });
    }
    out.truncate(out.trim_end_matches('=').len());
    if out.contains('=') || out.len() % 4 == 1 {
        return None;
    }
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    Some(Cow::Owned(out))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
        let digits = (*first == b'%').then(|| hex(behind.first()).zip(hex(behind.get(1))));
        let decoded = digits.flatten().and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        out.push(decoded.unwrap_or(*first));
        rest = behind.get(if decoded.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_read_however_they_are_written() {
        for (url, media_type, base64) in [
            ("data:image/png;base64,AAAA", Some("image/png"), "AAAA"),
            ("DATA:image/PNG;charset=x;BASE64,AA\nAA", Some("image/png"), "AAAA"),
            ("data:image/jpg;base64,-_-_", Some("image/jpg"), "+/+/"),
            ("data:image/png;base64,QQ", Some("image/png"), "QQ=="),
            ("data:image/png;base64,QQ%3D%3D", Some("image/png"), "QQ=="),
            ("data:;base64,QUI=", None, "QUI="),
            ("data:text/plain,a%20b%", Some("text/plain"), "YSBiJQ=="),
            ("data:,x", None, "eA=="),
        ] {
            let expected = Media::Data {
                media_type: media_type.map(str::to_owned),
                base64: base64.to_owned(),
            };
            assert_eq!(media(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_data_is_not_taken_for_it() {
        for url in [
            "data:image/png;base64",
            "data:image/png;base64,A",
            "data:x;base64,A=A=",
            "data:x;base64,\u{e9}AAA",
        ] {
            assert_eq!(media(url), None, "{url}");
        }
        for url in ["https://h/data:,", "gs://b/o", "", "dat\u{e9}:x"] {
            assert_eq!(media(url), Some(Media::Url(url.to_owned())), "{url}");
        }
        assert_eq!(document("https://h/"), None);
        let bare = Media::Data { media_type: None, base64: "QUI=".to_owned() };
        assert_eq!(document("QUI="), Some(bare));
    }
}
