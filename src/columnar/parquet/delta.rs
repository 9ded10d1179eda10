//! Parquet's DELTA_BINARY_PACKED: differences of neighbours, packed in as many bits as they need.

use super::hybrid::{read_varint, varint};

/// Values of a block, and of each of its parts.
const BLOCK: usize = 128;
const PART: usize = 32;
/// Values of a foreign block, at most.
const BLOCK_MAX: u64 = 4096;

/// Appends the values; `narrow` are those of 32 bits, whose differences wrap there.
pub(super) fn encode(values: &[i64], narrow: bool, out: &mut Vec<u8>) {
    varint(out, BLOCK as u64);
    varint(out, (BLOCK / PART) as u64);
    varint(out, values.len() as u64);
    zigzag(out, values.first().copied().unwrap_or(0));
    let mut before = values.first().copied().unwrap_or(0);
    for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
        let mut deltas = [0i64; BLOCK];
        for (delta, value) in deltas.iter_mut().zip(block) {
            let wide = value.wrapping_sub(before);
            *delta = if narrow { i64::from(wide as i32) } else { wide };
            before = *value;
        }
        let deltas = deltas.get_mut(..block.len()).unwrap_or_default();
        let least = deltas.iter().copied().min().unwrap_or(0);
        zigzag(out, least);
        let widths = out.len();
        out.extend([0; BLOCK / PART]);
        for (i, part) in deltas.chunks(PART).enumerate() {
            let all = part.iter().fold(0u64, |all, delta| all | delta.wrapping_sub(least) as u64);
            let width = u64::BITS - all.leading_zeros();
            if let Some(place) = out.get_mut(widths + i) {
                *place = width as u8;
            }
            pack(part, least, width, out);
        }
    }
}

/// A part of a block, filled up with zeros.
fn pack(deltas: &[i64], least: i64, width: u32, out: &mut Vec<u8>) {
    let end = out.len() + PART * width as usize / 8;
    let (mut word, mut bits) = (0u128, 0);
    for delta in deltas {
        word |= u128::from(delta.wrapping_sub(least) as u64) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(word as u64).to_le_bytes());
            word >>= 64;
            bits -= 64;
        }
    }
    let left = end.saturating_sub(out.len()).min(8);
    out.extend_from_slice((word as u64).to_le_bytes().get(..left).unwrap_or_default());
    out.resize(end, 0);
}

fn zigzag(out: &mut Vec<u8>, value: i64) {
    varint(out, (value << 1 ^ value >> 63) as u64);
}

/// Reads values from the beginning of `bytes`, at most `limit`; also says how many bytes they took.
///
/// `None` if they are damaged, or there are more.
pub(super) fn decode(bytes: &[u8], limit: usize) -> Option<(Vec<i64>, usize)> {
    let mut rest = bytes;
    let block = read_varint(&mut rest)?;
    let parts = read_varint(&mut rest)?;
    let count = usize::try_from(read_varint(&mut rest)?).ok().filter(|count| *count <= limit)?;
    let mut value = read_zigzag(&mut rest)?;
    let sized =
        (1..=BLOCK_MAX).contains(&block) && (1..=block).contains(&parts) && block.is_multiple_of(parts);
    let part = if sized { (block / parts) as usize } else { return None };
    if !part.is_multiple_of(8) {
        return None;
    }
    let mut out = Vec::new();
    if count > 0 {
        out.push(value);
    }
    while out.len() < count {
        let least = read_zigzag(&mut rest)?;
        let (widths, after) = rest.split_at_checked(parts as usize)?;
        rest = after;
        for width in widths {
            if out.len() >= count {
                break;
            }
            if *width > 64 {
                return None;
            }
            let now = part.min(count - out.len());
            let len = part * usize::from(*width) / 8;
            // The last part may be cut behind its last value.
            let needed = (now * usize::from(*width)).div_ceil(8);
            let packed = rest.get(..len.min(rest.len())).filter(|packed| packed.len() >= needed)?;
            rest = rest.get(packed.len()..)?;
            unpack(packed, now, usize::from(*width), |delta| {
                value = value.wrapping_add(least).wrapping_add(delta as i64);
                out.push(value);
            });
        }
    }
    Some((out, bytes.len() - rest.len()))
}

fn unpack(bytes: &[u8], count: usize, width: usize, mut each: impl FnMut(u64)) {
    let mask = u64::MAX.checked_shr(64 - width as u32).unwrap_or(0);
    for i in 0..count {
        let bit = i * width;
        let mut word = [0u8; 16];
        let from = bytes.get(bit / 8..).unwrap_or_default();
        for (to, byte) in word.iter_mut().zip(from) {
            *to = *byte;
        }
        each((u128::from_le_bytes(word) >> (bit % 8)) as u64 & mask);
    }
}

fn read_zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let value = read_varint(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let mixed: Vec<i64> =
            (0..1000i64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> (n % 60)).collect();
        let steps: Vec<i64> = (0..300).map(|n| n * 1000).collect();
        let extremes = [i64::MIN, i64::MAX, 0, i64::MIN, -1, i64::MAX];
        for values in [&mixed[..], &steps, &extremes, &mixed[..1], &mixed[..129], &mixed[..130], &[]] {
            let mut bytes = Vec::new();
            encode(values, false, &mut bytes);
            let len = bytes.len();
            bytes.extend([1, 2, 3]);
            assert_eq!(decode(&bytes, values.len()), Some((values.to_vec(), len)));
            assert!(values.is_empty() || decode(&bytes, values.len() - 1).is_none());
            for cut in 0..len.min(40) {
                let _ = decode(&bytes[..cut], values.len());
            }
        }
    }

    #[test]
    fn even_steps_take_few_bytes() {
        let steps: Vec<i64> = (0..128_001).map(|n| n * 1000).collect();
        let mut bytes = Vec::new();
        encode(&steps, false, &mut bytes);
        assert!(bytes.len() < 7_100, "{}", bytes.len());
    }
}
