//! A machine's disk: files that know what a kill or a loss of power would leave of them.

use super::{Chance, Micros};
use crate::wal::{Error, Files, Result};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// The kernel has written back what is older than this.
const WRITE_BACK_US: Micros = 5_000_000;
/// What a disk writes as one: no part of it is torn.
const SECTOR: u64 = 512;

/// Files by path, and the changes that a loss of power may undo.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    /// What is not synced, oldest first.
    unsynced: VecDeque<Change>,
    /// The changes from this one on belong to a batch that ends then: a kill before that leaves a part of it.
    batch: Option<(u64, Micros)>,
    /// Changes that were let go of.
    settled: u64,
    pub(super) full: bool,
    pub(super) fails_reads: bool,
}

/// A change, and how to undo it.
#[derive(Debug, Clone)]
struct Change {
    at: Micros,
    path: String,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// The file was made; it has no bytes yet.
    Made,
    /// Bytes were written, where these were before, in a file that was that long.
    Write { offset: u64, bytes: Bytes, before: Vec<u8>, len: usize },
    /// It was removed; it held this.
    Removed { held: Vec<u8> },
}

impl Disk {
    /// Writes bytes into a file, which is made if it is not there; what lies between its end and `offset` is zeros.
    ///
    /// # Errors
    /// [`Error::Io`] of a full disk.
    pub(super) fn write(&mut self, now: Micros, path: &str, offset: u64, bytes: Bytes) -> Result<()> {
        if self.full {
            return Err(Error::Io { file: path.into(), message: "no space left on device".into() });
        }
        if !self.files.contains_key(path) {
            self.files.insert(path.to_owned(), Vec::new());
            self.note(now, path, What::Made);
        }
        let Some(content) = self.files.get_mut(path) else { return Ok(()) };
        let len = content.len();
        let before = overwrite(content, offset, &bytes);
        self.note(now, path, What::Write { offset, bytes, before, len });
        Ok(())
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&mut self, now: Micros, path: &str) {
        if let Some(held) = self.files.remove(path) {
            self.note(now, path, What::Removed { held });
        }
    }

    /// Gives a file another name, in place of what had it.
    pub(super) fn rename(&mut self, now: Micros, from: &str, to: &str) {
        let Some(content) = self.files.get(from).cloned() else { return };
        self.remove(now, to);
        // Of one operation: a full disk does not hinder a rename.
        let full = std::mem::take(&mut self.full);
        if self.write(now, to, 0, content.into()).is_ok() {
            self.remove(now, from);
        }
        self.full = full;
    }

    /// All that was written to a file lasts.
    pub(super) fn sync(&mut self, path: &str) {
        let before = self.unsynced.len();
        self.unsynced.retain(|change| change.path != path);
        self.settled += (before - self.unsynced.len()) as u64;
    }

    /// All that was written lasts.
    pub(super) fn sync_all(&mut self) {
        self.settled += self.unsynced.len() as u64;
        self.unsynced.clear();
    }

    /// The changes from now on belong together, and take until then.
    pub(super) fn begin_batch(&mut self, until: Micros) {
        self.batch = Some((self.settled + self.unsynced.len() as u64, until));
    }

    /// The process is killed: of a batch that is not over, a part is done, the last write of that perhaps half. True if
    /// there was one.
    pub(super) fn kill(&mut self, now: Micros, chance: &mut Chance) -> bool {
        let Some((from, until)) = self.batch.take() else { return false };
        let kept = usize::try_from(from.saturating_sub(self.settled)).unwrap_or(usize::MAX);
        if now >= until || kept >= self.unsynced.len() {
            return false;
        }
        let done = kept + chance.below((self.unsynced.len() - kept) as u64) as usize;
        let mut torn = None;
        while self.unsynced.len() > done {
            if let Some(change) = self.unsynced.pop_back() {
                undo(&mut self.files, &change);
                torn = Some(change);
            }
        }
        if let Some(Change { path, what: What::Write { offset, bytes, .. }, .. }) = torn {
            let half = tear(offset, &bytes);
            if !half.is_empty() && self.files.contains_key(&path) {
                drop(self.write(now, &path, offset, half));
            }
        }
        true
    }

    /// The machine loses power: each change that was not synced is there or not. Answers how many were lost.
    pub(super) fn lose_power(&mut self, now: Micros, chance: &mut Chance) -> u64 {
        self.kill(now, chance);
        let changes = std::mem::take(&mut self.unsynced);
        changes.iter().rev().for_each(|change| undo(&mut self.files, change));
        let mut lost = 0;
        for change in changes {
            if chance.per_mille(500) {
                redo(&mut self.files, &change);
            } else {
                lost += 1;
            }
        }
        lost
    }

    /// Paths with their lengths.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.len() as u64))
    }

    /// A file's bytes, whatever is wrong with the disk.
    pub(super) fn content(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    fn note(&mut self, at: Micros, path: &str, what: What) {
        while self.unsynced.front().is_some_and(|first| first.at + WRITE_BACK_US < at) {
            self.unsynced.pop_front();
            self.settled += 1;
        }
        self.unsynced.push_back(Change { at, path: path.to_owned(), what });
    }
}

impl Files for Disk {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        if self.fails_reads {
            return Err(Error::Io { file: path.into(), message: "input/output error".into() });
        }
        let content = self.files.get(path).ok_or_else(|| Error::Absent { file: path.into() })?;
        let short = || Error::Short {
            file: path.into(),
            len: content.len() as u64,
            wanted: offset.saturating_add(len),
        };
        let start = usize::try_from(offset).map_err(|_too_far| short())?;
        let end = usize::try_from(offset.saturating_add(len)).map_err(|_too_far| short())?;
        content.get(start..end).map(Bytes::copy_from_slice).ok_or_else(short)
    }

    fn len(&self, path: &str) -> Result<u64> {
        let content = self.files.get(path).ok_or_else(|| Error::Absent { file: path.into() })?;
        Ok(content.len() as u64)
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        Ok(Some(crate::wal::names_in(&self.files, dir)))
    }
}

/// Writes, and answers what was there before.
fn overwrite(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) -> Vec<u8> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(bytes.len());
    let before = content.get(start.min(content.len())..end.min(content.len())).unwrap_or_default().to_vec();
    if start == content.len() {
        content.extend_from_slice(bytes);
        return before;
    }
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(start..end) {
        place.copy_from_slice(bytes);
    }
    before
}

fn undo(files: &mut BTreeMap<String, Vec<u8>>, change: &Change) {
    match &change.what {
        What::Made => {
            files.remove(&change.path);
        }
        What::Write { offset, before, len, .. } => {
            if let Some(content) = files.get_mut(&change.path) {
                overwrite(content, *offset, before);
                content.truncate(*len);
            }
        }
        What::Removed { held } => {
            files.insert(change.path.clone(), held.clone());
        }
    }
}

/// Does what was undone, as far as there is something to do it to.
fn redo(files: &mut BTreeMap<String, Vec<u8>>, change: &Change) {
    match &change.what {
        What::Made => {
            files.entry(change.path.clone()).or_default();
        }
        What::Write { offset, bytes, .. } => {
            if let Some(content) = files.get_mut(&change.path) {
                overwrite(content, *offset, bytes);
            }
        }
        What::Removed { .. } => {
            files.remove(&change.path);
        }
    }
}

/// The part of a write that is done when it stops between two sectors, in the middle.
fn tear(offset: u64, bytes: &Bytes) -> Bytes {
    let middle = (offset + bytes.len() as u64 / 2).next_multiple_of(SECTOR);
    let done = usize::try_from(middle.saturating_sub(offset)).unwrap_or(usize::MAX);
    if done < bytes.len() { bytes.slice(..done) } else { Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(disk: &mut Disk, at: Micros, path: &str, bytes: impl Into<Bytes>) {
        let end = disk.content(path).map_or(0, |content| content.len() as u64);
        disk.write(at, path, end, bytes.into()).unwrap();
    }

    fn text(disk: &Disk, path: &str) -> String {
        String::from_utf8(disk.content(path).unwrap_or_default().to_vec()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut disk = Disk::default();
        disk.write(0, "a/b", 2, "xy".into()).unwrap();
        append(&mut disk, 0, "a/b", "z");
        assert_eq!(disk.read("a/b", 0, 5).unwrap(), "\0\0xyz");
        assert_eq!((disk.len("a/b").unwrap(), disk.list("a").unwrap().unwrap()), (5, vec!["b".to_owned()]));
        disk.rename(0, "a/b", "a/c");
        assert!(matches!(disk.read("a/b", 0, 1), Err(Error::Absent { .. })));
        assert!(matches!(disk.read("a/c", 0, 6), Err(Error::Short { .. })));
        (disk.full, disk.fails_reads) = (true, true);
        assert!(matches!(disk.write(0, "a/c", 0, "z".into()), Err(Error::Io { .. })));
        assert!(matches!(disk.read("a/c", 0, 1), Err(Error::Io { .. })));
    }

    #[test]
    fn a_kill_leaves_a_part_of_the_batch_and_all_that_came_before() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let mut disk = Disk::default();
            disk.write(0, "f", 0, "before".into()).unwrap();
            disk.begin_batch(100);
            append(&mut disk, 10, "f", "1");
            append(&mut disk, 10, "f", "2");
            let mut later = disk.clone();
            assert!(!later.kill(100, &mut Chance::new(seed, "disk")));
            assert_eq!(text(&later, "f"), "before12");
            assert!(disk.kill(50, &mut Chance::new(seed, "disk")));
            seen.insert(text(&disk, "f"));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["before", "before1"]);
    }

    #[test]
    fn a_long_write_is_torn_between_sectors() {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let mut disk = Disk::default();
            disk.write(0, "f", 0, "x".into()).unwrap();
            disk.begin_batch(100);
            append(&mut disk, 10, "f", vec![7; 4_000]);
            disk.kill(50, &mut Chance::new(seed, "disk"));
            lengths.insert(disk.len("f").unwrap());
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [2_048]);
    }

    #[test]
    fn a_loss_of_power_loses_only_what_was_not_synced() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let mut disk = Disk::default();
            disk.write(0, "f", 0, "kept".into()).unwrap();
            disk.sync("f");
            disk.write(1, "f", 0, "K".into()).unwrap();
            append(&mut disk, 1, "f", "!");
            disk.write(1, "g", 0, "new".into()).unwrap();
            disk.lose_power(2, &mut Chance::new(seed, "disk"));
            assert!(text(&disk, "f").to_lowercase().starts_with("kept"));
            seen.insert((text(&disk, "f"), disk.content("g").is_some()));
        }
        for f in ["kept", "Kept", "kept!", "Kept!"] {
            assert!(seen.iter().any(|(content, _)| content == f), "{f}");
        }
        assert!(seen.iter().any(|(_, there)| *there) && seen.iter().any(|(_, there)| !there));
    }

    #[test]
    fn what_is_old_was_written_back() {
        let mut disk = Disk::default();
        disk.write(0, "f", 0, "old".into()).unwrap();
        disk.write(WRITE_BACK_US + 1, "g", 0, "new".into()).unwrap();
        for seed in 0..20 {
            let mut disk = disk.clone();
            disk.lose_power(WRITE_BACK_US + 2, &mut Chance::new(seed, "disk"));
            assert_eq!(text(&disk, "f"), "old");
        }
    }
}
