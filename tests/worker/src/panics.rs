//! What panics: a route, a body half-way, and a provider, before and during its answer.
//!
//! `GET /__test/panic` and `/__test/panic-stream` are routes beside the gateway's. The channel type
//! `clumsy` is an OpenAI-compatible provider that panics when the model's name says where:
//! `panic-encode` before anything is sent, `panic-decode` at the fourth piece of the answer.

use adapter_providers::OpenAi;
use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures_util::stream;
use gateway_domain::{Fault, ModelCall, ProviderKind};
use gateway_ports::{
    Answer, Encoded, KindTaken, Provider, ProviderError, Providers, StreamDecoder, StreamEvent,
    Target,
};
use std::convert::Infallible;

pub(crate) fn providers() -> Result<Providers, KindTaken> {
    adapter_providers::defaults()?.with(Clumsy(OpenAi::custom()))
}

pub(crate) fn routes(router: Router) -> Router {
    router.route("/__test/panic", get(route)).route("/__test/panic-stream", get(body))
}

#[expect(clippy::panic, reason = "that is what it is for")]
async fn route() -> &'static str {
    panic!("a route panics")
}

async fn body() -> Body {
    let mut pieces = 0;
    Body::from_stream(stream::repeat_with(move || {
        pieces += 1;
        assert!(pieces < 3, "a body panics");
        Ok::<_, Infallible>(Bytes::from_static(b"data: piece\n\n"))
    }))
}

#[derive(Debug)]
struct Clumsy(OpenAi);

impl Provider for Clumsy {
    fn kind(&self) -> ProviderKind {
        const { ProviderKind::from_static("clumsy") }
    }

    fn name(&self) -> &'static str {
        "Clumsy"
    }

    fn default_base_url(&self) -> Option<&'static str> {
        None
    }

    fn encode(&self, call: &ModelCall, target: &Target<'_>) -> Result<Encoded, ProviderError> {
        assert!(!target.model.as_str().contains("panic-encode"), "a provider panics");
        self.0.encode(call, target)
    }

    fn decode(&self, call: &ModelCall, target: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        assert!(!target.model.as_str().contains("panic-decode"), "a provider panics");
        self.0.decode(call, target, body)
    }

    fn decoder(&self, call: &ModelCall, target: &Target<'_>) -> Box<dyn StreamDecoder> {
        Box::new(ClumsyDecoder {
            inner: self.0.decoder(call, target),
            panics: target.model.as_str().contains("panic-decode"),
            fed: 0,
        })
    }
}

struct ClumsyDecoder {
    inner: Box<dyn StreamDecoder>,
    panics: bool,
    fed: usize,
}

impl StreamDecoder for ClumsyDecoder {
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        self.fed += 1;
        assert!(!self.panics || self.fed < 4, "a decoder panics");
        self.inner.feed(bytes, out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        self.inner.finish(out);
    }
}
