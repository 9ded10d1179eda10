//! Numbers, times and booleans among each other, and integers and DECIMAL to DECIMAL.

use ethnum::I256;

use super::Suspends;
use crate::table::Value;
use crate::wal::{ColumnType, Tag};

/// A number as the server's native code loads it.
#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Float(f32),
    Double(f64),
}

/// Between BOOLEAN, BYTE … LONG, DATE, TIMESTAMP, FLOAT and DOUBLE.
pub(super) fn convert(value: Value<'_>, to: ColumnType) -> Value<'static> {
    let number = match value {
        Value::Boolean(v) => Number::Whole(v.into()),
        Value::Byte(v) => Number::Whole(v.into()),
        Value::Short(v) => Number::Whole(v.into()),
        Value::Int(v) => Number::Whole(v.into()),
        Value::Long(v) => Number::Whole(v),
        Value::Date(v) => return from_time(v, 1_000, to),
        Value::Timestamp(v) => return from_time(v, 1_000_000, to),
        Value::TimestampNs(v) => return from_time(v, 1_000_000_000, to),
        Value::Float(v) => Number::Float(v),
        Value::Double(v) => Number::Double(v),
        _ => return null(to),
    };
    store(number, to)
}

/// A whole column's values at once, for changes to a wider type, which are the usual ones; `None` for
/// other pairs.
pub(super) fn widen(values: &[u8], from: ColumnType, to: ColumnType) -> Option<Vec<u8>> {
    let long = |value: Option<i64>| value.unwrap_or(i64::MIN).to_le_bytes();
    let double = |value: Option<f64>| value.unwrap_or(f64::NAN).to_le_bytes();
    Some(match (from.tag(), to.tag()) {
        (Tag::Int, Tag::Long) => each(values, |int| long(known_int(int).map(i64::from))),
        (Tag::Int, Tag::Double) => each(values, |int| double(known_int(int).map(f64::from))),
        (Tag::Long, Tag::Double) => each(values, |bytes| {
            let value = i64::from_le_bytes(bytes);
            double((value != i64::MIN).then_some(value as f64))
        }),
        (Tag::Float, Tag::Double) => each(values, |bytes| {
            let value = f32::from_le_bytes(bytes);
            double(value.is_finite().then_some(value.into()))
        }),
        _ => return None,
    })
}

fn known_int(bytes: [u8; 4]) -> Option<i32> {
    Some(i32::from_le_bytes(bytes)).filter(|&value| value != i32::MIN)
}

fn each<const A: usize, const B: usize>(values: &[u8], convert: impl Fn([u8; A]) -> [u8; B]) -> Vec<u8> {
    let (values, _) = values.as_chunks();
    let mut out = vec![0; values.len() * B];
    for (to, from) in out.as_chunks_mut().0.iter_mut().zip(values) {
        *to = convert(*from);
    }
    out
}

/// To a time the number is rescaled, to all else it is a whole number.
fn from_time(value: i64, per_second: i64, to: ColumnType) -> Value<'static> {
    let Some(target) = per_second_of(to) else { return store(Number::Whole(value), to) };
    if target >= per_second {
        store(Number::Whole(value.wrapping_mul(target / per_second)), to)
    } else {
        store(Number::Whole(value / (per_second / target)), to)
    }
}

fn per_second_of(ty: ColumnType) -> Option<i64> {
    match ty.tag() {
        Tag::Date => Some(1_000),
        Tag::Timestamp if ty.is_nanos() => Some(1_000_000_000),
        Tag::Timestamp => Some(1_000_000),
        _ => None,
    }
}

fn store(number: Number, to: ColumnType) -> Value<'static> {
    match to.tag() {
        Tag::Boolean => Value::Boolean(match number {
            Number::Whole(v) => v != 0,
            Number::Float(v) => v != 0.0 && !v.is_nan(),
            Number::Double(v) => v != 0.0 && !v.is_nan(),
        }),
        Tag::Byte => Value::Byte(narrow(number, i8::MIN.into(), i8::MAX.into()).unwrap_or(0) as i8),
        Tag::Short => Value::Short(narrow(number, i16::MIN.into(), i16::MAX.into()).unwrap_or(0) as i16),
        // As a FLOAT the maximum is rounded up to what no INT can hold.
        Tag::Int => match narrow(number, i32::MIN, i32::MAX).filter(|_| !is_two_to_the_31(number)) {
            None | Some(i32::MIN) => Value::Null,
            Some(v) => Value::Int(v),
        },
        Tag::Float => match number {
            Number::Whole(v) => Value::Float(v as f32),
            Number::Float(v) if !v.is_nan() => Value::Float(v),
            // What no FLOAT can hold becomes null, infinities among it.
            Number::Double(v) if v.abs() <= f32::MAX.into() => Value::Float(v as f32),
            _ => Value::Null,
        },
        Tag::Double => match number {
            Number::Whole(v) => Value::Double(v as f64),
            Number::Float(v) if v.is_finite() => Value::Double(v.into()),
            Number::Double(v) if !v.is_nan() => Value::Double(v),
            _ => Value::Null,
        },
        _ => match (wide(number), to.tag()) {
            (Some(v), Tag::Long) => Value::Long(v),
            (Some(v), Tag::Date) => Value::Date(v),
            (Some(v), Tag::Timestamp) if to.is_nanos() => Value::TimestampNs(v),
            (Some(v), Tag::Timestamp) => Value::Timestamp(v),
            _ => Value::Null,
        },
    }
}

/// Cuts off a whole number's upper bits.
fn narrow(number: Number, low: i32, high: i32) -> Option<i32> {
    match number {
        Number::Whole(v) => Some(v as i32),
        Number::Float(v) => (v >= low as f32 && v <= high as f32).then_some(v as i32),
        Number::Double(v) => (v >= low.into() && v <= high.into()).then_some(v as i32),
    }
}

fn is_two_to_the_31(number: Number) -> bool {
    matches!(number, Number::Float(v) if v == 2f32.powi(31))
}

/// To 64 bits; `None` for what doesn't fit.
fn wide(number: Number) -> Option<i64> {
    match number {
        Number::Whole(v) => Some(v),
        Number::Float(v) => (v >= -(2f32.powi(63)) && v < 2f32.powi(63)).then_some(v as i64),
        Number::Double(v) => (v >= -(2f64.powi(63)) && v < 2f64.powi(63)).then_some(v as i64),
    }
    .filter(|&v| v != i64::MIN)
}

fn null(to: ColumnType) -> Value<'static> {
    match to.tag() {
        Tag::Boolean => Value::Boolean(false),
        Tag::Byte => Value::Byte(0),
        Tag::Short => Value::Short(0),
        _ => Value::Null,
    }
}

/// BYTE … LONG and DECIMAL to DECIMAL: the value must fit exactly.
pub(super) fn to_decimal(value: Value<'_>, to: ColumnType) -> Result<Value<'static>, Suspends> {
    let (unscaled, from_scale) = match value {
        Value::Byte(v) => (I256::from(v), 0),
        Value::Short(v) => (I256::from(v), 0),
        Value::Int(v) => (I256::from(v), 0),
        Value::Long(v) => (I256::from(v), 0),
        Value::Decimal { unscaled, scale } => (unscaled, scale),
        _ => return Ok(Value::Null),
    };
    let (precision, scale) = to.decimal();
    let unscaled = rescale(unscaled, from_scale, scale).ok_or(Suspends::Decimal)?;
    if unscaled.unsigned_abs() >= ethnum::U256::new(10).pow(precision.min(76)) {
        return Err(Suspends::Decimal);
    }
    Ok(Value::Decimal { unscaled, scale })
}

fn rescale(unscaled: I256, from: u32, to: u32) -> Option<I256> {
    if to >= from {
        return unscaled.checked_mul(I256::new(10).checked_pow(to - from)?);
    }
    let unit = I256::new(10).checked_pow(from - to)?;
    (unscaled % unit == 0).then(|| unscaled / unit)
}
