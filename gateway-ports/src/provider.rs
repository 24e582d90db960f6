//! What a provider is: a codec. Bytes and values in, values and bytes out; no client, no runtime,
//! no I/O of any kind, so the same provider runs everywhere and is tested with golden files.

mod fault;
mod neutral;

pub use fault::{ErrorReply, fault_of_reply, scrub};
pub use neutral::{Answer, AnswerBody, FinishReason, Message, StreamEvent, ToolCall};

use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, ModelName, ProviderKind};
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
    /// The channel's options.
    pub config: &'a serde_json::Map<String, serde_json::Value>,
}

/// A call that this provider cannot make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The caller asks for something that this provider does not have.
    #[error("{message}")]
    Unsupported {
        /// The caller's field.
        param: Option<String>,
        /// What is missing, for people.
        message: String,
    },
    /// The channel is set up in a way that no request can be built from.
    #[error("the channel is misconfigured: {0}")]
    Misconfigured(String),
}

/// A provider.
pub trait Provider: Send + Sync + Debug {
    /// The channel type that this provider serves.
    fn kind(&self) -> ProviderKind;

    /// Its name for people.
    fn name(&self) -> &'static str;

    /// Where it is, if a channel does not say.
    fn default_base_url(&self) -> Option<&'static str>;

    /// Writes a call as a request of this provider.
    fn encode(
        &self,
        call: &ModelCall,
        target: &Target<'_>,
    ) -> Result<http::Request<Bytes>, ProviderError>;

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
