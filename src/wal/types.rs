use std::fmt;

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
    /// BOOLEAN, one byte, no null.
    Boolean = 1,
    /// BYTE, one byte, no null.
    Byte = 2,
    /// SHORT, two bytes, no null.
    Short = 3,
    /// CHAR, one UTF-16 unit; null is zero.
    Char = 4,
    /// INT, four bytes.
    Int = 5,
    /// LONG, eight bytes.
    Long = 6,
    /// DATE, milliseconds since the epoch.
    Date = 7,
    /// TIMESTAMP and TIMESTAMP_NS: microseconds or nanoseconds since the epoch.
    Timestamp = 8,
    /// FLOAT, IEEE 754 single.
    Float = 9,
    /// DOUBLE, IEEE 754 double.
    Double = 10,
    /// STRING, UTF-16 text of any length.
    String = 11,
    /// SYMBOL, a key into the column's dictionary.
    Symbol = 12,
    /// LONG256, 32 bytes.
    Long256 = 13,
    /// GEOHASH of up to 7 bits.
    GeoByte = 14,
    /// GEOHASH of up to 15 bits.
    GeoShort = 15,
    /// GEOHASH of up to 31 bits.
    GeoInt = 16,
    /// GEOHASH of up to 60 bits.
    GeoLong = 17,
    /// BINARY, bytes of any length.
    Binary = 18,
    /// UUID, 16 bytes.
    Uuid = 19,
    /// LONG128, 16 bytes: internal, and the designated timestamp of a segment.
    Long128 = 24,
    /// IPv4, four bytes.
    Ipv4 = 25,
    /// VARCHAR, UTF-8 text of any length.
    Varchar = 26,
    /// DOUBLE[]...[], an array of numbers.
    Array = 27,
    /// DECIMAL held in 1 byte.
    Decimal8 = 28,
    /// DECIMAL held in 2 bytes.
    Decimal16 = 29,
    /// DECIMAL held in 4 bytes.
    Decimal32 = 30,
    /// DECIMAL held in 8 bytes.
    Decimal64 = 31,
    /// DECIMAL held in 16 bytes.
    Decimal128 = 32,
    /// DECIMAL held in 32 bytes.
    Decimal256 = 33,
}

/// How a table is cut into partitions (codes as in `_meta`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum PartitionBy {
    /// One partition per UTC day.
    Day,
    /// One partition per month.
    Month,
    /// One partition per year.
    Year,
    /// One partition in all.
    None,
    /// One partition per hour.
    Hour,
    /// One partition per ISO week, from Monday.
    Week,
    /// Views have no rows.
    NotApplicable,
}

const NANOS: i32 = 1 << 18;

impl ColumnType {
    /// LONG.
    pub const LONG: Self = Self(6);
    /// SYMBOL.
    pub const SYMBOL: Self = Self(12);
    /// TIMESTAMP, in microseconds.
    pub const TIMESTAMP: Self = Self(8);
    /// TIMESTAMP_NS, in nanoseconds.
    pub const TIMESTAMP_NS: Self = Self(8 | NANOS);
    /// VARCHAR.
    pub const VARCHAR: Self = Self(26);

    /// The type of a stored code; `None` if no table can hold such a column.
    pub fn from_code(code: i32) -> Option<Self> {
        let candidate = Self(code);
        let (precision, scale) = candidate.decimal();
        let bits = candidate.geohash_bits();
        let parameters = match Tag::from_code((code & 0xff) as u8)? {
            Tag::GeoByte => (1..=7).contains(&bits) && code >> 17 == 0,
            Tag::GeoShort => (8..=15).contains(&bits) && code >> 17 == 0,
            Tag::GeoInt => (16..=31).contains(&bits) && code >> 17 == 0,
            Tag::GeoLong => (32..=60).contains(&bits) && code >> 17 == 0,
            Tag::Decimal8 => decimal_fits(1..=2, precision, scale),
            Tag::Decimal16 => decimal_fits(3..=4, precision, scale),
            Tag::Decimal32 => decimal_fits(5..=9, precision, scale),
            Tag::Decimal64 => decimal_fits(10..=18, precision, scale),
            Tag::Decimal128 => decimal_fits(19..=38, precision, scale),
            Tag::Decimal256 => decimal_fits(39..=76, precision, scale),
            Tag::Array => candidate.array_element() == Tag::Double as i32 && code >> 19 == 0,
            Tag::Timestamp => code & !NANOS == 8,
            _ => code >> 8 == 0,
        };
        parameters.then_some(candidate)
    }

    /// A type whose tag alone is known to be right, as bind variables have them.
    pub(super) const fn from_code_loose(code: i32) -> Self {
        Self(code)
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

fn decimal_fits(precisions: std::ops::RangeInclusive<u32>, precision: u32, scale: u32) -> bool {
    precisions.contains(&precision) && scale <= precision
}

/// The name as QuestDB's SQL writes it, e.g. `DECIMAL(10,2)`, `GEOHASH(4c)`, `DOUBLE[][]`.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.tag() {
            Tag::Boolean => "BOOLEAN",
            Tag::Byte => "BYTE",
            Tag::Short => "SHORT",
            Tag::Char => "CHAR",
            Tag::Int => "INT",
            Tag::Long => "LONG",
            Tag::Date => "DATE",
            Tag::Timestamp if self.is_nanos() => "TIMESTAMP_NS",
            Tag::Timestamp => "TIMESTAMP",
            Tag::Float => "FLOAT",
            Tag::Double => "DOUBLE",
            Tag::String => "STRING",
            Tag::Symbol => "SYMBOL",
            Tag::Long256 => "LONG256",
            Tag::Binary => "BINARY",
            Tag::Uuid => "UUID",
            Tag::Long128 => "LONG128",
            Tag::Ipv4 => "IPv4",
            Tag::Varchar => "VARCHAR",
            Tag::Array => return write!(f, "DOUBLE{}", "[]".repeat(self.array_dims())),
            Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => {
                let bits = self.geohash_bits();
                let chars = bits.is_multiple_of(5) && bits > 0;
                return if chars {
                    write!(f, "GEOHASH({}c)", bits / 5)
                } else {
                    write!(f, "GEOHASH({bits}b)")
                };
            }
            _ => {
                let (precision, scale) = self.decimal();
                return write!(f, "DECIMAL({precision},{scale})");
            }
        };
        f.write_str(name)
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
    /// QuestDB's name of the unit; `None` for views, which have no partitions.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Day => "DAY",
            Self::Month => "MONTH",
            Self::Year => "YEAR",
            Self::None => "NONE",
            Self::Hour => "HOUR",
            Self::Week => "WEEK",
            Self::NotApplicable => return None,
        })
    }

    /// The unit's code.
    pub const fn code(self) -> i32 {
        match self {
            Self::Day => 0,
            Self::Month => 1,
            Self::Year => 2,
            Self::None => 3,
            Self::Hour => 4,
            Self::Week => 5,
            Self::NotApplicable => 6,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_in_sql() {
        let name = |code: i32| ColumnType::from_code(code).map(|ty| ty.to_string());
        let expect = [
            (8, "TIMESTAMP"),
            (8 | 1 << 18, "TIMESTAMP_NS"),
            (25, "IPv4"),
            (27 | 10 << 8 | 1 << 14, "DOUBLE[][]"),
            (31 | 10 << 8 | 2 << 18, "DECIMAL(10,2)"),
            (15 | 10 << 8 | 1 << 16, "GEOHASH(2c)"),
            (14 | 7 << 8 | 1 << 16, "GEOHASH(7b)"),
        ];
        for (code, text) in expect {
            assert_eq!(name(code).as_deref(), Some(text));
        }
        assert_eq!(name(20), None);
    }
}
