//! Values that go into a statement and come out of a row.

use gateway_domain::Credits;

/// A value. There are no booleans, floats or blobs on purpose: a store may confuse them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; what is written lies within ±(2^53-1).
    Int(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Int(i64::from(yes))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Credits> for Value {
    fn from(amount: Credits) -> Self {
        Self::Int(amount.as_i64())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A count as stores keep it: at most 2^53-1.
pub(crate) fn count(number: u64) -> i64 {
    Credits::saturating(number).as_i64()
}

/// A list of values of different types.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::Value::from($value)),*]
    };
}
pub(crate) use args;
