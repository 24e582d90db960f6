//! Tools, read, and the choice between them; the old `functions` too.

use super::object::{Object, Path, each};
use gateway_ports::{
    ProviderError,
    provider::request::{CustomTool, FunctionTool, Tool, ToolChoice, ToolKind},
};
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, ProviderError>;

pub(super) fn tools(raw: Option<&RawValue>) -> Result<Vec<Tool>> {
    each(raw, Path::Field(&Path::Root, "tools"), tool)
}

/// The old way to name tools, which has functions only.
pub(super) fn functions(raw: Option<&RawValue>) -> Result<Vec<Tool>> {
    each(raw, Path::Field(&Path::Root, "functions"), |raw, path| {
        let kind = ToolKind::Function(function(Object::new(raw, path)?)?);
        Ok(Tool { legacy: true, ..Tool::from(kind) })
    })
}

fn tool(raw: &RawValue, path: Path<'_>) -> Result<Tool> {
    let mut fields = Object::new(raw, path)?;
    let kind = fields.text("type")?.unwrap_or_else(|| String::from("function"));
    let kind = match kind.as_str() {
        "function" => {
            let inner = Path::Field(&path, "function");
            ToolKind::Function(function(Object::inside(fields.raw("function"), inner)?)?)
        }
        "custom" => {
            let inner = Path::Field(&path, "custom");
            let mut custom = Object::inside(fields.raw("custom"), inner)?;
            ToolKind::Custom(CustomTool {
                name: custom.required("name")?,
                description: custom.text("description")?,
                format: custom.json("format"),
                other: custom.rest(),
            })
        }
        _ => ToolKind::Other(kind),
    };
    Ok(Tool { kind, legacy: false, cache: fields.cache_marks(), other: fields.rest() })
}

fn function(mut fields: Object<'_, '_>) -> Result<FunctionTool> {
    Ok(FunctionTool {
        name: fields.required("name")?,
        description: fields.text("description")?,
        parameters: fields.json("parameters"),
        strict: fields.flag("strict")?,
        other: fields.rest(),
    })
}

/// A choice of tools.
pub(super) fn choice(raw: Option<&RawValue>) -> Result<Option<ToolChoice>> {
    let path = Path::Field(&Path::Root, "tool_choice");
    let Some(raw) = raw else { return Ok(None) };
    if let Some(word) = word(raw) {
        return Ok(Some(word));
    }
    let other = ToolChoice::Other(raw.into());
    let Ok(mut fields) = Object::new(raw, path) else { return Ok(Some(other)) };
    let kind = fields.text("type")?.unwrap_or_default();
    let inner = Path::Field(&path, &kind);
    Ok(Some(match kind.as_str() {
        "function" => {
            let mut function = Object::inside(fields.raw("function"), inner)?;
            ToolChoice::Function(function.required("name")?)
        }
        "custom" => {
            let mut custom = Object::inside(fields.raw("custom"), inner)?;
            ToolChoice::Custom(custom.required("name")?)
        }
        "allowed_tools" => {
            let mut allowed = Object::inside(fields.raw("allowed_tools"), inner)?;
            let tools = allowed.raw("tools");
            ToolChoice::Allowed {
                required: allowed.text("mode")?.as_deref() == Some("required"),
                tools: each(tools, Path::Field(&inner, "tools"), |raw, _| Ok(raw.into()))?,
            }
        }
        _ => other,
    }))
}

/// The old way to choose: `auto`, `none`, or a function by its name.
pub(super) fn legacy_choice(raw: Option<&RawValue>) -> Result<Option<ToolChoice>> {
    let path = Path::Field(&Path::Root, "function_call");
    let Some(raw) = raw else { return Ok(None) };
    match word(raw) {
        Some(word) => Ok(Some(word)),
        None => Object::new(raw, path)?.required("name").map(ToolChoice::Function).map(Some),
    }
}

fn word(raw: &RawValue) -> Option<ToolChoice> {
    Some(match raw.get() {
        "\"auto\"" => ToolChoice::Auto,
        "\"none\"" => ToolChoice::None,
        "\"required\"" => ToolChoice::Required,
        _ => return None,
    })
}
