//! What a field's value says: its text, or its bytes.

use super::array::{self, Taken};
use super::field::Unit;
use super::raw::{Code, RawValue, Span};
use super::{Decimal, number};

/// Kinds of binary values.
const FLOAT: u8 = 2;
const INT: u8 = 3;
const BOOLEAN: u8 = 6;
const TIMESTAMP: u8 = 13;
const ARRAY: u8 = 14;
const LONG: u8 = 15;
const DOUBLE: u8 = 16;
const DECIMAL: u8 = 23;

/// The unit that the letter behind a timestamp says.
pub(super) fn unit(letter: u8) -> Option<Unit> {
    match letter {
        b'n' => Some(Unit::Nanos),
        b't' => Some(Unit::Micros),
        b'm' => Some(Unit::Millis),
        _ => None,
    }
}

/// What a text says, and the text without what only tells its type; `None` if it says nothing.
///
/// Nothing is looked at inside of quotes, and behind `0x`.
pub(super) fn of_text(bytes: &[u8], text: Span) -> Option<(RawValue, Span)> {
    let front = text.without_last();
    Some(match text.of(bytes) {
        [] => (RawValue::Null, text),
        [b't' | b'T'] => (RawValue::Boolean(true), text),
        [b'f' | b'F'] => (RawValue::Boolean(false), text),
        [b'"', .., b'"'] => (RawValue::String, Span::new(front.start() + 1, front.end())),
        [b'0', b'x', _, .., b'i'] => (RawValue::Long256, front),
        [digits @ .., b'i'] => (RawValue::Integer(number::long(digits)?), front),
        [digits @ .., letter @ (b'n' | b't' | b'm')] => {
            (RawValue::Timestamp(number::long(digits)?, unit(*letter)), front)
        }
        [number @ .., b'd'] => (RawValue::Decimal(Decimal::parse(number, None, None, true)?), text),
        word @ [.., b'e' | b'E'] if word.eq_ignore_ascii_case(b"true") => (RawValue::Boolean(true), text),
        word @ [.., b'e' | b'E'] if word.eq_ignore_ascii_case(b"false") => (RawValue::Boolean(false), text),
        // Java has an `f` behind some numbers, lines have not.
        [.., b'"' | b'T' | b'f' | b'F' | b'e' | b'E'] => return None,
        number => (RawValue::Float(number::double(number)?), text),
    })
}

/// A binary value that begins at `at`: its kind, then the value in little-endian bytes.
pub(super) fn of_bytes(bytes: &[u8], at: usize) -> Taken {
    let Some(kind) = bytes.get(at) else { return Taken::More };
    let at = at + 1;
    match *kind {
        BOOLEAN => fixed(bytes, at, |[byte]| RawValue::Boolean(byte == 1)),
        INT => fixed(bytes, at, |four| RawValue::Integer(i32::from_le_bytes(four).into())),
        LONG => fixed(bytes, at, |eight| RawValue::Integer(i64::from_le_bytes(eight))),
        FLOAT => fixed(bytes, at, |four| RawValue::Float(f32::from_le_bytes(four).into())),
        DOUBLE => fixed(bytes, at, |eight| RawValue::Float(f64::from_le_bytes(eight))),
        TIMESTAMP => fixed(bytes, at, |nine: [u8; 9]| {
            let [unit, count @ ..] = nine;
            RawValue::Timestamp(i64::from_le_bytes(count), Unit::of_code(unit))
        }),
        ARRAY => array::array(bytes, at),
        DECIMAL => array::decimal(bytes, at),
        _ => Taken::Refused(Code::UnsupportedBinaryFormat),
    }
}

/// A value of `N` bytes.
fn fixed<const N: usize>(bytes: &[u8], at: usize, value: impl FnOnce([u8; N]) -> RawValue) -> Taken {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    found.map_or(Taken::More, |found| Taken::Value { value: value(*found), end: at + N })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_its_type_by_its_ends() {
        for (text, expected) in [
            ("", "Null "),
            ("1", "Float(1.0) 1"),
            ("-1e3", "Float(-1000.0) -1e3"),
            ("1D", "Float(1.0) 1D"),
            ("0x1p1", "Float(2.0) 0x1p1"),
            ("Infinity", "Float(inf) Infinity"),
            ("12i", "Integer(12) 12"),
            ("1_0Li", "Integer(10) 1_0L"),
            ("-9223372036854775808i", "Integer(-9223372036854775808) -9223372036854775808"),
            ("5n", "Timestamp(5, Some(Nanos)) 5"),
            ("-5t", "Timestamp(-5, Some(Micros)) -5"),
            ("5m", "Timestamp(5, Some(Millis)) 5"),
            ("t", "Boolean(true) t"),
            ("T", "Boolean(true) T"),
            ("f", "Boolean(false) f"),
            ("F", "Boolean(false) F"),
            ("tRUe", "Boolean(true) tRUe"),
            ("FALSE", "Boolean(false) FALSE"),
            ("\"\"", "String "),
            ("\"1i\"", "String 1i"),
            ("\"\"\"", "String \""),
            ("0xzi", "Long256 0xz"),
        ] {
            let span = Span::new(0, text.len());
            let (value, kept) = of_text(text.as_bytes(), span).expect(text);
            let kept = std::str::from_utf8(kept.of(text.as_bytes())).expect(text);
            assert_eq!(format!("{value:?} {kept}"), expected, "{text}");
        }
        let decimal = of_text(b"-1.50d", Span::new(0, 6));
        let Some((RawValue::Decimal(Some(decimal)), text)) = decimal else { panic!("{decimal:?}") };
        assert_eq!((decimal.to_string().as_str(), text), ("-1.50", Span::new(0, 6)));
    }

    #[test]
    fn text_that_says_nothing_is_refused() {
        for text in [
            "i",
            "n",
            "m",
            "d",
            "\"",
            "1.5i",
            "+1i",
            "9223372036854775808i",
            "0xi",
            "1x5i",
            "0X1i",
            "0x1",
            "1.5t",
            "tt",
            "TT",
            "1T",
            "1f",
            "1F",
            "0x1p1f",
            "0x1p1F",
            "1e",
            "1E",
            "rue",
            "truE ",
            "nan",
            "x\"",
            "\"x",
            "\"x\"i",
            "1.2.3d",
            " 1i",
            "Td",
        ] {
            assert!(of_text(text.as_bytes(), Span::new(0, text.len())).is_none(), "{text}");
        }
    }

    #[test]
    fn bytes_say_their_kind_first() {
        let read = |bytes: &[u8]| match of_bytes(bytes, 1) {
            Taken::Value { value, end } => format!("{value:?} {end}"),
            Taken::More => "more".to_owned(),
            Taken::Refused(code) => format!("{code:?}"),
        };
        for (bytes, expected) in [
            (&b"=\x02\0\0\x20\x40"[..], "Float(2.5) 6"),
            (b"=\x03\xfe\xff\xff\xff", "Integer(-2) 6"),
            (b"=\x06\x01", "Boolean(true) 3"),
            (b"=\x06\x02", "Boolean(false) 3"),
            (b"=\x0d\x03\x11\0\0\0\0\0\0\0", "Timestamp(17, Some(Millis)) 11"),
            (b"=\x0d\x07\x11\0\0\0\0\0\0\x80", "Timestamp(-9223372036854775791, None) 11"),
            (b"=\x0f\xfe\xff\xff\xff\xff\xff\xff\xff", "Integer(-2) 10"),
            (b"=\x10\0\0\0\0\0\0\xf8\x3f", "Float(1.5) 10"),
            (b"=\x0e\x29", "Array { dims: None, values: Span { start: 0, end: 0 } } 3"),
            (b"=\x17\x02\0", "Decimal(None) 4"),
            (b"=", "more"),
            (b"=\x06", "more"),
            (b"=\x10\0\0\0\0\0\0\xf8", "more"),
            (b"=\x0d\x03\x11\0\0\0\0\0\0", "more"),
            (b"=\x01\0\0\0\0\0\0\0\0", "UnsupportedBinaryFormat"),
        ] {
            assert_eq!(read(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
