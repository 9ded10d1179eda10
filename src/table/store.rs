use super::chunk::{VARCHAR_INLINE_MAX, array_entry, varchar_entry};
use super::{Chunk, SymbolTable, Value};
use crate::wal::{ColumnType, SymbolText, Tag};

impl Chunk {
    /// Appends a value of the column's type; one of another type is stored as null.
    ///
    /// A SYMBOL's text gets its key from `symbols`, which grows where it is new.
    pub fn push(&mut self, ty: ColumnType, value: Value<'_>, symbols: Option<&mut SymbolTable>) {
        match self {
            Self::Fixed { values, width } => {
                let mut bytes = [0u8; 32];
                let stored = encode(ty, value, symbols, &mut bytes).is_some();
                let null = super::null_pattern(ty);
                values.extend_from_slice(if stored { bytes.get(..*width).unwrap_or(null) } else { null });
            }
            Self::Prefixed { aux, data } => {
                match (ty.tag(), value) {
                    (Tag::String, Value::Utf16(units)) => {
                        data.extend_from_slice(&((units.len() / 2) as i32).to_le_bytes());
                        data.extend_from_slice(units);
                    }
                    (Tag::Binary, Value::Binary(bytes)) => {
                        data.extend_from_slice(&(bytes.len() as i64).to_le_bytes());
                        data.extend_from_slice(bytes);
                    }
                    (Tag::String, _) => data.extend_from_slice(&[0xff; 4]),
                    _ => data.extend_from_slice(&[0xff; 8]),
                }
                aux.push(data.len() as u64);
            }
            Self::Varchar { aux, data } => {
                let bytes = if let Value::Utf8(bytes) = value { Some(bytes) } else { None };
                aux.push(varchar_entry(bytes, data.len() as u64));
                data.extend_from_slice(
                    bytes.filter(|bytes| bytes.len() > VARCHAR_INLINE_MAX).unwrap_or_default(),
                );
            }
            Self::Array { aux, data } => {
                let at = data.len();
                if let Value::Array { dims, values } = value {
                    data.extend_from_slice(dims);
                    data.resize(data.len().next_multiple_of(8), 0);
                    data.extend_from_slice(values);
                }
                aux.push(array_entry(at as u64, (data.len() - at) as u32));
            }
        }
    }
}

/// Writes a value's stored bytes to the front of `out`; `None` for null.
fn encode(
    ty: ColumnType,
    value: Value<'_>,
    symbols: Option<&mut SymbolTable>,
    out: &mut [u8; 32],
) -> Option<()> {
    let mut put = |bytes: &[u8]| out.get_mut(..bytes.len()).map(|to| to.copy_from_slice(bytes));
    match (ty.tag(), value) {
        (Tag::Boolean, Value::Boolean(x)) => put(&[u8::from(x)]),
        (Tag::Byte, Value::Byte(x)) => put(&x.to_le_bytes()),
        (Tag::Short, Value::Short(x)) => put(&x.to_le_bytes()),
        (Tag::Char, Value::Char(x)) => put(&x.to_le_bytes()),
        (Tag::Int, Value::Int(x)) => put(&x.to_le_bytes()),
        (Tag::Long, Value::Long(x)) | (Tag::Date, Value::Date(x)) => put(&x.to_le_bytes()),
        (Tag::Timestamp, Value::Timestamp(x)) if !ty.is_nanos() => put(&x.to_le_bytes()),
        (Tag::Timestamp, Value::TimestampNs(x)) if ty.is_nanos() => put(&x.to_le_bytes()),
        (Tag::Float, Value::Float(x)) => put(&x.to_le_bytes()),
        (Tag::Double, Value::Double(x)) => put(&x.to_le_bytes()),
        (Tag::Ipv4, Value::Ipv4(x)) => put(&x.to_le_bytes()),
        (Tag::Uuid, Value::Uuid(x)) | (Tag::Long128, Value::Long128(x)) => put(&x.to_le_bytes()),
        (Tag::Symbol, Value::Utf8(text)) => {
            put(&symbols?.intern(&String::from_utf8_lossy(text)).to_le_bytes())
        }
        (Tag::Symbol, Value::Utf16(units)) => {
            put(&symbols?.intern_symbol(SymbolText::of_units(units).symbol()).to_le_bytes())
        }
        (Tag::Long256, Value::Long256(words)) => {
            let mut bytes = [0; 32];
            for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
                *to = word.to_le_bytes();
            }
            put(&bytes)
        }
        (Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong, Value::Geohash { value, .. }) => {
            put(value.to_le_bytes().get(..ty.fixed_size()?)?)
        }
        (_, Value::Decimal { unscaled, .. }) => {
            let (high, low) = unscaled.into_words();
            match ty.tag() {
                // 128 and 256 bits: the high word comes first.
                Tag::Decimal256 => put(&words_high_first([high >> 64, high, low >> 64, low])),
                Tag::Decimal128 => put(words_high_first([low >> 64, low, 0, 0]).get(..16)?),
                _ => put(low.to_le_bytes().get(..ty.fixed_size()?)?),
            }
        }
        _ => None,
    }
}

fn words_high_first(words: [i128; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = (word as u64).to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ethnum::I256;

    #[test]
    fn a_value_reads_back_as_it_was_pushed() {
        let decimal = |unscaled: i128, scale| Value::Decimal { unscaled: I256::from(unscaled), scale };
        let cases = [
            (1, Value::Boolean(true)),
            (2, Value::Byte(-3)),
            (5, Value::Int(-70_000)),
            (7, Value::Date(-1)),
            (8 | 1 << 18, Value::TimestampNs(17)),
            (10, Value::Double(-0.5)),
            (13, Value::Long256([1, 2, 3, u64::MAX])),
            (18, Value::Binary(b"\0\xff")),
            (19, Value::Uuid(u128::MAX / 3)),
            (26, Value::Utf8(b"inlined")),
            (26, Value::Utf8("longer than that: \u{1F600}".as_bytes())),
            (27 | 10 << 8 | 1 << 14, Value::Array { dims: &[1, 0, 0, 0, 1, 0, 0, 0], values: &[7; 8] }),
            (31 | 10 << 8 | 2 << 18, decimal(-123_456, 2)),
            (32 | 30 << 8 | 2 << 18, decimal(-(1 << 90), 2)),
            (33 | 70 << 8 | 2 << 18, decimal(i128::MIN + 7, 2)),
        ];
        for (code, value) in cases {
            let ty = ColumnType::from_code(code).unwrap();
            let mut chunk = Chunk::new(ty);
            chunk.push(ty, Value::Null, None);
            chunk.push(ty, value, None);
            chunk.push(ty, Value::Null, None);
            assert_eq!(chunk.rows(), 3);
            assert_eq!(chunk.value(0, ty, None), Value::absent(ty));
            assert_eq!(chunk.value(1, ty, None), value);
        }
    }

    #[test]
    fn symbols_get_keys_in_order_of_first_use() {
        let mut symbols = SymbolTable::default();
        let mut chunk = Chunk::new(ColumnType::SYMBOL);
        for text in ["b", "a", "b"] {
            chunk.push(ColumnType::SYMBOL, Value::Utf8(text.as_bytes()), Some(&mut symbols));
        }
        assert_eq!(symbols.iter().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(chunk.value(2, ColumnType::SYMBOL, Some(&symbols)), Value::Utf8(b"b"));
    }
}
