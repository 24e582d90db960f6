//! Rows, and reading domain values from them.

use crate::Value;
use gateway_domain::{Credits, Timestamp};
use gateway_ports::StoreError;
use std::sync::Arc;

/// One row of a result. The names are shared by all its rows.
#[derive(Clone, Debug)]
pub struct Row {
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    /// Takes a row's values, with the columns' names in the same order.
    pub fn new(names: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { names, values }
    }

    /// The value of a column, if there is such a column.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.names.iter().position(|known| known == name)?;
        self.values.get(at)
    }

    /// The row as a record of this table, whose columns have this prefix in the result.
    pub(crate) fn of<'a>(&'a self, table: &'static str, prefix: &'static str) -> Record<'a> {
        Record { row: self, table, prefix }
    }

    /// The value of the only column, as a number.
    pub(crate) fn number(&self, name: &'static str) -> Result<i64, StoreError> {
        self.of("result", "").int(name)
    }

    /// The value of a column, as text.
    pub(crate) fn string(&self, name: &'static str) -> Result<String, StoreError> {
        self.of("result", "").text(name)
    }
}

/// A row read as a record of one table: an error says which column of which table is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    row: &'a Row,
    table: &'static str,
    prefix: &'static str,
}

impl Record<'_> {
    /// An error about a column.
    pub(crate) fn corrupt(&self, column: &str, what: &str) -> StoreError {
        StoreError::Corrupt(format!("{}.{column} {what}", self.table))
    }

    fn value(&self, column: &'static str) -> Result<&Value, StoreError> {
        let value = if self.prefix.is_empty() {
            self.row.get(column)
        } else {
            let mut name = String::with_capacity(self.prefix.len() + column.len());
            name.push_str(self.prefix);
            name.push_str(column);
            self.row.get(&name)
        };
        value.ok_or_else(|| self.corrupt(column, "is missing"))
    }

    pub(crate) fn is_null(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(*self.value(column)? == Value::Null)
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        match self.value(column)? {
            Value::Int(number) => Ok(*number),
            _ => Err(self.corrupt(column, "is no number")),
        }
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        match self.value(column)? {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(self.corrupt(column, "is no text")),
        }
    }

    pub(crate) fn bool(&self, column: &'static str) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt(column, "is neither 0 nor 1")),
        }
    }

    /// A number of any narrower type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        T::try_from(self.int(column)?).map_err(|_| self.corrupt(column, "is out of range"))
    }

    pub(crate) fn credits(&self, column: &'static str) -> Result<Credits, StoreError> {
        Credits::new(self.number(column)?).ok_or_else(|| self.corrupt(column, "is out of range"))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.int(column)?))
    }

    /// Text that a domain type is read from.
    pub(crate) fn parsed<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(String) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.text(column)?).ok_or_else(|| self.corrupt(column, "cannot be read"))
    }

    /// A value that may be missing.
    pub(crate) fn optional<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        if self.is_null(column)? { Ok(None) } else { read(self, column).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        Row::new(Arc::new(["t_a".to_owned()]), vec![value])
    }

    #[test]
    fn an_error_names_the_table_and_the_column() {
        let said = |result: Result<Credits, StoreError>| result.unwrap_err().to_string();
        for (value, what) in [
            (Value::from("x"), "tokens.a is no number"),
            (Value::Null, "tokens.a is no number"),
            (Value::Int(-1), "tokens.a is out of range"),
            (Value::Int(1 << 53), "tokens.a is out of range"),
        ] {
            let row = row(value);
            let error = said(row.of("tokens", "t_").credits("a"));
            assert!(error.ends_with(what), "{error}");
        }
        let error = said(row(Value::Null).of("tokens", "t_").credits("b"));
        assert!(error.ends_with("tokens.b is missing"), "{error}");
    }

    #[test]
    fn a_value_may_be_missing_only_where_that_is_said() {
        let row = row(Value::Null);
        let record = row.of("tokens", "t_");
        assert_eq!(record.optional("a", Record::int).unwrap(), None);
        assert!(record.text("a").is_err() && record.bool("a").is_err());
    }
}
