//! LZ4's block format for pages of 8-byte values, two to three times as fast as a search of every byte: a value is one of
//! the last 8192, or shares its highest bytes with the one before, as timestamps, counters and rounded numbers do.
//!
//! What else a page repeats is not found, so the caller compares a part with what a general compressor makes of it.

/// Values are looked up by this many bits of their hash.
const HASH_BITS: u32 = 14;
/// Values that a match can reach back: LZ4's 65,535 bytes.
const REACH: usize = 8191;
/// Bytes of a shortest match.
const MATCH_MIN: usize = 4;
/// The format ends with bytes that are not part of a match.
const TAIL: usize = 12;

/// The bytes in LZ4's block format; values begin at the first multiple of 8 bytes plus `phase`.
pub(super) fn compress(bytes: &[u8], phase: usize) -> Vec<u8> {
    let mut search = Search::new(bytes, phase);
    search.until(usize::MAX);
    search.out.finish()
}

/// How long the bytes from `start`, a multiple of 8, on are in the block of all.
pub(super) fn len_from(bytes: &[u8], start: usize) -> usize {
    let mut search = Search::new(bytes, 0);
    search.until(start / 8);
    let before = search.out.out.len();
    search.until(usize::MAX);
    search.out.finish().len() - before
}

/// Goes from value to value.
struct Search<'a> {
    words: &'a [[u8; 8]],
    phase: usize,
    /// By hash: a value's place plus one.
    seen: Vec<u32>,
    before: u64,
    at: usize,
    out: Block<'a>,
}

impl<'a> Search<'a> {
    fn new(bytes: &'a [u8], phase: usize) -> Self {
        let words = bytes.get(phase..).unwrap_or_default().as_chunks::<8>().0;
        let count = bytes.len().saturating_sub(phase + TAIL) / 8;
        let words = words.get(..count).unwrap_or_default();
        Self { words, phase, seen: vec![0; 1 << HASH_BITS], before: 0, at: 0, out: Block::new(bytes) }
    }

    /// Up to a value, or a little farther.
    fn until(&mut self, end: usize) {
        let Self { words, phase, seen, out, .. } = self;
        let (mut before, mut i) = (self.before, self.at);
        while let Some(word) = words.get(i).filter(|_| i < end) {
            let value = u64::from_le_bytes(*word);
            let hash = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - HASH_BITS);
            let found = seen.get_mut(hash as usize).map_or(0, |place| std::mem::replace(place, i as u32 + 1));
            let back = i + 1 - found as usize;
            let at = *phase + i * 8;
            if found > 0 && back <= REACH && words.get(i - back) == Some(word) {
                let ahead = words.get(i..).unwrap_or_default().iter();
                let behind = words.get(i - back..).unwrap_or_default();
                let equal = ahead.zip(behind).take_while(|(here, there)| here == there).count();
                out.sequence(at, back * 8, equal * 8);
                i += equal;
                before = words.get(i - 1).map_or(value, |word| u64::from_le_bytes(*word));
                continue;
            }
            let shared = (value ^ before).leading_zeros() as usize / 8;
            if shared >= MATCH_MIN && i > 0 {
                out.sequence(at + 8 - shared, 8, shared);
            }
            before = value;
            i += 1;
        }
        (self.before, self.at) = (before, i);
    }
}

/// A block in the making.
struct Block<'a> {
    bytes: &'a [u8],
    /// Up to here all bytes are in the block.
    done: usize,
    out: Vec<u8>,
}

impl<'a> Block<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, done: 0, out: Vec::with_capacity(bytes.len()) }
    }

    /// Bytes up to `at` as they are, then a match of `len` bytes that are also `back` bytes before.
    #[inline]
    fn sequence(&mut self, at: usize, back: usize, len: usize) {
        let literals = at - self.done;
        let first = self.bytes.get(self.done..).and_then(|rest| rest.first_chunk::<8>());
        if let (0..=8, 0..=18, Some(first)) = (literals, len, first) {
            let shift = 8 * literals as u32;
            let kept = u128::from(u64::from_le_bytes(*first)) & ((1 << shift) - 1);
            let token = literals << 4 | (len - MATCH_MIN);
            let whole = token as u128 | kept << 8 | (back as u128) << (8 + shift);
            // All 16 bytes, and back to those that count: quicker than a copy of any length.
            let end = self.out.len() + 3 + literals;
            self.out.extend_from_slice(&whole.to_le_bytes());
            self.out.truncate(end);
        } else {
            self.long(at, Some((back, len)));
        }
        self.done = at + len;
    }

    /// A sequence of any lengths, or the last one, which has no match.
    fn long(&mut self, at: usize, matched: Option<(usize, usize)>) {
        let literals = self.bytes.get(self.done..at).unwrap_or_default();
        let more = matched.map_or(0, |(_, len)| len - MATCH_MIN);
        self.out.push((literals.len().min(15) << 4 | more.min(15)) as u8);
        extend_length(literals.len(), &mut self.out);
        self.out.extend_from_slice(literals);
        if let Some((back, _)) = matched {
            self.out.extend_from_slice(&(back as u16).to_le_bytes());
            extend_length(more, &mut self.out);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.long(self.bytes.len(), None);
        self.out
    }
}

/// What of a length doesn't fit into a token's half.
fn extend_length(length: usize, out: &mut Vec<u8>) {
    if let Some(rest) = length.checked_sub(15) {
        out.extend(std::iter::repeat_n(255, rest / 255));
        out.push((rest % 255) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(values: impl Iterator<Item = u64>, head: usize) -> (usize, usize) {
        let mut bytes = vec![7; head];
        bytes.extend(values.flat_map(u64::to_le_bytes));
        let packed = compress(&bytes, head % 8);
        assert_eq!(
            lz4_flex::block::decompress(&packed, bytes.len()).unwrap(),
            bytes,
            "{head} {}",
            bytes.len()
        );
        (bytes.len(), packed.len())
    }

    /// Numbers without a pattern.
    fn noise(count: u64) -> impl Iterator<Item = u64> {
        (1..=count).map(|n| {
            let n = n.wrapping_mul(0x2545_f491_4f6c_dd1d);
            (n ^ n >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        })
    }

    #[test]
    fn what_is_packed_unpacks() {
        for head in [0, 1, 7, 8, 13, 300] {
            for count in [0, 1, 2, 3, 4, 9, 100, 5000] {
                packed(0..count, head);
                packed((0..count).map(|n| 1_700_000_000_000_000 + n * 43), head);
                packed(noise(count), head);
                packed((0..count).map(|_| 5), head);
                packed(noise(count).map(|n| n % 20), head);
                // Sequences of all lengths: equal values, then noise.
                let mixed =
                    noise(count).enumerate().map(|(i, n)| if i / 7 % (1 + i / 50 % 9) == 0 { n } else { 9 });
                packed(mixed, head);
            }
        }
    }

    #[test]
    fn the_end_of_a_block_is_as_long_as_it_is() {
        let bytes: Vec<u8> = noise(5000).flat_map(|n| (n % 100).to_le_bytes()).collect();
        assert_eq!(len_from(&bytes, 0), compress(&bytes, 0).len());
        let half = len_from(&bytes, 20_000) as f64 / len_from(&bytes, 0) as f64;
        assert!((0.4..0.6).contains(&half), "{half}");
    }

    #[test]
    fn values_are_found_as_far_back_as_the_format_says_and_no_farther() {
        for period in [8190, 8191, 8192, 8193] {
            let few: Vec<u64> = noise(period).collect();
            let (before, after) = packed(few.iter().cycle().take(100_000).copied(), 0);
            assert_eq!(after < before / 8, period <= 8191, "{period}: {after} of {before}");
        }
    }

    #[test]
    fn values_of_a_kind_shrink() {
        let (before, after) = packed((0..100_000).map(|n| 1_700_000_000_000_000 + n * 43), 8);
        assert!(after * 100 < before * 65, "{after} of {before}");
        let (before, after) = packed(noise(100_000).map(|n| ((n % 1000) as f64 / 10.0).to_bits()), 8);
        assert!(after * 100 < before * 45, "{after} of {before}");
        let (before, after) = packed((0..100_000).map(|_| 5), 8);
        assert!(after * 200 < before, "{after} of {before}");
    }
}
