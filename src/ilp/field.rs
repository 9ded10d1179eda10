//! A line as it was read, borrowed from the request.

use super::Decimal;
use super::raw::{Raw, RawField, RawValue, Span};
use crate::table::text::valid;

/// What a timestamp counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Nanoseconds.
    Nanos,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl Unit {
    /// The URL's parameter `precision`: `n` or `ns`, `u` or `us`, `ms`, `s`, `m`, `h`.
    pub fn of_precision(text: &str) -> Option<Self> {
        Some(match text {
            "n" | "ns" => Self::Nanos,
            "u" | "us" => Self::Micros,
            "ms" => Self::Millis,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return None,
        })
    }

    /// The unit with the number that binary timestamps carry.
    pub(super) fn of_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Nanos,
            2 => Self::Micros,
            3 => Self::Millis,
            4 => Self::Seconds,
            5 => Self::Minutes,
            6 => Self::Hours,
            _ => return None,
        })
    }

    /// `value` of this unit in microseconds, towards zero; `None` if that is out of range.
    pub fn to_micros(self, value: i64) -> Option<i64> {
        match self {
            Self::Nanos => Some(value / 1000),
            Self::Micros => Some(value),
            Self::Millis => value.checked_mul(1_000),
            Self::Seconds => value.checked_mul(1_000_000),
            Self::Minutes => value.checked_mul(60_000_000),
            Self::Hours => value.checked_mul(3_600_000_000),
        }
    }

    /// The same in nanoseconds.
    pub fn to_nanos(self, value: i64) -> Option<i64> {
        match self {
            Self::Nanos => Some(value),
            Self::Micros => value.checked_mul(1_000),
            Self::Millis => value.checked_mul(1_000_000),
            Self::Seconds => value.checked_mul(1_000_000_000),
            Self::Minutes => value.checked_mul(60_000_000_000),
            Self::Hours => value.checked_mul(3_600_000_000_000),
        }
    }
}

/// A line.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) raw: &'a Raw,
    /// Its number from 1, empty lines not counted.
    pub number: u32,
}

impl<'a> Line<'a> {
    /// The table's name, in UTF-8 if the client meant well.
    pub fn table(&self) -> &'a [u8] {
        self.raw.table.of(self.bytes)
    }

    /// The timestamp behind the fields, if there is one.
    pub fn timestamp(&self) -> Option<i64> {
        Some(self.raw.timestamp).filter(|timestamp| *timestamp != i64::MIN)
    }

    /// The unit that the timestamp names itself.
    pub fn timestamp_unit(&self) -> Option<Unit> {
        self.raw.unit
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.raw.fields.len()
    }

    /// True without any field.
    pub fn is_empty(&self) -> bool {
        self.raw.fields.is_empty()
    }

    /// The fields in their order, tags first.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'a>> + use<'a> {
        let bytes = self.bytes;
        self.raw.fields.iter().map(move |raw| Field { bytes, raw })
    }
}

/// A tag or field of a line.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    bytes: &'a [u8],
    raw: &'a RawField,
}

impl<'a> Field<'a> {
    /// The column's name, in UTF-8 if the client meant well.
    pub fn name(&self) -> &'a [u8] {
        self.raw.name.of(self.bytes)
    }

    /// The value.
    pub fn value(&self) -> FieldValue<'a> {
        let text = |span: Span| span.of(self.bytes);
        match &self.raw.value {
            RawValue::Null => FieldValue::Null,
            RawValue::Tag => FieldValue::Tag(text(self.raw.text)),
            RawValue::String => FieldValue::String(text(self.raw.text)),
            RawValue::Long256 => FieldValue::Long256(text(self.raw.text)),
            RawValue::Integer(value) => FieldValue::Integer(*value),
            RawValue::Float(value) => FieldValue::Float(*value),
            RawValue::Boolean(value) => FieldValue::Boolean(*value),
            RawValue::Timestamp(value, unit) => FieldValue::Timestamp(*value, *unit),
            RawValue::Decimal(value) => FieldValue::Decimal(*value),
            RawValue::Array { dims, values } => {
                FieldValue::Array(dims.map(|dims| Array { dims: text(dims), values: text(*values) }))
            }
        }
    }

    /// The value's own text, without the letter that tells its type; of a binary one `None`.
    pub fn text(&self) -> Option<&'a [u8]> {
        (!self.raw.binary).then(|| self.raw.text.of(self.bytes))
    }
}

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// Nothing behind `=`.
    Null,
    /// A tag: text without quotes before the fields.
    Tag(&'a [u8]),
    /// `1i`.
    Integer(i64),
    /// `1`, `1.5`, `NaN`.
    Float(f64),
    /// `"text"`.
    String(&'a [u8]),
    /// `t`, `F`, `true`.
    Boolean(bool),
    /// `0x1fi`, of which this is `0x1f`.
    Long256(&'a [u8]),
    /// `1t`, `1n`, `1m`; a binary one may have no unit that is known.
    Timestamp(i64, Option<Unit>),
    /// A binary array of doubles; `None` is null.
    Array(Option<Array<'a>>),
    /// `1.5d`; `None` is null.
    Decimal(Option<Decimal>),
}

/// An array of doubles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Array<'a> {
    /// An `i32` per dimension, little-endian: 1 to 32 of them.
    pub dims: &'a [u8],
    /// The elements, row by row: little-endian `f64`.
    pub values: &'a [u8],
}

/// Bytes as the server's messages print them: up to the first that are no UTF-8.
pub(crate) fn printed(bytes: &[u8]) -> &str {
    valid(bytes)
}
