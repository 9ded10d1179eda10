//! Rows to lines, as clients send them.

use super::row::{Row, Value};
use super::{Decimal, Unit};

/// The protocol's version, which the server tells in `GET /settings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// All is text.
    V1,
    /// Doubles and arrays are binary.
    V2,
    /// Decimals are binary, too.
    V3,
}

/// Appends rows to a request's body.
///
/// A timestamp of version 1 has no unit of its own: it is turned into nanoseconds, which is what the server takes it for without
/// `precision` in the URL. Arrays are left out below version 2, decimals are text below version 3.
///
/// ```
/// use understudy::ilp::{Row, Unit, Value, Version, encode};
/// let row = Row {
///     table: "trades".into(),
///     tags: vec![("sym".into(), "a b".into())],
///     fields: vec![("n".into(), Value::Integer(7))],
///     timestamp: Some((5, Unit::Micros)),
/// };
/// let mut body = Vec::new();
/// encode(&mut body, &[row], Version::V2);
/// assert_eq!(body, b"trades,sym=a\\ b n=7i 5t\n");
/// ```
pub fn encode(out: &mut Vec<u8>, rows: &[Row], version: Version) {
    for row in rows {
        word(out, &row.table);
        for (name, value) in &row.tags {
            out.push(b',');
            word(out, name);
            out.push(b'=');
            word(out, value);
        }
        let mut separator = b' ';
        for (name, value) in &row.fields {
            if matches!(value, Value::Array(..)) && version < Version::V2 {
                continue;
            }
            out.push(separator);
            separator = b',';
            word(out, name);
            out.push(b'=');
            field(out, value, version);
        }
        if let Some((at, unit)) = row.timestamp {
            // Behind tags alone, one blank begins the fields that are not there.
            if separator == b' ' && !row.tags.is_empty() {
                out.push(b' ');
            }
            timestamp(out, at, unit, version);
        }
        out.push(b'\n');
    }
}

fn timestamp(out: &mut Vec<u8>, at: i64, unit: Unit, version: Version) {
    out.push(b' ');
    if version == Version::V1 {
        number(out, unit.to_nanos(at).unwrap_or(i64::MAX));
        return;
    }
    with_unit(out, at, unit);
}

fn with_unit(out: &mut Vec<u8>, at: i64, unit: Unit) {
    let (value, letter) = match unit {
        Unit::Nanos => (at, b'n'),
        Unit::Millis => (at, b'm'),
        _ => (unit.to_micros(at).unwrap_or(i64::MAX), b't'),
    };
    number(out, value);
    out.push(letter);
}

fn field(out: &mut Vec<u8>, value: &Value, version: Version) {
    match value {
        Value::Integer(value) => {
            number(out, *value);
            out.push(b'i');
        }
        Value::Float(value) if version >= Version::V2 => {
            out.extend_from_slice(b"=\x10");
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Float(value) => float(out, *value),
        Value::String(value) => {
            out.push(b'"');
            escaped(out, value, b"\"\\\n\r");
            out.push(b'"');
        }
        Value::Boolean(value) => out.push(if *value { b't' } else { b'f' }),
        Value::Long256(value) => {
            out.extend_from_slice(value.as_bytes());
            out.push(b'i');
        }
        Value::Timestamp(value, unit) => with_unit(out, *value, *unit),
        Value::Array(dims, values) => {
            out.extend_from_slice(b"=\x0e\x0a");
            out.push(u8::try_from(dims.len()).unwrap_or(u8::MAX));
            dims.iter().for_each(|dim| out.extend_from_slice(&dim.to_le_bytes()));
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        Value::Decimal(value) if version >= Version::V3 => decimal(out, *value),
        Value::Decimal(None) => out.extend_from_slice(b"NaNd"),
        Value::Decimal(Some(value)) => out.extend_from_slice(format!("{value}d").as_bytes()),
    }
}

fn decimal(out: &mut Vec<u8>, value: Option<Decimal>) {
    out.extend_from_slice(b"=\x17");
    let Some(value) = value else {
        out.extend_from_slice(&[0, 0]);
        return;
    };
    let bytes = value.unscaled.to_be_bytes();
    let fill = if value.unscaled.is_negative() { 0xff } else { 0 };
    let spare = |(at, byte): &(usize, &u8)| {
        let next = bytes.get(at + 1).copied();
        **byte == fill && next.is_some_and(|next| next & 0x80 == fill & 0x80)
    };
    let skipped = bytes.iter().enumerate().take_while(spare).count();
    let digits = bytes.get(skipped..).unwrap_or_default();
    out.push(u8::try_from(value.scale).unwrap_or(u8::MAX));
    out.push(digits.len() as u8);
    out.extend_from_slice(digits);
}

fn number(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn float(out: &mut Vec<u8>, value: f64) {
    match value {
        _ if value.is_nan() => out.extend_from_slice(b"NaN"),
        _ if value.is_infinite() => {
            out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" })
        }
        _ => out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
    }
}

/// A table, a name, or the value of a tag.
pub(crate) fn word(out: &mut Vec<u8>, text: &str) {
    escaped(out, text, b", =\n\r\\");
}

fn escaped(out: &mut Vec<u8>, text: &str, special: &[u8]) {
    for byte in text.bytes() {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::parse;
    use super::*;
    use ethnum::I256;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        "[a-z\u{e4}_ ,=]{1,8}[a-z]"
    }

    fn value() -> impl Strategy<Value = Value> {
        let unit = prop_oneof![Just(Unit::Nanos), Just(Unit::Micros), Just(Unit::Millis)];
        prop_oneof![
            (i64::MIN + 1..i64::MAX).prop_map(Value::Integer),
            any::<f64>().prop_filter("numbers", |value| value.is_finite()).prop_map(Value::Float),
            "[^\u{0}]{0,12}".prop_map(Value::String),
            any::<bool>().prop_map(Value::Boolean),
            "0x[0-9a-f]{1,64}".prop_map(Value::Long256),
            (any::<i64>().prop_filter("not the null", |at| *at != i64::MIN), unit)
                .prop_map(|(at, unit)| Value::Timestamp(at, unit)),
            (any::<i128>(), 0u32..30).prop_map(|(unscaled, scale)| {
                Value::Decimal(Some(Decimal { unscaled: I256::new(unscaled), scale }))
            }),
            (1u32..4, 0u32..4)
                .prop_map(|(a, b)| { Value::Array(vec![a, b], (0..a * b).map(f64::from).collect()) }),
        ]
    }

    fn row() -> impl Strategy<Value = Row> {
        let tag = (name(), "[^\u{0}\\\\/\n\r\"]{0,8}");
        let fields = prop::collection::vec((name(), value()), 1..5);
        (name(), prop::collection::vec(tag, 0..3), fields, prop::option::of(0i64..i64::MAX / 1000)).prop_map(
            |(table, tags, fields, at)| Row {
                table,
                tags,
                fields,
                timestamp: at.map(|at| (at, Unit::Micros)),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(rows in prop::collection::vec(row(), 1..4)) {
            let mut body = Vec::new();
            encode(&mut body, &rows, Version::V3);
            prop_assert_eq!(parse(body).unwrap(), rows);
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(bytes);
        }

        #[test]
        fn nor_do_bytes_that_look_like_lines(text in "(t|a|,|=| |\"|\\\\|\n|1|i|x|d|0|e|\u{e}|\u{10}|\u{17}|\u{a}|\u{1}|\u{0}|/){0,60}") {
            let _ = parse(text.into_bytes());
        }
    }

    #[test]
    fn binary_numbers_have_a_mark_and_their_bytes() {
        let mut out = Vec::new();
        field(&mut out, &Value::Decimal(Some(Decimal { unscaled: I256::new(125), scale: 2 })), Version::V3);
        assert_eq!(out, b"=\x17\x02\x01\x7d");
        out.clear();
        field(&mut out, &Value::Array(vec![0], vec![]), Version::V2);
        assert_eq!(out, b"=\x0e\x0a\x01\0\0\0\0");
    }
}
