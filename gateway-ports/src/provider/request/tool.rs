//! The tools that a model may call, and which of them it must.

use super::CacheMarks;
use crate::provider::json::{Fields, Json};

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// What it is.
    pub kind: ToolKind,
    /// It came in the old field `functions`.
    pub legacy: bool,
    /// Marks for the cache of prompts.
    pub cache: CacheMarks,
    /// Every other field.
    pub other: Fields,
}

impl From<ToolKind> for Tool {
    fn from(kind: ToolKind) -> Self {
        Self { kind, legacy: false, cache: CacheMarks::default(), other: Fields::default() }
    }
}

impl Tool {
    /// Its name; empty for a type that is not known.
    pub fn name(&self) -> &str {
        match &self.kind {
            ToolKind::Function(function) => &function.name,
            ToolKind::Custom(custom) => &custom.name,
            ToolKind::Other(_) => "",
        }
    }

    /// Its `cache_control`, which some clients write inside of the function.
    pub fn cache_control(&self) -> Option<&Json> {
        let inside = match &self.kind {
            ToolKind::Function(function) => function.other.get("cache_control"),
            ToolKind::Custom(_) | ToolKind::Other(_) => None,
        };
        self.cache.control.as_ref().or(inside)
    }
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// A function, whose arguments are JSON.
    Function(FunctionTool),
    /// A tool whose input is free text.
    Custom(CustomTool),
    /// A tool of a type that is not known; its fields are among the tool's other ones.
    Other(String),
}

/// A function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionTool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments, verbatim.
    pub parameters: Option<Json>,
    /// Whether the arguments must fulfil the schema exactly.
    pub strict: Option<bool>,
    /// Every other field of the function.
    pub other: Fields,
}

/// A tool whose input is free text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomTool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The grammar of its input.
    pub format: Option<Json>,
    /// Every other field of it.
    pub other: Fields,
}

/// Which tools a model may or must call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// It decides.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This function.
    Function(String),
    /// This custom tool.
    Custom(String),
    /// Some of the tools only.
    Allowed {
        /// Whether it must call one.
        required: bool,
        /// The tools, each as the caller refers to it.
        tools: Vec<Json>,
    },
    /// A choice that is not known, as it came.
    Other(Json),
}

impl ToolChoice {
    /// The names of the tools that are allowed, where the choice names any.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Function(name) | Self::Custom(name) => vec![name.clone()],
            Self::Allowed { tools, .. } => tools.iter().filter_map(name_of).collect(),
            Self::Auto | Self::None | Self::Required | Self::Other(_) => Vec::new(),
        }
    }
}

/// The name in `{"type": "function", "function": {"name": ...}}`, however it is nested.
fn name_of(tool: &Json) -> Option<String> {
    let fields = tool.fields()?;
    let inner = ["function", "custom"].iter().find_map(|kind| fields.get(kind)?.fields());
    inner.as_ref().unwrap_or(&fields).get("name")?.as_text()
}
