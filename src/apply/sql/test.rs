//! Comparisons of one cell with a constant.

use super::Comparison;
use super::time::{Interval, Nanos};
use crate::table::Value;
use std::cmp::Ordering;

/// What is asked of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    IsNull,
    /// A BOOLEAN.
    IsTrue,
    Integer {
        op: Comparison,
        rhs: i64,
    },
    /// Numbers closer than [`TOLERANCE`] are equal.
    Real {
        op: Comparison,
        rhs: f64,
    },
    /// The units of STRING.
    Text16 {
        op: Comparison,
        rhs: Vec<u16>,
    },
    /// The bytes of VARCHAR and SYMBOL.
    Text8 {
        op: Comparison,
        rhs: Vec<u8>,
    },
    Moment {
        op: Comparison,
        rhs: Nanos,
    },
    /// A null is in no interval.
    Within(Interval),
    Char {
        op: Comparison,
        rhs: u16,
    },
    Uuid(u128),
    Ipv4(u32),
    Long256([u64; 4]),
    Geohash(u64),
    /// In the column's own scale.
    Decimal {
        op: Comparison,
        unscaled: ethnum::I256,
    },
    /// Between two whole numbers, both included.
    Range(i64, i64),
}

/// How far apart QuestDB takes two DOUBLEs for equal.
const TOLERANCE: f64 = 1e-10;

impl Test {
    /// The answer for a cell. A null never compares: only `!=` holds for it.
    pub(super) fn holds(&self, cell: Value<'_>) -> bool {
        match self {
            Self::IsNull => cell == Value::Null,
            Self::IsTrue => cell == Value::Boolean(true),
            Self::Integer { op, rhs } => op.holds(integer(cell).map(|lhs| lhs.cmp(rhs))),
            Self::Real { op, rhs } => op.holds(real(cell).map(|lhs| compare_real(lhs, *rhs))),
            Self::Text16 { op, rhs } => op.holds(compare_utf16(cell, rhs)),
            Self::Text8 { op, rhs } => op.holds(match cell {
                Value::Utf8(bytes) => Some(bytes.cmp(rhs.as_slice())),
                _ => None,
            }),
            Self::Moment { op, rhs } => op.holds(nanos(cell).map(|lhs| lhs.cmp(rhs))),
            Self::Within(interval) => nanos(cell).is_some_and(|at| interval.holds(at)),
            Self::Char { op, rhs } => op.holds(match cell {
                Value::Char(unit) => Some(unit.cmp(rhs)),
                _ => None,
            }),
            Self::Uuid(rhs) => cell == Value::Uuid(*rhs),
            Self::Ipv4(rhs) => cell == Value::Ipv4(*rhs),
            Self::Range(low, high) => integer(cell).is_some_and(|v| (*low..=*high).contains(&v)),
            Self::Long256(rhs) => cell == Value::Long256(*rhs),
            Self::Geohash(rhs) => matches!(cell, Value::Geohash { value, .. } if value == *rhs),
            Self::Decimal { op, unscaled } => op.holds(match cell {
                Value::Decimal { unscaled: lhs, .. } => Some(lhs.cmp(unscaled)),
                _ => None,
            }),
        }
    }
}

/// A FLOAT against a number that no FLOAT equals: a filter compiled to machine code rounds the number,
/// an interpreted one widens the cell. `None` where that makes a difference.
pub(super) fn holds_rounded(op: Comparison, cell: Value<'_>, rhs: f64) -> Option<bool> {
    let compare = |rhs| op.holds(real(cell).map(|lhs| compare_real(lhs, rhs)));
    let (interpreted, compiled) = (compare(rhs), compare(f64::from(rhs as f32)));
    (interpreted == compiled).then_some(compiled)
}

impl Comparison {
    /// Whether the comparison holds, given the order of its sides; `None` if one is null.
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return self == Self::NotEqual };
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The comparison that holds where this one doesn't, as far as nothing is null.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

fn integer(cell: Value<'_>) -> Option<i64> {
    Some(match cell {
        Value::Byte(v) => i64::from(v),
        Value::Short(v) => i64::from(v),
        Value::Int(v) => i64::from(v),
        Value::Long(v) => v,
        _ => return None,
    })
}

fn real(cell: Value<'_>) -> Option<f64> {
    match cell {
        Value::Float(v) => Some(f64::from(v)),
        Value::Double(v) => Some(v),
        _ => integer(cell).map(|v| v as f64),
    }
}

fn compare_real(lhs: f64, rhs: f64) -> Ordering {
    if (lhs - rhs).abs() <= TOLERANCE { Ordering::Equal } else { lhs.total_cmp(&rhs) }
}

fn nanos(cell: Value<'_>) -> Option<Nanos> {
    Some(match cell {
        Value::Date(millis) => Nanos::from(millis) * 1_000_000,
        Value::Timestamp(micros) => Nanos::from(micros) * 1_000,
        Value::TimestampNs(nanos) => Nanos::from(nanos),
        _ => return None,
    })
}

/// By code points, as QuestDB orders strings.
fn compare_utf16(cell: Value<'_>, rhs: &[u16]) -> Option<Ordering> {
    let Value::Utf16(bytes) = cell else { return None };
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Some(units.map(by_code_point).cmp(rhs.iter().copied().map(by_code_point)))
}

/// Moves the surrogates behind all other units, which makes the order of units that of code points.
fn by_code_point(unit: u16) -> u16 {
    match unit {
        0xe000.. => unit - 0x800,
        0xd800..=0xdfff => unit + 0x2000,
        _ => unit,
    }
}
