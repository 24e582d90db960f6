//! The tools that the model may call.

use super::{
    Context,
    choice::Wanted,
    marks, schema,
    wire::{Function, Tool},
};
use gateway_ports::{
    ChatRequest, Json, ProviderError,
    provider::{
        Fields,
        request::{self, FunctionTool, ToolKind},
    },
};

type Result<T> = std::result::Result<T, ProviderError>;

/// A set of tools of a server that the caller named in `mcp_servers`.
const TOOLSET: &str = "mcp_toolset";

pub(super) fn write<'a>(
    asked: &'a ChatRequest,
    wanted: &Wanted<'_>,
    context: &mut Context<'_>,
) -> Result<Vec<Tool<'a>>> {
    let mut places = [0usize; 2];
    let mut tools = Vec::new();
    for tool in &asked.tools {
        let [ref mut new, ref mut old] = places;
        let (list, place) = if tool.legacy { ("functions", old) } else { ("tools", new) };
        let path = format!("{list}.[{place}]");
        *place += 1;
        match &tool.kind {
            ToolKind::Function(function) => {
                if wanted.offers(&function.name) {
                    context.dropped_fields("tools.[]", &tool.other);
                    tools.push(Tool::Function(self::function(tool, function, &path, context)?));
                }
            }
            ToolKind::Other(kind) if kind == TOOLSET => {
                let mut fields = tool.other.clone();
                fields.set("type", Json::of(kind));
                if let Some(mark) = marks::own(tool.cache_control()) {
                    fields.set("cache_control", mark);
                }
                tools.push(Tool::Verbatim(fields));
            }
            ToolKind::Custom(_) | ToolKind::Other(_) => {
                return Err(ProviderError::unsupported(
                    format!("{path}.type"),
                    ProviderError::UNSUPPORTED_VALUE,
                    format!("{path}.type: Anthropic has no tools of this type"),
                ));
            }
        }
    }
    Ok(tools)
}

fn function<'a>(
    tool: &'a request::Tool,
    function: &'a FunctionTool,
    path: &str,
    context: &mut Context<'_>,
) -> Result<Function<'a>> {
    let own = ["cache_control"];
    let rest = function.other.iter().filter(|(name, _)| !own.contains(name));
    let rest = rest.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    context.dropped_fields("tools.[].function", &rest);
    let inside = if tool.legacy { path.to_owned() } else { format!("{path}.function") };
    let mark = marks::of(&tool.cache, context).or_else(|| marks::own(tool.cache_control()));
    Ok(Function {
        name: &function.name,
        description: function.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: input_schema(function, &inside)?,
        strict: strict(function, context),
        cache_control: mark,
    })
}

/// The schema of the arguments, to the letter; it must say that it is one of an object.
fn input_schema(function: &FunctionTool, path: &str) -> Result<Json> {
    let Some(parameters) = &function.parameters else {
        return Ok(Json::new(r#"{"type":"object","properties":{}}"#).unwrap_or_else(Json::null));
    };
    let Some(fields) = parameters.fields() else {
        return Err(ProviderError::unsupported(
            format!("{path}.parameters"),
            ProviderError::INVALID_TYPE,
            format!("{path}.parameters must be an object"),
        ));
    };
    if fields.get("type").is_some_and(|kind| *kind != Json::null()) {
        return Ok(parameters.clone());
    }
    let typed = [("type".to_owned(), Json::of("object"))].into_iter();
    let others = fields.iter().filter(|(name, _)| *name != "type");
    let others = others.map(|(name, value)| (name.to_owned(), value.clone()));
    Ok(Json::of(&typed.chain(others).collect::<Fields>()))
}

/// A schema that the API cannot hold exactly would be refused, so then it is not asked to.
fn strict(function: &FunctionTool, context: &mut Context<'_>) -> Option<bool> {
    if function.strict != Some(true) {
        return None;
    }
    let exact = function.parameters.as_ref().is_some_and(schema::is_supported);
    if exact && context.model.structured_outputs {
        return Some(true);
    }
    context.dropped_part("tools.[].function.strict");
    None
}
