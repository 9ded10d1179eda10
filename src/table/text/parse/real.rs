//! DOUBLE and FLOAT: Java's floating-point literals with white space on either side.

use super::Chars;

/// Longest literal that is read without allocating.
const SHORT: usize = 64;

/// DOUBLE; `None` for what isn't one, for NaN, and for numbers that overflow or underflow. May be infinite,
/// if the text says `Infinity`.
pub fn double(text: Chars<'_>) -> Option<f64> {
    read(text, b'd', |literal| match literal {
        Literal::Decimal(text) => text.parse().ok(),
        Literal::Hex { significand, exponent } => scale(significand, exponent),
        Literal::Infinity { negative } => Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        Literal::NaN => None,
    })
    .filter(|(v, zero, infinite): &(f64, bool, bool)| (*v != 0.0 || *zero) && (v.is_finite() || *infinite))
    .map(|(v, ..)| v)
}

/// FLOAT, in the same way.
pub fn float(text: Chars<'_>) -> Option<f32> {
    read(text, b'f', |literal| match literal {
        Literal::Decimal(text) => text.parse().ok(),
        Literal::Hex { significand, exponent } => scale(significand, exponent).map(|v| v as f32),
        Literal::Infinity { negative } => Some(if negative { f32::NEG_INFINITY } else { f32::INFINITY }),
        Literal::NaN => None,
    })
    .filter(|(v, zero, infinite): &(f32, bool, bool)| (*v != 0.0 || *zero) && (v.is_finite() || *infinite))
    .map(|(v, ..)| v)
}

enum Literal<'a> {
    /// Sign, digits and exponent as Rust reads them.
    Decimal(&'a str),
    /// `significand * 2^exponent`.
    Hex {
        significand: f64,
        exponent: i32,
    },
    Infinity {
        negative: bool,
    },
    NaN,
}

/// The number, whether its digits are all zero, whether it was written as infinite.
fn read<T>(text: Chars<'_>, suffix: u8, value: impl Fn(Literal<'_>) -> Option<T>) -> Option<(T, bool, bool)> {
    let mut short = [0; SHORT];
    let mut long = Vec::new();
    let buffer = if text.len() <= SHORT {
        &mut short[..]
    } else {
        long.resize(text.len(), 0);
        &mut long[..]
    };
    // White space is whatever sorts up to the blank, control characters included.
    let text = text.ascii(buffer)?;
    let text = std::str::from_utf8(text).ok()?.trim_matches(|c: char| c <= ' ');
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned {
        "NaN" => return value(Literal::NaN).map(|v| (v, false, false)),
        "Infinity" => return value(Literal::Infinity { negative }).map(|v| (v, false, true)),
        _ => {}
    }
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let (significand, exponent, zero) = hexadecimal(hex)?;
        let significand = if negative { -significand } else { significand };
        return value(Literal::Hex { significand, exponent }).map(|v| (v, zero, false));
    }
    let tail = unsigned.strip_suffix([char::from(suffix), char::from(suffix.to_ascii_uppercase())]);
    let plain = tail.unwrap_or(unsigned);
    let zero = decimal(plain)?;
    let signed = text.get(..text.len() - (unsigned.len() - plain.len()))?;
    value(Literal::Decimal(signed)).map(|v| (v, zero, false))
}

/// Checks `digits [. digits] [e [sign] digits]`, with a digit somewhere before the exponent; tells whether
/// all digits before the exponent are zeros.
fn decimal(text: &str) -> Option<bool> {
    let (significand, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
        None => (text, None),
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
    let mut digits = whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits.clone().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.all(|b| b == b'0'))
}

/// `digits [. digits] p [sign] digits [dDfF]`, after `0x`; up to 13 digits are exact, more are rounded once.
fn hexadecimal(text: &str) -> Option<(f64, i32, bool)> {
    let text = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let (significand, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut value = 0u64;
    let mut dropped = 0i32;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(digit.to_digit(16)?);
        if value >> 58 == 0 {
            value = value << 4 | digit;
        } else {
            // What is cut off only matters as being there.
            value |= u64::from(digit != 0);
            dropped = dropped.checked_add(4)?;
        }
    }
    let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let exponent =
        exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?.checked_add(dropped)?;
    Some((value as f64, exponent, value == 0))
}

fn scale(significand: f64, exponent: i32) -> Option<f64> {
    let exponent = exponent.clamp(-2200, 2200);
    // In two steps: 2^exponent alone may be out of range.
    let half = exponent / 2;
    Some(significand * 2f64.powi(half) * 2f64.powi(exponent - half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            (" \t-2.5e3d ", Some(-2500.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            (".", None),
            ("", None),
            ("1e", None),
            ("1e400", None),
            ("1e-400", None),
            ("0e-400", Some(0.0)),
            ("0x1.8p1", Some(3.0)),
            ("0x1", None),
            ("NaN", None),
            ("Infinity", Some(f64::INFINITY)),
            ("inf", None),
            ("1_000", None),
            ("1f", None),
            ("1.2.3", None),
            ("--1", None),
        ] {
            assert_eq!(double(text.into()), expected, "{text:?}");
        }
        assert_eq!(float("1f".into()), Some(1.0));
        assert_eq!(float("1d".into()), None);
        assert_eq!(float("1e39".into()), None);
        assert!(double("-0".into()).unwrap().is_sign_negative());
        assert_eq!(double("1".repeat(100).as_str().into()), "1".repeat(100).parse().ok());
    }
}
