//! Values as QuestDB 9.3.4 writes them: CSV of `/exp`, JSON of `/exec`, and the text that a value becomes
//! when its column is changed to STRING, VARCHAR or SYMBOL; and the way back, from text to values.

mod escape;
mod float;
mod number;
pub mod parse;
mod time;
mod wide;

use super::Value;
use crate::wal::{ColumnType, Tag};

/// The line end of `/exp`.
pub const CSV_LINE_END: &[u8] = b"\r\n";

/// Writes one cell as `/exp` prints it, without delimiter or line end.
///
/// `ty` is the column's type; a value of another type is written as its own type.
/// LONG128 has no text (see [`is_printable`]) and writes nothing.
pub fn write_csv(out: &mut Vec<u8>, value: Value<'_>, ty: ColumnType) {
    match value {
        Value::Null => out.extend_from_slice(csv_null(ty)),
        Value::Float(v) if !v.is_finite() => {}
        Value::Double(v) if !v.is_finite() => {}
        Value::Date(_) | Value::Timestamp(_) | Value::TimestampNs(_) => {
            quoted(out, |out| write_text(out, value))
        }
        Value::Utf16(units) => quoted(out, |out| escape::utf16(out, units, escape::Quote::Double)),
        Value::Utf8(bytes) if ty.tag() == Tag::Symbol => {
            quoted(out, |out| escape::string(out, bytes, escape::Quote::Double));
        }
        Value::Utf8(bytes) => quoted(out, |out| escape::utf8(out, bytes, escape::Quote::Double)),
        Value::Geohash { .. } | Value::Decimal { .. } | Value::Array { .. } => {
            quoted(out, |out| write_text(out, value));
        }
        _ => write_text(out, value),
    }
}

/// Writes one cell as `/exec` prints it inside `dataset`.
///
/// Not always valid JSON: like QuestDB it leaves a CHAR unescaped.
pub fn write_json(out: &mut Vec<u8>, value: Value<'_>, ty: ColumnType) {
    match value {
        Value::Null => out.extend_from_slice(json_null(ty)),
        Value::Float(v) if !v.is_finite() => out.extend_from_slice(b"null"),
        Value::Double(v) if !v.is_finite() => out.extend_from_slice(b"null"),
        Value::Boolean(_)
        | Value::Byte(_)
        | Value::Short(_)
        | Value::Int(_)
        | Value::Long(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Array { .. } => write_text(out, value),
        Value::Binary(_) => out.extend_from_slice(b"[]"),
        Value::Utf16(units) => quoted(out, |out| escape::utf16(out, units, escape::Quote::Backslash)),
        Value::Utf8(bytes) if ty.tag() == Tag::Symbol => {
            quoted(out, |out| escape::string(out, bytes, escape::Quote::Backslash));
        }
        Value::Utf8(bytes) => quoted(out, |out| escape::utf8(out, bytes, escape::Quote::Backslash)),
        Value::Long128(_) => out.extend_from_slice(b"null"),
        _ => quoted(out, |out| write_text(out, value)),
    }
}

/// Writes the header line of `/exp`, line end included.
pub fn write_csv_header<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>) {
    for (i, name) in names.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        quoted(out, |out| escape::string(out, name.as_bytes(), escape::Quote::Double));
    }
    out.extend_from_slice(CSV_LINE_END);
}

/// Whether `/exp` and `/exec` print columns of this type: all but LONG128, which they refuse.
pub fn is_printable(ty: ColumnType) -> bool {
    ty.tag() != Tag::Long128
}

/// Writes a value bare, without quotes or escapes: the UTF-8 text that it has as a VARCHAR.
///
/// Nulls, BINARY and LONG128 write nothing. UTF-16 without a partner becomes `?`.
pub fn write_text(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Null | Value::Binary(_) | Value::Long128(_) => {}
        Value::Boolean(v) => out.extend_from_slice(if v { b"true" } else { b"false" }),
        Value::Byte(v) => number::integer(out, v.into()),
        Value::Short(v) => number::integer(out, v.into()),
        Value::Int(v) => number::integer(out, v.into()),
        Value::Long(v) => number::integer(out, v),
        Value::Char(v) => escape::unit(out, v),
        Value::Date(v) => time::millis(out, v),
        Value::Timestamp(v) => time::micros(out, v),
        Value::TimestampNs(v) => time::nanos(out, v),
        Value::Float(v) => float::float(out, v),
        Value::Double(v) => number::double(out, v),
        Value::Utf16(units) => escape::utf16_plain(out, units),
        Value::Utf8(bytes) => out.extend_from_slice(bytes),
        Value::Long256(words) => wide::long256(out, words),
        Value::Geohash { bits, value } => wide::geohash(out, bits, value),
        Value::Uuid(v) => wide::uuid(out, v),
        Value::Ipv4(v) => wide::ipv4(out, v),
        Value::Decimal { unscaled, scale } => wide::decimal(out, unscaled, scale),
        Value::Array { dims, values } => wide::array(out, dims, values),
    }
}

/// A VARCHAR's bytes as UTF-16LE units, up to the first invalid sequence, where QuestDB stops.
pub(crate) fn utf8_to_utf16(out: &mut Vec<u8>, bytes: &[u8]) {
    for unit in valid(bytes).encode_utf16() {
        out.extend_from_slice(&unit.to_le_bytes());
    }
}

/// Makes ASCII in place to UTF-16LE.
pub(crate) fn widen_ascii(text: &mut Vec<u8>) {
    let len = text.len();
    text.resize(len * 2, 0);
    for at in (0..len).rev() {
        let byte = text.get(at).copied().unwrap_or(0);
        for (i, b) in [(2 * at, byte), (2 * at + 1, 0)] {
            if let Some(slot) = text.get_mut(i) {
                *slot = b;
            }
        }
    }
}

/// A VARCHAR's bytes up to the first invalid sequence: what it becomes as a SYMBOL.
pub(crate) fn valid(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => bytes.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default(),
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// What `/exp` prints for a null of this type: types without a null print their zero.
fn csv_null(ty: ColumnType) -> &'static [u8] {
    use Tag::*;
    match ty.tag() {
        Boolean => b"false",
        Byte | Short => b"0",
        GeoByte | GeoShort | GeoInt | GeoLong => b"null",
        Decimal8 | Decimal16 | Decimal32 | Decimal64 | Decimal128 | Decimal256 => b"null",
        Array => b"\"null\"",
        _ => b"",
    }
}

/// What `/exec` prints for a null of this type.
fn json_null(ty: ColumnType) -> &'static [u8] {
    use Tag::*;
    match ty.tag() {
        Boolean => b"false",
        Byte | Short => b"0",
        Char | Long256 => b"\"\"",
        Binary => b"[]",
        _ => b"null",
    }
}
