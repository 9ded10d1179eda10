//! Which bytes of which files are known, and where they lie.

use crate::ledger::{Codec, Key};
use crate::wal::names_in;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes of a file.
#[derive(Debug, Clone)]
pub(super) enum Lies {
    /// At hand.
    Here(Bytes),
    /// In an object of the bucket.
    There(Arc<Spot>),
}

/// A block in an object of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) key: Key,
    /// Where its stored bytes begin in the object, and how many they are.
    pub(super) at: u64,
    pub(super) stored: u64,
    /// Its length before compression.
    pub(super) raw: u64,
    pub(super) codec: Codec,
    pub(super) crc: u32,
}

/// A range of a file.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    pub(super) len: u64,
    /// Bytes of what it lies in that come before it.
    pub(super) skip: u64,
    pub(super) lies: Lies,
}

/// Files by path, each as ranges by offset that don't overlap.
#[derive(Debug, Default)]
pub(super) struct Extents {
    files: BTreeMap<String, BTreeMap<u64, Extent>>,
    /// Paths that came or went since anybody asked.
    changed: BTreeSet<String>,
}

impl Extents {
    /// Adds a range; where there is one already, the new one counts.
    pub(super) fn add(&mut self, path: String, offset: u64, len: u64, lies: Lies) {
        if !self.files.contains_key(&path) {
            self.changed.insert(path.clone());
        }
        let ranges = self.files.entry(path).or_default();
        let end = offset.saturating_add(len);
        let overlapping: Vec<u64> = ranges
            .range(..end)
            .rev()
            .take_while(|(at, old)| **at >= offset || at.saturating_add(old.len) > offset)
            .map(|(at, _)| *at)
            .collect();
        for at in overlapping {
            let Some(old) = ranges.remove(&at) else { continue };
            let old_end = at.saturating_add(old.len);
            if old_end > end {
                let right =
                    Extent { len: old_end - end, skip: old.skip + (end - at), lies: old.lies.clone() };
                ranges.insert(end, right);
            }
            if at < offset {
                ranges.insert(at, Extent { len: offset - at, ..old });
            }
        }
        if len > 0 || ranges.is_empty() {
            ranges.insert(offset, Extent { len, skip: 0, lies });
        }
    }

    pub(super) fn clear(&mut self) {
        self.changed.extend(std::mem::take(&mut self.files).into_keys());
    }

    pub(super) fn remove(&mut self, path: &str) {
        if self.files.remove(path).is_some() {
            self.changed.insert(path.to_owned());
        }
    }

    /// Takes away all files below this directory, by their paths in it.
    pub(super) fn take_dir(&mut self, dir: &str) -> Vec<(String, BTreeMap<u64, Extent>)> {
        let prefix = format!("{dir}/");
        let below = self.files.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let paths: Vec<String> = below.map(|(path, _)| path.clone()).collect();
        let mut taken = Vec::with_capacity(paths.len());
        for path in paths {
            let Some(ranges) = self.files.remove(&path) else { continue };
            taken.push((path.split_at(prefix.len()).1.to_owned(), ranges));
            self.changed.insert(path);
        }
        taken
    }

    /// Puts files back that [`take_dir`](Self::take_dir) gave, below another directory.
    pub(super) fn put_dir(&mut self, dir: &str, files: Vec<(String, BTreeMap<u64, Extent>)>) {
        for (name, ranges) in files {
            let path = format!("{dir}/{name}");
            self.changed.insert(path.clone());
            self.files.insert(path, ranges);
        }
    }

    /// The file's length: the end of what is known of it.
    pub(super) fn len(&self, path: &str) -> Option<u64> {
        let last = self.files.get(path)?.iter().next_back();
        Some(last.map_or(0, |(at, extent)| at.saturating_add(extent.len)))
    }

    /// The names in a directory, sorted.
    pub(super) fn names(&self, dir: &str) -> Vec<String> {
        names_in(&self.files, dir)
    }

    /// The range in which this byte of the file lies, and where that begins.
    pub(super) fn at(&self, path: &str, offset: u64) -> Option<(u64, &Extent)> {
        let (start, extent) = self.files.get(path)?.range(..=offset).next_back()?;
        (start.saturating_add(extent.len) > offset).then_some((*start, extent))
    }

    /// Ranges that begin from here on.
    pub(super) fn from(&self, path: &str, offset: u64) -> impl Iterator<Item = (u64, &Extent)> {
        let ranges = self.files.get(path).into_iter().flat_map(move |ranges| ranges.range(offset..));
        ranges.map(|(at, extent)| (*at, extent))
    }

    /// Paths that came (true) or went (false) since this was asked last.
    pub(super) fn changes(&mut self) -> Vec<(String, bool)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|path| (path.clone(), self.files.contains_key(&path))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(text: &'static str) -> (u64, Lies) {
        (text.len() as u64, Lies::Here(Bytes::from_static(text.as_bytes())))
    }

    fn text(extents: &Extents, path: &str) -> String {
        let mut out = String::new();
        for (at, extent) in extents.from(path, 0) {
            let Lies::Here(bytes) = &extent.lies else { panic!("it is here") };
            let from = extent.skip as usize;
            out += &format!("{at}:");
            out += std::str::from_utf8(&bytes[from..from + extent.len as usize]).unwrap();
            out.push(' ');
        }
        out
    }

    #[test]
    fn newer_ranges_cover_older_ones() {
        let mut extents = Extents::default();
        let mut add = |offset, content| {
            let (len, lies) = here(content);
            extents.add("t/f".into(), offset, len, lies);
            text(&extents, "t/f")
        };
        assert_eq!(add(10, "abcdef"), "10:abcdef ");
        assert_eq!(add(12, "XY"), "10:ab 12:XY 14:ef ");
        assert_eq!(add(16, "gh"), "10:ab 12:XY 14:ef 16:gh ");
        assert_eq!(add(8, "..."), "8:... 11:b 12:XY 14:ef 16:gh ");
        assert_eq!(add(15, "-"), "8:... 11:b 12:XY 14:e 15:- 16:gh ");
        assert_eq!(extents.len("t/f"), Some(18));
        assert!(extents.at("t/f", 7).is_none() && extents.at("t/f", 18).is_none());
        assert_eq!(extents.at("t/f", 17).map(|(at, _)| at), Some(16));
    }

    #[test]
    fn what_came_and_went_is_told_once() {
        let mut extents = Extents::default();
        let (len, lies) = here("abc");
        extents.add("t/f".into(), 0, len, lies);
        assert_eq!(extents.changes(), [("t/f".to_owned(), true)]);
        assert_eq!(extents.changes(), []);
        let moved = extents.take_dir("t");
        extents.put_dir("u", moved);
        assert_eq!(extents.changes(), [("t/f".to_owned(), false), ("u/f".to_owned(), true)]);
        assert_eq!((extents.len("t/f"), extents.len("u/f")), (None, Some(3)));
    }
}
