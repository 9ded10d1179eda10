//! Parquet's hybrid of run-length encoding and bit-packing: levels, keys of dictionaries, booleans.

use bytes::{Buf, Bytes};

/// Values that a run-length run should stand for, at least.
const RUN_MIN: usize = 24;

/// Bits that a value up to `max` takes, at least 1.
fn bits_for(max: u32) -> u32 {
    (u32::BITS - max.leading_zeros()).max(1)
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends values below `1 << width`, `width` being at most 32.
pub(super) fn encode(values: &[u32], width: u32, out: &mut Vec<u8>) {
    // From here on nothing is written yet; a multiple of 8 before `at`, but for the end.
    let mut pending = 0;
    let mut at = 0;
    while let Some(first) = values.get(at) {
        let rest = values.get(at..).unwrap_or_default();
        // A look at the far end tells most of the time that there is no long run.
        let run = match rest.get(RUN_MIN - 1) {
            Some(last) if last == first => rest.iter().take_while(|value| *value == first).count(),
            _ => 0,
        };
        if run >= RUN_MIN {
            packed(values.get(pending..at).unwrap_or_default(), width, out);
            varint(out, (run as u64) << 1);
            out.extend(first.to_le_bytes().iter().take(width.div_ceil(8) as usize));
            at += run;
            pending = at;
        } else {
            at += 8;
        }
    }
    packed(values.get(pending..).unwrap_or_default(), width, out);
}

/// A bit-packed run, filled up with zeros to a multiple of 8 values.
fn packed(values: &[u32], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    varint(out, (values.len().div_ceil(8) as u64) << 1 | 1);
    out.reserve(values.len().div_ceil(8) * width as usize);
    for eight in values.chunks(8) {
        // 8 values of up to 32 bits, half a block at a time.
        let half = |four: &[u32]| {
            four.iter()
                .enumerate()
                .fold(0u128, |word, (i, value)| word | u128::from(*value) << (i as u32 * width))
        };
        let (low, high) = eight.split_at_checked(4).unwrap_or((eight, &[]));
        let (low, high) = (half(low), half(high));
        let bits = 4 * width;
        let mut bytes = [0u8; 32];
        let word = low | high.checked_shl(bits).unwrap_or(0);
        let above = high.checked_shr(128 - bits).unwrap_or(0);
        let (first, second) = bytes.split_at_mut(16);
        first.copy_from_slice(&word.to_le_bytes());
        second.copy_from_slice(&above.to_le_bytes());
        out.extend_from_slice(bytes.get(..width as usize).unwrap_or_default());
    }
}

/// Appends keys of a dictionary, below `count`, behind their width.
pub(super) fn encode_keys(keys: &[u32], count: usize, out: &mut Vec<u8>) {
    if keys.is_empty() {
        // QuestDB's reader asks for a run where the width isn't 0.
        out.extend([0, 1]);
        return;
    }
    let width = bits_for(count.saturating_sub(1) as u32);
    out.push(width as u8);
    encode(keys, width, out);
}

/// Reads what [`encode`] or another writer wrote.
#[derive(Debug, Clone)]
pub(super) struct Decoder {
    bytes: Bytes,
    width: u32,
    run: Run,
}

#[derive(Debug, Clone)]
enum Run {
    /// So many times this value.
    Repeated(usize, u32),
    /// Packed values: bytes, how many there are, how many were taken.
    Packed(Bytes, usize, usize),
}

impl Decoder {
    /// Of values of `width` bits, at most 32.
    pub(super) fn new(bytes: Bytes, width: u32) -> Self {
        Self { bytes, width, run: Run::Repeated(0, 0) }
    }

    /// Appends the next `count` values; `None` if there are fewer.
    pub(super) fn take(&mut self, count: usize, out: &mut Vec<u32>) -> Option<()> {
        let mut left = count;
        while left > 0 {
            match &mut self.run {
                Run::Repeated(times, value) if *times > 0 => {
                    let now = left.min(*times);
                    out.extend(std::iter::repeat_n(*value, now));
                    *times -= now;
                    left -= now;
                }
                Run::Packed(bytes, count, at) if *at < *count => {
                    let now = left.min(*count - *at);
                    unpack(bytes, *at, now, self.width, out);
                    *at += now;
                    left -= now;
                }
                _ => self.next_run()?,
            }
        }
        Some(())
    }

    /// The value that the next `count` ones all are, if a single run says so; they are taken then.
    pub(super) fn take_same(&mut self, count: usize) -> Option<u32> {
        if let Run::Repeated(0, _) = self.run {
            self.next_run()?;
        }
        match &mut self.run {
            Run::Repeated(times, value) if *times >= count => {
                *times -= count;
                Some(*value)
            }
            _ => None,
        }
    }

    fn next_run(&mut self) -> Option<()> {
        let mut rest = &*self.bytes;
        let header = read_varint(&mut rest)?;
        self.bytes.advance(self.bytes.len() - rest.len());
        let count = usize::try_from(header >> 1).ok().filter(|count| *count > 0)?;
        if header & 1 == 0 {
            let value = self.bytes.get(..self.width.div_ceil(8) as usize)?;
            let len = value.len();
            let value = value.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
            self.bytes.advance(len);
            self.run = Run::Repeated(count, value);
            return Some(());
        }
        if self.width == 0 {
            self.run = Run::Repeated(count.checked_mul(8)?, 0);
            return Some(());
        }
        // The last run may be cut behind its last value.
        let len = count.checked_mul(self.width as usize)?.min(self.bytes.len());
        let count = count.checked_mul(8)?.min(len.checked_mul(8)? / self.width as usize);
        self.run = Run::Packed(self.bytes.split_to(len), count, 0);
        (count > 0).then_some(())
    }
}

/// Appends packed values `at..at + count`.
fn unpack(bytes: &[u8], at: usize, count: usize, width: u32, out: &mut Vec<u32>) {
    let width = width as usize;
    let mask = u32::MAX.checked_shr(32 - width as u32).unwrap_or(0);
    out.reserve(count);
    let mut bit = at * width;
    for _ in 0..count {
        let word = match bytes.get(bit / 8..bit / 8 + 8) {
            Some(word) => word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)),
            None => {
                let tail = bytes.get(bit / 8..).unwrap_or_default();
                tail.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
            }
        };
        out.push((word >> (bit % 8)) as u32 & mask);
        bit += width;
    }
}

pub(super) fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            *bytes = bytes.get(i + 1..)?;
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roundtrip(values: &[u32], width: u32) {
        let mut bytes = Vec::new();
        encode(values, width, &mut bytes);
        for step in [1, 3, 8, values.len().max(1)] {
            let mut decoder = Decoder::new(bytes.clone().into(), width);
            let mut out = Vec::new();
            while out.len() < values.len() {
                decoder.take(step.min(values.len() - out.len()), &mut out).unwrap();
            }
            assert_eq!(out, values, "width {width}, step {step}");
        }
    }

    #[test]
    fn values_come_back() {
        for width in 1..=32 {
            let mask = u32::MAX >> (32 - width);
            let mixed: Vec<u32> = (0..1000u32).map(|n| n.wrapping_mul(2_654_435_761) & mask).collect();
            let mut runs = mixed.clone();
            runs.extend(std::iter::repeat_n(mask, 500));
            runs.extend(&mixed[..13]);
            runs.extend(std::iter::repeat_n(0, 31));
            for values in [&mixed[..], &mixed[..1], &mixed[..17], &runs, &[]] {
                roundtrip(values, width);
            }
        }
    }

    #[test]
    fn no_keys_have_no_width() {
        let mut bytes = Vec::new();
        encode_keys(&[], 300, &mut bytes);
        encode_keys(&[299], 300, &mut bytes);
        assert_eq!(bytes, [0, 1, 9, 3, 43, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn runs_are_short() {
        let mut bytes = Vec::new();
        encode(&[1; 100_000], 1, &mut bytes);
        assert_eq!(bytes.len(), 4);
        assert_eq!(Decoder::new(bytes.clone().into(), 1).take_same(100_000), Some(1));
    }

    #[test]
    fn what_ends_early_is_noticed() {
        let mut bytes = Vec::new();
        encode(&[5, 1, 7, 2, 5, 6, 3, 2, 1], 3, &mut bytes);
        // Nine values of three bits, behind a byte that tells how many; what fills up their group may be absent.
        for len in 0..1 + (9usize * 3).div_ceil(8) {
            assert_eq!(
                Decoder::new(Bytes::copy_from_slice(&bytes[..len]), 3).take(9, &mut Vec::new()),
                None,
                "{len}"
            );
        }
        assert_eq!(Decoder::new(Bytes::from_static(&[0xff; 9]), 3).take(9, &mut Vec::new()), None);
        assert_eq!(
            Decoder::new(Bytes::from_static(&[0, 0]), 3).take(1, &mut Vec::new()),
            None,
            "an empty run"
        );
    }
}
