//! Schemas in Gemini's older dialect: no references, no `null` among the types, and few keywords.

use super::{DEEPEST, Place, Schemas, keywords};
use gateway_ports::{Json, provider::Fields};

impl Schemas {
    fn classic_node(&mut self, schema: &Json, place: Place<'_>) -> Json {
        let fields = keywords(schema).unwrap_or_default();
        Json::of(&self.classic_object(fields, place.inside()))
    }

    pub(super) fn classic_object(&mut self, fields: Fields, place: Place<'_>) -> Fields {
        let fields = match fields.get("$ref") {
            Some(_) => self.resolved(&Json::of(&fields), place),
            None => Some(fields).filter(|_| place.depth <= DEEPEST),
        };
        // Where references are written out, a schema may have no end.
        let Some(fields) = fields else {
            self.lose("$ref");
            return [("type".to_owned(), Json::of("OBJECT"))].into_iter().collect();
        };
        let fields = self.without_all_of(fields, place);
        let (fields, mut nullable) = self.without_null(fields, place);
        let types = types(&fields);
        nullable |= types.iter().any(|kind| kind == "NULL");
        let types: Vec<&String> = types.iter().filter(|kind| *kind != "NULL").collect();
        let mut out = Fields::default();
        let choices = ["anyOf", "oneOf"].iter().find_map(|name| fields.get(name)?.items());
        let kind = match (types.as_slice(), &choices) {
            ([one], _) => Some(one.as_str()),
            ([], Some(_)) => None,
            ([], None) => Some(guessed(&fields)),
            (many, _) => {
                let each = many.iter().map(|kind| one_type(kind)).collect::<Vec<_>>();
                out.set("anyOf", Json::of(&each));
                None
            }
        };
        if let Some(kind) = kind {
            out.set("type", Json::of(kind));
        }
        if let Some(choices) = choices {
            let choices: Vec<Json> =
                choices.iter().map(|choice| self.classic_node(choice, place)).collect();
            out.set("anyOf", Json::of(&choices));
        }
        for (name, value) in fields.iter() {
            self.classic_keyword(&mut out, kind, (name, value), place);
        }
        if kind == Some("ARRAY") && out.get("items").is_none() {
            out.set("items", one_type("STRING"));
        }
        if nullable {
            out.set("nullable", Json::of(&true));
        }
        out
    }

    fn classic_keyword(
        &mut self,
        out: &mut Fields,
        kind: Option<&str>,
        (name, value): (&str, &Json),
        place: Place<'_>,
    ) {
        let text = value.as_text();
        match name {
            "title" | "description" | "minItems" | "maxItems" | "minLength" | "maxLength"
            | "minProperties" | "maxProperties" | "minimum" | "maximum" | "pattern"
            | "nullable" | "required" | "propertyOrdering" | "example" => {
                out.set(name, value.clone());
            }
            "format" if format_fits(kind, text.as_deref()) => out.set(name, value.clone()),
            "enum" => match texts(value).filter(|_| kind == Some("STRING")) {
                Some(texts) => out.set(name, Json::of(&texts)),
                None => self.lose(name),
            },
            "const" => match text.filter(|_| kind == Some("STRING")) {
                Some(text) => out.set("enum", Json::of(&[text])),
                None => self.lose(name),
            },
            "items" if value.is_object() => {
                let items = self.classic_node(value, place);
                out.set(name, items);
            }
            "properties" => {
                let properties = value.fields().unwrap_or_default();
                let properties: Fields = properties
                    .iter()
                    .map(|(name, schema)| (name.to_owned(), self.classic_node(schema, place)))
                    .collect();
                if !properties.is_empty() {
                    out.set(name, Json::of(&properties));
                }
            }
            // A tuple, as earlier drafts write it.
            "items" => self.lose("prefixItems"),
            _ => self.lose(name),
        }
    }

    /// A schema whose choices do not have `null` among them, and whether they had. If one choice is
    /// left, it is the schema.
    fn without_null(&mut self, mut fields: Fields, place: Place<'_>) -> (Fields, bool) {
        for name in ["anyOf", "oneOf"] {
            let Some(choices) = fields.get(name).and_then(Json::items) else { continue };
            let is_null =
                |choice: &Json| choice.fields().is_some_and(|fields| types(&fields) == ["NULL"]);
            let others: Vec<Json> =
                choices.iter().filter(|choice| !is_null(choice)).cloned().collect();
            let nullable = others.len() < choices.len();
            if let [only] = others.as_slice() {
                fields.take(name);
                match self.resolved(only, place.inside()) {
                    Some(only) => {
                        let only = self.without_all_of(only, place.inside());
                        self.merge(&mut fields, &only);
                    }
                    None => self.lose("$ref"),
                }
            } else if nullable {
                fields.set(name, Json::of(&others));
            }
            return (fields, nullable);
        }
        (fields, false)
    }
}

/// The names of a schema's types, as this dialect writes them.
fn types(fields: &Fields) -> Vec<String> {
    let Some(kind) = fields.get("type") else { return Vec::new() };
    let names = kind.as_text().map(|name| vec![name]).or_else(|| kind.read()).unwrap_or_default();
    names.into_iter().map(|name: String| name.to_ascii_uppercase()).collect()
}

fn one_type(kind: &str) -> Json {
    let fields = match kind {
        "ARRAY" => vec![("type", Json::of(kind)), ("items", one_type("STRING"))],
        _ => vec![("type", Json::of(kind))],
    };
    Json::of(&fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Fields>())
}

/// The type of a schema that does not say it.
fn guessed(fields: &Fields) -> &'static str {
    if fields.get("properties").is_some() || fields.get("additionalProperties").is_some() {
        "OBJECT"
    } else if fields.get("items").is_some() || fields.get("prefixItems").is_some() {
        "ARRAY"
    } else {
        "STRING"
    }
}

fn format_fits(kind: Option<&str>, format: Option<&str>) -> bool {
    matches!(
        (kind, format),
        (Some("STRING"), Some("enum" | "date-time"))
            | (Some("INTEGER"), Some("int32" | "int64"))
            | (Some("NUMBER"), Some("float" | "double"))
    )
}

fn texts(values: &Json) -> Option<Vec<String>> {
    // An empty text is refused in an `enum`.
    values.read().filter(|texts: &Vec<String>| texts.iter().all(|text| !text.is_empty()))
}
