//! The OpenAPI document, made from the handlers; and what holds for every number
//! and every route of it, said once.

use crate::{routes::documented, wire::MOST_EXACT};
use http::StatusCode;
use serde_json::{Map, Value, json};
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
    add_failures(&mut document);
    document
}

/// Every route has the errors that all of its kind have, in their shape.
fn add_failures(document: &mut Value) {
    if let Some(schemas) = document.pointer_mut("/components/schemas") {
        let text = json!({"type": "string"});
        let nullable = json!({"type": ["string", "null"]});
        schemas["ApiFailure"] = json!({
            "type": "object",
            "required": ["success", "message", "code"],
            "properties": {"success": {"const": false}, "message": text, "code": text},
        });
        schemas["CallFailure"] = json!({
            "type": "object",
            "required": ["error"],
            "properties": {"error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {"message": text, "type": text, "param": nullable, "code": nullable},
            }},
        });
    }
    if let Some(paths) = document.pointer_mut("/paths").and_then(Value::as_object_mut) {
        // A parameter that takes the rest of the path is one like the others to callers.
        *paths = std::mem::take(paths)
            .into_iter()
            .map(|(path, item)| (path.replace("{*", "{"), item))
            .collect();
        for (path, item) in paths {
            let shape = if path.starts_with("/v1") { "CallFailure" } else { "ApiFailure" };
            for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
                add_errors(operation, shape);
            }
        }
    }
}

/// The errors that a route has because it has a caller, a body, or a store behind it; and what all of
/// its errors look like.
fn add_errors(operation: &mut Value, shape: &str) {
    let mut usual = vec!["400", "503"];
    if operation.get("security").is_some() {
        usual.extend(["401", "403"]);
    }
    if operation.get("requestBody").is_some() {
        usual.extend(["408", "413", "415"]);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for status in usual {
        responses.entry(status).or_insert_with(|| json!({"description": ""}));
    }
    for (status, response) in responses {
        let known = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        let reason = known.and_then(|code| code.canonical_reason()).unwrap_or_default();
        if response.get("description").is_none_or(|text| text == "") {
            response["description"] = reason.into();
        }
        if status.as_str() >= "400" {
            let schema = json!({"$ref": format!("#/components/schemas/{shape}")});
            response["content"] = json!({"application/json": {"schema": schema}});
        }
    }
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
    fn every_error_has_its_routes_shape() {
        let document = openapi();
        let error = |path: &str, method: &str, status: &str| {
            let found = &document["paths"][path][method]["responses"][status];
            found["content"]["application/json"]["schema"]["$ref"].as_str().map(str::to_owned)
        };
        let api = Some("#/components/schemas/ApiFailure".to_owned());
        let call = Some("#/components/schemas/CallFailure".to_owned());
        assert_eq!(error("/api/token/{id}", "put", "409"), api);
        assert_eq!(error("/api/token/{id}", "put", "413"), api);
        assert_eq!(error("/api/token/{id}", "get", "413"), None);
        assert_eq!(error("/api/user/login", "post", "403"), None);
        assert_eq!(error("/v1/models/{id}", "get", "404"), call);
        assert_eq!(error("/v1/chat/completions", "post", "504"), call);
        assert!(document["components"]["schemas"]["ApiFailure"].is_object());
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
