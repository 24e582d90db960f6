//! The body that is sent: the caller's own, with the few bytes changed that have to be.

mod history;

use super::{
    edit::{self, Edit, apply, first_field},
    options::{Limit, Options},
};
use bytes::Bytes;
use gateway_domain::{
    ModelCall, Operation,
    call::json::{Entries, span},
};
use gateway_ports::Target;

const ASK_FOR_USAGE: &str = r#"{"include_usage":true}"#;
const STREAM_OPTIONS: &str = "stream_options";

/// The body to send, and the names of the caller's fields that are not in it: with the upstream's
/// name of the model, asking for usage in a stream, with the limit of completion tokens that is paid
/// for, and as the channel's options want it. A body that needs none of it is the caller's, byte
/// for byte.
pub(super) fn body(
    call: &ModelCall,
    target: &Target<'_>,
    limit: Limit,
    options: &Options,
) -> (Bytes, Vec<String>) {
    let mut edits: Vec<Edit> = Vec::new();
    let mut dropped = Vec::new();
    if *target.model != call.model
        && let Ok(name) = serde_json::to_string(target.model.as_str())
    {
        edits.push((call.model_span(), name));
    }
    fields(call, options, &mut edits, &mut dropped);
    let droppable = |name: &str| options.drop.iter().any(|gone| gone == name);
    if call.stream && !call.include_usage && !droppable(STREAM_OPTIONS) {
        edits.push(usage_edit(call));
    }
    let limit = options.limit.unwrap_or(limit).name();
    if let Some(most) = target.max_completion.filter(|_| !droppable(limit)) {
        edits.push(match call.field_span(limit) {
            // It is null: any other value would be the caller's own limit.
            Some(null) => (null, most.to_string()),
            None => first_field(call.body(), &format!(r#""{limit}":{most},"#)),
        });
    }
    if call.operation == Operation::Chat {
        history::edits(call.body(), options, &mut edits, &mut dropped);
    }
    if edits.is_empty() {
        return (call.body().clone(), dropped);
    }
    (Bytes::from(apply(call.body(), edits)), dropped)
}

/// Takes out the fields that the server must not see, and gives the limit the name it knows.
fn fields(call: &ModelCall, options: &Options, edits: &mut Vec<Edit>, dropped: &mut Vec<String>) {
    let body = call.body();
    let mentions = |name: &str| memchr::memmem::find(body, name.as_bytes()).is_some();
    let mut gone: Vec<&str> = options.drop.iter().map(String::as_str).collect();
    if options.strip_extensions {
        gone.extend(history::EXTENSIONS_OF_REQUESTS);
    }
    gone.retain(|name| mentions(name));
    let renamed = options.limit.map(Limit::other).filter(|from| mentions(from.name()));
    if gone.is_empty() && renamed.is_none() {
        return;
    }
    let Ok(Entries(entries)) = serde_json::from_slice(body) else { return };
    let there = |name: &str| entries.iter().any(|(key, raw)| key == name && raw.get() != "null");
    if let Some((from, to)) = renamed.map(|from| (from.name(), from.other().name()))
        && there(from)
        && !gone.contains(&from)
    {
        let (older, newer) = (Limit::Legacy.name(), Limit::Completion.name());
        let counts = if there(to) && !gone.contains(&to) {
            // Both are there, and the newer one counts.
            gone.push(older);
            newer
        } else {
            // One that is null would stand beside it.
            gone.push(to);
            from
        };
        if counts != to {
            edits.extend(edit::rename(body, &entries, counts, to));
        }
    }
    for name in gone.iter().filter(|name| there(name)) {
        note(dropped, name);
    }
    edits.extend(edit::without(body, &entries, |name| gone.contains(&name)));
}

/// Remembers a field that is left out, once.
fn note(dropped: &mut Vec<String>, name: &str) {
    if !dropped.iter().any(|known| known == name) {
        dropped.push(name.to_owned());
    }
}

/// How to ask for usage: replace what `stream_options` says of it, or add it.
fn usage_edit(call: &ModelCall) -> Edit {
    let body = call.body();
    let Some(options) = call.stream_options_span() else {
        // `null` is not remembered as a value, so the field may be there: the new one comes last.
        return match call.field_span(STREAM_OPTIONS) {
            Some(range) => (range, ASK_FOR_USAGE.to_owned()),
            None => first_field(body, &format!(r#""stream_options":{ASK_FOR_USAGE},"#)),
        };
    };
    let text = body.get(options.clone()).unwrap_or_default();
    match serde_json::from_slice::<Entries<'_>>(text) {
        Ok(Entries(entries)) => match entries.iter().find(|(key, _)| key == "include_usage") {
            Some((_, value)) => (span(body, value.get()), String::from("true")),
            None if entries.is_empty() => (options, ASK_FOR_USAGE.to_owned()),
            None => {
                let inside = options.start + 1;
                (inside..inside, String::from(r#""include_usage":true,"#))
            }
        },
        Err(_) => (options, ASK_FOR_USAGE.to_owned()),
    }
}
