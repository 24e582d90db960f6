//! Google's Gemini, over its own API.
//!
//! A call is read into the neutral model and written as `generateContent`, and the answer comes
//! back the same way. Embeddings go in batches.
//!
//! A channel's `config` may say (each key also under `models`, by the upstream's name of a model):
//!
//! | Key | Value | What it does |
//! |---|---|---|
//! | `generation` | `"2.0"`, `"2.5"`, `"3"`, ... | takes the rules of this generation instead of those of the model's name |
//! | `thinking` | `"none"`, `"budget"`, `"level"` | how `reasoning_effort` is written |
//! | `xhigh` | flag | there is a thinking level above `HIGH` |
//! | `json_schema` | flag | schemas are written as JSON Schema, not in the older dialect |
//! | `json_with_tools` | flag | JSON can be asked for beside tools; otherwise the model is told to write it |
//! | `thought_signatures` | flag | each turn with calls must have a signature; `false`: none is sent |
//! | `thought_signature_escape` | text | what is sent for a signature that is not at hand |
//! | `call_ids` | flag | Gemini's own ids of calls are sent back |
//! | `image_urls` | flag | Gemini fetches images from `https` addresses |
//! | `penalties` | flag | penalties are passed on |
//! | `candidate_count` | flag | several answers can be asked for (`n`) |
//! | `safety_settings` | threshold, or array of settings | what is filtered; a caller's own settings are then not passed on |
//! | `blocked_as_error` | flag | a blocked prompt is an error 400, not an empty answer |
//! | `images` | `"markdown"` | images in answers are written into the text; otherwise they are left out |

mod answer;
mod embeddings;
mod fault;
mod finish;
mod frames;
mod ids;
mod logprobs;
mod models;
mod names;
mod reader;
mod request;
mod schema;
mod stream;
mod usage;
mod wire;

use crate::openai::request as openai;
use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, Operation, ProviderKind};
use gateway_ports::{
    Answer, Encoded, Provider, ProviderError, StreamDecoder, Target, provider::ErrorReply,
};
use http::{
    HeaderValue, Method, Request,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE},
};
use ids::Ids;
use models::{Options, Rules};
use names::Names;
use reader::{Reader, Wishes};
use secrecy::ExposeSecret;

/// The header of the key. It never goes into the address, which is logged on the way.
const KEY: &str = "x-goog-api-key";

/// Google's Gemini.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

impl Provider for Gemini {
    fn kind(&self) -> ProviderKind {
        ProviderKind::GEMINI
    }

    fn name(&self) -> &'static str {
        "Gemini"
    }

    fn default_base_url(&self) -> Option<&'static str> {
        Some("https://generativelanguage.googleapis.com/v1beta")
    }

    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError> {
        let resource = Resource::of(target.model.as_str())?;
        let options = options(target);
        // Options that only an answer needs are not found wrong only then.
        wishes(options)?;
        match call.operation {
            Operation::Chat => {
                let method =
                    if call.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let rules = Rules::of(options.model, options.config)?;
                let model = request::Model { rules, options, limit: target.max_completion };
                let (body, dropped) = request::write(&openai::read(call)?, &model)?;
                let request = http_request(target, &resource, method, body)?;
                Ok(Encoded { dropped, ..Encoded::from(request) })
            }
            Operation::Embeddings => {
                let read = openai::read_embeddings(call)?;
                let (bodies, dropped) = embeddings::write(&read, &resource.name())?;
                let mut requests = bodies
                    .into_iter()
                    .map(|body| http_request(target, &resource, "batchEmbedContents", body));
                let first = requests.next().unwrap_or_else(|| {
                    Err(ProviderError::unsupported(
                        "input",
                        ProviderError::INVALID_VALUE,
                        "input is empty",
                    ))
                })?;
                let more = requests.collect::<Result<_, _>>()?;
                Ok(Encoded { request: first, more, dropped })
            }
        }
    }

    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        match call.operation {
            Operation::Chat => answer::decode(reader(call, target), &body),
            Operation::Embeddings => embeddings::decode(call, &body),
        }
    }

    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new(reader(call, target)))
    }

    fn fault(&self, reply: &ErrorReply<'_>) -> Fault {
        fault::read(reply)
    }
}

fn options<'a>(target: &Target<'a>) -> Options<'a> {
    Options { model: target.model.as_str(), config: target.config }
}

fn wishes(options: Options<'_>) -> Result<Wishes, ProviderError> {
    let images = options.text("images")?;
    if images.is_some_and(|images| images != "markdown") {
        return Err(models::wrong("images", "\"markdown\""));
    }
    Ok(Wishes {
        blocked_as_error: options.flag("blocked_as_error")?.unwrap_or(false),
        images_as_markdown: images.is_some(),
    })
}

fn reader(call: &ModelCall, target: &Target<'_>) -> Reader {
    // What is wrong with them was said before anything was sent.
    let wishes = wishes(options(target)).unwrap_or_default();
    Reader::new(Names::of_call(call), Ids::of(call), wishes)
}

/// A model as Gemini addresses it.
struct Resource<'a> {
    collection: &'static str,
    id: &'a str,
}

impl<'a> Resource<'a> {
    fn of(model: &'a str) -> Result<Self, ProviderError> {
        let (collection, id) = match model.strip_prefix("tunedModels/") {
            Some(id) => ("tunedModels", id),
            None => ("models", model.strip_prefix("models/").unwrap_or(model)),
        };
        if id.is_empty() {
            return Err(ProviderError::unsupported(
                "model",
                ProviderError::INVALID_VALUE,
                "model has no name",
            ));
        }
        Ok(Self { collection, id })
    }

    fn name(&self) -> String {
        format!("{}/{}", self.collection, self.id)
    }

    /// The same in an address: whatever is in the id, it is one segment.
    fn path(&self) -> String {
        let mut path = format!("{}/", self.collection);
        for byte in self.id.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                let hex = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
                path.extend(['%', hex(byte >> 4), hex(byte & 0xf)].map(|c| c.to_ascii_uppercase()));
            }
        }
        path
    }
}

fn http_request(
    target: &Target<'_>,
    resource: &Resource<'_>,
    method: &str,
    body: Bytes,
) -> Result<Request<Bytes>, ProviderError> {
    let misconfigured = |what: &str| ProviderError::Misconfigured(what.to_owned());
    let mut key = HeaderValue::try_from(target.key.expose_secret())
        .map_err(|_| misconfigured("its key has characters that no header may have"))?;
    key.set_sensitive(true);
    Request::builder()
        .method(Method::POST)
        .uri(format!("{}/{}:{method}", target.base_url, resource.path()))
        .header(KEY, key)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"))
        .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
        .body(body)
        .map_err(|_| misconfigured("its base_url is no URL"))
}

#[cfg(test)]
mod tests;
