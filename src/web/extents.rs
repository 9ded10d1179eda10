//! The parts of a file that are in the cache.

use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::ops::Range;

/// The parts of one file that are here, none overlapping another.
///
/// Each part remembers the attempt that used it last, so that what the running attempt needs is never
/// let go.
#[derive(Debug, Default)]
pub struct Extents {
    parts: BTreeMap<u64, Part>,
}

#[derive(Debug)]
struct Part {
    bytes: Bytes,
    used: u64,
}

impl Extents {
    /// The bytes of a range, if all of them are here. Shared with the cache where one part holds them.
    pub fn read(&mut self, range: Range<u64>, attempt: u64) -> Option<Bytes> {
        if range.is_empty() {
            return Some(Bytes::new());
        }
        if let Some((&at, part)) = self.parts.range_mut(..=range.start).next_back()
            && at + part.bytes.len() as u64 >= range.end
        {
            part.used = attempt;
            return Some(part.bytes.slice((range.start - at) as usize..(range.end - at) as usize));
        }
        if !self.missing(range.clone()).is_empty() {
            return None;
        }
        let mut joined = BytesMut::with_capacity((range.end - range.start) as usize);
        for (&at, part) in self.parts.range_mut(..range.end) {
            let end = at + part.bytes.len() as u64;
            if end > range.start {
                part.used = attempt;
                let from = range.start.max(at) - at;
                let to = range.end.min(end) - at;
                joined.extend_from_slice(part.bytes.get(from as usize..to as usize)?);
            }
        }
        Some(joined.freeze())
    }

    /// The parts of a range that are not here, in order.
    pub fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut next = range.start;
        for (&at, part) in self.parts.range(..range.end) {
            let end = at + part.bytes.len() as u64;
            if end <= next {
                continue;
            }
            if at > next {
                missing.push(next..at);
            }
            next = end;
        }
        if next < range.end {
            missing.push(next..range.end);
        }
        missing
    }

    /// Adds bytes and returns how many are new; what is here already stays.
    pub fn insert(&mut self, offset: u64, bytes: &Bytes, attempt: u64) -> usize {
        let mut added = 0;
        for gap in self.missing(offset..offset + bytes.len() as u64) {
            let part = bytes.slice((gap.start - offset) as usize..(gap.end - offset) as usize);
            added += part.len();
            self.parts.insert(gap.start, Part { bytes: part, used: attempt });
        }
        added
    }

    /// Offset, attempt that used it last and size of each part.
    pub fn parts(&self) -> impl Iterator<Item = (u64, u64, usize)> + '_ {
        self.parts.iter().map(|(&at, part)| (at, part.used, part.bytes.len()))
    }

    /// Lets the part at this offset go and returns its size.
    pub fn remove(&mut self, offset: u64) -> usize {
        self.parts.remove(&offset).map_or(0, |part| part.bytes.len())
    }
}
