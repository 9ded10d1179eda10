use super::{SymbolTable, Value};
use crate::wal::{ColumnType, Tag};
use ethnum::{I256, U256};

/// Reads one stored value of a fixed-size type.
///
/// `bytes` is as long as the type's size; shorter bytes read as null. Sentinels are those of
/// QuestDB's column files: minimum for integers and decimals, -1 for geohashes, 0 for CHAR and IPv4,
/// NaN and infinities for floats.
pub fn value_of<'a>(ty: ColumnType, bytes: &[u8], symbols: Option<&'a SymbolTable>) -> Value<'a> {
    read(ty, bytes, symbols).unwrap_or(Value::Null)
}

fn read<'a>(ty: ColumnType, bytes: &[u8], symbols: Option<&'a SymbolTable>) -> Option<Value<'a>> {
    Some(match ty.tag() {
        Tag::Boolean => Value::Boolean(*bytes.first()? != 0),
        Tag::Byte => Value::Byte(*bytes.first()? as i8),
        Tag::Short => Value::Short(i16::from_le_bytes(word(bytes, 0)?)),
        Tag::Char => match u16::from_le_bytes(word(bytes, 0)?) {
            0 => Value::Null,
            unit => Value::Char(unit),
        },
        Tag::Int => Value::Int(int(bytes)?),
        Tag::Long => Value::Long(long(bytes)?),
        Tag::Date => Value::Date(long(bytes)?),
        Tag::Timestamp if ty.is_nanos() => Value::TimestampNs(long(bytes)?),
        Tag::Timestamp => Value::Timestamp(long(bytes)?),
        Tag::Float => Value::Float(Some(f32::from_le_bytes(word(bytes, 0)?)).filter(|x| x.is_finite())?),
        Tag::Double => Value::Double(Some(f64::from_le_bytes(word(bytes, 0)?)).filter(|x| x.is_finite())?),
        Tag::Symbol => Value::Utf8(symbols?.get(int(bytes)?)?.as_bytes()),
        Tag::Ipv4 => Value::Ipv4(Some(u32::from_le_bytes(word(bytes, 0)?)).filter(|&x| x != 0)?),
        Tag::Uuid | Tag::Long128 => wide(ty, bytes)?,
        Tag::Long256 => {
            let mut words = [0; 4];
            for (i, w) in words.iter_mut().enumerate() {
                *w = u64::from_le_bytes(word(bytes, i * 8)?);
            }
            Value::Long256(Some(words).filter(|words| words.iter().any(|&w| w != NULL_WORD))?)
        }
        Tag::GeoByte | Tag::GeoShort | Tag::GeoInt | Tag::GeoLong => geohash(ty, bytes)?,
        _ => decimal(ty, bytes)?,
    })
}

const NULL_WORD: u64 = 1 << 63;

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn int(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_le_bytes(word(bytes, 0)?)).filter(|&x| x != i32::MIN)
}

fn long(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(word(bytes, 0)?)).filter(|&x| x != i64::MIN)
}

fn wide(ty: ColumnType, bytes: &[u8]) -> Option<Value<'static>> {
    let (low, high) = (u64::from_le_bytes(word(bytes, 0)?), u64::from_le_bytes(word(bytes, 8)?));
    if low == NULL_WORD && high == NULL_WORD {
        return None;
    }
    let number = u128::from(high) << 64 | u128::from(low);
    Some(if ty.tag() == Tag::Uuid { Value::Uuid(number) } else { Value::Long128(number) })
}

fn geohash(ty: ColumnType, bytes: &[u8]) -> Option<Value<'static>> {
    let value = match ty.tag() {
        Tag::GeoByte => i64::from(*bytes.first()? as i8),
        Tag::GeoShort => i64::from(i16::from_le_bytes(word(bytes, 0)?)),
        Tag::GeoInt => i64::from(i32::from_le_bytes(word(bytes, 0)?)),
        _ => i64::from_le_bytes(word(bytes, 0)?),
    };
    (value != -1).then_some(Value::Geohash { bits: ty.geohash_bits(), value: value as u64 })
}

fn decimal(ty: ColumnType, bytes: &[u8]) -> Option<Value<'static>> {
    let (_, scale) = ty.decimal();
    let narrow = |value: i64, null: i64| (value != null).then(|| I256::from(value));
    let unscaled = match ty.tag() {
        Tag::Decimal8 => narrow(i64::from(*bytes.first()? as i8), i64::from(i8::MIN))?,
        Tag::Decimal16 => narrow(i64::from(i16::from_le_bytes(word(bytes, 0)?)), i64::from(i16::MIN))?,
        Tag::Decimal32 => narrow(i64::from(i32::from_le_bytes(word(bytes, 0)?)), i64::from(i32::MIN))?,
        Tag::Decimal64 => narrow(i64::from_le_bytes(word(bytes, 0)?), i64::MIN)?,
        Tag::Decimal128 => {
            // The high word comes first; the null is (minimum, 0), which is the smallest number.
            let (high, low) = (i64::from_le_bytes(word(bytes, 0)?), u64::from_le_bytes(word(bytes, 8)?));
            let value = i128::from(high) << 64 | i128::from(low);
            (value != i128::MIN).then(|| I256::from(value))?
        }
        _ => {
            let mut words = [0u64; 4];
            for (i, w) in words.iter_mut().enumerate() {
                *w = u64::from_le_bytes(word(bytes, i * 8)?);
            }
            let half = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
            let value = U256::from_words(half(words[0], words[1]), half(words[2], words[3])).as_i256();
            (value != I256::MIN).then_some(value)?
        }
    };
    Some(Value::Decimal { unscaled, scale })
}
