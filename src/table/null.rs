use crate::wal::{ColumnType, Tag};

/// The stored null of a fixed-size type.
pub fn null_pattern(ty: ColumnType) -> &'static [u8] {
    const MIN8: [u8; 8] = i64::MIN.to_le_bytes();
    const WORDS: [u8; 32] = repeated_min();
    const HIGH_FIRST: [u8; 32] = {
        let mut bytes = [0; 32];
        bytes[7] = 0x80;
        bytes
    };
    match ty.tag() {
        Tag::Boolean | Tag::Byte => &[0],
        Tag::Short | Tag::Char => &[0; 2],
        Tag::Ipv4 => &[0; 4],
        Tag::Int | Tag::Symbol | Tag::Decimal32 => &MIN8[4..],
        Tag::Float => &[0, 0, 0xc0, 0x7f],
        Tag::Double => &[0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
        Tag::Long | Tag::Date | Tag::Timestamp | Tag::Decimal64 => &MIN8,
        Tag::Uuid | Tag::Long128 => &WORDS[..16],
        Tag::Long256 => &WORDS,
        Tag::GeoByte => &[0xff],
        Tag::GeoShort => &[0xff; 2],
        Tag::GeoInt => &[0xff; 4],
        Tag::GeoLong => &[0xff; 8],
        Tag::Decimal8 => &MIN8[7..],
        Tag::Decimal16 => &MIN8[6..],
        Tag::Decimal128 => &HIGH_FIRST[..16],
        Tag::Decimal256 => &HIGH_FIRST,
        Tag::String | Tag::Binary | Tag::Varchar | Tag::Array => &[],
    }
}

const fn repeated_min() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[7] = 0x80;
    bytes[15] = 0x80;
    bytes[23] = 0x80;
    bytes[31] = 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Value, value_of};

    #[test]
    fn null_patterns_are_as_wide_as_their_type_and_read_as_null() {
        for code in (1..=19).chain(24..=33) {
            let Some(ty) = ColumnType::from_code(code) else { continue };
            let Some(width) = ty.fixed_size() else { continue };
            assert_eq!(null_pattern(ty).len(), width, "{ty:?}");
            assert_eq!(value_of(ty, null_pattern(ty), None), Value::absent(ty), "{ty:?}");
        }
    }
}
