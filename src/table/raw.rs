use super::{Value, text, value_of};
use crate::wal::{ColumnType, RawValue};

/// The text of a value as it lies in a segment's files, `null` for null.
pub fn raw_text(ty: ColumnType, raw: RawValue<'_>) -> String {
    let value = match raw {
        RawValue::Null => Value::Null,
        RawValue::Fixed(bytes) => value_of(ty, bytes, None),
        RawValue::Utf16(units) => Value::Utf16(units),
        RawValue::Utf8(bytes) => Value::Utf8(bytes),
        RawValue::Binary(bytes) => Value::Binary(bytes),
        RawValue::Array { dims, values } => Value::Array { dims, values },
    };
    match value {
        Value::Null => return "null".to_owned(),
        Value::Binary(bytes) => return hex(bytes),
        Value::Long128(number) => return format!("{number:#034x}"),
        _ => {}
    }
    let mut out = Vec::new();
    text::write_text(&mut out, value);
    let shown = String::from_utf8_lossy(&out);
    match value {
        // Quotes tell blanks, controls and the word null from what they look like.
        Value::Utf8(_) | Value::Utf16(_) | Value::Char(_) => format!("{shown:?}"),
        _ => shown.into_owned(),
    }
}

/// The beginning of some bytes in hex.
fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let shown: Vec<String> = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > SHOWN { " ..." } else { "" };
    format!("{}{more}", shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: i32, raw: RawValue<'_>) -> String {
        raw_text(ColumnType::from_code(code).expect("a type"), raw)
    }

    #[test]
    fn shows_values_and_nulls() {
        assert_eq!(text(5, RawValue::Fixed(&7i32.to_le_bytes())), "7");
        assert_eq!(text(5, RawValue::Fixed(&i32::MIN.to_le_bytes())), "null");
        assert_eq!(text(8, RawValue::Fixed(&0i64.to_le_bytes())), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(26, RawValue::Utf8(b"null")), "\"null\"");
        assert_eq!(text(11, RawValue::Utf16(&[b'a', 0, b'\n', 0])), "\"a\\n\"");
        assert_eq!(text(26, RawValue::Null), "null");
        assert_eq!(text(18, RawValue::Binary(&[1, 255])), "01 ff");
    }
}
