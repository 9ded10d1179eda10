//! LONG256, UUID, IPv4, GEOHASH, DECIMAL, ARRAY.

use ethnum::{I256, U256};

use super::number;

/// The characters of a GEOHASH, five bits each.
const BASE32: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

pub(super) fn hex_digit(nibble: u8) -> u8 {
    let n = nibble & 15;
    n + if n < 10 { b'0' } else { b'a' - 10 }
}

/// The low `digits` hexadecimal digits of `value`, at most 16.
fn hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    let mut text = [0; 16];
    for (i, slot) in text.iter_mut().enumerate() {
        *slot = hex_digit((value >> (60 - 4 * i)) as u8);
    }
    out.extend_from_slice(text.get(16usize.saturating_sub(digits as usize)..).unwrap_or_default());
}

/// `0x` and whole bytes, as few as hold the value, at least one.
pub(super) fn long256(out: &mut Vec<u8>, words: [u64; 4]) {
    out.extend_from_slice(b"0x");
    let mut started = false;
    for (i, word) in words.into_iter().enumerate().rev() {
        if started {
            hex(out, word, 16);
        } else if word != 0 || i == 0 {
            let bytes = (64 - word.leading_zeros()).div_ceil(8).max(1);
            hex(out, word, bytes * 2);
            started = true;
        }
    }
}

pub(super) fn uuid(out: &mut Vec<u8>, value: u128) {
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
    for (i, at) in places.enumerate() {
        if let Some(slot) = text.get_mut(at) {
            *slot = hex_digit((value >> (124 - 4 * i)) as u8);
        }
    }
    out.extend_from_slice(&text);
}

pub(super) fn ipv4(out: &mut Vec<u8>, value: u32) {
    for (i, octet) in value.to_be_bytes().into_iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        number::integer(out, octet.into());
    }
}

/// Characters where the bits are whole ones, else zeros and ones.
pub(super) fn geohash(out: &mut Vec<u8>, bits: u32, value: u64) {
    let bits = bits.min(60);
    if bits.is_multiple_of(5) {
        for i in (0..bits / 5).rev() {
            out.push(BASE32.get((value >> (5 * i) & 31) as usize).copied().unwrap_or(b'0'));
        }
    } else {
        for i in (0..bits).rev() {
            out.push(b'0' + (value >> i & 1) as u8);
        }
    }
}

/// All digits of the scale, no leading zeros but one before the point.
pub(super) fn decimal(out: &mut Vec<u8>, unscaled: I256, scale: u32) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut digits = [b'0'; 80];
    let mut at = digits.len();
    let mut put = |digit: u8| {
        at = at.saturating_sub(1);
        if let Some(slot) = digits.get_mut(at) {
            *slot = b'0' + digit;
        }
    };
    // Nineteen digits at a time: division of 256 bits is slow.
    const CHUNK: u64 = 10_000_000_000_000_000_000;
    let mut rest = unscaled.unsigned_abs();
    loop {
        let (mut low, more) = if rest <= U256::from(u64::MAX) {
            (rest.as_u64(), false)
        } else {
            let low = (rest % U256::from(CHUNK)).as_u64();
            rest /= U256::from(CHUNK);
            (low, true)
        };
        for _ in 0..if more { 19 } else { 20 } {
            if low == 0 && !more {
                break;
            }
            put((low % 10) as u8);
            low /= 10;
        }
        if !more {
            break;
        }
    }
    let scale = scale.min(76) as usize;
    // At least one digit before the point.
    let start = at.min(digits.len() - scale - 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    out.extend_from_slice(whole.get(start..).unwrap_or_default());
    if scale > 0 {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// Nested brackets; an array without elements is `[]` whatever its shape. Stops where `values` ends.
pub(super) fn array(out: &mut Vec<u8>, dims: &[u8], values: &[u8]) {
    // QuestDB has at most 32 dimensions.
    let mut lens = [0usize; 32];
    let mut depth = 0;
    for (slot, dim) in lens.iter_mut().zip(dims.chunks_exact(4)) {
        *slot = dim.try_into().map_or(0, |b| usize::try_from(i32::from_le_bytes(b)).unwrap_or(0));
        depth += 1;
    }
    let lens = lens.get(..depth).unwrap_or_default();
    if values.is_empty() || lens.contains(&0) {
        out.extend_from_slice(b"[]");
        return;
    }
    let mut values = values.chunks_exact(8);
    nested(out, lens, &mut values);
}

fn nested(out: &mut Vec<u8>, lens: &[usize], values: &mut std::slice::ChunksExact<'_, u8>) {
    let Some((&len, inner)) = lens.split_first() else { return };
    out.push(b'[');
    for i in 0..len {
        if values.len() == 0 {
            break;
        }
        if i > 0 {
            out.push(b',');
        }
        if inner.is_empty() {
            let value = values.next().and_then(|b| b.try_into().ok()).map_or(f64::NAN, f64::from_le_bytes);
            if value.is_finite() {
                number::double(out, value);
            } else {
                out.extend_from_slice(b"null");
            }
        } else {
            nested(out, inner, values);
        }
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals() {
        let decimal = |v: I256, s| text(|o| decimal(o, v, s));
        assert_eq!(decimal(I256::new(0), 0), "0");
        assert_eq!(decimal(I256::new(0), 2), "0.00");
        assert_eq!(decimal(I256::new(-5), 2), "-0.05");
        assert_eq!(decimal(I256::new(12345), 2), "123.45");
        let big: I256 =
            "-1234567890123456789012345678901234567890000000000000000000000000000000000001".parse().unwrap();
        assert_eq!(
            decimal(big, 38),
            "-12345678901234567890123456789012345678.90000000000000000000000000000000000001"
        );
        let zeros: I256 = "100000000000000000000000000000000000000000".parse().unwrap();
        assert_eq!(decimal(zeros, 0), "100000000000000000000000000000000000000000");
        assert_eq!(decimal(I256::new(18446744073709551615), 0), "18446744073709551615");
    }

    #[test]
    fn others() {
        assert_eq!(text(|o| long256(o, [0; 4])), "0x00");
        assert_eq!(text(|o| long256(o, [0x123, 0, 0, 0])), "0x0123");
        assert_eq!(text(|o| long256(o, [1, 2, 0, 0])), "0x020000000000000001");
        assert_eq!(text(|o| geohash(o, 5, 31)), "z");
        assert_eq!(text(|o| geohash(o, 7, 5)), "0000101");
        assert_eq!(text(|o| ipv4(o, 0x01020304)), "1.2.3.4");
        assert_eq!(
            text(|o| uuid(o, 0x11111111_2222_3333_4444_555555555555)),
            "11111111-2222-3333-4444-555555555555"
        );
        let dims: Vec<u8> = [2i32, 2].iter().flat_map(|d| d.to_le_bytes()).collect();
        let values: Vec<u8> = [1.0, f64::NAN, 3.5, 1e9].iter().flat_map(|d| d.to_le_bytes()).collect();
        assert_eq!(text(|o| array(o, &dims, &values)), "[[1.0,null],[3.5,1.0E9]]");
    }
}
