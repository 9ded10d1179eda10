//! Types by their names, and cells of a table as text: what a replay shows, as lines of ILP have it.

use crate::ilp::{Unit, Value};
use crate::table::text::parse::{Chars, date, double, long, timestamp};
use crate::wal::{ColumnType, Tag};

/// The type with this name, as QuestDB's SQL writes it.
pub(super) fn column_type(name: &str) -> Option<ColumnType> {
    let inside = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix(')');
    let code = if let Some(size) = inside("GEOHASH(") {
        let bits = match size.strip_suffix('c') {
            Some(letters) => letters.parse::<i32>().ok()?.checked_mul(5)?,
            None => size.strip_suffix('b')?.parse().ok()?,
        };
        let tag = match bits {
            1..=7 => Tag::GeoByte,
            8..=15 => Tag::GeoShort,
            16..=31 => Tag::GeoInt,
            32..=60 => Tag::GeoLong,
            _ => return None,
        };
        tag as i32 | bits << 8 | 1 << 16
    } else if let Some(size) = inside("DECIMAL(") {
        let (precision, scale) = size.split_once(',')?;
        let (precision, scale) = (precision.parse::<i32>().ok()?, scale.parse::<u8>().ok()?);
        let tag = match precision {
            1..=2 => Tag::Decimal8,
            3..=4 => Tag::Decimal16,
            5..=9 => Tag::Decimal32,
            10..=18 => Tag::Decimal64,
            19..=38 => Tag::Decimal128,
            39..=76 => Tag::Decimal256,
            _ => return None,
        };
        tag as i32 | precision << 8 | i32::from(scale) << 18
    } else if let Some(dims) = name.strip_prefix("DOUBLE").filter(|dims| !dims.is_empty()) {
        let dims = i32::try_from(dims.len() / 2).ok().filter(|dims| (1..=32).contains(dims))?;
        Tag::Array as i32 | (Tag::Double as i32) << 8 | (dims - 1) << 14
    } else if name == ColumnType::TIMESTAMP_NS.to_string() {
        ColumnType::TIMESTAMP_NS.code()
    } else {
        let simple = (1..=27).filter_map(ColumnType::from_code);
        return simple.into_iter().find(|ty| ty.to_string() == name);
    };
    // What was read loosely is written as it was, or is another name.
    ColumnType::from_code(code).filter(|ty| ty.to_string() == name)
}

/// A cell's text as a field of a line; `Ok(None)` where a line can't have it.
///
/// # Errors
/// Text that is none of this type.
pub(super) fn field(ty: ColumnType, text: &str) -> Result<Option<Value>, ()> {
    let chars = Chars::from(text);
    let value = match ty.tag() {
        Tag::Boolean => match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(()),
        },
        Tag::Byte | Tag::Short | Tag::Int | Tag::Long => Value::Integer(long(chars).ok_or(())?),
        Tag::Float | Tag::Double => Value::Float(double(chars).ok_or(())?),
        // Years that no reader of text takes.
        Tag::Timestamp | Tag::Date if text.bytes().position(|byte| byte == b'-') != Some(4) => {
            return Ok(None);
        }
        Tag::Timestamp => moment(ty, text).map(|(at, unit)| Value::Timestamp(at, unit)).ok_or(())?,
        Tag::Date => Value::Timestamp(date(chars).ok_or(())?, Unit::Millis),
        Tag::Long256 => Value::Long256(text.to_owned()),
        Tag::Array => array(ty.array_dims(), text).ok_or(())?,
        Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => {
            Value::String(if ty.geohash_bits().is_multiple_of(5) {
                text.to_owned()
            } else {
                letters(text).ok_or(())?
            })
        }
        Tag::Char if !text.is_ascii() => return Ok(None),
        Tag::Binary | Tag::Long128 => return Ok(None),
        _ => Value::String(text.to_owned()),
    };
    Ok(Some(value))
}

/// A timestamp in the unit of its column.
pub(super) fn moment(ty: ColumnType, text: &str) -> Option<(i64, Unit)> {
    let unit = if ty.is_nanos() { Unit::Nanos } else { Unit::Micros };
    timestamp(Chars::from(text), ty.is_nanos()).map(|at| (at, unit))
}

/// Bits of a geohash as letters, filled up with zeros.
fn letters(bits: &str) -> Option<String> {
    const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let letter = |five: &[u8]| {
        let bit = |at: usize| match five.get(at) {
            Some(b'1') => Some(1),
            Some(b'0') | None => Some(0),
            Some(_) => None,
        };
        let value = (0..5).try_fold(0usize, |value, at| Some(value << 1 | bit(at)?))?;
        LETTERS.get(value).map(|letter| char::from(*letter))
    };
    bits.as_bytes().chunks(5).map(letter).collect()
}

/// Nested brackets. Of one without elements the lengths are not told: all are zero.
fn array(dims: usize, text: &str) -> Option<Value> {
    let (mut lens, mut elements) = (vec![0u32; dims], Vec::new());
    if text == "[]" {
        return Some(Value::Array(lens, elements));
    }
    let rest = gather(text, &mut lens, &mut elements)?;
    rest.is_empty().then_some(Value::Array(lens, elements))
}

/// Reads an array or an element in front of a text; answers what is behind it.
fn gather<'a>(text: &'a str, lens: &mut [u32], elements: &mut Vec<f64>) -> Option<&'a str> {
    let Some((len, inner)) = lens.split_first_mut() else {
        let (element, rest) = text.split_at(text.find([',', ']'])?);
        elements.push(if element == "null" { f64::NAN } else { double(Chars::from(element))? });
        return Some(rest);
    };
    let mut rest = text.strip_prefix('[')?;
    let mut count = 0;
    loop {
        rest = gather(rest, inner, elements)?;
        count += 1;
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    // All of one dimension are of one length.
    let fits = *len == 0 || *len == count;
    *len = count;
    rest.strip_prefix(']').filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_their_names() {
        for name in [
            "BOOLEAN",
            "BYTE",
            "SHORT",
            "CHAR",
            "INT",
            "LONG",
            "DATE",
            "TIMESTAMP",
            "TIMESTAMP_NS",
            "FLOAT",
            "DOUBLE",
            "STRING",
            "SYMBOL",
            "LONG256",
            "BINARY",
            "UUID",
            "LONG128",
            "IPv4",
            "VARCHAR",
            "DOUBLE[]",
            "DOUBLE[][][]",
            "GEOHASH(1c)",
            "GEOHASH(12c)",
            "GEOHASH(7b)",
            "GEOHASH(59b)",
            "DECIMAL(1,0)",
            "DECIMAL(10,2)",
            "DECIMAL(76,76)",
        ] {
            assert_eq!(column_type(name).map(|ty| ty.to_string()).as_deref(), Some(name));
        }
        for name in [
            "",
            "long",
            "LONG ",
            "GEOHASH(0b)",
            "GEOHASH(61b)",
            "GEOHASH(5b)",
            "GEOHASH(99999999c)",
            "DECIMAL(2,3)",
            "DECIMAL(77,1)",
            "DECIMAL(1)",
            "DOUBLE[",
            "DOUBLE[[",
            "DOUBLE()",
            "TABLE",
        ] {
            assert_eq!(column_type(name), None, "{name}");
        }
    }

    #[test]
    fn cells_that_are_none_are_refused() {
        let of = |ty: &str, text: &str| field(column_type(ty).unwrap(), text);
        for (ty, text) in [
            ("BOOLEAN", "yes"),
            ("LONG", "1.5"),
            ("DOUBLE", "x"),
            ("TIMESTAMP", "2026-soon"),
            ("DATE", "2026-13-01"),
            ("DOUBLE[]", "[1.0,"),
            ("DOUBLE[][]", "[[1.0],[1.0,2.0]]"),
            ("DOUBLE[]", "[[1.0]]"),
            ("GEOHASH(7b)", "012"),
        ] {
            assert_eq!(of(ty, text), Err(()), "{ty} {text}");
        }
        assert_eq!(of("BINARY", "00ff"), Ok(None));
        assert_eq!(of("CHAR", "\u{e4}"), Ok(None));
        let Ok(Some(Value::Array(lens, elements))) = of("DOUBLE[][]", "[[1.0],[null],[-2.5E-3]]") else {
            panic!()
        };
        assert_eq!((lens, elements[2], elements[1].is_nan()), (vec![3, 1], -0.0025, true));
        assert_eq!(of("GEOHASH(7b)", "1000001"), Ok(Some(Value::String("h8".into()))));
    }
}
