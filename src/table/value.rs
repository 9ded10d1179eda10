use crate::wal::{ColumnType, Tag};
use ethnum::I256;

/// One cell, borrowed from where it is stored: the common word of text, conversions, filters and digests.
///
/// QuestDB's null sentinels have become [`Value::Null`]; BOOLEAN, BYTE and SHORT have no null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// The null of every type that has one.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// BYTE.
    Byte(i8),
    /// SHORT.
    Short(i16),
    /// One UTF-16 unit.
    Char(u16),
    /// INT.
    Int(i32),
    /// LONG.
    Long(i64),
    /// Milliseconds since the epoch.
    Date(i64),
    /// Microseconds since the epoch.
    Timestamp(i64),
    /// Nanoseconds since the epoch.
    TimestampNs(i64),
    /// Never NaN or infinite: those read as null.
    Float(f32),
    /// Never NaN or infinite: those read as null.
    Double(f64),
    /// STRING: UTF-16LE units as stored.
    Utf16(&'a [u8]),
    /// VARCHAR and SYMBOL: UTF-8 as stored; a VARCHAR may hold invalid bytes.
    Utf8(&'a [u8]),
    /// Least significant word first.
    Long256([u64; 4]),
    /// `bits` low bits of `value`.
    Geohash {
        /// Precision in bits, 1 to 60.
        bits: u32,
        /// The hash in the low bits.
        value: u64,
    },
    /// BINARY.
    Binary(&'a [u8]),
    /// The 128-bit number whose big-endian bytes are the UUID's text.
    Uuid(u128),
    /// LONG128.
    Long128(u128),
    /// Most significant byte is the first octet.
    Ipv4(u32),
    /// DECIMAL: `unscaled` divided by ten to the power of `scale`.
    Decimal {
        /// The digits as an integer.
        unscaled: I256,
        /// Number of digits behind the point.
        scale: u32,
    },
    /// `dims` holds one `i32` per dimension, `values` row-major `f64`, both little-endian bytes.
    Array {
        /// Length of each dimension.
        dims: &'a [u8],
        /// The elements.
        values: &'a [u8],
    },
}

impl Value<'_> {
    /// What a column of this type reads as in rows from before it was added: null, or the zero of the
    /// types that have no null.
    pub fn absent(ty: ColumnType) -> Value<'static> {
        match ty.tag() {
            Tag::Boolean => Value::Boolean(false),
            Tag::Byte => Value::Byte(0),
            Tag::Short => Value::Short(0),
            _ => Value::Null,
        }
    }
}
