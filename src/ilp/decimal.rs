//! Decimals: 256 bits and a scale.

use ethnum::{I256, U256};

/// Digits that a decimal has at most, and its largest scale.
const DIGITS_MAX: i64 = 76;

/// `unscaled` divided by ten to the power of `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// The digits as an integer.
    pub unscaled: I256,
    /// Digits behind the point, 0 to 76.
    pub scale: u32,
}

/// Why a decimal has no such scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unscaled {
    /// It has more digits behind the point.
    Loss,
    /// It would be too long.
    Overflow,
}

impl Decimal {
    /// Text as QuestDB's `DecimalParser` takes it: the outer `None` is refused, the inner one is null.
    ///
    /// Without `scale` that of the text is taken, in which `strict` has zeros at the end count. `precision` bounds the digits.
    ///
    /// ```
    /// use understudy::ilp::Decimal;
    /// let read = |text: &str| Decimal::parse(text.as_bytes(), None, None, true).flatten().map(|d| (d.unscaled.as_i64(), d.scale));
    /// assert_eq!(read("-1.50"), Some((-150, 2)));
    /// assert_eq!(read("12e-1"), Some((12, 1)));
    /// assert_eq!(read("1.2.3"), None);
    /// ```
    pub fn parse(
        text: &[u8],
        precision: Option<u32>,
        scale: Option<u32>,
        strict: bool,
    ) -> Option<Option<Self>> {
        let mut strict = strict;
        let mut text = text;
        if let [rest @ .., b'm' | b'M'] = text {
            strict = true;
            text = rest;
        }
        if let [rest @ .., b'f' | b'F' | b'd' | b'D'] = text {
            text = rest;
        }
        while let [b' ', rest @ ..] = text {
            text = rest;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            [] => return None,
            _ => (false, text),
        };
        if text.is_empty() {
            return None;
        }
        if text.starts_with(b"NaN") || text.starts_with(b"Infinity") {
            return Some(None);
        }
        let literal = Literal::read(text, strict)?;
        let mut exp = literal.exp;
        let scale = match scale.map(i64::from) {
            None => literal.scale,
            Some(scale) if literal.scale <= scale => {
                exp += scale - literal.scale;
                scale
            }
            Some(_) => return None,
        };
        let digits = literal.digits + exp;
        let needed = digits.max(scale + 1);
        if scale > DIGITS_MAX || needed > DIGITS_MAX || precision.is_some_and(|most| needed > i64::from(most))
        {
            return None;
        }
        let mut unscaled = I256::ZERO;
        for digit in literal.text.iter().filter(|byte| byte.is_ascii_digit()) {
            unscaled =
                unscaled.checked_mul(I256::new(10))?.checked_add(I256::new(i128::from(digit - b'0')))?;
        }
        for _ in 0..exp {
            unscaled = unscaled.checked_mul(I256::new(10))?;
        }
        let unscaled = if negative { -unscaled } else { unscaled };
        Some(Some(Self { unscaled, scale: u32::try_from(scale).ok()? }))
    }

    /// Of a whole number.
    pub fn of_long(value: i64) -> Self {
        Self { unscaled: I256::new(i128::from(value)), scale: 0 }
    }

    /// Of the big-endian two's complement of the digits, as binary fields have it: `None` if it is too long.
    pub fn of_binary(scale: u8, bytes: &[u8]) -> Option<Self> {
        let negative = bytes.first().is_some_and(|first| *first >= 0x80);
        let fill = if negative { 0xff } else { 0 };
        let mut word = [fill; 32];
        let extra = bytes.len().saturating_sub(32);
        // The server looks at whole words of four bytes, and takes no sign for one.
        if bytes.get(..extra)?.iter().any(|byte| *byte != 0) {
            return None;
        }
        let kept = bytes.get(extra..)?;
        word.get_mut(32 - kept.len()..)?.copy_from_slice(kept);
        Some(Self { unscaled: I256::from_be_bytes(word), scale: u32::from(scale) })
    }

    /// The same number with that many digits behind the point.
    ///
    /// # Errors
    /// Why it has none such.
    pub fn rescaled(self, scale: u32) -> Result<Self, Unscaled> {
        let ten = I256::new(10);
        let mut unscaled = self.unscaled;
        for _ in self.scale..scale {
            unscaled = unscaled.checked_mul(ten).ok_or(Unscaled::Overflow)?;
        }
        for _ in scale..self.scale {
            if unscaled % ten != I256::ZERO {
                return Err(Unscaled::Loss);
            }
            unscaled /= ten;
        }
        Ok(Self { unscaled, scale })
    }

    /// Whether it has at most so many digits.
    pub fn fits(&self, precision: u32) -> bool {
        let magnitude = self.unscaled.unsigned_abs();
        precision > DIGITS_MAX as u32 || magnitude < U256::new(10).pow(precision)
    }
}

/// As it is printed, without an exponent.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = scale + 1);
        if self.unscaled.is_negative() {
            f.write_str("-")?;
        }
        let (whole, fraction) = digits.split_at_checked(digits.len() - scale).unwrap_or((&digits, ""));
        f.write_str(whole)?;
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

/// Digits with at most one point, and an exponent.
struct Literal<'a> {
    text: &'a [u8],
    digits: i64,
    scale: i64,
    exp: i64,
}

impl<'a> Literal<'a> {
    fn read(text: &'a [u8], strict: bool) -> Option<Self> {
        let zeros = text.iter().take_while(|byte| **byte == b'0').count().min(text.len() - 1);
        let rest = text.get(zeros..)?;
        let mut dot = None;
        let plain = |(at, byte): (usize, &u8)| {
            let is_dot = *byte == b'.' && dot.is_none();
            if is_dot {
                dot = Some(at);
            }
            byte.is_ascii_digit() || is_dot
        };
        let len = rest.iter().enumerate().map(plain).take_while(|plain| *plain).count();
        let (mut body, tail) = rest.split_at_checked(len)?;
        if !body.iter().any(u8::is_ascii_digit) {
            if zeros == 0 {
                return None;
            }
            // The last of the zeros is a digit, then.
            body = text.get(zeros - 1..zeros + len)?;
            dot = dot.map(|dot| dot + 1);
        }
        if let Some(dot) = dot.filter(|_| !strict) {
            while body.len() > dot && body.last() == Some(&b'0') {
                body = body.get(..body.len() - 1)?;
            }
        }
        let behind = dot.map_or(0, |dot| body.len() as i64 - dot as i64 - 1);
        let digits = body.len() as i64 - i64::from(dot.is_some());
        let (mut scale, mut exp) = (behind, 0);
        if let Some((e, power)) = tail.split_first() {
            if e | 32 != b'e' {
                return None;
            }
            let power = super::number::int(power)?;
            if power >= 0 && power > behind {
                (exp, scale) = (power - behind, 0);
            } else {
                scale -= power;
            }
        }
        Some(Self { text: body, digits, scale, exp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, precision: Option<u32>, scale: Option<u32>, strict: bool) -> Option<String> {
        Decimal::parse(text.as_bytes(), precision, scale, strict)
            .map(|decimal| decimal.map_or("null".to_owned(), |decimal| decimal.to_string()))
    }

    #[test]
    fn text_becomes_a_decimal_as_on_the_server() {
        for (text, strict, lenient) in [
            ("1.20", Some("1.20"), Some("1.2")),
            ("00.5", Some("0.5"), Some("0.5")),
            ("0", Some("0"), Some("0")),
            ("0.000", Some("0.000"), Some("0")),
            (".5", Some("0.5"), Some("0.5")),
            ("5.", Some("5"), Some("5")),
            ("1e3", Some("1000"), Some("1000")),
            ("1.25e1", Some("12.5"), Some("12.5")),
            ("-12e-3", Some("-0.012"), Some("-0.012")),
            ("NaN", Some("null"), Some("null")),
            ("", None, None),
            ("-", None, None),
            (".", None, None),
            ("1x", None, None),
        ] {
            assert_eq!(read(text, None, None, true).as_deref(), strict, "{text}");
            assert_eq!(read(text, None, None, false).as_deref(), lenient, "{text}");
        }
        assert_eq!(read("1.5", Some(10), Some(3), false).as_deref(), Some("1.500"));
        assert_eq!(read("1.5", Some(10), Some(0), false), None);
        assert_eq!(read("123", Some(2), Some(0), false), None);
        assert_eq!(read(&"9".repeat(77), None, None, true), None);
        assert_eq!(read("1e2147483647", None, None, true), None);
        assert_eq!(read("1e-2147483647", None, None, true), None);
    }

    #[test]
    fn binary_digits_have_a_sign() {
        let read = |scale, bytes: &[u8]| Decimal::of_binary(scale, bytes).map(|decimal| decimal.to_string());
        assert_eq!(read(2, &[0, 125]).as_deref(), Some("1.25"));
        assert_eq!(read(0, &[0xff]).as_deref(), Some("-1"));
        assert_eq!(read(1, &[0xff, 0x85]).as_deref(), Some("-12.3"));
        assert_eq!(read(0, &[1; 40]), None);
    }

    #[test]
    fn scales_change_without_loss_or_not_at_all() {
        let decimal = Decimal { unscaled: I256::new(1500), scale: 3 };
        assert_eq!(decimal.rescaled(1).unwrap().to_string(), "1.5");
        assert_eq!(decimal.rescaled(0), Err(Unscaled::Loss));
        assert_eq!(Decimal { unscaled: I256::MAX, scale: 0 }.rescaled(1), Err(Unscaled::Overflow));
        assert!(decimal.fits(4) && !decimal.fits(3));
    }
}
