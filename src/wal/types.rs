/// A column type code as QuestDB stores it: the tag in the low 8 bits, parameters above.
///
/// The code of a live column; the sign that marks a dropped one is taken off by the readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnType(i32);

/// The kind of a column, without its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Tag {
    Boolean = 1,
    Byte = 2,
    Short = 3,
    Char = 4,
    Int = 5,
    Long = 6,
    Date = 7,
    Timestamp = 8,
    Float = 9,
    Double = 10,
    String = 11,
    Symbol = 12,
    Long256 = 13,
    GeoByte = 14,
    GeoShort = 15,
    GeoInt = 16,
    GeoLong = 17,
    Binary = 18,
    Uuid = 19,
    Long128 = 24,
    Ipv4 = 25,
    Varchar = 26,
    Array = 27,
    Decimal8 = 28,
    Decimal16 = 29,
    Decimal32 = 30,
    Decimal64 = 31,
    Decimal128 = 32,
    Decimal256 = 33,
}

/// How a table is cut into partitions (codes as in `_meta`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartitionBy {
    Day,
    Month,
    Year,
    None,
    Hour,
    Week,
    /// Views have no rows.
    NotApplicable,
}

const NANOS: i32 = 1 << 18;

impl ColumnType {
    pub const LONG: Self = Self(6);
    pub const SYMBOL: Self = Self(12);
    pub const TIMESTAMP: Self = Self(8);
    pub const TIMESTAMP_NS: Self = Self(8 | NANOS);
    pub const VARCHAR: Self = Self(26);

    /// The type of a stored code; `None` if no table can hold such a column.
    pub fn from_code(code: i32) -> Option<Self> {
        let candidate = Self(code);
        Tag::from_code((code & 0xff) as u8)?;
        Some(candidate)
    }

    /// The code as stored.
    pub const fn code(self) -> i32 {
        self.0
    }

    /// The kind, without parameters.
    pub fn tag(self) -> Tag {
        // The constructors admit known tags only.
        Tag::from_code((self.0 & 0xff) as u8).unwrap_or(Tag::Long)
    }

    /// True for TIMESTAMP_NS.
    pub fn is_nanos(self) -> bool {
        self.tag() == Tag::Timestamp && self.0 & NANOS != 0
    }

    /// True for SYMBOL.
    pub fn is_symbol(self) -> bool {
        self.tag() == Tag::Symbol
    }

    /// Bytes per value of a fixed-size type; `None` for STRING, BINARY, VARCHAR, ARRAY.
    pub fn fixed_size(self) -> Option<usize> {
        use Tag::*;
        Some(match self.tag() {
            Boolean | Byte | GeoByte | Decimal8 => 1,
            Short | Char | GeoShort | Decimal16 => 2,
            Int | Float | Symbol | Ipv4 | GeoInt | Decimal32 => 4,
            Long | Date | Timestamp | Double | GeoLong | Decimal64 => 8,
            Uuid | Long128 | Decimal128 => 16,
            Long256 | Decimal256 => 32,
            String | Binary | Varchar | Array => return None,
        })
    }

    /// Number of bits of a GEOHASH, 0 for other types.
    pub fn geohash_bits(self) -> u32 {
        match self.tag() {
            Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => (self.0 >> 8 & 0xff) as u32,
            _ => 0,
        }
    }

    /// `(precision, scale)` of a DECIMAL, zeros for other types.
    pub fn decimal(self) -> (u32, u32) {
        if self.tag() >= Tag::Decimal8 {
            ((self.0 >> 8 & 0xff) as u32, (self.0 >> 18 & 0xff) as u32)
        } else {
            (0, 0)
        }
    }

    /// Number of dimensions of an ARRAY, 0 for other types.
    pub fn array_dims(self) -> usize {
        if self.tag() == Tag::Array { (self.0 >> 14 & 0x1f) as usize + 1 } else { 0 }
    }

    /// Type code of an ARRAY's elements (only DOUBLE can be stored), 0 for other types.
    pub fn array_element(self) -> i32 {
        if self.tag() == Tag::Array { self.0 >> 8 & 0x3f } else { 0 }
    }
}

impl Tag {
    /// The tag with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        use Tag::*;
        Some(match code {
            1 => Boolean,
            2 => Byte,
            3 => Short,
            4 => Char,
            5 => Int,
            6 => Long,
            7 => Date,
            8 => Timestamp,
            9 => Float,
            10 => Double,
            11 => String,
            12 => Symbol,
            13 => Long256,
            14 => GeoByte,
            15 => GeoShort,
            16 => GeoInt,
            17 => GeoLong,
            18 => Binary,
            19 => Uuid,
            24 => Long128,
            25 => Ipv4,
            26 => Varchar,
            27 => Array,
            28 => Decimal8,
            29 => Decimal16,
            30 => Decimal32,
            31 => Decimal64,
            32 => Decimal128,
            33 => Decimal256,
            _ => return None,
        })
    }
}

impl PartitionBy {
    /// The unit with this code.
    pub fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            0 => Self::Day,
            1 => Self::Month,
            2 => Self::Year,
            3 => Self::None,
            4 => Self::Hour,
            5 => Self::Week,
            6 => Self::NotApplicable,
            _ => return None,
        })
    }
}
