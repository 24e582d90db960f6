//! The OpenAPI document, made from the handlers; and what holds for every number of it, said once.

use crate::{routes::documented, wire::MOST_EXACT};
use serde_json::{Map, Value};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

#[derive(OpenApi)]
#[openapi(
    info(title = "Gateway", description = "An LLM API gateway: one OpenAI API, accounts and quota in front of many providers", license(name = "MIT")),
    modifiers(&Credentials)
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_with(Default::default);
        for name in ["login", "api_key"] {
            let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
            components.add_security_scheme(name, scheme);
        }
    }
}

/// The OpenAPI document, made from the handlers. Every whole number of 64 bits lies within what all
/// stores and JSON readers keep exactly, and ids are not negative.
pub fn openapi() -> Value {
    let router = OpenApiRouter::with_openapi(Document::openapi()).merge(documented());
    let mut document = serde_json::to_value(router.into_openapi()).unwrap_or_default();
    bound(&mut document, "");
    document
}

/// Goes through a value, which stands under this name.
fn bound(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| bound(item, name)),
        Value::Object(fields) => {
            if fields.get("format").is_some_and(|format| format == "int64") {
                set_bounds(fields, name == "id" || name.ends_with("_id"));
            }
            // A parameter's schema stands beside its name, a property's below it.
            let parameter = fields.get("name").and_then(Value::as_str).map(str::to_owned);
            for (key, field) in fields.iter_mut() {
                let name = match (key.as_str(), &parameter) {
                    ("schema", Some(parameter)) => parameter,
                    ("oneOf" | "anyOf", _) => name,
                    _ => key,
                };
                bound(field, name);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn set_bounds(schema: &mut Map<String, Value>, is_id: bool) {
    let least = if is_id { 0 } else { -MOST_EXACT };
    schema.entry("minimum").or_insert_with(|| least.into());
    schema.entry("maximum").or_insert_with(|| MOST_EXACT.into());
}

#[cfg(test)]
mod tests {
    use crate::openapi;
    use serde_json::{Value, json};

    /// Every schema with a number of 64 bits, and what it is called.
    fn numbers(value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(fields) => {
                if fields.get("format") == Some(&json!("int64")) {
                    found.push((at.to_owned(), value.clone()));
                }
                for (key, field) in fields {
                    let name = fields.get("name").and_then(Value::as_str).unwrap_or(key);
                    numbers(field, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| numbers(item, at, found)),
            _ => {}
        }
    }

    #[test]
    fn every_number_has_bounds_that_json_readers_keep() {
        let mut found = Vec::new();
        numbers(&openapi(), "", &mut found);
        assert!(found.len() > 40, "{}", found.len());
        let id = |at: &String| at.contains("/token_id") || at.ends_with("/id");
        assert!(found.iter().any(|(at, _)| id(at)));
        for (at, schema) in found {
            let most = schema["maximum"].as_i64().unwrap();
            assert!(most <= 9_007_199_254_740_991, "{at}: {schema}");
            assert!(schema["minimum"].as_i64().unwrap() >= -9_007_199_254_740_991, "{at}");
            if id(&at) {
                assert_eq!(schema["minimum"], 0, "{at}");
            }
        }
    }
}
