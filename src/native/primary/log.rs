//! Requests into the log.

use super::writing::Writing;
use crate::ilp::{LineError, Status, Unit};
use crate::native::store::{CommitMode, Disk, DiskReader};
use crate::node::write::{Commit, Options, Tables, Written};
use crate::wal::{Error, Result, TableToken};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The log of all tables of a directory, to be written by this process alone.
///
/// ```
/// # use std::sync::Arc;
/// use understudy::ilp::Unit;
/// use understudy::native::primary::Log;
/// use understudy::native::store::{CommitMode, RealDisk};
/// use understudy::node::write::Options;
/// # let db = tempfile::tempdir()?;
/// let disk = Arc::new(RealDisk::open(db.path())?);
/// let mut log = Log::open(disk, CommitMode::NoSync, Options::default())?;
/// let commits = log.write(b"trades price=1.5 1000\n".to_vec(), Unit::Nanos, 7)?;
/// assert_eq!(commits[0].seq_txn, 1);
/// assert!(db.path().join("trades~1/wal1/0/price.d").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    options: Options,
    mode: CommitMode,
    tables: Tables,
    writing: Writing,
    /// The tables are to be read anew: what is known of them may not be on the disk.
    stale: bool,
    /// Tables with transactions that nobody was told of.
    news: BTreeMap<String, TableToken>,
}

/// Why a request is not in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// It can't be taken as it is.
    #[error("{0}")]
    Refused(LineError),
    /// It could not be written: some of its tables may have their rows, others not.
    #[error("{0}")]
    Disk(Error),
}

impl LogError {
    /// What the client is told.
    pub fn told(&self) -> LineError {
        match self {
            Self::Refused(error) => error.clone(),
            Self::Disk(error) => {
                let message = format!("commit error for table: , errno: 5, error: {error}");
                LineError::of_request(Status::Internal, message)
            }
        }
    }
}

impl Log {
    /// Takes up a directory, which may be empty, QuestDB's, or a replica's.
    ///
    /// # Errors
    /// What reading it answers.
    pub fn open(disk: Arc<dyn Disk>, mode: CommitMode, options: Options) -> Result<Self> {
        let tables = Tables::open(&DiskReader(&*disk), options.clone())?;
        let writing = Writing::new(disk.clone(), mode);
        Ok(Self { disk, options, mode, tables, writing, stale: false, news: BTreeMap::new() })
    }

    /// Writes a request's rows: one transaction per table, or none at all.
    ///
    /// `precision` is the unit of timestamps that name none, `now_us` the time in microseconds UTC.
    ///
    /// # Errors
    /// Why it is not there. What could not be written for want of room can be sent again.
    pub fn write(
        &mut self,
        body: Vec<u8>,
        precision: Unit,
        now_us: i64,
    ) -> std::result::Result<Vec<Commit>, LogError> {
        if self.stale {
            self.tables =
                Tables::open(&DiskReader(&*self.disk), self.options.clone()).map_err(LogError::Disk)?;
            self.stale = false;
        }
        match self.tables.commit(body, precision, now_us) {
            Ok(written) => {
                self.put(&written)?;
                Ok(written.commits)
            }
            Err(refused) => {
                self.put(&refused.made)?;
                Err(LogError::Refused(refused.error))
            }
        }
    }

    /// Tables that have new transactions since this was last asked: to be applied, whatever became of the request.
    pub fn take_news(&mut self) -> Vec<TableToken> {
        std::mem::take(&mut self.news).into_values().collect()
    }

    fn put(&mut self, written: &Written) -> std::result::Result<(), LogError> {
        for token in written.tables() {
            self.news.entry(token.dir.clone()).or_insert_with(|| token.as_registered(false));
        }
        self.writing.all(&written.writes).map_err(|error| {
            // Files that were half written belong to transactions that don't count; a new WAL leaves them alone.
            self.stale = true;
            self.writing = Writing::new(self.disk.clone(), self.mode);
            LogError::Disk(error)
        })
    }

    /// The tables, with the last transaction of each.
    pub fn tables(&self) -> impl Iterator<Item = (TableToken, u64)> {
        self.tables.tables().map(|(token, last)| (token.as_registered(false), last))
    }
}
