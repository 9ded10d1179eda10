//! FLOAT, which QuestDB 9.3.4 leaves to `Float.toString` of the Java that it runs on.
//!
//! This is the text of Java 17, the version that 9.3.4 asks for. It isn't always the shortest
//! (`2.14748365E9`, where Java 19 and later print `2.1474836E9`), so its way of making digits is followed here.

use super::number;

/// Bits of 5^i for `i` in 1..=26, and what Java takes for the zeroth.
const FIVE_BITS: [u32; 27] =
    [0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56, 59, 61];

/// A finite FLOAT.
pub(super) fn float(out: &mut Vec<u8>, value: f32) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    let mut digits = Digits { bytes: [0; 16], len: 0, point: 0 };
    digits.make(value.to_bits() & 0x7fff_ffff);
    number::layout(out, digits.bytes.get(..digits.len).unwrap_or_default(), digits.point);
}

/// Decimal digits of a number: `0.bytes * 10^point`.
struct Digits {
    bytes: [u8; 16],
    len: usize,
    point: i32,
}

impl Digits {
    fn make(&mut self, bits: u32) {
        let (mut fraction, mut exponent) = (bits & 0x7f_ffff, (bits >> 23) as i32);
        let significant = if exponent == 0 {
            let shift = fraction.leading_zeros() as i32 - 8;
            fraction <<= shift;
            exponent = 1 - shift;
            24 - shift
        } else {
            fraction |= 0x80_0000;
            24
        };
        exponent -= 127;
        // The value is `fraction * 2^(exponent - 23)`.
        let odd = fraction >> fraction.trailing_zeros();
        let odd_bits = 24 - fraction.trailing_zeros() as i32;
        let below_point = (odd_bits - exponent - 1).max(0);
        if below_point == 0 && exponent <= 62 {
            self.whole(
                u64::from(fraction) << (exponent - 23).max(0) >> (23 - exponent).max(0),
                exponent - significant,
            );
        } else {
            self.generate(Scaled::new(fraction, exponent, significant, odd, odd_bits, below_point));
        }
    }

    /// A whole number; digits below its precision (`excess` bits beyond it) are rounded away, half up.
    fn whole(&mut self, mut value: u64, excess: i32) {
        // Decimal digits of 2^(excess - 1), less one.
        let insignificant = if excess > 1 { (1u64 << (excess - 1)).ilog10() } else { 0 };
        if insignificant > 0 {
            let unit = 10u64.pow(insignificant);
            value = value / unit + u64::from(value % unit >= unit / 2);
            self.point = insignificant as i32;
        }
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(value).as_bytes();
        self.point += text.len() as i32;
        let kept = text.iter().rposition(|&b| b != b'0').map_or(1, |at| at + 1);
        for &b in text.iter().take(kept) {
            self.push(b - b'0');
        }
    }

    /// Digit by digit, until what is left is less than half of the last bit's weight on either side.
    fn generate(&mut self, n: Scaled) {
        let Scaled { mut b, s, mut m, mut point, width } = n;
        let tens = s * 10;
        let reaches = |sum: i128| if width == Width::Big { sum >= tens } else { sum > tens };
        let step = |b: &mut i128, m: &mut i128| {
            let (digit, rest) = width.divide(*b, s);
            *b = rest * 10;
            *m = width.wrap(m.saturating_mul(10));
            (digit, *b < *m, reaches(width.wrap(b.saturating_add(*m))))
        };
        let (digit, mut low, mut high) = step(&mut b, &mut m);
        if digit == 0 && !high {
            point -= 1;
        } else {
            self.push(digit);
        }
        // With an exponent there is always one digit behind the point, so two at least.
        if !(-3..8).contains(&point) {
            (low, high) = (false, false);
        }
        while !low && !high && self.len < self.bytes.len() {
            let (digit, below, above) = step(&mut b, &mut m);
            (low, high) = if m > 0 { (below, above) } else { (true, true) };
            self.push(digit);
        }
        self.point = point + 1;
        let over_half = width.wrap(width.wrap(b * 2) - tens);
        let last_is_odd = self.len.checked_sub(1).and_then(|i| self.bytes.get(i)).is_some_and(|d| d & 1 == 1);
        if high && (!low || over_half > 0 || over_half == 0 && last_is_odd) {
            self.round_up();
        }
    }

    fn push(&mut self, digit: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = b'0' + digit;
            self.len += 1;
        }
    }

    fn round_up(&mut self) {
        for i in (0..self.len).rev() {
            let Some(digit) = self.bytes.get_mut(i) else { return };
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        if let Some(first) = self.bytes.first_mut() {
            *first = b'1';
        }
        self.point += 1;
    }
}

/// A number as `b / s * 10^point`, `m` the weight of half its last bit on the same scale.
struct Scaled {
    b: i128,
    s: i128,
    m: i128,
    point: i32,
    width: Width,
}

/// The integers that Java takes, whose overflow shows in some digits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Int,
    Long,
    Big,
}

impl Width {
    fn wrap(self, value: i128) -> i128 {
        match self {
            Self::Int => i128::from(value as i32),
            Self::Long => i128::from(value as i64),
            Self::Big => value,
        }
    }

    /// Quotient, one digit, and remainder; 128-bit division only where it must be.
    fn divide(self, value: i128, by: i128) -> (u8, i128) {
        match self {
            Self::Big => ((value / by) as u8, value % by),
            _ => {
                let (value, by) = (value as i64, (by as i64).max(1));
                ((value / by) as u8, i128::from(value % by))
            }
        }
    }
}

impl Scaled {
    fn new(
        fraction: u32,
        exponent: i32,
        significant: i32,
        odd: u32,
        odd_bits: i32,
        below_point: i32,
    ) -> Self {
        let mantissa = f64::from(fraction) / f64::from(0x80_0000);
        #[expect(clippy::approx_constant, reason = "the digits that the server computes with")]
        let estimate = (mantissa - 1.5) * 0.289529654 + 0.176091259 + f64::from(exponent) * 0.301029995663981;
        let point = estimate.floor() as i32;
        let (b5, s5) = ((-point).max(0), point.max(0));
        let (mut b2, mut s2) = (b5 + below_point + exponent, s5 + below_point);
        let mut m2 = b2 - significant;
        b2 -= odd_bits - 1;
        let common = b2.min(s2);
        b2 -= common;
        s2 -= common;
        m2 -= common;
        if odd_bits == 1 {
            // The gap below a power of two is half of that above.
            m2 -= 1;
        }
        if m2 < 0 {
            b2 -= m2;
            s2 -= m2;
            m2 = 0;
        }
        let five_bits = |i: i32| FIVE_BITS.get(i as usize).map_or(i * 3, |&bits| bits as i32);
        let bits = (odd_bits + b2 + five_bits(b5)).max(s2 + 1 + five_bits(s5 + 1));
        let width = match bits {
            ..32 => Width::Int,
            32..64 => Width::Long,
            _ => Width::Big,
        };
        let (five, shift) = (|i: i32| 5i128.pow(i as u32), |v: i128, by: i32| v << by);
        Self {
            b: width.wrap(shift(i128::from(odd) * five(b5), b2)),
            s: width.wrap(shift(five(s5), s2)).max(1),
            m: width.wrap(shift(five(b5), m2)),
            point,
            width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f32) -> String {
        let mut out = Vec::new();
        float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_as_java_17_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (-2.7, "-2.7"),
            (3e20, "3.0E20"),
            (2147483647.0, "2.14748365E9"),
            (99999999999.0, "9.9999998E10"),
            (9.223372e18, "9.223372E18"),
            (f32::MAX, "3.4028235E38"),
            (f32::MIN_POSITIVE, "1.17549435E-38"),
            (f32::from_bits(1), "1.4E-45"),
            (0.001, "0.001"),
            (1e7, "1.0E7"),
            (16777216.0, "1.6777216E7"),
            (123456.79, "123456.79"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn every_float_reads_back() {
        for bits in (0..0x7f80_0000u32).step_by(9973) {
            let value = f32::from_bits(bits);
            assert_eq!(text(value).parse::<f32>().unwrap().to_bits(), bits, "{value:e}");
        }
    }
}
