//! The values of a page, in each encoding.

use crate::columnar::parquet::delta;
use crate::columnar::parquet::hybrid::Decoder;
use crate::columnar::parquet::kind::Physical;
use bytes::Bytes;

/// Different values, by key.
pub(super) struct Dictionary {
    bytes: Bytes,
    width: usize,
    /// Of values of any length: where each begins and ends.
    spans: Vec<(u32, u32)>,
    count: usize,
}

impl Dictionary {
    /// `None` if there aren't `count` values in the bytes, or they are of a kind that has no dictionary.
    pub(super) fn new(kind: Physical, bytes: Bytes, count: u64) -> Option<Self> {
        let count = usize::try_from(count).ok()?;
        if let Some(width) = kind.width() {
            let fits = count.checked_mul(width)? <= bytes.len() && width > 0;
            return fits.then_some(Self { bytes, width, spans: Vec::new(), count });
        }
        if kind != Physical::Bytes || count > bytes.len() / 4 {
            return None;
        }
        let mut spans = Vec::with_capacity(count);
        let mut at = 0usize;
        for _ in 0..count {
            let end = prefixed_end(&bytes, at)?;
            spans.push((at as u32 + 4, end as u32));
            at = end;
        }
        Some(Self { bytes, width: 0, spans, count })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn get(&self, key: u32) -> Option<&[u8]> {
        let key = key as usize;
        if self.width > 0 {
            return self.bytes.get(key * self.width..(key + 1) * self.width);
        }
        let (from, to) = *self.spans.get(key)?;
        self.bytes.get(from as usize..to as usize)
    }
}

/// The values of a page, those that there are.
pub(super) enum Values {
    /// One after the other, each so long.
    Fixed(Bytes, usize, usize),
    /// The same, each behind its length.
    Prefixed(Bytes, usize),
    /// A bit each.
    Bits(Bytes, usize),
    /// Bits in runs.
    Runs(Decoder),
    /// Keys of the dictionary.
    Keys(Decoder),
    /// Numbers, all unpacked.
    Numbers(Vec<i64>, usize, usize),
    /// Lengths, all unpacked, and the bytes.
    Lengths(Vec<i64>, usize, Bytes, usize),
    /// The first bytes of all values, then the second ones ...: bytes, width, how many, how many were taken.
    Split(Bytes, usize, usize, usize),
}

impl Values {
    /// `None` for an encoding that such values don't have, and for damaged bytes.
    pub(super) fn new(kind: Physical, encoding: i64, bytes: Bytes, rows: usize) -> Option<Self> {
        Some(match (encoding, kind) {
            (0, Physical::Boolean) => Self::Bits(bytes, 0),
            (0, Physical::Bytes) => Self::Prefixed(bytes, 0),
            (0, _) => Self::Fixed(bytes, kind.width().filter(|width| *width > 0)?, 0),
            (2 | 8, _) if kind != Physical::Boolean => {
                // Without any value there may be not even the width.
                let width = bytes.first().copied().unwrap_or(0);
                let keys = if bytes.is_empty() { bytes } else { bytes.slice(1..) };
                (width <= 32).then(|| Self::Keys(Decoder::new(keys, width.into())))?
            }
            (3, Physical::Boolean) => {
                let len = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
                let end = len.checked_add(4).filter(|end| *end <= bytes.len())?;
                Self::Runs(Decoder::new(bytes.slice(4..end), 1))
            }
            (5, Physical::Int32 | Physical::Int64) => {
                Self::Numbers(delta::decode(&bytes, rows)?.0, 0, kind.width()?)
            }
            (6, Physical::Bytes) => {
                let (lengths, taken) = delta::decode(&bytes, rows)?;
                Self::Lengths(lengths, 0, bytes.slice(taken..), 0)
            }
            (9, _) => {
                let width = kind.width().filter(|width| *width > 0)?;
                let count = bytes.len() / width;
                Self::Split(bytes, width, count, 0)
            }
            _ => return None,
        })
    }

    /// Appends the next `count` values of one length; a BOOLEAN is a byte. `None` if there are fewer.
    pub(super) fn fixed(
        &mut self,
        count: usize,
        dictionary: Option<&Dictionary>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match self {
            Self::Fixed(bytes, width, at) => {
                let end = at.checked_add(count.checked_mul(*width)?)?;
                out.extend_from_slice(bytes.get(*at..end)?);
                *at = end;
            }
            Self::Bits(bytes, at) => {
                for bit in *at..*at + count {
                    out.push(bytes.get(bit / 8)? >> (bit % 8) & 1);
                }
                *at += count;
            }
            Self::Runs(decoder) => {
                let mut bits = Vec::new();
                decoder.take(count, &mut bits)?;
                out.extend(bits.iter().map(|bit| *bit as u8));
            }
            Self::Keys(decoder) => {
                let mut keys = Vec::new();
                decoder.take(count, &mut keys)?;
                for key in keys {
                    out.extend_from_slice(dictionary?.get(key)?);
                }
            }
            Self::Numbers(numbers, at, width) => {
                for number in numbers.get(*at..*at + count)? {
                    out.extend_from_slice(number.to_le_bytes().get(..*width)?);
                }
                *at += count;
            }
            Self::Split(bytes, width, all, at) => {
                for value in *at..at.checked_add(count).filter(|end| *end <= *all)? {
                    for byte in 0..*width {
                        out.push(*bytes.get(byte * *all + value)?);
                    }
                }
                *at += count;
            }
            Self::Prefixed(..) | Self::Lengths(..) => return None,
        }
        Some(())
    }

    /// Appends the next `count` keys. `None` if there are fewer, or the values aren't keys.
    pub(super) fn keys(&mut self, count: usize, out: &mut Vec<u32>) -> Option<()> {
        match self {
            Self::Keys(decoder) => decoder.take(count, out),
            _ => None,
        }
    }

    /// Calls `each` for every row that `valid` tells of, with the next of `count` values or without one. `None` if there
    /// are fewer, or `each` says so.
    pub(super) fn each(
        &mut self,
        valid: impl Iterator<Item = bool>,
        count: usize,
        dictionary: Option<&Dictionary>,
        mut each: impl FnMut(Option<&[u8]>) -> Option<()>,
    ) -> Option<()> {
        let mut keys = Vec::new();
        if let Self::Keys(decoder) = self {
            decoder.take(count, &mut keys)?;
        }
        let mut keys = keys.into_iter();
        for valid in valid {
            if !valid {
                each(None)?;
                continue;
            }
            match self {
                Self::Prefixed(bytes, at) => {
                    let end = prefixed_end(bytes, *at)?;
                    each(Some(bytes.get(*at + 4..end)?))?;
                    *at = end;
                }
                Self::Lengths(lengths, at, bytes, byte) => {
                    let len = usize::try_from(*lengths.get(*at)?).ok()?;
                    each(Some(bytes.get(*byte..byte.checked_add(len)?)?))?;
                    *at += 1;
                    *byte += len;
                }
                Self::Keys(_) => each(Some(dictionary?.get(keys.next()?)?))?,
                _ => return None,
            }
        }
        Some(())
    }
}

/// The end of the value whose length is at `at`.
fn prefixed_end(bytes: &[u8], at: usize) -> Option<usize> {
    let len = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
    at.checked_add(4)?.checked_add(len).filter(|end| *end <= bytes.len())
}
