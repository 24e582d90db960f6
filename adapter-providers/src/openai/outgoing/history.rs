//! What of a conversation's history a server of this dialect would refuse.
//!
//! A conversation may have been held with other providers before: their answers left fields in it
//! that `OpenAI` does not know, and ids that are too long for it. Most bodies have none of that,
//! which a search for the fields' names tells; only messages that have are written again.

use super::{super::edit::Edit, super::mint, Options, note};
use gateway_domain::call::json::span;
use gateway_ports::{Json, provider::Fields};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fields of messages that are extensions of this dialect.
const EXTENSIONS: [&str; 6] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "extra_content",
    CACHE,
];
/// Of a request's own fields.
pub(super) const EXTENSIONS_OF_REQUESTS: [&str; 1] = [CACHE];
/// What all of these fields contain.
const MARKS: [&str; 4] =
    ["\"reasoning", "\"thinking_blocks\"", "\"extra_content\"", "\"cache_control\""];
const CACHE: &str = "cache_control";
const MOST_ID: usize = 40;

/// Changes messages and tools as the channel's options want it.
pub(super) fn edits(
    body: &[u8],
    options: &Options,
    edits: &mut Vec<Edit>,
    dropped: &mut Vec<String>,
) {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        messages: Option<Vec<&'a RawValue>>,
        tools: Option<&'a RawValue>,
    }
    let wanted = Wanted {
        strip: options.strip_extensions && has_extensions(body),
        shorten: options.shorten_ids && has_long_ids(body),
        developer: options.developer_as_system && memmem::find(body, b"\"developer\"").is_some(),
    };
    if !(wanted.strip || wanted.shorten || wanted.developer) {
        return;
    }
    let Ok(request) = serde_json::from_slice::<Request<'_>>(body) else { return };
    for raw in request.messages.unwrap_or_default() {
        if let Some(message) = wanted.message(raw, dropped) {
            edits.push((span(body, raw.get()), Json::of(&message).get().to_owned()));
        }
    }
    let gone = |name: &str| options.drop.iter().any(|field| field == name);
    let tools = request.tools.filter(|_| wanted.strip && !gone("tools"));
    let items: Option<Vec<&RawValue>> = tools.and_then(|raw| serde_json::from_str(raw.get()).ok());
    for raw in items.unwrap_or_default() {
        if let Some(tool) = tool(raw, dropped) {
            edits.push((span(body, raw.get()), Json::of(&tool).get().to_owned()));
        }
    }
}

fn has_extensions(text: &[u8]) -> bool {
    MARKS.iter().any(|mark| memmem::find(text, mark.as_bytes()).is_some())
}

/// Whether a tool answers a call whose id is too long: every call has an answer, so that its own
/// id need not be looked for.
fn has_long_ids(body: &[u8]) -> bool {
    const FIELD: &[u8] = b"\"tool_call_id\"";
    memmem::find_iter(body, FIELD).any(|at| {
        let value = body.get(at + FIELD.len()..).unwrap_or_default().iter();
        let mut value = value.skip_while(|b| b.is_ascii_whitespace() || **b == b':');
        value.next() == Some(&b'"') && value.take(MOST_ID + 1).all(|b| *b != b'"')
    })
}

/// What is to be done to messages.
struct Wanted {
    strip: bool,
    shorten: bool,
    developer: bool,
}

impl Wanted {
    /// The message as it is sent; `None` if that is as it is.
    fn message(&self, raw: &RawValue, dropped: &mut Vec<String>) -> Option<Fields> {
        let mut message = Json::from(raw).fields()?;
        let mut changed = false;
        if self.developer && message.get("role").is_some_and(|role| role.get() == "\"developer\"") {
            message.set("role", Json::of("system"));
            changed = true;
        }
        if self.shorten {
            changed |= shorten(&mut message, "tool_call_id");
        }
        let strip = self.strip && has_extensions(raw.get().as_bytes());
        if strip {
            changed |= take(&mut message, &EXTENSIONS, dropped);
            changed |= each(&mut message, "content", |part| take(part, &[CACHE], dropped));
        }
        if strip || self.shorten {
            changed |= each(&mut message, "tool_calls", |call| {
                let stripped = strip && take(call, &["extra_content", CACHE], dropped);
                (self.shorten && shorten(call, "id")) || stripped
            });
        }
        changed.then_some(message)
    }
}

/// A tool without extensions, if it has any.
fn tool(raw: &RawValue, dropped: &mut Vec<String>) -> Option<Fields> {
    let mut tool = Json::from(raw).fields()?;
    let mut changed = take(&mut tool, &[CACHE], dropped);
    // Some clients write it inside of the function.
    if let Some(mut function) = tool.get("function").and_then(Json::fields)
        && take(&mut function, &[CACHE], dropped)
    {
        tool.set("function", Json::of(&function));
        changed = true;
    }
    changed.then_some(tool)
}

/// Takes these fields out of an object; whether there were any.
fn take(object: &mut Fields, names: &[&str], dropped: &mut Vec<String>) -> bool {
    let mut taken = false;
    for name in names {
        if object.take(name).is_some() {
            note(dropped, name);
            taken = true;
        }
    }
    taken
}

/// Changes the objects in a field that is an array; whether any was.
fn each(object: &mut Fields, name: &str, mut change: impl FnMut(&mut Fields) -> bool) -> bool {
    let Some(mut items) = object.get(name).and_then(Json::items) else { return false };
    let mut changed = false;
    for item in &mut items {
        if let Some(mut fields) = item.fields()
            && change(&mut fields)
        {
            *item = Json::of(&fields);
            changed = true;
        }
    }
    if changed {
        object.set(name, Json::of(&items));
    }
    changed
}

/// Shortens an id that is too long, always in the same way, so that a call and its answer still
/// name each other.
fn shorten(object: &mut Fields, name: &str) -> bool {
    let Some(id) = object.get(name).and_then(Json::as_text) else { return false };
    if id.chars().count() <= MOST_ID {
        return false;
    }
    let mark = format!("_{:016x}", mint::fingerprint(&[id.as_bytes()]));
    let beginning: String = id.chars().take(MOST_ID - mark.len()).collect();
    object.set(name, Json::of(&format!("{beginning}{mark}")));
    true
}
