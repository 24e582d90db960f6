//! `OpenAI`, and every server that speaks its dialect.
//!
//! The gateway's own API is this dialect, so a call passes through: the model's name and the
//! credentials are replaced, usage is asked for in a stream, and nothing else is touched.

mod answer;
mod edit;
mod embeddings;
mod stream;

use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, Operation, ProviderKind};
use gateway_ports::{Answer, Provider, ProviderError, StreamDecoder, Target};
use http::{
    HeaderValue, Method, Request,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::ExposeSecret;

/// `OpenAI`'s dialect, for `OpenAI` itself or for a server of the operator's choice.
#[derive(Debug)]
pub struct OpenAi {
    kind: ProviderKind,
    name: &'static str,
    base_url: Option<&'static str>,
}

impl OpenAi {
    /// `OpenAI` itself.
    pub fn official() -> Self {
        Self {
            kind: ProviderKind::OPENAI,
            name: "OpenAI",
            base_url: Some("https://api.openai.com/v1"),
        }
    }

    /// Any server that speaks `OpenAI`'s dialect.
    pub fn custom() -> Self {
        Self { kind: ProviderKind::CUSTOM, name: "Custom (OpenAI-compatible)", base_url: None }
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

    fn encode(
        &self,
        call: &ModelCall,
        target: &Target<'_>,
    ) -> Result<Request<Bytes>, ProviderError> {
        let path = match call.operation {
            Operation::Chat => "/chat/completions",
            Operation::Embeddings => "/embeddings",
        };
        let misconfigured = |what: &str| ProviderError::Misconfigured(what.to_owned());
        let mut credentials =
            HeaderValue::try_from(format!("Bearer {}", target.key.expose_secret()))
                .map_err(|_| misconfigured("its key has characters that no header may have"))?;
        credentials.set_sensitive(true);
        Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", target.base_url))
            .header(AUTHORIZATION, credentials)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .body(edit::body(call, target.model))
            .map_err(|_| misconfigured("its base_url is no URL"))
    }

    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        answer::decode(call, target.model, body)
    }

    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder> {
        let public_name = edit::public_name(call, target.model);
        Box::new(stream::Decoder::new(call.include_usage, public_name))
    }
}

#[cfg(test)]
mod tests;
