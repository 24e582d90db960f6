//! Values into the driver's parameters, and its rows into ours.

use crate::error::classify;
use adapter_sql::{Row, SqlError, Value};
use sqlx::{
    Arguments as _, Column as _, Decode, Row as _, Sqlite, TypeInfo as _, ValueRef as _,
    sqlite::{SqliteArguments, SqliteRow},
};
use std::sync::Arc;

/// Binds values, with so many parameters more that are NULL.
pub(crate) fn bind(args: Vec<Value>, padding: usize) -> Result<SqliteArguments, SqlError> {
    let mut bound = SqliteArguments::default();
    bound.reserve(args.len() + padding, 0);
    for value in args {
        match value {
            Value::Null => bound.add(None::<i64>),
            Value::Int(number) => bound.add(number),
            Value::Text(text) => bound.add(text),
        }
        .map_err(SqlError::Unavailable)?;
    }
    for _ in 0..padding {
        bound.add(None::<i64>).map_err(SqlError::Unavailable)?;
    }
    Ok(bound)
}

/// Reads rows of one result; they share their names.
#[derive(Default)]
pub(crate) struct Reader {
    names: Option<Arc<[String]>>,
}

impl Reader {
    pub(crate) fn row(&mut self, row: &SqliteRow) -> Result<Row, SqlError> {
        let names = self.names.get_or_insert_with(|| {
            let names = row.columns().iter().map(|c| c.name().to_owned());
            names.collect()
        });
        let values = (0..row.len()).map(|at| value(row, at)).collect::<Result<_, _>>()?;
        Ok(Row::new(Arc::clone(names), values))
    }
}

fn value(row: &SqliteRow, at: usize) -> Result<Value, SqlError> {
    let raw = row.try_get_raw(at).map_err(classify)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let info = raw.type_info().into_owned();
    match info.name() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(raw).map(Value::Int),
        "TEXT" => <String as Decode<Sqlite>>::decode(raw).map(Value::Text),
        other => {
            let column = row.columns().get(at).map_or("?", |c| c.name());
            return Err(SqlError::Corrupt(format!("{column} is {other}")));
        }
    }
    .map_err(SqlError::Unavailable)
}
