//! Rows that own what they hold, for clients.

use super::field::FieldValue;
use super::{Decimal, LineError, Parser, Unit};

/// A row to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The table's name.
    pub table: String,
    /// SYMBOL columns, in front.
    pub tags: Vec<(String, String)>,
    /// All other columns.
    pub fields: Vec<(String, Value)>,
    /// The designated timestamp; the server's own time without one.
    pub timestamp: Option<(i64, Unit)>,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text.
    String(String),
    /// True or false.
    Boolean(bool),
    /// 256 bits in hexadecimal behind `0x`.
    Long256(String),
    /// A moment, in nanoseconds, microseconds or milliseconds.
    Timestamp(i64, Unit),
    /// Lengths of the dimensions, and the elements row by row. From version 2 on.
    Array(Vec<u32>, Vec<f64>),
    /// A decimal; `None` is null. From version 3 on.
    Decimal(Option<Decimal>),
}

/// The rows of a whole request, in which no field may be without a value.
///
/// # Errors
/// The first line that the server would not parse, or has a field without a value.
pub fn parse(body: Vec<u8>) -> Result<Vec<Row>, LineError> {
    let mut parser = Parser::new(body);
    let mut rows = Vec::new();
    while let Some(line) = parser.next() {
        let line = line?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut row = Row {
            table: text(line.table()),
            tags: Vec::new(),
            fields: Vec::new(),
            timestamp: line.timestamp().map(|at| (at, line.timestamp_unit().unwrap_or(Unit::Nanos))),
        };
        for field in line.fields() {
            let name = text(field.name());
            let value = match field.value() {
                FieldValue::Tag(tag) => {
                    row.tags.push((name, text(tag)));
                    continue;
                }
                FieldValue::Integer(value) => Value::Integer(value),
                FieldValue::Float(value) => Value::Float(value),
                FieldValue::String(value) => Value::String(text(value)),
                FieldValue::Boolean(value) => Value::Boolean(value),
                FieldValue::Long256(value) => Value::Long256(text(value)),
                FieldValue::Timestamp(value, Some(unit)) => Value::Timestamp(value, unit),
                FieldValue::Decimal(value) => Value::Decimal(value),
                FieldValue::Array(Some(array)) => {
                    let dims = array.dims.as_chunks::<4>().0.iter().map(|dim| u32::from_le_bytes(*dim));
                    let values =
                        array.values.as_chunks::<8>().0.iter().map(|value| f64::from_le_bytes(*value));
                    Value::Array(dims.collect(), values.collect())
                }
                FieldValue::Null | FieldValue::Timestamp(_, None) | FieldValue::Array(None) => {
                    return Err(LineError::invalid(line.number, ": a field without a value"));
                }
            };
            row.fields.push((name, value));
        }
        rows.push(row);
    }
    Ok(rows)
}
