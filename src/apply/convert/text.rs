//! To and from STRING, VARCHAR and SYMBOL.

use crate::table::Value;
use crate::table::text::{self, parse};
use crate::wal::{ColumnType, Tag};

/// The text of a value, in `scratch`.
pub(super) fn write<'s>(value: Value<'_>, to: ColumnType, scratch: &'s mut Vec<u8>) -> Value<'s> {
    scratch.clear();
    let (utf16, symbol) = (to.tag() == Tag::String, to.is_symbol());
    match value {
        Value::Null => return Value::Null,
        Value::Float(v) if !v.is_finite() => return Value::Null,
        Value::Double(v) if !v.is_finite() => return Value::Null,
        // Half of a pair is a symbol, though no text.
        Value::Char(unit) if symbol && is_half(unit) => {
            scratch.extend_from_slice(&unit.to_le_bytes());
            return Value::Utf16(scratch);
        }
        Value::Utf16(units) if symbol && !is_text(units) => {
            scratch.extend_from_slice(units);
            return Value::Utf16(scratch);
        }
        Value::Char(unit) if utf16 => scratch.extend_from_slice(&unit.to_le_bytes()),
        Value::Utf16(units) if utf16 => scratch.extend_from_slice(units),
        Value::Utf8(bytes) if utf16 => text::utf8_to_utf16(scratch, bytes),
        Value::Utf8(bytes) if symbol => scratch.extend_from_slice(text::valid(bytes).as_bytes()),
        Value::Utf8(bytes) => scratch.extend_from_slice(bytes),
        _ if utf16 => {
            text::write_text(scratch, value);
            text::widen_ascii(scratch);
        }
        _ => text::write_text(scratch, value),
    }
    if utf16 { Value::Utf16(scratch) } else { Value::Utf8(scratch) }
}

fn is_half(unit: u16) -> bool {
    (0xd800..0xe000).contains(&unit)
}

fn is_text(units: &[u8]) -> bool {
    let units = units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).all(|character| character.is_ok())
}

/// A value out of text; what can't be read is null, or the zero of types without one.
///
/// The characters of a VARCHAR are its bytes, those of a STRING and a SYMBOL UTF-16 units.
pub(super) fn parse(value: Value<'_>, from: ColumnType, to: ColumnType) -> Value<'static> {
    match value {
        Value::Utf8(bytes) if from.is_symbol() && to.tag() == Tag::Char => first_unit(bytes),
        Value::Utf8(bytes) => parse_chars(parse::Chars::Bytes(bytes), to),
        Value::Utf16(units) if from.is_symbol() && to.tag() == Tag::Char => {
            units.first_chunk::<2>().map_or(Value::Null, |unit| Value::Char(u16::from_le_bytes(*unit)))
        }
        Value::Utf16(units) => parse_chars(parse::Chars::Units(units), to),
        _ => absent(to),
    }
}

fn first_unit(bytes: &[u8]) -> Value<'static> {
    // A pair's upper half stands for the whole character.
    let unit = text::valid(bytes).encode_utf16().next();
    unit.filter(|&unit| unit != 0).map_or(Value::Null, Value::Char)
}

fn parse_chars(chars: parse::Chars<'_>, to: ColumnType) -> Value<'static> {
    let value = match to.tag() {
        Tag::Boolean => Some(Value::Boolean(parse::boolean(chars))),
        Tag::Byte => parse::int(chars).map(|v| Value::Byte(v as i8)),
        Tag::Short => parse::int(chars).map(|v| Value::Short(v as i16)),
        Tag::Int => parse::int(chars).map(Value::Int),
        Tag::Long => parse::long(chars).map(Value::Long),
        Tag::Char => parse::char(chars).map(Value::Char),
        Tag::Float => parse::float(chars).map(Value::Float),
        Tag::Double => parse::double(chars).map(Value::Double),
        Tag::Ipv4 => parse::ipv4(chars).map(Value::Ipv4),
        Tag::Uuid => parse::uuid(chars).map(Value::Uuid),
        Tag::Date => parse::date(chars).map(Value::Date),
        Tag::Timestamp if to.is_nanos() => parse::timestamp(chars, true).map(Value::TimestampNs),
        Tag::Timestamp => parse::timestamp(chars, false).map(Value::Timestamp),
        _ => None,
    };
    value.unwrap_or_else(|| absent(to))
}

fn absent(to: ColumnType) -> Value<'static> {
    match to.tag() {
        Tag::Boolean => Value::Boolean(false),
        Tag::Byte => Value::Byte(0),
        Tag::Short => Value::Short(0),
        _ => Value::Null,
    }
}
