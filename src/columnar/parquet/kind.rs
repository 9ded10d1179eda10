//! How QuestDB's types stand in a Parquet file.

use crate::wal::{ColumnType, Tag};

/// Bits of `column_type` in QuestDB's metadata beside the type: the designated timestamp, and a SYMBOL
/// without nulls.
pub(super) const DESIGNATED: i32 = 1 << 17;

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    Bytes,
    /// Bytes of this length.
    Fixed(usize),
}

/// How a column of this type is stored.
pub(super) fn physical(ty: ColumnType) -> Physical {
    match ty.tag() {
        Tag::Boolean => Physical::Boolean,
        Tag::Byte | Tag::Short | Tag::Char | Tag::Int => Physical::Int32,
        Tag::Ipv4 | Tag::GeoByte | Tag::GeoShort | Tag::GeoInt => Physical::Int32,
        Tag::Long | Tag::Date | Tag::Timestamp | Tag::GeoLong => Physical::Int64,
        Tag::Float => Physical::Float,
        Tag::Double => Physical::Double,
        Tag::String | Tag::Varchar | Tag::Symbol | Tag::Binary | Tag::Array => Physical::Bytes,
        Tag::Uuid | Tag::Long128 | Tag::Decimal128 => Physical::Fixed(16),
        Tag::Long256 | Tag::Decimal256 => Physical::Fixed(32),
        Tag::Decimal8 => Physical::Fixed(1),
        Tag::Decimal16 => Physical::Fixed(2),
        Tag::Decimal32 => Physical::Fixed(4),
        Tag::Decimal64 => Physical::Fixed(8),
    }
}

/// True for a type without a null.
pub(super) fn never_null(ty: ColumnType) -> bool {
    matches!(ty.tag(), Tag::Boolean | Tag::Byte | Tag::Short | Tag::Char)
}

impl Physical {
    /// Bytes per value where all are as long.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Self::Int32 | Self::Float => Some(4),
            Self::Int64 | Self::Double => Some(8),
            Self::Fixed(width) => Some(width),
            Self::Boolean | Self::Bytes => None,
        }
    }

    /// Bytes that QuestDB counts for a value when it cuts pages.
    pub(super) fn page_width(self) -> usize {
        match self {
            Self::Boolean => 1,
            Self::Int32 | Self::Float => 4,
            _ => 8,
        }
    }
}
