//! Tools as function declarations, and which of them may or must be called.

use super::{Model, Notes, Result};
use crate::gemini::{names::Names, schema::Schemas};
use gateway_ports::{
    ChatRequest, Json, ProviderError,
    provider::{
        Fields,
        request::{FunctionTool, ResponseFormat, ToolChoice, ToolKind},
    },
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeSet};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Fields>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig {
    function_calling_config: CallingConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<String>,
}

/// The functions among a request's tools.
pub(super) fn functions(request: &ChatRequest) -> impl Iterator<Item = &FunctionTool> + Clone {
    request.tools.iter().filter_map(|tool| match &tool.kind {
        ToolKind::Function(function) => Some(function),
        ToolKind::Custom(_) | ToolKind::Other(_) => None,
    })
}

/// What of the tools may be called.
struct Chosen {
    mode: &'static str,
    /// Only these must be called.
    names: Vec<String>,
    /// Only these are declared.
    declared: Option<BTreeSet<String>>,
}

/// Writes the tools; `None` if there are none to be called.
pub(super) fn write<'a>(
    request: &'a ChatRequest,
    model: &Model<'_>,
    (names, schemas): (&'a Names, &mut Schemas),
    notes: &mut Notes,
) -> Result<Option<(Tools<'a>, ToolConfig)>> {
    refuse(request)?;
    if request.tools.is_empty() {
        return Ok(None);
    }
    let chosen = chosen(request)?;
    let mut declarations = Vec::new();
    for (index, function) in functions(request).enumerate() {
        if chosen.declared.as_ref().is_none_or(|names| names.contains(&function.name)) {
            let written = declaration(function, model, (names, &mut *schemas), notes);
            declarations.push(written.ok_or_else(|| no_schema(request, index))?);
        }
    }
    let wants_json = matches!(
        request.response_format,
        Some(ResponseFormat::JsonObject | ResponseFormat::JsonSchema(_))
    );
    // Tools that may not be called would keep an older model from answering in JSON.
    let in_the_way = chosen.mode == "NONE" && wants_json && !model.rules.json_with_tools;
    if declarations.is_empty() || in_the_way {
        for name in ["tools", "functions", "tool_choice", "function_call"] {
            notes.pass(name);
        }
        return Ok(None);
    }
    let allowed = chosen.names.iter().map(|name| names.changed(name).into_owned());
    let config = CallingConfig { mode: chosen.mode, allowed_function_names: allowed.collect() };
    Ok(Some((
        Tools { function_declarations: declarations },
        ToolConfig { function_calling_config: config },
    )))
}

/// Refuses tools that are no functions: a model that does not know of them answers something else.
fn refuse(request: &ChatRequest) -> Result<()> {
    match request.tools.iter().position(|tool| !matches!(tool.kind, ToolKind::Function(_))) {
        None => Ok(()),
        Some(index) => Err(ProviderError::unsupported(
            format!("tools.[{index}].type"),
            ProviderError::UNSUPPORTED_VALUE,
            "this model takes tools of the type function only",
        )),
    }
}

fn chosen(request: &ChatRequest) -> Result<Chosen> {
    let param = if request.legacy_choice { "function_call" } else { "tool_choice" };
    let mode = |mode| Chosen { mode, names: Vec::new(), declared: None };
    let chosen = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => mode("AUTO"),
        Some(ToolChoice::None) => mode("NONE"),
        Some(ToolChoice::Required) => mode("ANY"),
        Some(choice @ ToolChoice::Function(_)) => Chosen { names: choice.names(), ..mode("ANY") },
        Some(choice @ ToolChoice::Allowed { required: true, .. }) => {
            Chosen { names: choice.names(), ..mode("ANY") }
        }
        Some(choice @ ToolChoice::Allowed { required: false, .. }) => {
            Chosen { declared: Some(choice.names().into_iter().collect()), ..mode("AUTO") }
        }
        Some(ToolChoice::Custom(_) | ToolChoice::Other(_)) => {
            return Err(ProviderError::unsupported(
                param,
                ProviderError::UNSUPPORTED_VALUE,
                format!("{param} must be a word, a function or allowed tools"),
            ));
        }
    };
    let known: BTreeSet<&str> = functions(request).map(|f| f.name.as_str()).collect();
    let mut named = chosen.names.iter().chain(chosen.declared.iter().flatten());
    if named.any(|name| !known.contains(name.as_str())) {
        return Err(ProviderError::unsupported(
            param,
            ProviderError::INVALID_VALUE,
            format!("{param} names a tool that is not there"),
        ));
    }
    Ok(chosen)
}

/// The error of parameters that are no schema.
fn no_schema(request: &ChatRequest, index: usize) -> ProviderError {
    let newer = request.tools.iter().filter(|tool| !tool.legacy).count();
    let param = match index.checked_sub(newer) {
        None => format!("tools.[{index}].function.parameters"),
        Some(legacy) => format!("functions.[{legacy}].parameters"),
    };
    let message = format!("{param} must be an object");
    ProviderError::unsupported(param, ProviderError::INVALID_TYPE, message)
}

/// Writes a function; `None` if its parameters are no schema.
fn declaration<'a>(
    function: &'a FunctionTool,
    model: &Model<'_>,
    (names, schemas): (&'a Names, &mut Schemas),
    notes: &mut Notes,
) -> Option<Declaration<'a>> {
    let mut declaration = Declaration {
        name: names.changed(&function.name),
        description: function.description.as_deref().filter(|text| !text.trim().is_empty()),
        parameters_json_schema: None,
        parameters: None,
    };
    if function.strict == Some(true) {
        notes.lose("tools.function.strict");
    }
    if let Some(schema) = &function.parameters {
        let written =
            if model.rules.json_schema { schemas.json(schema) } else { schemas.classic(schema) };
        let written = written?;
        for keyword in schemas.lost() {
            notes.lose(format!("tools.function.parameters.{keyword}"));
        }
        // Gemini refuses an object without properties: then there are no parameters.
        let written = Some(written).filter(says_something);
        if model.rules.json_schema {
            declaration.parameters_json_schema = written.map(as_object);
        } else {
            declaration.parameters = written;
        }
    }
    Some(declaration)
}

fn says_something(schema: &Fields) -> bool {
    let more = ["properties", "$ref", "anyOf", "oneOf"];
    more.iter().any(|name| schema.get(name).is_some())
        || schema.get("additionalProperties").is_some_and(Json::is_object)
}

/// Parameters are an object, even if their schema does not say it.
fn as_object(mut schema: Fields) -> Fields {
    if schema.get("properties").is_some() && schema.get("type").is_none() {
        schema.set("type", Json::of("object"));
    }
    schema
}
