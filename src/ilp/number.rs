//! Numbers in lines.

use crate::table::text::parse::{self, Chars};

/// The least LONG, which elsewhere is no number but null.
const MIN: &[u8] = b"-9223372036854775808";

/// LONG: an optional `-`, digits with `_` between them, an optional `L`. Anything else is refused.
pub(super) fn long(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // Nearly all numbers are short and plain.
    if (1..=18).contains(&digits.len()) {
        let mut value = 0i64;
        let mut plain = true;
        for byte in digits {
            plain &= byte.is_ascii_digit();
            value = value * 10 + i64::from(byte.wrapping_sub(b'0') & 15);
        }
        if plain {
            return Some(if negative { -value } else { value });
        }
    }
    if text == MIN {
        return Some(i64::MIN);
    }
    parse::long(Chars::Bytes(text))
}

/// INT, as an exponent.
pub(super) fn int(text: &[u8]) -> Option<i64> {
    parse::int(Chars::Bytes(text)).map(i64::from)
}

/// DOUBLE: Java's literals, `NaN` and `Infinity` among them.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    parse::double(Chars::Bytes(text)).or_else(|| is_nan(text).then_some(f64::NAN))
}

fn is_nan(text: &[u8]) -> bool {
    let trimmed = std::str::from_utf8(text).unwrap_or_default().trim_matches(|c: char| c <= ' ');
    trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed) == "NaN"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_server_reads_them() {
        assert_eq!(long(b"12"), Some(12));
        assert_eq!(long(b"-0"), Some(0));
        assert_eq!(long(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(long(b"9223372036854775808"), None);
        assert_eq!(long(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(long(b"1_000"), Some(1000));
        for bad in ["", "-", "+1", "1a", " 1", "1.0", "\u{e4}"] {
            assert_eq!(long(bad.as_bytes()), None, "{bad:?}");
        }
        assert!(double(b"NaN").is_some_and(f64::is_nan) && double(b"-NaN").is_some_and(f64::is_nan));
        assert_eq!(double(b"1e3"), Some(1000.0));
        assert_eq!(double(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(double(b"nan"), None);
        assert_eq!(double(b"1e999"), None);
    }
}
