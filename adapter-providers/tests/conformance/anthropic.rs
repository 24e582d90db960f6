//! Cases of Anthropic: 1 to 14, 22, 23 (its half), 27, 30, 32, 35, 36 and 37 (its halves), and
//! golden files.

#[path = "anthropic/answers.rs"]
mod answers;
#[path = "anthropic/conversation.rs"]
mod conversation;
#[path = "anthropic/errors.rs"]
mod errors;
#[path = "anthropic/fields.rs"]
mod fields;
#[path = "anthropic/golden.rs"]
mod golden;
#[path = "anthropic/streams.rs"]
mod streams;
#[path = "anthropic/thinking.rs"]
mod thinking;
#[path = "anthropic/tools.rs"]
mod tools;

use crate::harness::Bench;
use adapter_providers::Anthropic;
use serde_json::Value;

const SONNET: &str = "claude-sonnet-4-5";

fn bench(model: &'static str) -> Bench<Anthropic> {
    Bench::new(Anthropic, "https://api.anthropic.com/v1", model)
}

fn sonnet() -> Bench<Anthropic> {
    bench(SONNET)
}

/// A request of these messages, with more fields: `,"n":1`.
fn asking(messages: &str, fields: &str) -> String {
    format!(r#"{{"model":"m","messages":{messages}{fields}}}"#)
}

/// A request of one message, with more fields.
fn with(fields: &str) -> String {
    asking(r#"[{"role":"user","content":"hi"}]"#, fields)
}

/// The messages that are sent for these.
fn messages(messages: &str) -> Value {
    sonnet().sent(&asking(messages, "")).0["messages"].clone()
}

fn called(ids: &[&str]) -> String {
    let call = |id: &&str| {
        format!(r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#)
    };
    let calls: Vec<String> = ids.iter().map(call).collect();
    format!(r#"{{"role":"assistant","content":"","tool_calls":[{}]}}"#, calls.join(","))
}

fn gave(id: &str, content: &str) -> String {
    format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"{content}"}}"#)
}

const U: &str = r#"{"role":"user","content":"u"}"#;
