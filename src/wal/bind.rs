use super::cursor::{Cursor, utf16_lossy};
use super::{BindValue, ColumnType, Result, Tag};
use bytes::Bytes;

/// Set in the length of a VARCHAR that is all ASCII.
const ASCII: i32 = i32::MIN;

/// A bind value as a program uses it. Nulls of fixed-size types stay the sentinels that columns use.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TypedBind {
    /// A null STRING, VARCHAR, BINARY or ARRAY.
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
    /// Milliseconds.
    Date(i64),
    /// Microseconds.
    Timestamp(i64),
    /// Nanoseconds.
    TimestampNs(i64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// STRING or VARCHAR; what is not valid Unicode became U+FFFD.
    Text(String),
    /// BINARY.
    Binary(Bytes),
    /// Most significant byte is the first octet.
    Ipv4(u32),
    /// The 128-bit number whose big-endian bytes are the UUID's text.
    Uuid(u128),
    /// `bits` low bits of `value`; all ones in the stored width is null.
    Geohash {
        /// Number of bits.
        bits: u32,
        /// The bits.
        value: i64,
    },
    /// Unscaled two's complement, most significant word first, extended to 256 bits.
    Decimal {
        /// The unscaled number.
        words: [u64; 4],
        /// Digits after the point.
        scale: u32,
    },
    /// Row-major.
    Array {
        /// Length of each dimension.
        dims: Vec<i32>,
        /// The elements; NaN is null.
        values: Vec<f64>,
    },
}

/// Reads one bind value: its type, then the value in the encoding of that type.
pub(super) fn decode_bind(cursor: &mut Cursor<'_>, record: &Bytes) -> Result<BindValue> {
    let code = cursor.i32("type of a bind value")?;
    let Some(tag) = Tag::from_code((code & 0xff) as u8) else {
        return Err(cursor.unsupported_back(4, format_args!("bind value of type code {code} is not known")));
    };
    let len = match tag {
        Tag::String => length(i64::from(cursor.i32("length of a STRING")?), 2),
        Tag::Varchar => match cursor.i32("length of a VARCHAR")? {
            -1 => None,
            len => Some(i64::from(len & !ASCII)),
        },
        Tag::Binary => length(cursor.i64("length of a BINARY")?, 1),
        Tag::Array => length(cursor.i64("size of an ARRAY")?, 1).filter(|size| *size != 0),
        Tag::Symbol | Tag::Long256 | Tag::Long128 => {
            return Err(cursor.unsupported_back(4, format_args!("bind value of type {tag:?} is not known")));
        }
        _ => ColumnType::from_code_loose(code).fixed_size().map(|size| size as i64),
    };
    let Some(len) = len else { return Ok(BindValue { type_code: code, bytes: None }) };
    let len = usize::try_from(len).ok().ok_or_else(|| cursor.damaged("the length of a bind value", len))?;
    let taken = cursor.take(len, "a bind value")?;
    // The ARRAY's own copy of its type code is not part of the value.
    let value = if tag == Tag::Array { array_value(cursor, code, taken)? } else { taken };
    Ok(BindValue { type_code: code, bytes: Some(record.slice_ref(value)) })
}

/// Bytes of `n` items; -1 is null, anything else below 0 stays negative and is refused.
fn length(n: i64, item: i64) -> Option<i64> {
    if n == -1 { None } else { Some(n.saturating_mul(item)) }
}

fn array_value<'a>(cursor: &Cursor<'_>, code: i32, taken: &'a [u8]) -> Result<&'a [u8]> {
    let dims = ColumnType::from_code_loose(code).array_dims();
    let value = taken.get(4..).unwrap_or_default();
    let sizes = value.get(..dims * 4).unwrap_or_default();
    let elements = sizes.chunks_exact(4).try_fold(1u64, |n, dim| n.checked_mul(u64::from(le_u32(dim))));
    let expected = elements.and_then(|n| n.checked_mul(8)?.checked_add(dims as u64 * 4));
    if sizes.len() != dims * 4 || expected != Some(value.len() as u64) {
        return Err(cursor.damaged_back(
            taken.len() as u64,
            format_args!("an array of {dims} dimensions"),
            format_args!("{} bytes", taken.len()),
        ));
    }
    Ok(value)
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte))
}

impl BindValue {
    /// The value in the type of its variable; `None` if the bytes don't fit the type, which a value
    /// read from a log can't have.
    pub fn decode(&self) -> Option<TypedBind> {
        let ty = ColumnType::from_code_loose(self.type_code);
        let tag = Tag::from_code((self.type_code & 0xff) as u8)?;
        let Some(bytes) = &self.bytes else { return Some(TypedBind::Null) };
        Some(match tag {
            Tag::Boolean => TypedBind::Boolean(i8::from_le_bytes(fixed(bytes)?) != 0),
            Tag::Byte => TypedBind::Byte(i8::from_le_bytes(fixed(bytes)?)),
            Tag::Short => TypedBind::Short(i16::from_le_bytes(fixed(bytes)?)),
            Tag::Char => TypedBind::Char(u16::from_le_bytes(fixed(bytes)?)),
            Tag::Int => TypedBind::Int(i32::from_le_bytes(fixed(bytes)?)),
            Tag::Long => TypedBind::Long(i64::from_le_bytes(fixed(bytes)?)),
            Tag::Date => TypedBind::Date(i64::from_le_bytes(fixed(bytes)?)),
            Tag::Timestamp if ty.is_nanos() => TypedBind::TimestampNs(i64::from_le_bytes(fixed(bytes)?)),
            Tag::Timestamp => TypedBind::Timestamp(i64::from_le_bytes(fixed(bytes)?)),
            Tag::Float => TypedBind::Float(f32::from_le_bytes(fixed(bytes)?)),
            Tag::Double => TypedBind::Double(f64::from_le_bytes(fixed(bytes)?)),
            Tag::String => TypedBind::Text(utf16_lossy(bytes)),
            Tag::Varchar => TypedBind::Text(String::from_utf8_lossy(bytes).into_owned()),
            Tag::Binary => TypedBind::Binary(bytes.clone()),
            Tag::Ipv4 => TypedBind::Ipv4(u32::from_le_bytes(fixed(bytes)?)),
            Tag::Uuid => TypedBind::Uuid(u128::from_le_bytes(fixed(bytes)?)),
            Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => {
                TypedBind::Geohash { bits: ty.geohash_bits(), value: sign_extended(bytes)? }
            }
            Tag::Decimal8 | Tag::Decimal16 | Tag::Decimal32 | Tag::Decimal64 => {
                let low = sign_extended(bytes)?;
                let high = (low >> 63) as u64;
                TypedBind::Decimal { words: [high, high, high, low as u64], scale: ty.decimal().1 }
            }
            Tag::Decimal128 => {
                let [high, low] = words(bytes)?;
                let sign = (high as i64 >> 63) as u64;
                TypedBind::Decimal { words: [sign, sign, high, low], scale: ty.decimal().1 }
            }
            Tag::Decimal256 => TypedBind::Decimal { words: words(bytes)?, scale: ty.decimal().1 },
            Tag::Array => {
                let (dims, values) = bytes.split_at_checked(ty.array_dims() * 4)?;
                TypedBind::Array {
                    dims: dims.chunks_exact(4).map(|dim| le_u32(dim) as i32).collect(),
                    values: values
                        .chunks_exact(8)
                        .filter_map(|v| Some(f64::from_le_bytes(fixed(v)?)))
                        .collect(),
                }
            }
            Tag::Symbol | Tag::Long256 | Tag::Long128 => return None,
        })
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn words<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let mut out = [0; N];
    if bytes.len() != N * 8 {
        return None;
    }
    for (word, bytes) in out.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(fixed(bytes)?);
    }
    Some(out)
}

fn sign_extended(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        1 => i64::from(i8::from_le_bytes(fixed(bytes)?)),
        2 => i64::from(i16::from_le_bytes(fixed(bytes)?)),
        4 => i64::from(i32::from_le_bytes(fixed(bytes)?)),
        8 => i64::from_le_bytes(fixed(bytes)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::Error;

    fn typed(code: i32, value: &[u8]) -> Result<Option<TypedBind>> {
        let record = Bytes::from([&code.to_le_bytes()[..], value].concat());
        let mut cursor = Cursor::new("f", 0, &record);
        let bind = decode_bind(&mut cursor, &record)?;
        assert_eq!(cursor.remaining(), 0);
        Ok(bind.decode())
    }

    #[test]
    fn decodes_values_and_nulls() {
        assert_eq!(typed(3, &77i16.to_le_bytes()), Ok(Some(TypedBind::Short(77))));
        assert_eq!(typed(10, &1.5f64.to_le_bytes()), Ok(Some(TypedBind::Double(1.5))));
        assert_eq!(typed(11, &[1, 0, 0, 0, b'x', 0]), Ok(Some(TypedBind::Text("x".into()))));
        assert_eq!(typed(11, &(-1i32).to_le_bytes()), Ok(Some(TypedBind::Null)));
        assert_eq!(typed(26, &[2, 0, 0, 0x80, b'a', b'b']), Ok(Some(TypedBind::Text("ab".into()))));
        assert_eq!(typed(26, &(-1i32).to_le_bytes()), Ok(Some(TypedBind::Null)));
        let binary = [&2i64.to_le_bytes()[..], &[1, 2]].concat();
        assert_eq!(typed(18, &binary), Ok(Some(TypedBind::Binary(Bytes::from_static(&[1, 2])))));
        assert_eq!(typed(8 | 1 << 18, &5i64.to_le_bytes()), Ok(Some(TypedBind::TimestampNs(5))));
        let geohash = TypedBind::Geohash { bits: 5, value: 9 };
        assert_eq!(typed(14 | 5 << 8 | 1 << 16, &[9]), Ok(Some(geohash)));
        let decimal = TypedBind::Decimal { words: [u64::MAX, u64::MAX, u64::MAX, -5i64 as u64], scale: 2 };
        assert_eq!(typed(29 | 4 << 8 | 2 << 18, &(-5i16).to_le_bytes()), Ok(Some(decimal)));
    }

    #[test]
    fn checks_the_shape_of_arrays() {
        let code = 27 | 10 << 8 | 1 << 14;
        let mut value = 28i64.to_le_bytes().to_vec();
        for n in [code, 1, 2i32] {
            value.extend(n.to_le_bytes());
        }
        value.extend(1.0f64.to_le_bytes());
        value.extend(2.0f64.to_le_bytes());
        let array = TypedBind::Array { dims: vec![1, 2], values: vec![1.0, 2.0] };
        assert_eq!(typed(code, &value), Ok(Some(array)));
        assert_eq!(typed(code, &(-1i64).to_le_bytes()), Ok(Some(TypedBind::Null)));
        value[16] = 3;
        assert!(matches!(typed(code, &value), Err(Error::Damaged { .. })));
    }

    #[test]
    fn refuses_unknown_types_and_impossible_lengths() {
        assert!(matches!(typed(99, &[]), Err(Error::Unsupported { .. })));
        assert!(matches!(typed(12, &[0; 4]), Err(Error::Unsupported { .. })));
        assert!(matches!(typed(11, &(-9i32).to_le_bytes()), Err(Error::Damaged { .. })));
        assert!(matches!(typed(18, &i64::MAX.to_le_bytes()), Err(Error::Damaged { .. })));
    }
}
