//! Schemas of tools and of answers, in what Gemini takes of JSON Schema.
//!
//! Newer models take JSON Schema with some of its keywords ([`Schemas::json`]), older ones only a
//! dialect of their own ([`Schemas::classic`]). What neither can say is left out, and the keywords
//! that meant something are remembered. What is deliberately not known here: where a schema stands.

mod classic;

use gateway_ports::{Json, provider::Fields};
use std::collections::{BTreeMap, BTreeSet};

/// The text that may be put in the place of references, in one request. Without a bound, a few
/// definitions that name each other twice would fill the memory.
const ROOM: usize = 256 << 10;
/// The deepest schema that is written: the gateway takes no deeper request, but references may lead
/// on and on.
const DEEPEST: usize = 128;

/// Keywords that Gemini has no place for, and whose loss changes what a schema means.
const MEANINGFUL: [&str; 26] = [
    "$ref",
    "additionalItems",
    "allOf",
    "const",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "maxLength",
    "maxProperties",
    "minLength",
    "minProperties",
    "multipleOf",
    "not",
    "nullable",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Keywords that one of the dialects has a place for.
const TAKEN: [&str; 23] = [
    "$anchor",
    "$defs",
    "$id",
    "additionalProperties",
    "anyOf",
    "definitions",
    "description",
    "example",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "properties",
    "propertyOrdering",
    "required",
    "title",
    "type",
    "enum",
    "allOf",
    "$ref",
];

/// The keywords of a schema that mean anything here, each once. There are few of them, however many
/// fields a caller writes: they are looked up one by one.
fn keywords(schema: &Json) -> Option<Fields> {
    let mut known = Fields::default();
    for (name, value) in schema.fields()?.iter() {
        if TAKEN.contains(&name) || MEANINGFUL.contains(&name) {
            known.set(name, value.clone());
        }
    }
    Some(known)
}

/// Writes the schemas of one request.
#[derive(Debug)]
pub(super) struct Schemas {
    /// How much text may still be put in the place of references.
    room: usize,
    /// The keywords that were left out of the schema that was written last.
    lost: BTreeSet<&'static str>,
}

impl Default for Schemas {
    fn default() -> Self {
        Self { room: ROOM, lost: BTreeSet::new() }
    }
}

/// What references refer to.
struct Root {
    whole: Json,
    /// The definitions, each under its reference: they are looked up often.
    definitions: BTreeMap<String, Json>,
}

impl Root {
    fn of(schema: &Json, fields: &Fields) -> Self {
        let mut definitions = BTreeMap::new();
        for place in DEFINITIONS {
            for (name, schema) in
                fields.get(place).and_then(Json::fields).iter().flat_map(Fields::iter)
            {
                definitions.insert(format!("#/{place}/{name}"), schema.clone());
            }
        }
        Self { whole: schema.clone(), definitions }
    }

    /// What a reference leads to. The text that has to be read for it is taken from the room.
    fn found(&self, reference: &str, room: &mut usize) -> Option<Json> {
        let known = self.definitions.get(reference);
        *room = room.checked_sub(known.unwrap_or(&self.whole).get().len())?;
        if let Some(schema) = known {
            return Some(schema.clone());
        }
        let mut here = self.whole.clone();
        for name in reference.strip_prefix('#')?.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            here = match here.fields() {
                Some(fields) => fields.get(&name)?.clone(),
                None => here.items()?.get(name.parse::<usize>().ok()?)?.clone(),
            };
        }
        Some(here)
    }
}

/// Where definitions stand: now, and in earlier drafts.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Where in a schema something stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: &'a Root,
    /// How deep it is.
    depth: usize,
}

impl Place<'_> {
    fn inside(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl Schemas {
    /// Writes a schema for models that take JSON Schema; `None` if it is none.
    pub(super) fn json(&mut self, schema: &Json) -> Option<Fields> {
        self.lost.clear();
        let fields = keywords(schema)?;
        let root = Root::of(schema, &fields);
        Some(self.object(fields, Place { root: &root, depth: 0 }))
    }

    /// Writes a schema for older models; `None` if it is none.
    pub(super) fn classic(&mut self, schema: &Json) -> Option<Fields> {
        self.lost.clear();
        let fields = keywords(schema)?;
        let root = Root::of(schema, &fields);
        Some(self.classic_object(fields, Place { root: &root, depth: 0 }))
    }

    /// The keywords that were left out of the schema that was written last, and are missed.
    pub(super) fn lost(&self) -> impl Iterator<Item = &'static str> {
        self.lost.iter().copied()
    }

    fn lose(&mut self, keyword: &str) {
        self.lost.extend(MEANINGFUL.iter().find(|known| **known == keyword));
    }

    fn node(&mut self, schema: &Json, place: Place<'_>) -> Json {
        match keywords(schema) {
            Some(fields) => Json::of(&self.object(fields, place.inside())),
            // `true` and `false` are schemas too.
            None => schema.clone(),
        }
    }

    fn nodes(&mut self, schemas: &Json, place: Place<'_>) -> Option<Json> {
        let items = schemas.items()?;
        Some(Json::of(&items.iter().map(|item| self.node(item, place)).collect::<Vec<_>>()))
    }

    fn named(&mut self, schemas: &Json, place: Place<'_>) -> Option<Fields> {
        let fields = schemas.fields()?;
        let node = |(name, schema): (&str, &Json)| {
            let schema =
                if schema.get() == "true" { Json::of(&Fields::default()) } else { schema.clone() };
            (name.to_owned(), self.node(&schema, place))
        };
        Some(fields.iter().map(node).collect())
    }

    fn object(&mut self, fields: Fields, place: Place<'_>) -> Fields {
        let mut out = Fields::default();
        if place.depth > DEEPEST {
            return out;
        }
        let fields = self.without_all_of(fields, place);
        let mut definitions = Vec::new();
        for schemas in DEFINITIONS.iter().filter_map(|name| fields.get(name)) {
            let named = self.named(schemas, place).unwrap_or_default();
            definitions
                .extend(named.iter().map(|(name, schema)| (name.to_owned(), schema.clone())));
        }
        if let Some(reference) = fields.get("$ref").and_then(Json::as_text) {
            // Beside a reference, Gemini takes only keywords that begin like it.
            let reference = match reference.strip_prefix("#/definitions/") {
                Some(name) => format!("#/$defs/{name}"),
                None => reference,
            };
            out.set("$ref", Json::of(&reference));
            let silent = ["title", "description", "example", "definitions"];
            if fields.names().any(|name| !name.starts_with('$') && !silent.contains(&name)) {
                self.lose("$ref");
            }
        } else {
            for (name, value) in fields.iter() {
                self.keyword(&mut out, (name, value), &fields, place);
            }
        }
        if !definitions.is_empty() {
            out.set("$defs", Json::of(&definitions.into_iter().collect::<Fields>()));
        }
        out
    }

    fn keyword(
        &mut self,
        out: &mut Fields,
        (name, value): (&str, &Json),
        fields: &Fields,
        place: Place<'_>,
    ) {
        let written = match name {
            "$id" | "$anchor" | "type" | "format" | "title" | "description" | "enum"
            | "minItems" | "maxItems" | "minimum" | "maximum" | "required" | "propertyOrdering" => {
                Some(value.clone())
            }
            "properties" => {
                self.named(value, place).filter(|all| !all.is_empty()).map(|all| Json::of(&all))
            }
            "items" if value.get().starts_with('[') => {
                // As earlier drafts write a tuple.
                if let Some(items) = self.nodes(value, place) {
                    out.set("prefixItems", items);
                }
                None
            }
            "items" | "additionalProperties" => Some(self.node(value, place)),
            "prefixItems" | "anyOf" | "oneOf" => self.nodes(value, place),
            "const" => {
                if fields.get("enum").is_none() {
                    out.set("enum", Json::of(&[value]));
                }
                None
            }
            "$defs" | "definitions" | "$ref" => None,
            _ => {
                self.lose(name);
                None
            }
        };
        if let Some(written) = written {
            out.set(name, written);
        }
    }

    /// The fields of a schema with those of its `allOf` among them.
    fn without_all_of(&mut self, mut fields: Fields, place: Place<'_>) -> Fields {
        let Some(parts) = fields.take("allOf") else { return fields };
        let parts = parts.items().unwrap_or_default();
        // A reference with a description of its own is often written like this.
        if let [only] = parts.as_slice()
            && let Some(part) = keywords(only)
            && part.get("$ref").is_some()
            && !["type", "properties", "items", "anyOf", "oneOf"]
                .iter()
                .any(|name| fields.get(name).is_some())
        {
            for (name, value) in part.iter() {
                fields.set(name, value.clone());
            }
            return fields;
        }
        for part in parts {
            match self.resolved(&part, place) {
                Some(part) => {
                    let part = self.without_all_of(part, place.inside());
                    self.merge(&mut fields, &part);
                }
                None => self.lose("allOf"),
            }
        }
        fields
    }

    /// The fields of a schema, or of the one that it refers to; `None` if there is none, or it may
    /// not be written out.
    fn resolved(&mut self, schema: &Json, place: Place<'_>) -> Option<Fields> {
        if place.depth > DEEPEST {
            return None;
        }
        let fields = keywords(schema)?;
        let Some(reference) = fields.get("$ref") else { return Some(fields) };
        let target = place.root.found(&reference.as_text()?, &mut self.room)?;
        let mut target = self.resolved(&target, place.inside())?;
        for (name, value) in fields.iter().filter(|(name, _)| *name != "$ref") {
            target.set(name, value.clone());
        }
        Some(target)
    }

    fn merge(&mut self, whole: &mut Fields, part: &Fields) {
        for (name, value) in part.iter() {
            let before = whole.get(name);
            // What is put together is read again for each part.
            let cost = before.map_or(0, |before| before.get().len());
            let Some(room) = self.room.checked_sub(cost) else {
                self.lose("allOf");
                continue;
            };
            self.room = room;
            let both = match (name, before) {
                (_, None) => value.clone(),
                (_, Some(before)) if before == value => continue,
                ("properties" | "$defs" | "definitions", Some(before)) => {
                    let before = before.fields().unwrap_or_default();
                    let more = value.fields().unwrap_or_default();
                    let known: BTreeSet<&str> = before.names().collect();
                    let new = more.iter().filter(|(name, _)| !known.contains(name));
                    let all = before.iter().chain(new);
                    Json::of(
                        &all.map(|(name, schema)| (name.to_owned(), schema.clone()))
                            .collect::<Fields>(),
                    )
                }
                ("required", Some(before)) => {
                    let before = before.items().unwrap_or_default();
                    let more = value.items().unwrap_or_default();
                    let known: BTreeSet<&str> = before.iter().map(Json::get).collect();
                    let new = more.iter().filter(|name| !known.contains(name.get()));
                    Json::of(&before.iter().chain(new).collect::<Vec<_>>())
                }
                ("title" | "description" | "example", Some(_)) => continue,
                // Two rules for one thing: only one of them can be said.
                (_, Some(_)) => {
                    self.lose("allOf");
                    continue;
                }
            };
            whole.set(name, both);
        }
    }
}

#[cfg(test)]
mod tests;
