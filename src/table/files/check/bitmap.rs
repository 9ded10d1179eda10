//! A bitmap index: for each key an ascending list of numbers, in blocks that are linked both ways.

use super::{Report, i32_at, i64_at};
use crate::wal::Files;
use bytes::Bytes;

const SIGNATURE: u8 = 0xfa;
const HEADER: usize = 64;
const KEY: usize = 32;

/// An index whose header is right.
pub(super) struct Bitmap {
    key_file: String,
    value_file: String,
    keys: Bytes,
    values: Bytes,
    block_values: usize,
}

impl Bitmap {
    /// Reads both files of an index, or notes why they can't be one.
    pub(super) fn open(
        files: &dyn Files,
        key_file: String,
        value_file: String,
        report: &mut Report,
    ) -> Option<Self> {
        let head = report.need("index-file", files.read(&key_file, 0, HEADER as u64))?;
        let (sequence, size, check) = (i64_at(&head, 1), i64_at(&head, 9), i64_at(&head, 29));
        let (block, count) = (i32_at(&head, 17), i32_at(&head, 21));
        if head.first() != Some(&SIGNATURE) {
            report.error("index-signature", &key_file, 0, format_args!("begins with {:?}", head.first()));
            return None;
        }
        if sequence != check {
            let message = format_args!("sequence {sequence}, check {check}: an interrupted write");
            report.error("index-sequence", &key_file, 1, message);
            return None;
        }
        if block < 2 || block.count_ones() != 1 || count < 0 || size < 0 {
            let message = format_args!("blocks of {block} values, {count} keys, {size} bytes of values");
            report.error("index-header", &key_file, 9, message);
            return None;
        }
        let len = HEADER as u64 + count as u64 * KEY as u64;
        let keys = report.need("index-file", files.read(&key_file, 0, len))?;
        let values = report.need("index-file", files.read(&value_file, 0, size as u64))?;
        Some(Self { key_file, value_file, keys, values, block_values: block as usize })
    }

    /// Number of keys.
    pub(super) fn keys(&self) -> usize {
        (self.keys.len() - HEADER) / KEY
    }

    /// The file of the keys.
    pub(super) fn key_file(&self) -> &str {
        &self.key_file
    }

    /// Where a key's entry is.
    pub(super) fn place(key: usize) -> u64 {
        (HEADER + key * KEY) as u64
    }

    /// A key's numbers below `end`, or `None` after noting why they can't be read. A writer removes what
    /// is beyond when it opens the index.
    pub(super) fn list(&self, key: usize, end: u64, report: &mut Report) -> Option<Vec<u64>> {
        let entry = self.keys.get(HEADER + key * KEY..)?.get(..KEY)?;
        let (count, first, last) = (i64_at(entry, 0), i64_at(entry, 8), i64_at(entry, 16));
        if count != i64_at(entry, 24) {
            let message = format_args!("{count} values, check {}", i64_at(entry, 24));
            report.error("index-count", &self.key_file, Self::place(key), message);
            return None;
        }
        if count < 0 || count as usize > self.values.len() / 8 {
            let message = format_args!("{count} values in {} bytes", self.values.len());
            report.error("index-count", &self.key_file, Self::place(key), message);
            return None;
        }
        let list = self.walk(count as usize, first, last, report)?;
        if let Some(pair) = list.windows(2).find(|pair| matches!(pair, [a, b] if a >= b)) {
            let message = format_args!("values of key {key} don't ascend: {pair:?}");
            report.error("index-order", &self.key_file, Self::place(key), message);
            return None;
        }
        Some(list.into_iter().take_while(|value| *value < end).collect())
    }

    fn walk(&self, count: usize, first: i64, last: i64, report: &mut Report) -> Option<Vec<u64>> {
        let links = self.block_values * 8;
        let mut out = Vec::with_capacity(count);
        let (mut at, mut before) = (first, None);
        while out.len() < count {
            let block = usize::try_from(at).ok().and_then(|at| self.values.get(at..)?.get(..links + 16));
            let Some(block) = block else {
                report.error("index-block", &self.value_file, at as u64, "a block outside the file");
                return None;
            };
            if before.is_some_and(|before| i64_at(block, links) != before) {
                let message = format_args!("links back to {}, not to {before:?}", i64_at(block, links));
                report.error("index-links", &self.value_file, at as u64, message);
                return None;
            }
            let here = (count - out.len()).min(self.block_values);
            out.extend(block.chunks_exact(8).take(here).map(|value| i64_at(value, 0) as u64));
            before = Some(at);
            if out.len() < count {
                at = i64_at(block, links + 8);
            }
        }
        if count > 0 && at != last {
            let message = format_args!("the last block is at {at}, not {last}");
            report.error("index-links", &self.value_file, at as u64, message);
            return None;
        }
        Some(out)
    }
}
