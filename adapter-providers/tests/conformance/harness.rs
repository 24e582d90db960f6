//! Drives a provider as the relay does, without one: a call in, the upstream's request out; the
//! upstream's bytes in, what the client sees out.

use adapter_providers::openai::write::{self, Shape, Writer};
use bytes::Bytes;
use gateway_domain::{Fault, ModelCall, ModelName, Timestamp, TokenCounts};
use gateway_ports::{Encoded, Provider, ProviderError, StreamEvent, Target};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// When every call is made, in seconds since 1970.
pub(crate) const NOW: i64 = 1_790_000_123;

/// A provider, and the channel that it is reached by.
pub(crate) struct Bench<P> {
    pub(crate) provider: P,
    pub(crate) base_url: &'static str,
    /// The model as the upstream calls it; what the caller asks for is in the body.
    pub(crate) model: &'static str,
    /// The channel's options.
    pub(crate) config: Value,
    /// The limit that is paid for, where the caller set none.
    pub(crate) max_completion: Option<u64>,
}

/// What a client sees of a stream.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The text of the stream.
    pub(crate) text: String,
    /// The last usage that the upstream reported, whoever asked for it.
    pub(crate) usage: Option<TokenCounts>,
    /// The fault that it ended with.
    pub(crate) fault: Option<Fault>,
}

impl<P: Provider> Bench<P> {
    pub(crate) fn new(provider: P, base_url: &'static str, model: &'static str) -> Self {
        Self { provider, base_url, model, config: json!({}), max_completion: None }
    }

    fn with_target<T>(&self, run: impl FnOnce(&Target<'_>) -> T) -> T {
        let config = self.config.as_object().cloned().unwrap_or_else(Map::new);
        run(&Target {
            base_url: self.base_url,
            key: &SecretString::from("sk-channel-secret"),
            model: &ModelName::new(self.model).unwrap(),
            max_completion: self.max_completion,
            config: &config,
            now: Timestamp::from_millis(NOW * 1000),
        })
    }

    /// What is sent upstream.
    pub(crate) fn encode(&self, call: &ModelCall) -> Result<Encoded, ProviderError> {
        let encoded = self.with_target(|target| self.provider.encode(call, target))?;
        assert!(!format!("{encoded:?}").contains("sk-channel-secret"), "the key is never printed");
        Ok(encoded)
    }

    /// The body that is sent upstream, and what was left out.
    pub(crate) fn sent(&self, body: &str) -> (Value, Vec<String>) {
        let encoded = self.encode(&chat(body)).unwrap_or_else(|e| panic!("{e:?}: {body}"));
        (serde_json::from_slice(encoded.request.body()).unwrap(), encoded.dropped)
    }

    /// The body that is sent upstream, as text: for numbers and the order of keys.
    pub(crate) fn sent_text(&self, body: &str) -> String {
        let encoded = self.encode(&chat(body)).unwrap_or_else(|e| panic!("{e:?}: {body}"));
        String::from_utf8(encoded.request.into_body().to_vec()).unwrap()
    }

    /// The field and the code of a request that is refused.
    pub(crate) fn refused(&self, body: &str) -> (String, &'static str) {
        match self.encode(&chat(body)) {
            Err(ProviderError::Unsupported { param, code, .. }) => {
                (param.unwrap_or_default(), code)
            }
            other => panic!("{other:?}: {body}"),
        }
    }

    /// What a client sees of a whole answer.
    pub(crate) fn decoded(&self, call: &ModelCall, answer: &str) -> Result<Value, Fault> {
        let body = Bytes::copy_from_slice(answer.as_bytes());
        let answer = self.with_target(|target| self.provider.decode(call, target, body))?;
        Ok(serde_json::from_slice(&write::whole(&shape(call), answer)).unwrap())
    }

    /// What a client sees of a streamed answer, which is the same however its bytes are split.
    pub(crate) fn streamed(&self, call: &ModelCall, stream: &[u8]) -> Seen {
        let whole = self.fed(call, &[stream]);
        for size in [1, 7] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let split = self.fed(call, &pieces);
            // A verbatim line end may be cut in two, which is written as one CR and means the same.
            let plain = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
            assert_eq!(plain(&split.text), plain(&whole.text), "in pieces of {size}");
            assert_eq!(split.usage, whole.usage, "in pieces of {size}");
            assert_eq!(split.fault, whole.fault, "in pieces of {size}");
        }
        whole
    }

    fn fed(&self, call: &ModelCall, pieces: &[&[u8]]) -> Seen {
        let mut decoder = self.with_target(|target| self.provider.decoder(call, target));
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(Bytes::copy_from_slice(piece), &mut events);
        }
        decoder.finish(&mut events);
        let ends =
            |event: &StreamEvent| matches!(event, StreamEvent::Done | StreamEvent::Failed(_));
        let first_end = events.iter().position(ends);
        assert_eq!(first_end, Some(events.len() - 1), "one end, at the end: {events:?}");
        let mut writer = Writer::new(shape(call));
        let mut seen = Seen { text: String::new(), usage: None, fault: None };
        for event in events {
            if let StreamEvent::Usage(counts) = event {
                seen.usage = Some(counts);
            }
            let bytes = writer.write(event).unwrap_or_else(|fault| {
                let error = json!({"error": {"message": fault.message, "type": "server_error", "param": null, "code": null}});
                seen.fault = Some(fault);
                writer.fail(&error)
            });
            seen.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        seen
    }
}

impl Seen {
    /// The data of every event; `[DONE]` is a string.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        let plain = self.text.replace("\r\n", "\n").replace('\r', "\n");
        assert!(plain.is_empty() || plain.ends_with("\n\n"), "{plain:?}");
        let events = plain.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
        events
            .map(|event| {
                let data: Vec<&str> =
                    event.split('\n').filter_map(|line| line.strip_prefix("data:")).collect();
                let data = data.join("\n");
                serde_json::from_str(&data).unwrap_or_else(|_| json!(data.trim()))
            })
            .collect()
    }

    /// Puts the deltas of one choice together as an SDK does, after checking what clients rely on.
    pub(crate) fn message(&self, choice: u64) -> Value {
        let mut message = json!({"role": null, "content": "", "reasoning_content": "", "refusal": "", "finish_reason": null});
        let mut calls: Vec<Value> = Vec::new();
        for chunk in self.chunks() {
            let choices = chunk["choices"].as_array().cloned().unwrap_or_default();
            for part in choices.iter().filter(|part| part["index"] == choice) {
                assert!(
                    message["finish_reason"].is_null(),
                    "nothing comes after the finish: {chunk}"
                );
                let delta = &part["delta"];
                if !delta["role"].is_null() {
                    assert!(message["role"].is_null(), "the role comes once: {chunk}");
                    message["role"] = delta["role"].clone();
                }
                for field in ["content", "reasoning_content", "refusal"] {
                    let text = delta[field].as_str().unwrap_or_default();
                    let before = message[field].as_str().unwrap_or_default().to_owned();
                    message[field] = json!(before + text);
                }
                for call in delta["tool_calls"].as_array().into_iter().flatten() {
                    merge(&mut calls, call);
                }
                message["finish_reason"] = part["finish_reason"].clone();
            }
        }
        message["tool_calls"] = Value::from(calls);
        message
    }

    /// Whether it ended as a complete answer does.
    pub(crate) fn is_complete(&self) -> bool {
        let done = self.text.matches("[DONE]").count();
        assert!(
            done <= 1 && (done == 1) == self.text.ends_with("data: [DONE]\n\n"),
            "{}",
            self.text
        );
        done == 1
    }
}

fn merge(calls: &mut Vec<Value>, piece: &Value) {
    let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arguments = text(&piece["function"]["arguments"]);
    if index == calls.len() {
        calls.push(
            json!({"id": piece["id"], "name": piece["function"]["name"], "arguments": arguments}),
        );
    } else {
        assert!(index < calls.len(), "indexes have no gap: {piece}");
        assert!(
            piece.get("id").is_none() && piece["function"].get("name").is_none(),
            "id and name come once: {piece}"
        );
        calls[index]["arguments"] = json!(text(&calls[index]["arguments"]) + &arguments);
    }
    if let Some(extra) = piece.get("extra_content") {
        calls[index]["extra_content"] = extra.clone();
    }
}

/// A chat call with this body.
pub(crate) fn chat(body: &str) -> ModelCall {
    ModelCall::chat(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap_or_else(|e| panic!("{e}: {body}"))
}

/// An embeddings call with this body.
pub(crate) fn embeddings(body: &str) -> ModelCall {
    ModelCall::embeddings(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// A chat call of one message, with more fields: `,"stream":true`.
pub(crate) fn chat_with(fields: &str) -> ModelCall {
    chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{fields}}}"#))
}

fn shape(call: &ModelCall) -> Shape {
    Shape::new(call, String::from("chatcmpl-test"), 1_790_000_000)
}
