//! Writes onto a disk, through files that stay open.

use crate::native::store::{CommitMode, Disk, DiskFile, Open};
use crate::node::write::Write;
use crate::wal::Result;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Files that are kept open: those of the segments that are written now.
const OPEN_FILES: usize = 512;
/// Folders that are known to be there.
const FOLDERS: usize = 10_000;
/// What makes transactions count; all that they name is on the disk before, if it has to be.
const SEQUENCER: &str = "txn_seq/_txnlog";
/// Makes a folder a table's.
const TXN: &str = "_txn";

/// Does [`Write`]s in their order.
#[derive(Debug)]
pub(super) struct Writing {
    disk: Arc<dyn Disk>,
    mode: CommitMode,
    open: BTreeMap<String, Box<dyn DiskFile>>,
    order: VecDeque<String>,
    folders: BTreeSet<String>,
    /// Written and not synced.
    dirty: BTreeSet<String>,
    /// Folders with new names.
    new_names: BTreeSet<String>,
}

impl Writing {
    pub(super) fn new(disk: Arc<dyn Disk>, mode: CommitMode) -> Self {
        Self {
            disk,
            mode,
            open: BTreeMap::new(),
            order: VecDeque::new(),
            folders: BTreeSet::new(),
            dirty: BTreeSet::new(),
            new_names: BTreeSet::new(),
        }
    }

    /// Does them all. With [`CommitMode::Sync`] they are on the disk then, and reach it in an order in which no transaction counts
    /// before its rows are there.
    pub(super) fn all(&mut self, writes: &[Write]) -> Result<()> {
        for write in writes {
            if self.mode == CommitMode::Sync && matches!(&*write.file, SEQUENCER | TXN) {
                self.sync()?;
            }
            self.one(write)?;
        }
        if self.mode == CommitMode::Sync { self.sync() } else { Ok(()) }
    }

    fn one(&mut self, write: &Write) -> Result<()> {
        let path = write.path();
        let file = self.file(&path)?;
        if !write.bytes.is_empty() {
            file.write_at(write.offset, &write.bytes)?;
        }
        if self.mode == CommitMode::Sync {
            self.dirty.insert(path);
        }
        Ok(())
    }

    fn file(&mut self, path: &str) -> Result<&dyn DiskFile> {
        if !self.open.contains_key(path) {
            if let Some((folder, _)) = path.rsplit_once('/')
                && !self.folders.contains(folder)
            {
                self.disk.create_dir(folder)?;
                if self.folders.len() >= FOLDERS {
                    self.folders.clear();
                }
                self.folders.insert(folder.to_owned());
            }
            if self.mode == CommitMode::Sync {
                self.note_names(path);
            }
            if self.open.len() >= OPEN_FILES {
                self.close_oldest()?;
            }
            self.open.insert(path.to_owned(), self.disk.open(path, Open::Write)?);
            self.order.push_back(path.to_owned());
        }
        match self.open.get(path) {
            Some(file) => Ok(&**file),
            None => Err(crate::wal::Error::Absent { file: path.into() }),
        }
    }

    fn close_oldest(&mut self) -> Result<()> {
        if let Some(oldest) = self.order.pop_front()
            && let Some(file) = self.open.remove(&oldest)
            && self.dirty.remove(&oldest)
        {
            file.sync()?;
        }
        Ok(())
    }

    /// The folder of a file, and all above it, may have new names.
    fn note_names(&mut self, path: &str) {
        let mut rest = path;
        while let Some((folder, _)) = rest.rsplit_once('/') {
            self.new_names.insert(folder.to_owned());
            rest = folder;
        }
        self.new_names.insert(String::new());
    }

    fn sync(&mut self) -> Result<()> {
        for path in std::mem::take(&mut self.dirty) {
            if let Some(file) = self.open.get(&path) {
                file.sync()?;
            }
        }
        for folder in std::mem::take(&mut self.new_names) {
            self.disk.sync_dir(&folder)?;
        }
        Ok(())
    }
}
