//! The conformance suite: what each provider is sent, and what a client of the gateway's own API
//! sees of its answers.
//!
//! A case has the number that it has in the list of cases, so that one may be looked for by it.
//! What of a case needs a gateway around the codecs, failover and the official SDKs, is in the
//! end-to-end tests. That no number is forgotten is a test of its own, in `numbers`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what broke by panicking"
)]

#[path = "conformance/anthropic.rs"]
mod anthropic;
#[path = "conformance/azure.rs"]
mod azure;
#[path = "conformance/custom.rs"]
mod custom;
#[path = "conformance/errors.rs"]
mod errors;
#[path = "conformance/gemini.rs"]
mod gemini;
#[path = "conformance/harness.rs"]
mod harness;
#[path = "conformance/numbers.rs"]
mod numbers;
#[path = "conformance/openai.rs"]
mod openai;
#[path = "conformance/repairs.rs"]
mod repairs;
