//! Reading a database beside its server: what we hold links of, else the database itself.

use super::links;
use crate::native::disk::DiskFiles;
use crate::native::outcome::Failure;
use crate::wal::{Error, Files, Result};
use bytes::Bytes;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A database's files, and those that the server has deleted since. Opened for one piece of work: files that are open stay
/// what they were, whatever takes their place.
#[derive(Debug)]
pub(super) struct BesideFiles {
    db: DiskFiles,
    links: DiskFiles,
    read: AtomicU64,
}

impl BesideFiles {
    /// # Errors
    /// When a folder can't be opened.
    pub(super) fn open(db: &Path, own: &Path) -> std::result::Result<Self, Failure> {
        let open = |path: &Path| {
            DiskFiles::open(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
        };
        Ok(Self { db: open(db)?, links: open(&links::folder(own))?, read: AtomicU64::new(0) })
    }

    /// Bytes read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Of a segment our links come first: what the server has of it may be half deleted. Anything else is the server's, as
    /// long as it is there.
    fn of<T>(&self, path: &str, ask: impl Fn(&DiskFiles) -> Result<T>) -> Result<T> {
        let (first, second) =
            if is_segment(path) { (&self.links, &self.db) } else { (&self.db, &self.links) };
        match ask(first) {
            Err(Error::Absent { .. }) => ask(second),
            other => other,
        }
    }
}

fn is_segment(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|part| part.starts_with("wal"))
}

impl Files for BesideFiles {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        self.read.fetch_add(len, Ordering::Relaxed);
        self.of(path, |files| files.read(path, offset, len))
    }

    fn len(&self, path: &str) -> Result<u64> {
        self.of(path, |files| files.len(path))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        let db = match self.db.list(dir) {
            Err(Error::Absent { .. }) if !dir.is_empty() => None,
            other => Some(other?),
        };
        if dir.is_empty() {
            return Ok(db.flatten());
        }
        let mut names = match (db, self.links.list(dir)) {
            (None, links) => return links,
            (Some(db), Ok(Some(links))) => [db.unwrap_or_default(), links].concat(),
            (Some(db), _) => return Ok(db),
        };
        names.sort_unstable();
        names.dedup();
        Ok(Some(names))
    }
}
