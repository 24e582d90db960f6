//! An object's fields, taken one by one, with errors that say where they stand.

use gateway_domain::call::json::Entries;
use gateway_ports::{
    Json, ProviderError,
    provider::{Fields, request::CacheMarks},
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

type Result<T> = std::result::Result<T, ProviderError>;

/// Where in the caller's request something stands. Only an error writes it out.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Field(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}.[{index}]"),
        }
    }
}

impl Path<'_> {
    pub(super) fn error(&self, code: &'static str, message: &str) -> ProviderError {
        let param = self.to_string();
        let message = format!("{param} {message}");
        ProviderError::unsupported(param, code, message)
    }

    fn wrong_type(&self, expected: &str) -> ProviderError {
        self.error(ProviderError::INVALID_TYPE, &format!("must be {expected}"))
    }

    /// Reads a value.
    pub(super) fn read<T: DeserializeOwned>(&self, raw: &RawValue, expected: &str) -> Result<T> {
        serde_json::from_str(raw.get()).map_err(|_| self.wrong_type(expected))
    }
}

/// The fields of an object that nobody has taken yet. A field that is null is not there.
pub(super) struct Object<'a, 'p> {
    path: Path<'p>,
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a, 'p> Object<'a, 'p> {
    pub(super) fn new(raw: &'a RawValue, path: Path<'p>) -> Result<Self> {
        let Entries(mut entries) =
            serde_json::from_str(raw.get()).map_err(|_| path.wrong_type("an object"))?;
        entries.retain(|(_, value)| value.get() != "null");
        Ok(Self { path, entries })
    }

    /// The object in a field; an empty one, whose fields are missing, if there is none.
    pub(super) fn inside(raw: Option<&'a RawValue>, path: Path<'p>) -> Result<Self> {
        raw.map_or_else(|| Ok(Self::empty(path)), |raw| Self::new(raw, path))
    }

    /// No fields at all.
    pub(super) fn empty(path: Path<'p>) -> Self {
        Self { path, entries: Vec::new() }
    }

    /// A field as it lies. If it is there twice, the last one counts, as JSON readers have it.
    pub(super) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let value = self.entries.iter().rev().find(|(key, _)| key == name)?.1;
        self.entries.retain(|(key, _)| key != name);
        Some(value)
    }

    pub(super) fn json(&mut self, name: &str) -> Option<Json> {
        self.raw(name).map(Json::from)
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Result<Option<T>> {
        let path = self.path;
        self.raw(name).map(|raw| Path::Field(&path, name).read(raw, expected)).transpose()
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.read(name, "a string")
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        self.read(name, "an array of strings")
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.read(name, "true or false")
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<serde_json::Number>> {
        self.read(name, "a number")
    }

    pub(super) fn whole(&mut self, name: &str) -> Result<Option<u64>> {
        self.read(name, "a whole number")
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, name: &str) -> Result<String> {
        let missing =
            Path::Field(&self.path, name).error(ProviderError::INVALID_VALUE, "is missing");
        self.text(name)?.ok_or(missing)
    }

    pub(super) fn cache_marks(&mut self) -> CacheMarks {
        CacheMarks {
            control: self.json("cache_control"),
            breakpoint: self.json("prompt_cache_breakpoint"),
        }
    }

    /// Everything that nobody took.
    pub(super) fn rest(self) -> Fields {
        self.entries.into_iter().map(|(name, raw)| (name.into_owned(), raw.into())).collect()
    }
}

/// The items of an array, each read with its place; nothing for an array that is not there.
pub(super) fn each<'a, T>(
    raw: Option<&'a RawValue>,
    path: Path<'_>,
    mut read: impl FnMut(&'a RawValue, Path<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let items: Vec<&'a RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| path.wrong_type("an array"))?;
    items.into_iter().enumerate().map(|(i, raw)| read(raw, Path::Item(&path, i))).collect()
}
