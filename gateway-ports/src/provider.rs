//! What a provider is: a codec. Bytes and values in, values and bytes out; no client, no runtime,
//! no I/O of any kind, so the same provider runs everywhere and is tested with golden files.

mod answer;
mod embeddings;
mod event;
mod fault;
mod json;
pub mod request;

pub use answer::{Answer, AnswerBody, ChatAnswer, FinishReason, Message, ToolCall};
pub use embeddings::{Embeddings, EmbeddingsInput, EmbeddingsRequest};
pub use event::{Delta, StreamEvent};
pub use fault::{ErrorReply, fault_of_event, fault_of_reply, scrub};
pub use json::{Fields, Json};
pub use request::ChatRequest;

use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, ModelName, ProviderKind, Timestamp};
use secrecy::SecretString;
use std::fmt::Debug;

/// Where a call goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The channel's base URL, vetted, without a slash at the end.
    pub base_url: &'a str,
    /// The provider's key.
    pub key: &'a SecretString,
    /// The model, as the upstream calls it.
    pub model: &'a ModelName,
    /// The completion tokens that each answer may have, where the caller set no limit: so many are
    /// paid for, so the upstream has to be told.
    pub max_completion: Option<u64>,
    /// The channel's options.
    pub config: &'a serde_json::Map<String, serde_json::Value>,
    /// When the call is made: for an answer that does not say when it was.
    pub now: Timestamp,
}

/// A call that this provider cannot make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The caller asks for something that this provider does not have.
    #[error("{message}")]
    Unsupported {
        /// The caller's field, as `messages.[3].content.[0]`.
        param: Option<String>,
        /// What is missing, for programs: one of the constants of this type, or the provider's own.
        code: &'static str,
        /// What is missing, for people.
        message: String,
    },
    /// The channel is set up in a way that no request can be built from.
    #[error("the channel is misconfigured: {0}")]
    Misconfigured(String),
}

impl ProviderError {
    /// A field has a value that this provider cannot serve.
    pub const UNSUPPORTED_VALUE: &str = "unsupported_value";
    /// A part of a message is of a type that this provider cannot take.
    pub const UNSUPPORTED_CONTENT: &str = "unsupported_content";
    /// An image is not where, or not what, this provider can take.
    pub const UNSUPPORTED_IMAGE_URL: &str = "unsupported_image_url";
    /// A field has a value of the wrong type.
    pub const INVALID_TYPE: &str = "invalid_type";
    /// A field has a value that cannot be.
    pub const INVALID_VALUE: &str = "invalid_value";

    /// A call that this provider cannot make because of one of its fields.
    pub fn unsupported(
        param: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::Unsupported { param: Some(param.into()), code, message: message.into() }
    }
}

/// A call as a request of a provider.
#[derive(Debug)]
pub struct Encoded {
    /// The request.
    pub request: http::Request<Bytes>,
    /// Further requests, for calls that this provider takes only in parts: each is sent when the
    /// one before was answered, and their answers are joined in this order ([`Answer::join`]).
    pub more: Vec<http::Request<Bytes>>,
    /// What of the call is not in it, or is there in another form: the names of the caller's
    /// fields. The caller is told.
    pub dropped: Vec<String>,
}

impl From<http::Request<Bytes>> for Encoded {
    /// One request that has all of the call in it.
    fn from(request: http::Request<Bytes>) -> Self {
        Self { request, more: Vec::new(), dropped: Vec::new() }
    }
}

/// A provider.
pub trait Provider: Send + Sync + Debug {
    /// The channel type that this provider serves.
    fn kind(&self) -> ProviderKind;

    /// Its name for people.
    fn name(&self) -> &'static str;

    /// Where it is, if a channel does not say.
    fn default_base_url(&self) -> Option<&'static str>;

    /// Writes a call as a request of this provider, and says what of it was left out.
    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError>;

    /// Reads a whole answer that came with a status of success.
    ///
    /// # Errors
    /// A [`Fault`] when the answer is not one: an error body, HTML, nothing.
    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault>;

    /// A reader for one streamed answer.
    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder>;

    /// Reads an answer that came with another status. The usual shapes need nothing more.
    fn fault(&self, reply: &ErrorReply<'_>) -> Fault {
        fault_of_reply(reply)
    }
}

/// Reads one streamed answer. Bytes may be split anywhere.
pub trait StreamDecoder: Send {
    /// Takes the next bytes and appends what they bring.
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>);

    /// The upstream closed the stream: appends what is left, and [`StreamEvent::Failed`] if the
    /// answer was not complete.
    fn finish(&mut self, out: &mut Vec<StreamEvent>);
}
