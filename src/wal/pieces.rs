//! A log in pieces: which bytes of which files a reader needed, and a database that has only those.
//!
//! What goes from one machine to another of a database's log is what reading it takes, and no more: rows that no
//! transaction owns, and files that grow in advance, stay behind.

use super::files::names_in;
use super::{Error, Files, Result};
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Relative to the database root.
    pub path: String,
    /// Where in the file they begin.
    pub offset: u64,
    /// The bytes; none of a file that has only to be there.
    pub bytes: Bytes,
}

/// Passes everything on, and keeps what was read.
///
/// ```
/// use understudy::wal::{Files, MemoryFiles, Noted};
/// let mut files = MemoryFiles::default();
/// files.insert("t~1/_name", "abcdef");
/// let noted = Noted::new(&files);
/// noted.read("t~1/_name", 1, 2)?;
/// noted.read("t~1/_name", 2, 3)?;
/// let pieces = noted.pieces();
/// assert_eq!((pieces.len(), pieces[0].offset, &pieces[0].bytes[..]), (1, 1, &b"bcde"[..]));
/// # Ok::<(), understudy::wal::Error>(())
/// ```
pub struct Noted<'a> {
    files: &'a dyn Files,
    read: RefCell<BTreeMap<String, BTreeMap<u64, Bytes>>>,
}

impl<'a> Noted<'a> {
    /// Of these files.
    pub fn new(files: &'a dyn Files) -> Self {
        Self { files, read: RefCell::new(BTreeMap::new()) }
    }

    /// The files behind it: what is read of them is not noted.
    pub fn inner(&self) -> &'a dyn Files {
        self.files
    }

    /// What was read: by path and offset, without overlaps; pieces that meet are one.
    pub fn pieces(self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (path, extents) in self.read.into_inner() {
            join(&path, extents, &mut pieces);
        }
        pieces
    }

    fn note(&self, path: &str, offset: u64, bytes: Bytes) {
        let mut read = self.read.borrow_mut();
        let extents = match read.get_mut(path) {
            Some(extents) => extents,
            None => read.entry(path.to_owned()).or_default(),
        };
        let known = extents.entry(offset).or_default();
        if known.len() <= bytes.len() {
            *known = bytes;
        }
    }
}

fn join(path: &str, extents: BTreeMap<u64, Bytes>, pieces: &mut Vec<Piece>) {
    let mut run: Option<(u64, Vec<Bytes>, u64)> = None;
    let mut end_run = |run: Option<(u64, Vec<Bytes>, u64)>| {
        if let Some((offset, parts, _)) = run {
            pieces.push(Piece { path: path.to_owned(), offset, bytes: concat(parts) });
        }
    };
    for (offset, bytes) in extents {
        let end = offset.saturating_add(bytes.len() as u64);
        match &mut run {
            Some((_, parts, reached)) if offset <= *reached => {
                if end > *reached {
                    parts.push(bytes.slice((*reached - offset) as usize..));
                    *reached = end;
                }
            }
            _ => {
                end_run(run.take());
                run = Some((offset, vec![bytes], end));
            }
        }
    }
    end_run(run);
}

/// The parts as one; a single one is not copied.
pub(crate) fn concat(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 {
        return parts.pop().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| all.extend_from_slice(part));
    all.freeze()
}

impl Files for Noted<'_> {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        let bytes = self.files.read(path, offset, len)?;
        self.note(path, offset, bytes.clone());
        Ok(bytes)
    }

    fn len(&self, path: &str) -> Result<u64> {
        let len = self.files.len(path)?;
        self.note(path, 0, Bytes::new());
        Ok(len)
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        self.files.list(dir)
    }
}

/// Files of which only pieces are there. What isn't is [`Error::Short`]: nobody has sent it.
#[derive(Debug, Clone, Default)]
pub struct PieceFiles {
    /// Of each file where its pieces begin, in order; most have one.
    files: BTreeMap<String, Vec<(u64, Bytes)>>,
    held: u64,
}

impl PieceFiles {
    /// Adds a piece; where bytes are there already, the new ones count.
    pub fn add(&mut self, piece: Piece) {
        let extents = self.files.entry(piece.path).or_default();
        let (start, end) = (piece.offset, piece.offset.saturating_add(piece.bytes.len() as u64));
        self.held += piece.bytes.len() as u64;
        let from = extents.partition_point(|(at, bytes)| *at < start && at + bytes.len() as u64 <= start);
        let to = extents.partition_point(|(at, _)| *at < end).max(from);
        let (mut left, mut right) = (None, None);
        for (at, old) in extents.drain(from..to) {
            self.held -= old.len() as u64;
            if at < start {
                left = Some((at, old.slice(..(start - at) as usize)));
            }
            if at + old.len() as u64 > end {
                right = Some((end, old.slice((end - at) as usize..)));
            }
        }
        let rest = [&left, &right].into_iter().flatten().map(|(_, bytes)| bytes.len() as u64);
        self.held += rest.sum::<u64>();
        let there = !extents.is_empty() || left.is_some() || right.is_some();
        let new = (!piece.bytes.is_empty() || !there).then_some((start, piece.bytes));
        if !there {
            extents.reserve_exact(1);
        }
        extents.splice(from..from, [left, new, right].into_iter().flatten());
    }

    /// Lets go of all files below this directory.
    pub fn remove_dir(&mut self, dir: &str) {
        let prefix = format!("{dir}/");
        let below: Vec<String> = self
            .files
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, _)| path.clone())
            .collect();
        for path in below {
            self.remove(&path);
        }
    }

    /// Lets go of a file.
    pub fn remove(&mut self, path: &str) {
        let gone = self.files.remove(path).unwrap_or_default();
        self.held -= gone.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
    }

    /// Bytes held.
    pub fn held(&self) -> u64 {
        self.held
    }
}

impl Files for PieceFiles {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        let extents = self.files.get(path).ok_or_else(|| Error::Absent { file: path.into() })?;
        let end = offset.saturating_add(len);
        let mut parts = Vec::new();
        let mut at = offset;
        while at < end {
            let behind = extents.partition_point(|(start, _)| *start <= at);
            let found = behind.checked_sub(1).and_then(|place| extents.get(place));
            let Some((start, bytes)) = found.filter(|(start, bytes)| start + bytes.len() as u64 > at) else {
                return Err(Error::Short { file: path.into(), len: at, wanted: end });
            };
            let to = end.min(start + bytes.len() as u64);
            parts.push(bytes.slice((at - start) as usize..(to - start) as usize));
            at = to;
        }
        Ok(concat(parts))
    }

    fn len(&self, path: &str) -> Result<u64> {
        let extents = self.files.get(path).ok_or_else(|| Error::Absent { file: path.into() })?;
        Ok(extents.last().map_or(0, |(start, bytes)| start + bytes.len() as u64))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        Ok(Some(names_in(&self.files, dir)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(offset: u64, bytes: &'static str) -> Piece {
        Piece { path: "t~1/f".into(), offset, bytes: bytes.into() }
    }

    #[test]
    fn newer_pieces_cover_older_ones() {
        let mut files = PieceFiles::default();
        files.add(piece(10, "abcdef"));
        files.add(piece(12, "XY"));
        files.add(piece(16, "gh"));
        files.add(piece(8, "..."));
        assert_eq!(files.read("t~1/f", 8, 10).unwrap(), "...bXYefgh");
        assert_eq!(files.held(), 10);
        files.add(piece(0, "0123456789012345678901234"));
        assert_eq!((files.held(), files.len("t~1/f").unwrap()), (25, 25));
        assert_eq!(files.read("t~1/f", 20, 5).unwrap(), "01234");
    }

    #[test]
    fn what_nobody_sent_is_short() {
        let mut files = PieceFiles::default();
        files.add(piece(4, "ab"));
        files.add(piece(8, "cd"));
        for (offset, len) in [(0, 1), (3, 2), (4, 3), (6, 1), (8, 3), (100, 1)] {
            assert!(matches!(files.read("t~1/f", offset, len), Err(Error::Short { .. })), "{offset} {len}");
        }
        assert_eq!(files.read("t~1/f", 5, 0).unwrap(), "");
        assert!(matches!(files.read("t~1/g", 0, 0), Err(Error::Absent { .. })));
        assert_eq!(files.list("").unwrap().unwrap(), ["t~1"]);
        files.remove_dir("t~1");
        assert_eq!((files.held(), files.list("").unwrap().unwrap().len()), (0, 0));
    }

    #[test]
    fn an_empty_piece_makes_a_file() {
        let mut files = PieceFiles::default();
        files.add(piece(0, ""));
        assert_eq!(files.len("t~1/f").unwrap(), 0);
        files.add(piece(3, "x"));
        assert_eq!(files.len("t~1/f").unwrap(), 4);
        files.add(piece(0, ""));
        assert_eq!(files.read("t~1/f", 3, 1).unwrap(), "x");
    }
}
