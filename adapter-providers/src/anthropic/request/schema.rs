//! Schemas, made fit for the part of JSON Schema that the API can hold an answer to.
//!
//! What it cannot hold is taken out and said in the description, where the model may still follow
//! it.

mod tree;

use gateway_ports::Json;
use std::borrow::Cow;
use tree::Node;

/// The formats of strings that the API knows.
const FORMATS: [&str; 10] = [
    "\"date-time\"",
    "\"time\"",
    "\"date\"",
    "\"duration\"",
    "\"email\"",
    "\"hostname\"",
    "\"uri\"",
    "\"ipv4\"",
    "\"ipv6\"",
    "\"uuid\"",
];

/// A schema that the API takes; `None` if it is no object.
pub(super) fn rewritten(schema: &Json) -> Option<Json> {
    let mut changed = false;
    match tree::read(schema.get())? {
        Node::Object(entries) => Json::new(rewrite(entries, &mut changed).to_string()),
        _ => None,
    }
}

/// Whether the API takes a schema as it is.
pub(super) fn is_supported(schema: &Json) -> bool {
    let mut changed = false;
    if let Some(Node::Object(entries)) = tree::read(schema.get()) {
        rewrite(entries, &mut changed);
        return !changed;
    }
    false
}

type Entries<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// What is kept of one schema, and what is said of it instead.
#[derive(Default)]
struct Rewritten<'a> {
    kept: Entries<'a>,
    said: Vec<String>,
}

impl<'a> Rewritten<'a> {
    fn keep(&mut self, name: impl Into<Cow<'a, str>>, node: Node<'a>) {
        self.kept.push((name.into(), node));
    }
}

fn rewrite<'a>(entries: Entries<'a>, changed: &mut bool) -> Node<'a> {
    let has = |name: &str| entries.iter().any(|(key, _)| key == name);
    // A reference stands alone, but for what is referred to.
    let refers = has("$ref");
    let closed = !refers && (is_object(&entries) || has("properties"));
    let untyped = closed && !has("type");
    let any_of = has("anyOf");
    let mut out = Rewritten::default();
    if untyped {
        *changed = true;
        out.keep("type", Node::leaf("\"object\""));
    }
    let mut was_closed = false;
    for (name, node) in entries {
        match (name.as_ref(), node) {
            ("$defs" | "definitions", Node::Object(inside)) => {
                out.keep(name, each(inside, changed));
            }
            ("$ref", node) => out.keep(name, node),
            _ if refers => *changed = true,
            ("properties", Node::Object(inside)) => out.keep(name, each(inside, changed)),
            ("type" | "title" | "description" | "required", node)
            | ("const", node @ Node::Leaf(_)) => out.keep(name, node),
            ("enum", Node::Array(items)) if items.iter().all(Node::is_leaf) => {
                out.keep(name, Node::Array(items));
            }
            ("items", Node::Object(inside)) => out.keep(name, rewrite(inside, changed)),
            ("anyOf" | "allOf", Node::Array(items)) => out.keep(name, all(items, changed)),
            ("oneOf", Node::Array(items)) if !any_of => {
                *changed = true;
                out.keep("anyOf", all(items, changed));
            }
            ("minItems", Node::Leaf(number)) if matches!(number.as_ref(), "0" | "1") => {
                out.keep(name, Node::Leaf(number));
            }
            ("format", Node::Leaf(format)) if FORMATS.contains(&format.as_ref()) => {
                out.keep(name, Node::Leaf(format));
            }
            ("additionalProperties", Node::Leaf(open)) => {
                was_closed |= open == "false";
                *changed |= open != "false";
            }
            ("$schema" | "$id" | "$anchor" | "$comment", _) => *changed = true,
            (_, node) => {
                *changed = true;
                out.said.push(format!("{name}: {node}"));
            }
        }
    }
    describe(&mut out);
    if closed {
        *changed |= !was_closed;
        out.keep("additionalProperties", Node::leaf("false"));
    }
    Node::Object(out.kept)
}

/// Every schema in an object of named ones.
fn each<'a>(entries: Entries<'a>, changed: &mut bool) -> Node<'a> {
    let entries = entries.into_iter().map(|(name, node)| (name, schema(node, changed)));
    Node::Object(entries.collect())
}

/// Every schema in an array.
fn all<'a>(items: Vec<Node<'a>>, changed: &mut bool) -> Node<'a> {
    Node::Array(items.into_iter().map(|node| schema(node, changed)).collect())
}

fn schema<'a>(node: Node<'a>, changed: &mut bool) -> Node<'a> {
    match node {
        Node::Object(entries) => rewrite(entries, changed),
        other => other,
    }
}

fn is_object(entries: &Entries<'_>) -> bool {
    let object = |node: &Node<'_>| matches!(node, Node::Leaf(text) if text == "\"object\"");
    entries.iter().any(|(name, node)| match node {
        Node::Array(kinds) => name == "type" && kinds.iter().any(object),
        node => name == "type" && object(node),
    })
}

/// Puts what was taken out into the description.
fn describe(out: &mut Rewritten<'_>) {
    if out.said.is_empty() {
        return;
    }
    let said = format!("{{{}}}", out.said.join(", "));
    let place = out.kept.iter_mut().find(|(name, _)| name == "description");
    let text = |node: &Node<'_>| match node {
        Node::Leaf(raw) => serde_json::from_str::<String>(raw).ok(),
        _ => None,
    };
    let before = place.as_ref().and_then(|(_, node)| text(node));
    let whole =
        before.filter(|text| !text.is_empty()).map_or(said.clone(), |b| format!("{b}\n\n{said}"));
    let node = Node::Leaf(Json::of(&whole).get().to_owned().into());
    match place {
        Some((_, old)) => *old = node,
        None => out.kept.push(("description".into(), node)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::new(text).unwrap()
    }

    #[test]
    fn what_cannot_be_held_is_said() {
        for (schema, expected) in [
            (
                r#"{"type":"integer","minimum":1,"maximum":10,"description":"A number"}"#,
                r#"{"type":"integer","description":"A number\n\n{minimum: 1, maximum: 10}"}"#,
            ),
            (
                r#"{"properties":{"b":{"type":"string","pattern":"^\"a","format":"phone"},"a":{"oneOf":[{"type":"null"},{"type":"object"}]}},"required":["b"]}"#,
                r#"{"type":"object","properties":{"b":{"type":"string","description":"{pattern: \"^\\\"a\", format: \"phone\"}"},"a":{"anyOf":[{"type":"null"},{"type":"object","additionalProperties":false}]}},"required":["b"],"additionalProperties":false}"#,
            ),
            (
                r##"{"$schema":"x","$ref":"#/$defs/A","title":"t","$defs":{"A":{"type":["object","null"],"additionalProperties":{"type":"string"}}}}"##,
                r##"{"$ref":"#/$defs/A","$defs":{"A":{"type":["object","null"],"description":"{additionalProperties: {\"type\":\"string\"}}","additionalProperties":false}}}"##,
            ),
            (
                r#"{"type":"array","items":{"type":"string","format":"uuid"},"minItems":1,"maxItems":12345678901234567890}"#,
                r#"{"type":"array","items":{"type":"string","format":"uuid"},"minItems":1,"description":"{maxItems: 12345678901234567890}"}"#,
            ),
            (
                r#"{ "enum" : [1e2, "a\u00e9" ,null], "const": {}, "x": [ ] }"#,
                r#"{"enum":[1e2,"a\u00e9",null],"description":"{const: {}, x: []}"}"#,
            ),
            // A property may be called as a keyword is.
            (
                r#"{"type":"object","properties":{"minimum":{"type":"number"},"$ref":{"type":"null"}},"additionalProperties":true}"#,
                r#"{"type":"object","properties":{"minimum":{"type":"number"},"$ref":{"type":"null"}},"additionalProperties":false}"#,
            ),
        ] {
            assert_eq!(rewritten(&json(schema)), Some(json(expected)), "{schema}");
            assert!(!is_supported(&json(schema)), "{schema}");
            assert_eq!(rewritten(&json(expected)).unwrap().get(), expected, "once is enough");
        }
        assert_eq!(rewritten(&json("[]")), None);
        assert!(!is_supported(&json("true")));
    }

    #[test]
    fn a_schema_that_can_be_held_is_known() {
        for schema in [
            r#"{"type":"object","properties":{"a":{"type":"string","format":"uri"}},"required":["a"],"additionalProperties":false}"#,
            r#"{"additionalProperties":false,"type":"object"}"#,
            r##"{"type":"array","items":{"$ref":"#/$defs/A"},"$defs":{"A":{"enum":[1]}},"minItems":0}"##,
        ] {
            assert!(is_supported(&json(schema)), "{schema}");
        }
        assert!(!is_supported(&json(r#"{"type":"object"}"#)));
    }
}
