//! Anthropic's Messages API, and every server that speaks it.
//!
//! A call is read into the neutral model and written as a request for a message; the message, or
//! the events that it comes in, is read back. What is deliberately not known here: what a client
//! sees, and which of the caller's fields are worth money.
//!
//! # Base URL
//! The path is `/messages`, under a version. A base URL whose last segment is a version
//! (`https://api.anthropic.com/v1`) is taken as it is; one without (`https://api.anthropic.com`,
//! `https://host.example.com/anthropic`, as Anthropic's own clients are given it) gets `/v1`. That
//! is read from the text of the URL; nothing is probed.
//!
//! # Options of a channel
//! | Key | Value | Meaning |
//! |---|---|---|
//! | `anthropic_version` | date | the version of the API; `2023-06-01` if it is not set. From `2026-10-21` on, no sampling parameter is sent |
//! | `beta` | text, or array of texts | what `anthropic-beta` says, besides what a request itself needs |
//! | `strict` | bool | a field that would be left out or changed, and arguments of a call that are no JSON object, are refused instead |
//! | `default_max_tokens` | number | the most completion tokens where the caller sets no limit; 8192 if it is not set, or what is paid for |
//! | `auto_cache` | bool | the end of every prompt is marked for the cache |
//! | `cache_ttl` | `5m`, `1h` | how long the marks live that are not the caller's own `cache_control` |
//! | `send_user` | bool | false: who asks is not passed on |
//! | `models` | object | what is known of models, by the beginning of their names: `{"claude-next": {"thinking": "adaptive", "sampling": false, "structured_outputs": true, "max_tokens": 64000}}` |
//!
//! Ways of thinking are `none`, `budget`, `budget_or_adaptive`, `adaptive`, `between_tools` and
//! `always`; the built-in table is in the module `models`.
//!
//! # What is not done
//! A whole answer is asked for as one, however long it may become: it is not read as a stream and
//! put together. What models can do is a table, not asked of the API.

mod answer;
mod fault;
mod models;
mod options;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use crate::openai;
use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, Operation, ProviderKind};
use gateway_ports::{
    Answer, Encoded, Provider, ProviderError, StreamDecoder, Target, provider::ErrorReply,
};
use http::{
    HeaderName, HeaderValue, Method, Request,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE},
};
use options::Options;
use request::Written;
use secrecy::ExposeSecret;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Anthropic's Messages API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anthropic;

impl Provider for Anthropic {
    fn kind(&self) -> ProviderKind {
        ProviderKind::ANTHROPIC
    }

    fn name(&self) -> &'static str {
        "Anthropic"
    }

    fn default_base_url(&self) -> Option<&'static str> {
        Some("https://api.anthropic.com/v1")
    }

    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError> {
        if call.operation == Operation::Embeddings {
            return Err(ProviderError::unsupported(
                "model",
                "model_not_found",
                "Anthropic has no models for embeddings",
            ));
        }
        let options = Options::read(target.config)?;
        let asked = openai::request::read(call)?;
        let Written { body, betas, dropped } = request::write(&asked, target, &options)?;
        let mut builder = Request::builder().method(Method::POST).uri(url(target.base_url));
        if let Some(headers) = builder.headers_mut() {
            let (name, credentials) = credentials(target)?;
            headers.insert(name, credentials);
            headers.insert(VERSION, header(options.version, "anthropic_version")?);
            if !betas.is_empty() {
                headers.insert(BETA, header(&betas.join(","), "beta")?);
            }
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let accept = if call.stream { "text/event-stream" } else { "application/json" };
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let request = builder.body(body).map_err(|_| misconfigured("its base_url is no URL"))?;
        Ok(Encoded { request, more: Vec::new(), dropped })
    }

    fn decode(&self, _: &ModelCall, _: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        answer::decode(&body)
    }

    fn decoder(&self, _: &ModelCall, _: &Target<'_>) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn fault(&self, reply: &ErrorReply<'_>) -> Fault {
        fault::of_reply(reply)
    }
}

fn misconfigured(what: impl Into<String>) -> ProviderError {
    ProviderError::Misconfigured(what.into())
}

fn url(base: &str) -> String {
    let base = base.trim_end_matches('/');
    let last = base.rsplit('/').next().unwrap_or_default();
    let number = last.strip_prefix('v').unwrap_or_default();
    let is_version = number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_version { format!("{base}/messages") } else { format!("{base}/v1/messages") }
}

/// The key, in the header that is meant for keys of its sort: those of logins are bearer tokens.
fn credentials(target: &Target<'_>) -> Result<(HeaderName, HeaderValue), ProviderError> {
    let key = target.key.expose_secret();
    let (name, value) = if key.starts_with("sk-ant-oat") {
        (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")))
    } else {
        (API_KEY, HeaderValue::try_from(key))
    };
    let mut value =
        value.map_err(|_| misconfigured("its key has characters that no header may have"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn header(text: &str, option: &str) -> Result<HeaderValue, ProviderError> {
    HeaderValue::try_from(text)
        .map_err(|_| misconfigured(format!("its {option} has characters that no header may have")))
}
