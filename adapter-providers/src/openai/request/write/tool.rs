//! Tools, written, and the choice between them.

use super::{Map, Object, Wire};
use gateway_ports::{
    Json,
    provider::{
        Fields,
        request::{Tool, ToolChoice, ToolKind},
    },
};
use serde::{Serialize, Serializer};

impl Serialize for Wire<'_, Tool> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let tool = self.0;
        if tool.legacy {
            return Wire(&tool.kind).serialize(s);
        }
        let map = Map::new(s)?;
        let map = match &tool.kind {
            ToolKind::Function(_) => {
                map.put("type", "function")?.put("function", &Wire(&tool.kind))?
            }
            ToolKind::Custom(_) => map.put("type", "custom")?.put("custom", &Wire(&tool.kind))?,
            ToolKind::Other(kind) => map.put("type", kind)?,
        };
        map.marks(&tool.cache)?.end(&tool.other)
    }
}

/// The object inside of a tool.
impl Serialize for Wire<'_, ToolKind> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let map = Map::new(s)?;
        match self.0 {
            ToolKind::Function(function) => map
                .put("name", &function.name)?
                .maybe("description", function.description.as_ref())?
                .maybe("parameters", function.parameters.as_ref())?
                .maybe("strict", function.strict.as_ref())?
                .end(&function.other),
            ToolKind::Custom(custom) => map
                .put("name", &custom.name)?
                .maybe("description", custom.description.as_ref())?
                .maybe("format", custom.format.as_ref())?
                .end(&custom.other),
            ToolKind::Other(_) => map.end(&Fields::default()),
        }
    }
}

/// A choice, and whether it is written in the old way.
pub(super) struct Choice<'a>(pub(super) &'a ToolChoice, pub(super) bool);

impl Serialize for Choice<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let none = Fields::default();
        let named = |s: S, kind: &str, name: &String| {
            let inside = Object(&[("name", Some(name))], &none);
            Map::new(s)?.put("type", kind)?.put(kind, &inside)?.end(&none)
        };
        match self.0 {
            ToolChoice::Auto => s.serialize_str("auto"),
            ToolChoice::None => s.serialize_str("none"),
            ToolChoice::Required => s.serialize_str("required"),
            ToolChoice::Function(name) if self.1 => {
                Object(&[("name", Some(name))], &none).serialize(s)
            }
            ToolChoice::Function(name) => named(s, "function", name),
            ToolChoice::Custom(name) => named(s, "custom", name),
            ToolChoice::Allowed { required, tools } => {
                let mode = if *required { "required" } else { "auto" };
                let inside = Allowed { mode, tools };
                Map::new(s)?.put("type", "allowed_tools")?.put("allowed_tools", &inside)?.end(&none)
            }
            ToolChoice::Other(json) => json.serialize(s),
        }
    }
}

#[derive(Serialize)]
struct Allowed<'a> {
    mode: &'static str,
    tools: &'a [Json],
}
