//! The table as applied in a folder of its own, by the same code that a replica applies it with.

use super::rows::newest;
use super::{DIR, PolicyRow, REMOVED, commit, token};
use crate::apply::backlog::BatchLimits;
use crate::ledger::{Base, Document, Key, Mirror, Pack, Sum, TableEntry, What};
use crate::native::bucket::Bucket;
use crate::native::cluster::get_blob;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::store::{CommitMode, DiskReader, FileTable, RealDisk, Step, Worker};
use crate::table::files::read::read_table;
use crate::wal;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The table is small: all of it is applied at once.
const LIMITS: BatchLimits =
    BatchLimits { rows: 1 << 20, bytes: u64::MAX, commits: 1 << 16, column: 64 << 20 };

/// What a log has of the table.
#[derive(Debug, Clone, Default)]
pub struct OwnLog {
    /// The copy that it begins with.
    pub base: Option<Sum>,
    /// What came behind it, with the object in which it came.
    pub packs: Vec<(Key, Vec<TableEntry>)>,
}

/// The table, and the newest row of each table with a policy.
#[derive(Debug)]
pub struct PolicyTable {
    disk: Arc<RealDisk>,
    mirror: Mirror,
    worker: Worker,
    rows: BTreeMap<String, PolicyRow>,
    /// The last transaction; `None` while there is no table.
    seq_txn: Option<u64>,
    newest_us: i64,
}

impl OwnLog {
    /// Takes what a pack has of the table; answers the rest of the pack's tables.
    pub fn take(&mut self, key: Key, entries: Vec<TableEntry>) -> Vec<TableEntry> {
        let (own, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.token.dir == DIR);
        if own.is_empty() {
            return others;
        }
        let base = own.iter().rposition(|entry| matches!(entry.what, What::Base { .. }));
        if let Some(at) = base
            && let Some(TableEntry { what: What::Base { manifest, .. }, .. }) = own.get(at)
        {
            *self = Self { base: Some(*manifest), packs: Vec::new() };
        }
        let behind = own.into_iter().skip(base.map_or(0, |at| at + 1)).collect::<Vec<_>>();
        if !behind.is_empty() {
            self.packs.push((key, behind));
        }
        others
    }
}

impl PolicyTable {
    /// The table as a log has it, made anew in this folder.
    ///
    /// # Errors
    /// What the bucket answers, and what is not as it should be.
    pub async fn load(folder: &Path, bucket: &Bucket, log: OwnLog) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", folder.display()));
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        std::fs::create_dir_all(folder).map_err(failed)?;
        let disk = Arc::new(RealDisk::open(folder).map_err(failed)?);
        let mut mirror = Mirror::default();
        let mut seq_txn = None;
        if let Some(sum) = log.base {
            let copied = copied(&disk, bucket, sum).await?;
            mirror.know(&token(), copied);
            seq_txn = Some(copied);
        }
        let worker = Worker::new(disk.clone(), token().as_registered(false), CommitMode::NoSync, true);
        let mut table = Self { disk, mirror, worker, rows: BTreeMap::new(), seq_txn, newest_us: 0 };
        for (key, entries) in log.packs {
            table.take(key, entries)?;
        }
        table.read()?;
        Ok(table)
    }

    /// The last transaction; `None` while there is no table.
    pub fn seq_txn(&self) -> Option<u64> {
        self.seq_txn
    }

    /// The policies there are, by the tables' directories.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyRow> {
        self.rows.values().filter(|row| row.status != REMOVED)
    }

    /// The policy of the table in this directory.
    pub fn policy(&self, dir: &str) -> Option<&PolicyRow> {
        self.rows.get(dir).filter(|row| row.status != REMOVED)
    }

    /// Adds rows in one transaction, after this moment at the earliest; answers what goes into the log.
    ///
    /// # Errors
    /// When the table can't be written. It goes on as it was then.
    pub fn append(&mut self, mut rows: Vec<PolicyRow>, now_us: i64) -> Result<Vec<TableEntry>> {
        // The order of time is the order of changes, whatever the clock does.
        let at_us = now_us.max(self.newest_us.saturating_add(1));
        rows.iter_mut().for_each(|row| row.last_updated = at_us);
        let mut entries = Vec::new();
        if self.seq_txn.is_none() {
            entries.push(commit::created(at_us)?);
        }
        let next = self.seq_txn.unwrap_or(0).saturating_add(1);
        entries.push(commit::transaction(next, &rows, at_us)?);
        self.take(Key::Head, entries.clone())?;
        self.newest_us = at_us;
        for row in rows {
            self.rows.insert(row.table_dir_name.clone(), row);
        }
        Ok(entries)
    }

    /// Brings the table's files level with what was appended.
    ///
    /// # Errors
    /// What applying answers.
    pub fn apply(&mut self) -> Result<()> {
        if self.seq_txn.unwrap_or(0) == 0 {
            return Ok(());
        }
        loop {
            match self.worker.step(self.mirror.files(), LIMITS) {
                Step::Applied(seq_txn) => self.mirror.applied(DIR, seq_txn),
                Step::Idle => return Ok(()),
                Step::Stopped => {
                    let error =
                        self.worker.failure().map_or("it is suspended".to_owned(), ToString::to_string);
                    return Err(Failure::failed(format!("{DIR}: {error}")));
                }
            }
        }
    }

    fn take(&mut self, key: Key, entries: Vec<TableEntry>) -> Result<()> {
        let pack = Pack { tables: entries, ..Pack::default() };
        let damaged = |error: crate::ledger::Error| Failure::new(Exit::Damaged, error.to_string());
        self.mirror.take(key, &pack, &BTreeMap::new()).map_err(damaged)?;
        self.seq_txn = self.mirror.last(DIR);
        Ok(())
    }

    /// Applies all, and reads what the table says.
    fn read(&mut self) -> Result<()> {
        self.apply()?;
        if self.seq_txn.unwrap_or(0) == 0 {
            return Ok(());
        }
        let table = read_table(&DiskReader(&*self.disk), &token().as_registered(false))?;
        self.rows = newest(&table)?;
        self.newest_us = table.max_ts().unwrap_or(0);
        Ok(())
    }
}

/// Makes the table of its copy; answers the last transaction in it.
async fn copied(disk: &Arc<RealDisk>, bucket: &Bucket, sum: Sum) -> Result<u64> {
    let damaged = |error: crate::ledger::Error| Failure::new(Exit::Damaged, error.to_string());
    let manifest = get_blob(bucket, sum).await?;
    let base = Base::read(Key::Blob(sum), &manifest).map_err(damaged)?;
    let mut bundles: BTreeMap<Sum, Bytes> = BTreeMap::new();
    for bundle in &base.bundles {
        bundles.insert(bundle.sum, get_blob(bucket, bundle.sum).await?);
    }
    let seq_txn = base.seq_txn;
    let absent = |sum: Sum| wal::Error::Absent { file: Key::Blob(sum).to_string().into() };
    let files =
        base.files(DIR, |sum| bundles.get(&sum).cloned().ok_or_else(|| absent(sum))).map_err(damaged)?;
    FileTable::create_from(disk.clone(), &files, &token().as_registered(false), CommitMode::NoSync)?;
    Ok(seq_txn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::bucket::{Connection, RequestLimits, open};
    use crate::native::policies::definitions;

    fn bucket(root: &Path) -> Bucket {
        let connection: Connection = format!("fs::root={};", root.display()).parse().unwrap();
        open(&connection, RequestLimits::default()).unwrap()
    }

    fn row(dir: &str, to_parquet: &str, status: char) -> PolicyRow {
        PolicyRow { to_parquet: to_parquet.into(), status, ..PolicyRow::removed(dir, 0) }
    }

    #[tokio::test]
    async fn what_was_appended_is_what_the_log_tells() {
        let root = tempfile::tempdir().unwrap();
        let bucket = bucket(root.path());
        let folder = |name: &str| root.path().join(name);
        let mut table = PolicyTable::load(&folder("a"), &bucket, OwnLog::default()).await.unwrap();
        assert_eq!((table.seq_txn(), table.policies().count()), (None, 0));
        let mut log = OwnLog::default();
        let changes = [
            vec![row("trades~1", "72h", 'A')],
            vec![row("quotes~2", "1m", 'A'), row("old~3", "24h", 'D')],
            vec![row("trades~1", "72h", 'D'), row("old~3", "0h", REMOVED)],
        ];
        for rows in changes {
            // A clock that stands still changes nothing of the order.
            let entries = table.append(rows, 1_000_000).unwrap();
            assert!(log.take(Key::Head, entries).is_empty());
        }
        assert_eq!(log.packs.len(), 3);
        let again = PolicyTable::load(&folder("b"), &bucket, log).await.unwrap();
        let read: Vec<_> = again.policies().collect();
        let kept: Vec<_> = table.policies().collect();
        assert_eq!(read, kept);
        assert_eq!((again.seq_txn(), read.len()), (Some(3), 2));
        assert_eq!(again.policy("trades~1").unwrap().status, 'D');
        assert_eq!(again.policy("old~3"), None);
        assert_eq!(again.policy("quotes~2").unwrap().last_updated, 1_000_001);
        // None of these tables is in the folder, nor is it a database.
        assert!(definitions(&DiskReader(&*again.disk)).unwrap().is_empty());
    }

    #[test]
    fn a_copy_takes_the_place_of_all_before_it() {
        let mut log = OwnLog::default();
        let at = |what| TableEntry { token: token(), what };
        let base = |sum| What::Base { seq_txn: 5, manifest: sum, manifest_len: 1, why: String::new() };
        log.take(Key::Head, vec![at(What::Renamed { to: "x".into() })]);
        let sum = Sum::of(b"base");
        log.take(Key::Head, vec![at(What::Dropped), at(base(sum)), at(What::Renamed { to: "y".into() })]);
        assert_eq!(log.base, Some(sum));
        assert_eq!(log.packs, [(Key::Head, vec![at(What::Renamed { to: "y".into() })])]);
    }
}
