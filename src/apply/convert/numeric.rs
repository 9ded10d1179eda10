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
        Tag::Byte => Value::Byte(narrow(number) as i8),
        Tag::Short => Value::Short(narrow(number) as i16),
        Tag::Int => match narrow(number) {
            i32::MIN => Value::Null,
            v => Value::Int(v),
        },
        Tag::Float => match number {
            Number::Whole(v) => Value::Float(v as f32),
            Number::Float(v) => Value::Float(v),
            Number::Double(v) => Value::Float(v as f32),
        },
        Tag::Double => match number {
            Number::Whole(v) => Value::Double(v as f64),
            Number::Float(v) => Value::Double(v.into()),
            Number::Double(v) => Value::Double(v),
        },
        _ => match (wide(number), to.tag()) {
            (i64::MIN, _) => Value::Null,
            (v, Tag::Long) => Value::Long(v),
            (v, Tag::Date) => Value::Date(v),
            (v, Tag::Timestamp) if to.is_nanos() => Value::TimestampNs(v),
            (v, Tag::Timestamp) => Value::Timestamp(v),
            _ => Value::Null,
        },
    }
}

/// To 32 bits: whole numbers wrap; floats that don't fit are the minimum, as the processor's instruction has it.
fn narrow(number: Number) -> i32 {
    match number {
        Number::Whole(v) => v as i32,
        Number::Float(v) if v.trunc() >= -(2f32.powi(31)) && v < 2f32.powi(31) => v as i32,
        Number::Double(v) if v.trunc() >= -(2f64.powi(31)) && v < 2f64.powi(31) => v as i32,
        _ => i32::MIN,
    }
}

/// To 64 bits, in the same way.
fn wide(number: Number) -> i64 {
    match number {
        Number::Whole(v) => v,
        Number::Float(v) if v >= -(2f32.powi(63)) && v < 2f32.powi(63) => v as i64,
        Number::Double(v) if v >= -(2f64.powi(63)) && v < 2f64.powi(63) => v as i64,
        _ => i64::MIN,
    }
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
