//! A field's value into a column that is there: QuestDB's `LineWalAppender`, case by case.

use super::column::Pending;
use crate::ilp::{Array, Decimal, Field, FieldValue, Unit, printed};
use crate::table::Value;
use crate::table::text::parse::{Chars, ipv4, uuid};
use crate::table::text::write_text;
use crate::wal::{ColumnType, Tag};

/// Why a value can't be in a column.
#[derive(Debug)]
pub(super) enum Problem {
    /// Not from a value of this kind.
    Cast(String),
    /// The number is out of the column's range.
    Bounds(String),
    /// The text says nothing that the column can hold.
    Text(String),
    /// Digits would be lost.
    Loss(String),
    /// Text that is no UTF-8.
    Utf8(String),
    /// The timestamp is too large for the column's unit.
    Overflow(i64),
    /// The server fails, with this class of error.
    Fault(&'static str),
}

type Put = Result<(), Problem>;

/// Puts a field into row `row` of a column. The designated timestamp is not one of these.
pub(super) fn put(column: &mut Pending, ty: ColumnType, row: u64, field: &Field<'_>) -> Put {
    match field.value() {
        FieldValue::Null => Ok(()),
        FieldValue::Tag(text) => tag(column, ty, row, text),
        FieldValue::Integer(value) => integer(column, ty, row, value, field.text()),
        FieldValue::Float(value) => float(column, ty, row, value, field.text()),
        FieldValue::String(text) => string(column, ty, row, text),
        FieldValue::Boolean(value) => boolean(column, ty, row, value, field.text()),
        FieldValue::Long256(text) => match ty.tag() {
            Tag::Long256 => {
                let value = hexadecimal(text.get(2..).unwrap_or_default());
                let value = value.ok_or(Problem::Fault("io.questdb.cairo.ImplicitCastException"))?;
                put_value(column, row, Value::Long256(value))
            }
            Tag::Symbol => symbol(column, row, text),
            _ => Err(Problem::Cast("LONG256".into())),
        },
        FieldValue::Timestamp(value, unit) => timestamp(column, ty, row, (value, unit), field.text()),
        FieldValue::Array(array) => put_array(column, ty, row, array),
        FieldValue::Decimal(value) => put_decimal(column, ty, row, value),
    }
}

/// A moment in the unit of a column.
///
/// # Errors
/// One that the unit can't hold, or no known unit.
pub(super) fn moment(nanos: bool, value: i64, unit: Option<Unit>) -> Result<i64, Problem> {
    if value == i64::MIN {
        return Ok(value);
    }
    let unit = unit.ok_or(Problem::Fault("java.lang.UnsupportedOperationException"))?;
    let converted = if nanos { unit.to_nanos(value) } else { unit.to_micros(value) };
    converted.ok_or(Problem::Overflow(value))
}

fn put_value(column: &mut Pending, row: u64, value: Value<'_>) -> Put {
    column.put(row, value);
    Ok(())
}

fn symbol(column: &mut Pending, row: u64, text: &[u8]) -> Put {
    column.put_symbol(row, text).map_err(|()| Problem::Utf8(printed(text).to_owned()))
}

/// A symbol out of a value: its own text, or what the server prints of a binary one.
fn symbol_of(column: &mut Pending, row: u64, text: Option<&[u8]>, value: Value<'_>) -> Put {
    match text {
        Some(text) => symbol(column, row, text),
        None => {
            let mut out = Vec::new();
            match value {
                Value::Null => out.extend_from_slice(b"null"),
                value => write_text(&mut out, value),
            }
            symbol(column, row, &out)
        }
    }
}

fn printed_long(value: i64) -> Value<'static> {
    if value == i64::MIN { Value::Null } else { Value::Long(value) }
}

fn tag(column: &mut Pending, ty: ColumnType, row: u64, text: &[u8]) -> Put {
    match ty.tag() {
        Tag::Symbol => symbol(column, row, text),
        Tag::Varchar => put_value(column, row, Value::Utf8(text)),
        Tag::String => {
            column.put_string(row, text);
            Ok(())
        }
        _ => Err(Problem::Cast("TAG".into())),
    }
}

fn integer(column: &mut Pending, ty: ColumnType, row: u64, value: i64, text: Option<&[u8]>) -> Put {
    let bounds = || Problem::Bounds(value.to_string());
    let null = value == i64::MIN;
    let value = match ty.tag() {
        Tag::Long => Value::Long(value),
        Tag::Int if null => Value::Null,
        Tag::Int => Value::Int(i32::try_from(value).map_err(|_out| bounds())?),
        Tag::Short if null => Value::Short(0),
        Tag::Short => Value::Short(i16::try_from(value).map_err(|_out| bounds())?),
        Tag::Byte if null => Value::Byte(0),
        Tag::Byte => Value::Byte(i8::try_from(value).map_err(|_out| bounds())?),
        Tag::Timestamp if ty.is_nanos() => Value::TimestampNs(value),
        Tag::Timestamp => Value::Timestamp(value),
        Tag::Date => Value::Date(value),
        Tag::Double => Value::Double(value as f64),
        Tag::Float => Value::Float(value as f32),
        Tag::Symbol => return symbol_of(column, row, text, printed_long(value)),
        tag if tag >= Tag::Decimal8 => {
            let (precision, scale) = ty.decimal();
            let decimal = Decimal::of_long(value).rescaled(scale).map_err(|_out| bounds())?;
            if !decimal.fits(precision) {
                return Err(bounds());
            }
            return store(column, row, decimal);
        }
        _ => return Err(Problem::Cast("INTEGER".into())),
    };
    put_value(column, row, value)
}

fn float(column: &mut Pending, ty: ColumnType, row: u64, value: f64, text: Option<&[u8]>) -> Put {
    match ty.tag() {
        Tag::Double => put_value(column, row, Value::Double(value)),
        Tag::Float => put_value(column, row, Value::Float(value as f32)),
        Tag::Symbol => {
            let shown = if value.is_finite() { Value::Double(value) } else { Value::Null };
            symbol_of(column, row, text, shown)
        }
        tag if tag >= Tag::Decimal8 => {
            let mut shown = Vec::new();
            let text = match text {
                Some(text) => text,
                None if !value.is_finite() => return put_value(column, row, Value::Null),
                None => {
                    write_text(&mut shown, Value::Double(value));
                    &shown
                }
            };
            let (precision, scale) = ty.decimal();
            match Decimal::parse(text, Some(precision), Some(scale), false) {
                Some(Some(decimal)) => store(column, row, decimal),
                Some(None) => put_value(column, row, Value::Null),
                None => Err(Problem::Loss(printed(text).to_owned())),
            }
        }
        _ => Err(Problem::Cast("FLOAT".into())),
    }
}

fn string(column: &mut Pending, ty: ColumnType, row: u64, text: &[u8]) -> Put {
    let cast = || Problem::Cast("STRING".into());
    let value = match ty.tag() {
        Tag::Varchar => Value::Utf8(text),
        Tag::String => {
            column.put_string(row, text);
            return Ok(());
        }
        Tag::Symbol => return symbol(column, row, text),
        Tag::Char => match text {
            [byte] if byte.is_ascii() => Value::Char(u16::from(*byte)),
            _ => return Err(cast()),
        },
        Tag::Ipv4 => match ipv4(Chars::Bytes(text)) {
            Some(address) => Value::Ipv4(address),
            None if text.eq_ignore_ascii_case(b"null") || is_zero_address(text) => Value::Null,
            None => return Err(cast()),
        },
        Tag::Uuid => Value::Uuid(uuid(Chars::Bytes(text)).ok_or_else(cast)?),
        Tag::Long256 => {
            let even = text.len() > 2 && text.len().is_multiple_of(2) && text.len() < 67;
            let digits = text.strip_prefix(b"0x").filter(|_| even).ok_or_else(cast)?;
            Value::Long256(hexadecimal(digits).ok_or_else(cast)?)
        }
        Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => {
            let bits = ty.geohash_bits();
            geohash(text, bits).map_or(Value::Null, |value| Value::Geohash { bits, value })
        }
        tag if tag >= Tag::Decimal8 => {
            let (precision, scale) = ty.decimal();
            match Decimal::parse(text, Some(precision), Some(scale), false) {
                Some(Some(decimal)) => return store(column, row, decimal),
                Some(None) => Value::Null,
                None => return Err(Problem::Text(printed(text).to_owned())),
            }
        }
        _ => return Err(cast()),
    };
    put_value(column, row, value)
}

fn boolean(column: &mut Pending, ty: ColumnType, row: u64, value: bool, text: Option<&[u8]>) -> Put {
    let number = u8::from(value);
    let value = match ty.tag() {
        Tag::Boolean => Value::Boolean(value),
        Tag::Byte => Value::Byte(number as i8),
        Tag::Short => Value::Short(i16::from(number)),
        Tag::Int => Value::Int(i32::from(number)),
        Tag::Long => Value::Long(i64::from(number)),
        Tag::Float => Value::Float(f32::from(number)),
        Tag::Double => Value::Double(f64::from(number)),
        Tag::Symbol => return symbol(column, row, text.unwrap_or(if value { b"t" } else { b"f" })),
        _ => return Err(Problem::Cast("BOOLEAN".into())),
    };
    put_value(column, row, value)
}

fn timestamp(
    column: &mut Pending,
    ty: ColumnType,
    row: u64,
    (value, unit): (i64, Option<Unit>),
    text: Option<&[u8]>,
) -> Put {
    let value = match ty.tag() {
        Tag::Timestamp if ty.is_nanos() => Value::TimestampNs(moment(true, value, unit)?),
        Tag::Timestamp => Value::Timestamp(moment(false, value, unit)?),
        Tag::Date => match moment(false, value, unit)? {
            i64::MIN => Value::Null,
            micros => Value::Date(micros / 1000),
        },
        Tag::Symbol => return symbol_of(column, row, text, printed_long(value)),
        _ => return Err(Problem::Cast("TIMESTAMP".into())),
    };
    put_value(column, row, value)
}

fn put_array(column: &mut Pending, ty: ColumnType, row: u64, array: Option<Array<'_>>) -> Put {
    if ty.tag() != Tag::Array {
        return Err(Problem::Cast("ARRAY".into()));
    }
    let Some(Array { dims, values }) = array else { return put_value(column, row, Value::Null) };
    if dims.len() / 4 != ty.array_dims() {
        return Err(Problem::Cast(format!("DOUBLE{}", "[]".repeat(dims.len() / 4))));
    }
    put_value(column, row, Value::Array { dims, values })
}

fn put_decimal(column: &mut Pending, ty: ColumnType, row: u64, value: Option<Decimal>) -> Put {
    let is_decimal = ty.tag() >= Tag::Decimal8;
    let Some(value) = value else {
        // The server puts a decimal's null into whatever column it is.
        return if is_decimal {
            put_value(column, row, Value::Null)
        } else {
            Err(Problem::Cast("DECIMAL".into()))
        };
    };
    // The server looks for precision and scale in the type of any column, and finds other things there.
    let (precision, scale) = ((ty.code() >> 8 & 0xff) as u32, (ty.code() >> 18 & 0xff) as u32);
    let scaled = value.rescaled(scale).map_err(|_out| match value.scale > scale {
        true => Problem::Loss(value.to_string()),
        false => Problem::Bounds(value.to_string()),
    })?;
    if !scaled.fits(precision) {
        return Err(Problem::Bounds(scaled.to_string()));
    }
    if !is_decimal {
        return Err(Problem::Cast("DECIMAL".into()));
    }
    store(column, row, scaled)
}

fn store(column: &mut Pending, row: u64, decimal: Decimal) -> Put {
    put_value(column, row, Value::Decimal { unscaled: decimal.unscaled, scale: decimal.scale })
}

fn is_zero_address(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'.').filter(|octet| !octet.is_empty()).count() == 4
        && text.iter().all(|byte| matches!(byte, b'0' | b'.'))
}

/// Digits of a LONG256, the last ones in the first word.
fn hexadecimal(digits: &[u8]) -> Option<[u64; 4]> {
    let mut words = [0; 4];
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    for (word, group) in words.iter_mut().zip(digits.rchunks(16)) {
        for digit in group {
            *word = *word << 4 | u64::from((*digit as char).to_digit(16)?);
        }
    }
    Some(words)
}

/// A geohash of so many bits out of letters, of which there may be more.
fn geohash(text: &[u8], bits: u32) -> Option<u64> {
    const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let used = text.get(..text.len().min(12))?;
    let mut hash = 0u64;
    for letter in used {
        let value = LETTERS.iter().position(|known| *known == letter.to_ascii_lowercase())?;
        hash = hash << 5 | value as u64;
    }
    let spare = (5 * used.len() as u32).checked_sub(bits)?;
    Some(hash >> spare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_hashes_are_read_from_their_letters() {
        assert_eq!(hexadecimal(b"1ff"), Some([0x1ff, 0, 0, 0]));
        assert_eq!(hexadecimal(&[b'f'; 64]), Some([u64::MAX; 4]));
        assert_eq!(hexadecimal(&[b'1'; 65]), None);
        assert_eq!(hexadecimal(b"zz"), None);
        assert_eq!(geohash(b"u33", 15), Some(26 << 10 | 3 << 5 | 3));
        assert_eq!(geohash(b"u33d8", 15), Some(26 << 10 | 3 << 5 | 3));
        assert_eq!(geohash(b"u3", 15), None);
        assert_eq!(geohash(b"", 15), None);
        assert_eq!(geohash(b"a33", 15), None);
        assert!(is_zero_address(b"0.0.0.0") && !is_zero_address(b"0.0"));
    }
}
