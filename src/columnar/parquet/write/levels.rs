//! Which rows of a page have a value.

use super::super::hybrid::varint;

/// Bytes of equal bits that a run-length run should stand for, at least.
const RUN_MIN: usize = 4;

/// A bit per row, 1 for a value.
#[derive(Debug, Default)]
pub(super) struct Levels {
    bits: Vec<u8>,
    /// The bits that don't fill a byte yet.
    open: u8,
    pub(super) rows: usize,
    pub(super) nulls: usize,
}

impl Levels {
    /// Adds rows that all have a value, or all have none.
    pub(super) fn push_all(&mut self, valid: bool, count: usize) {
        let mut left = count;
        while left > 0 && !self.rows.is_multiple_of(8) {
            self.bit(valid);
            left -= 1;
        }
        self.bits.extend(std::iter::repeat_n(if valid { 0xff } else { 0 }, left / 8));
        self.rows += left / 8 * 8;
        for _ in 0..left % 8 {
            self.bit(valid);
        }
        self.nulls += if valid { 0 } else { count };
    }

    /// Adds a row for each item.
    pub(super) fn push_each<T>(&mut self, items: &[T], valid: impl Fn(&T) -> bool) {
        let open = (8 - self.rows % 8) % 8;
        let (head, rest) = items.split_at_checked(open).unwrap_or((items, &[]));
        head.iter().for_each(|item| self.push(valid(item)));
        let (eights, tail) = rest.as_chunks::<8>();
        self.bits.reserve(eights.len());
        let mut ones = 0;
        for eight in eights {
            let byte = eight.iter().rev().fold(0u8, |byte, item| byte << 1 | u8::from(valid(item)));
            ones += byte.count_ones() as usize;
            self.bits.push(byte);
        }
        self.rows += eights.len() * 8;
        self.nulls += eights.len() * 8 - ones;
        tail.iter().for_each(|item| self.push(valid(item)));
    }

    pub(super) fn push(&mut self, valid: bool) {
        self.bit(valid);
        self.nulls += usize::from(!valid);
    }

    #[inline]
    fn bit(&mut self, valid: bool) {
        self.open |= u8::from(valid) << (self.rows % 8);
        self.rows += 1;
        if self.rows.is_multiple_of(8) {
            self.bits.push(self.open);
            self.open = 0;
        }
    }

    /// The bits alone, as BOOLEAN has them.
    pub(super) fn packed(mut self, out: &mut Vec<u8>) {
        if !self.rows.is_multiple_of(8) {
            self.bits.push(self.open);
        }
        out.append(&mut self.bits);
    }

    /// In Parquet's form, without a length before it.
    pub(super) fn encode(mut self, out: &mut Vec<u8>) {
        let rows = self.rows;
        if self.nulls == 0 || self.nulls == rows {
            run(rows, self.nulls == 0, out);
            return;
        }
        if !rows.is_multiple_of(8) {
            self.bits.push(self.open);
        }
        let (mut pending, mut at) = (0, 0);
        // Only whole bytes may be part of a run: the rest of the last one are no rows.
        let whole = rows / 8;
        while at < whole {
            let byte = self.bits.get(at).copied().unwrap_or(0);
            let equal = matches!(byte, 0 | 0xff).then(|| {
                self.bits.get(at..whole).unwrap_or_default().iter().take_while(|next| **next == byte).count()
            });
            match equal.filter(|equal| *equal >= RUN_MIN) {
                Some(equal) => {
                    packed(self.bits.get(pending..at).unwrap_or_default(), out);
                    run(equal * 8, byte != 0, out);
                    at += equal;
                    pending = at;
                }
                None => at += equal.unwrap_or(1),
            }
        }
        packed(self.bits.get(pending..).unwrap_or_default(), out);
    }
}

fn run(rows: usize, valid: bool, out: &mut Vec<u8>) {
    varint(out, (rows as u64) << 1);
    out.push(u8::from(valid));
}

fn packed(bits: &[u8], out: &mut Vec<u8>) {
    if !bits.is_empty() {
        varint(out, (bits.len() as u64) << 1 | 1);
        out.extend_from_slice(bits);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::hybrid::Decoder;
    use super::*;

    #[test]
    fn levels_come_back() {
        let mut runs = vec![vec![(false, 100), (true, 1), (false, 7), (true, 77), (false, 3)]];
        runs.extend([
            vec![(true, 9)],
            vec![(false, 9)],
            vec![(true, 64), (false, 1)],
            vec![(false, 64), (true, 1)],
        ]);
        for runs in runs {
            let mut levels = Levels::default();
            let mut expected = Vec::new();
            for (valid, count) in runs {
                match count {
                    1 => levels.push(valid),
                    _ => levels.push_all(valid, count),
                }
                expected.extend(std::iter::repeat_n(u32::from(valid), count));
            }
            assert_eq!(levels.rows, expected.len());
            assert_eq!(levels.nulls, expected.iter().filter(|level| **level == 0).count());
            let (mut bytes, mut read) = (Vec::new(), Vec::new());
            levels.encode(&mut bytes);
            Decoder::new(bytes.into(), 1).take(expected.len(), &mut read).unwrap();
            assert_eq!(read, expected);
        }
    }
}
