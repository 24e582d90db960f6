//! Whole answers: read as a stream of one piece, and put together.

use super::{
    logprobs,
    reader::{Reader, is_array},
};
use gateway_domain::Fault;
use gateway_ports::{Answer, ChatAnswer, Delta, Json, Message, StreamEvent, ToolCall};
use std::collections::BTreeMap;

/// Reads an answer to a chat.
pub(super) fn decode(mut reader: Reader, body: &[u8]) -> Result<Answer, Fault> {
    let mut events = Vec::new();
    reader.take(body, &mut events)?;
    if is_array(body) {
        reader.end(&mut events)?;
    } else {
        reader.end_of_whole(&mut events)?;
    }
    Ok(whole(events))
}

fn whole(events: Vec<StreamEvent>) -> Answer {
    let mut choices: BTreeMap<usize, (Message, Vec<Json>)> = BTreeMap::new();
    let mut usage = None;
    for event in events {
        match event {
            StreamEvent::Usage(counts) => usage = Some(counts),
            StreamEvent::Delta { choice, delta } => {
                let (message, probabilities) = choices.entry(choice).or_default();
                match delta {
                    Delta::Text(text) => append(&mut message.text, &text),
                    Delta::Reasoning(text) => append(&mut message.reasoning, &text),
                    Delta::ToolCall { id, name, arguments, extra_content, .. } => {
                        message.tool_calls.push(ToolCall {
                            id: id.unwrap_or_default(),
                            name: name.unwrap_or_default(),
                            arguments,
                            extra_content,
                        });
                    }
                    Delta::Logprobs(piece) => probabilities.push(piece),
                    Delta::Finish(reason) => message.finish = reason,
                    // The reader has no others.
                    Delta::Begin
                    | Delta::ThinkingBlock(_)
                    | Delta::Refusal(_)
                    | Delta::Annotation(_) => {}
                }
            }
            StreamEvent::Wire { .. }
            | StreamEvent::ServiceTier(_)
            | StreamEvent::Estimated(_)
            | StreamEvent::Failed(_)
            | StreamEvent::Done => {}
        }
    }
    let message = |(message, probabilities): (Message, Vec<Json>)| Message {
        logprobs: logprobs::joined(&probabilities),
        ..message
    };
    let choices = choices.into_values().map(message).collect();
    Answer::of_chat(ChatAnswer { choices, service_tier: None }, usage)
}

fn append(whole: &mut Option<String>, text: &str) {
    whole.get_or_insert_default().push_str(text);
}
