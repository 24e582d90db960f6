//! `OpenAI`, and every server that speaks its dialect.
//!
//! The gateway's own API is this dialect, so a call passes through: the model's name and the
//! credentials are replaced, usage is asked for in a stream, and nothing else is touched that is as
//! it should be. Servers that speak the dialect in a way of their own are put right: missing ids,
//! indexes and roles are added, tool calls numbered, usage put where clients look for it; with the
//! type `custom` reasoning and reasons to stop get their usual names too.
//!
//! A channel's `config` may say more about its server:
//!
//! | key | values | default |
//! |---|---|---|
//! | `drop` | a list of fields of requests that it must not be sent; the caller is told | none |
//! | `rename_max_tokens` | `to_completion`: the limit is called `max_completion_tokens`, whatever the caller wrote; `to_legacy`: it is called `max_tokens` | as the caller wrote it |
//! | `developer_as_system` | `true`: it knows the role `system` only | `false` |
//! | `strip_extensions` | `true`: what other providers' answers left in the history is taken out of messages and tools (`reasoning_content`, `reasoning`, `reasoning_details`, `thinking_blocks`, `extra_content`, `cache_control`); the caller is told | `true` for `OpenAI` and Azure, `false` for custom servers |
//! | `shorten_tool_call_ids` | `true`: ids of more than 40 characters are shortened, for a call and its answer alike | the same |
//!
//! What is on the list of `drop` is not added either: without `stream_options` a server is not asked
//! for usage in streams, which is estimated then; without its limit an answer may cost more than
//! was held for it.

mod answer;
mod calls;
mod change;
mod edit;
mod embeddings;
mod finish;
mod mint;
mod options;
mod outgoing;
pub mod request;
mod said;
mod stream;
mod usage;
pub mod write;

use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, Operation, ProviderKind};
use gateway_ports::{Answer, Encoded, Provider, ProviderError, StreamDecoder, Target};
use http::{
    HeaderName, HeaderValue, Method, Request,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE},
};
use options::{Limit, Options};
use secrecy::ExposeSecret;

/// `OpenAI`'s dialect, for `OpenAI` itself or for a server of the operator's choice.
#[derive(Debug)]
pub struct OpenAi {
    kind: ProviderKind,
    name: &'static str,
    base_url: Option<&'static str>,
    /// What its field for a limit of completion tokens is called.
    limit: Limit,
    /// The models are `OpenAI`'s own: they refuse what is not in the dialect, and speak it well.
    official: bool,
}

impl OpenAi {
    /// `OpenAI` itself.
    pub fn official() -> Self {
        Self {
            kind: ProviderKind::OPENAI,
            name: "OpenAI",
            base_url: Some("https://api.openai.com/v1"),
            // The reasoning models refuse the older name.
            limit: Limit::Completion,
            official: true,
        }
    }

    /// Any server that speaks `OpenAI`'s dialect.
    pub fn custom() -> Self {
        Self {
            kind: ProviderKind::CUSTOM,
            name: "Custom (OpenAI-compatible)",
            base_url: None,
            // Few other servers know the newer name.
            limit: Limit::Legacy,
            official: false,
        }
    }

    /// `OpenAI`'s models at Azure, which has addresses and credentials of its own.
    pub(crate) fn azure() -> Self {
        Self { kind: ProviderKind::AZURE, name: "Azure OpenAI", base_url: None, ..Self::official() }
    }

    /// The call as a request to this address, with the credentials in this header.
    pub(crate) fn request(
        &self,
        call: &ModelCall,
        target: &Target<'_>,
        uri: String,
        (header, credentials): (HeaderName, &str),
    ) -> Result<Encoded, ProviderError> {
        let misconfigured = |what: &str| ProviderError::Misconfigured(what.to_owned());
        let mut credentials = HeaderValue::try_from(credentials)
            .map_err(|_| misconfigured("its key has characters that no header may have"))?;
        credentials.set_sensitive(true);
        let options = Options::read(target.config, self.official)?;
        let (body, dropped) = outgoing::body(call, target, self.limit, &options);
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header, credentials)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .body(body)
            .map_err(|_| misconfigured("its base_url is no URL"))?;
        Ok(Encoded { request, more: Vec::new(), dropped })
    }
}

/// Where an operation is, behind the base URL.
pub(crate) fn path(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat => "/chat/completions",
        Operation::Embeddings => "/embeddings",
    }
}

impl Provider for OpenAi {
    fn kind(&self) -> ProviderKind {
        self.kind.clone()
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn default_base_url(&self) -> Option<&'static str> {
        self.base_url
    }

    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError> {
        let uri = format!("{}{}", target.base_url, path(call.operation));
        let credentials = format!("Bearer {}", target.key.expose_secret());
        self.request(call, target, uri, (AUTHORIZATION, &credentials))
    }

    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        answer::decode(call, target, !self.official, body)
    }

    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new(call, target, !self.official))
    }
}

#[cfg(test)]
mod tests;
