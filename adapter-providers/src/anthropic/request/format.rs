//! The shape that the answer must have, and the effort, which stands in the same object.

use super::{Context, object, schema, wire::Block};
use gateway_ports::{
    ChatRequest, Json, ProviderError,
    provider::{Fields, request::ResponseFormat},
};

/// There is no mode of the API for any JSON object, so the model is told.
const ANY_OBJECT: &str = "Respond with one valid JSON object and nothing else.";

/// Writes the object for both. What the caller says in this dialect comes first.
///
/// # Errors
/// For a shape that the API or the model cannot be bound to.
pub(super) fn write(
    asked: &ChatRequest,
    effort: Option<&str>,
    system: &mut Vec<Block<'_>>,
    context: &mut Context<'_>,
) -> Result<Fields, ProviderError> {
    let own = object(asked, "output_config")?;
    let mut config = own.and_then(Json::fields).unwrap_or_default();
    if let Some(effort) = effort.filter(|_| config.get("effort").is_none()) {
        config.set("effort", Json::of(effort));
    }
    let schema = match &asked.response_format {
        None | Some(ResponseFormat::Text) => return Ok(config),
        Some(ResponseFormat::JsonObject) => None,
        Some(ResponseFormat::JsonSchema(format)) => format.schema.as_ref(),
        Some(ResponseFormat::Other(_)) => {
            return Err(refused(
                "response_format",
                ProviderError::UNSUPPORTED_VALUE,
                "is not one that Anthropic knows",
            ));
        }
    };
    if config.get("format").is_some() {
        context.dropped("response_format");
        return Ok(config);
    }
    let Some(schema) = schema else {
        system.push(Block::text(ANY_OBJECT));
        context.dropped_part("response_format.type");
        return Ok(config);
    };
    if !context.model.structured_outputs {
        return Err(refused(
            "response_format",
            ProviderError::UNSUPPORTED_VALUE,
            "cannot be a schema with this model",
        ));
    }
    let schema = schema::rewritten(schema).ok_or_else(|| {
        refused(
            "response_format.json_schema.schema",
            ProviderError::INVALID_TYPE,
            "must be an object",
        )
    })?;
    let format = [("type", Json::of("json_schema")), ("schema", schema)];
    let format: Fields = format.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    config.set("format", Json::of(&format));
    Ok(config)
}

fn refused(param: &str, code: &'static str, what: &str) -> ProviderError {
    ProviderError::unsupported(param, code, format!("{param} {what}"))
}
