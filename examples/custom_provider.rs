//! A provider of one's own, whole: an imaginary "Acme" that takes `{"prompt": "..."}` and answers
//! `{"reply": "...", "tokens_in": 3, "tokens_out": 5}` or, streamed, lines of text and at the end
//! an empty one. Run it, and add a channel of the type `"acme"`:
//! `cargo run --example custom_provider -- sqlite://acme.db`
#![expect(clippy::print_stdout, reason = "the address is for whoever started this")]

use adapter_tokio::{Native, NativeOptions, server};
use bytes::Bytes;
use gateway_domain::{Fault, FaultKind, ModelCall, ProviderKind, TokenCounts};
use gateway_ports::{
    Answer, Delta, Encoded, FinishReason, Provider, ProviderError, StreamDecoder, StreamEvent,
    Target,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::{error::Error, time::Duration};

#[derive(Debug)]
struct Acme;

impl Provider for Acme {
    fn kind(&self) -> ProviderKind {
        const { ProviderKind::from_static("acme") }
    }
    fn name(&self) -> &'static str {
        "Acme"
    }
    fn default_base_url(&self) -> Option<&'static str> {
        Some("https://api.acme.example.com")
    }

    fn encode(&self, call: &ModelCall, to: &Target<'_>) -> Result<Encoded, ProviderError> {
        let body: Value = serde_json::from_slice(call.body()).unwrap_or_default();
        let messages = body.pointer("/messages").and_then(Value::as_array);
        let last = messages.and_then(|all| all.last()?.pointer("/content")?.as_str());
        let no_text = ProviderError::UNSUPPORTED_CONTENT;
        let prompt = last.ok_or_else(|| {
            ProviderError::unsupported("messages", no_text, "Acme takes text only")
        })?;
        let path = if call.stream { "stream" } else { "ask" };
        http::Request::post(format!("{}/{path}", to.base_url))
            .header("acme-key", to.key.expose_secret())
            .body(json!({"prompt": prompt, "model": to.model.as_str()}).to_string().into())
            .map(Encoded::from)
            .map_err(|e| ProviderError::Misconfigured(e.to_string()))
    }

    fn decode(&self, _: &ModelCall, _: &Target<'_>, body: Bytes) -> Result<Answer, Fault> {
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let count = |name| body.get(name).and_then(Value::as_u64).unwrap_or(0);
        let usage = TokenCounts::of(count("tokens_in"), count("tokens_out"));
        match body.get("reply").and_then(Value::as_str) {
            Some(reply) => Ok(Answer::of_text(reply, Some(usage))),
            None => Err(Fault::new(FaultKind::Malformed, "no reply")),
        }
    }

    fn decoder(&self, _: &ModelCall, _: &Target<'_>) -> Box<dyn StreamDecoder> {
        Box::new(Lines(Vec::new()))
    }
}

struct Lines(Vec<u8>);

impl StreamDecoder for Lines {
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        self.0.extend_from_slice(&bytes);
        while let Some(end) = self.0.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            match line.trim_ascii() {
                [] => out.extend([Delta::Finish(FinishReason::Stop).into(), StreamEvent::Done]),
                text => out.push(Delta::Text(String::from_utf8_lossy(text).into()).into()),
            }
        }
    }
    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        out.push(StreamEvent::Failed(Fault::new(FaultKind::Malformed, "it broke off")));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = std::env::args().nth(1).unwrap_or_else(|| "sqlite::memory:".into());
    let mut options = NativeOptions::new(database, adapter_providers::defaults()?.with(Acme)?);
    options.config.allow_loopback = std::env::var("ALLOW_LOOPBACK_UPSTREAMS").is_ok();
    options.config.admin_password = std::env::var("ADMIN_PASSWORD").ok().map(Into::into);
    let native = Native::open(options).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    server::serve(listener, native.router(), server::ServerOptions::default(), stop).await;
    native.close(Duration::from_secs(10)).await;
    Ok(())
}
