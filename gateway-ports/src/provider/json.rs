//! JSON that is carried and not read: as text, so that numbers and the order of keys survive.
//!
//! Schemas, arguments, signatures and unknown fields pass through a translation like this. What is
//! deliberately not known here: what any of it means.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A JSON value as the text that it came as. Serialises as itself; two are equal if their texts
/// are.
#[derive(Clone, Debug)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Takes a text; `None` if it is not one JSON value.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        RawValue::from_string(text.into()).ok().map(Self)
    }

    /// A value as JSON. A value that has none (a map whose keys are no strings) is `null`.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        serde_json::value::to_raw_value(value).map_or_else(|_| Self::null(), Self)
    }

    /// `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Reads it; `None` if it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.get()).ok()
    }

    /// The text of a JSON string; `None` if it is no string.
    pub fn as_text(&self) -> Option<String> {
        self.read()
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.get().starts_with('{')
    }

    /// The fields of an object in their order; `None` if it is none.
    pub fn fields(&self) -> Option<Fields> {
        let gateway_domain::call::json::Entries(entries) = serde_json::from_str(self.get()).ok()?;
        Some(entries.into_iter().map(|(name, raw)| (name.into_owned(), raw.into())).collect())
    }

    /// The items of an array; `None` if it is none.
    pub fn items(&self) -> Option<Vec<Json>> {
        self.read()
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(raw.to_owned())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(d).map(Self)
    }
}

/// Fields of an object in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Json)>);

impl Fields {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a field; the last one if it is there twice, as JSON readers have it.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Sets a field, where it stands or behind all others.
    pub fn set(&mut self, name: impl Into<String>, value: Json) {
        let name = name.into();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let found = self.get(name).cloned();
        self.0.retain(|(key, _)| key != name);
        found
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl FromIterator<(String, Json)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_the_order_of_keys_survive() {
        let text = r#"{"b": 12345678901234567890.10, "a":[1e2]}"#;
        let json = Json::new(text).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        let fields = json.fields().unwrap();
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"b":12345678901234567890.10,"a":[1e2]}"#
        );
        assert_eq!(fields.get("a").unwrap().items().unwrap(), [Json::new("1e2").unwrap()]);
    }

    #[test]
    fn what_is_no_json_is_none() {
        assert!(Json::new("{").is_none() && Json::new("").is_none() && Json::new("1 2").is_none());
        assert!(Json::null().fields().is_none() && Json::null().items().is_none());
    }
}
