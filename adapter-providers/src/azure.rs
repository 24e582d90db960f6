//! Azure `OpenAI`: `OpenAI`'s dialect at addresses of Azure's own, with the key in `api-key`.
//!
//! A channel's `base_url` is the resource (`https://name.openai.azure.com`), with or without
//! `/openai` or `/openai/v1` behind it. Its `config` says which of the two ways in is taken:
//!
//! | key | values | default |
//! |---|---|---|
//! | `style` | `deployment`: the deployment is in the path, and an API version is named; `v1`: as at `OpenAI`, the deployment is the body's `model` | `v1` if the base URL ends in `/openai/v1`, else `deployment` |
//! | `api_version` | an API version, as `2024-10-21` or `preview` | `2024-10-21` for `deployment`, none for `v1` |
//!
//! The deployment is the channel's name for the model: its `model_mapping`, or what the caller
//! asked for. Everything else, the options of `OpenAI`'s channels too, is the work of
//! [`OpenAi`]. What is deliberately not known here: tokens of Entra, which expire.

use crate::openai::{self, OpenAi};
use bytes::Bytes;
use gateway_domain::{Fault, FaultKind, ModelCall, ModelName, ProviderKind};
use gateway_ports::{
    Answer, Encoded, Provider, ProviderError, StreamDecoder, Target, provider::ErrorReply,
};
use http::HeaderName;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use std::fmt::Write;

const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// The last version with a date that is no preview. It knows JSON schemas and usage in streams.
const API_VERSION: &str = "2024-10-21";

/// Azure `OpenAI`.
#[derive(Debug)]
pub struct Azure(OpenAi);

impl Azure {
    /// The provider.
    pub fn new() -> Self {
        Self(OpenAi::azure())
    }
}

impl Default for Azure {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Azure {
    fn kind(&self) -> ProviderKind {
        self.0.kind()
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn default_base_url(&self) -> Option<&'static str> {
        self.0.default_base_url()
    }

    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError> {
        let uri = uri(target, openai::path(call.operation))?;
        self.0.request(call, target, uri, (API_KEY, target.key.expose_secret()))
    }

    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        self.0.decode(call, target, body)
    }

    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder> {
        self.0.decoder(call, target)
    }

    fn fault(&self, reply: &ErrorReply<'_>) -> Fault {
        let fault = self.0.fault(reply);
        match fault.kind {
            // A deployment has the name that the operator gave it, whatever the caller calls it.
            FaultKind::NotFound => Fault { kind: FaultKind::Misnamed, ..fault },
            _ => fault,
        }
    }
}

fn uri(target: &Target<'_>, path: &str) -> Result<String, ProviderError> {
    let base = target.base_url.trim_end_matches('/');
    let (resource, v1) = match base.strip_suffix("/openai/v1") {
        Some(resource) => (resource, true),
        None => (base.strip_suffix("/openai").unwrap_or(base), false),
    };
    let v1 = match option(target.config, "style")? {
        None => v1,
        Some("v1") => true,
        Some("deployment") => false,
        Some(_) => return Err(misconfigured("style", "deployment or v1")),
    };
    let version = option(target.config, "api_version")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if version.is_some_and(|version| version.is_empty() || !version.chars().all(plain)) {
        return Err(misconfigured("api_version", "an API version of Azure"));
    }
    if v1 {
        let query = version.map(|version| format!("?api-version={version}")).unwrap_or_default();
        return Ok(format!("{resource}/openai/v1{path}{query}"));
    }
    let deployment = segment(target.model)?;
    let version = version.unwrap_or(API_VERSION);
    Ok(format!("{resource}/openai/deployments/{deployment}{path}?api-version={version}"))
}

/// An option that is a text; null is not there.
fn option<'a>(
    config: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, ProviderError> {
    match config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(misconfigured(name, "a text")),
    }
}

fn misconfigured(option: &str, expected: &str) -> ProviderError {
    ProviderError::Misconfigured(format!("its config.{option} must be {expected}"))
}

/// A deployment as one segment of a path, whatever is in its name.
fn segment(model: &ModelName) -> Result<String, ProviderError> {
    let name = model.as_str();
    // Encoded or not, these two never are segments.
    if name == "." || name == ".." {
        let message = "model is no name of a deployment";
        return Err(ProviderError::unsupported("model", ProviderError::INVALID_VALUE, message));
    }
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Ok(out)
}
