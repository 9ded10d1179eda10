//! One table on its way from a log into its directory.

use super::disk::Disk;
use super::table::{CommitMode, FileTable};
use crate::apply::backlog::{Batch, BatchCommit, BatchLimits, Gathered};
use crate::apply::{CommitHead, ends_block};
use crate::table::Standing;
use crate::wal::{
    Error, Files, Result, SegmentMetas, SequencerLog, Survey, TableKind, TableToken, TxnKind, TxnRecord,
    is_replicas_own,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records of the log that are held at a time.
const RECORDS: u64 = 64 * 1024;
/// Commits and rows that are in order already are not held back for what may come: a block of so many is applied.
const ORDERLY_COMMITS: usize = 32 * 1024;
const ORDERLY_ROWS: usize = 512 * 1024;

/// Applies the log of one table, block after block.
#[derive(Debug)]
pub struct Worker {
    token: TableToken,
    disk: Arc<dyn Disk>,
    commit_mode: CommitMode,
    table: Option<Box<FileTable>>,
    /// Records from the next transaction on.
    records: Vec<TxnRecord>,
    metas: SegmentMetas,
    /// As last seen.
    max_txn: u64,
    seq_txn: u64,
    rows: u64,
    standing: Standing,
    failure: Option<Error>,
    adopt: bool,
    /// The log is in the table's own directory, and has rows.
    own_log: bool,
    made: bool,
    /// How long after its commit the newest transaction was applied.
    delay: Option<Duration>,
    /// When its log was last found to have nothing new, with nothing applied since.
    pub(super) idle_since: Option<Instant>,
    /// As it was entered into the registry.
    pub(super) entered: Option<TableToken>,
}

/// What a step of a [`Worker`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Applied transactions up to this one.
    Applied(u64),
    /// There is nothing to apply now.
    Idle,
    /// Nothing more can be applied: [`Worker::standing`] or [`Worker::failure`] says why.
    Stopped,
}

impl Worker {
    /// For a table whose log is in `token.dir` of the source, and whose files are there in the directory.
    pub fn new(disk: Arc<dyn Disk>, token: TableToken, commit_mode: CommitMode, adopt: bool) -> Self {
        Self {
            token,
            disk,
            commit_mode,
            table: None,
            records: Vec::new(),
            metas: SegmentMetas::default(),
            max_txn: 0,
            seq_txn: 0,
            rows: 0,
            standing: Standing::Exact,
            failure: None,
            adopt,
            own_log: false,
            made: false,
            delay: None,
            idle_since: None,
            entered: None,
        }
    }

    /// For a table whose writer's log is in its own directory: what is applied comes from there, as with QuestDB itself, and nothing
    /// is written to it.
    pub fn with_own_log(self) -> Self {
        Self { own_log: true, ..self }
    }

    /// The table.
    pub fn token(&self) -> &TableToken {
        &self.token
    }

    /// Last transaction applied, and last one in the log, as far as known.
    pub fn progress(&self) -> (u64, u64) {
        (self.seq_txn, self.max_txn)
    }

    /// How long after its commit on the server the newest transaction was applied here; `None` before the first one.
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// Number of rows in the table.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the rows are what the server has.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What keeps the table from going on.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Bytes written to the table's files since it was opened.
    pub fn written(&self) -> u64 {
        self.table.as_ref().map_or(0, |table| table.written.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// The table's files, while they are open.
    pub fn table(&self) -> Option<&FileTable> {
        self.table.as_deref()
    }

    /// The table's files, while they are open, to change the form of its partitions. After an error [`close`](Self::close) it: what
    /// is in memory may not be what is in the files.
    pub fn table_mut(&mut self) -> Option<&mut FileTable> {
        self.table.as_deref_mut()
    }

    /// Whether the log has transactions that are not applied, as far as known.
    pub fn behind(&self) -> bool {
        self.seq_txn < self.max_txn
    }

    /// Says how long the log is, so that progress can be told before the first step.
    pub(super) fn expect(&mut self, max_txn: u64) {
        self.max_txn = self.max_txn.max(max_txn);
    }

    /// Tries again what failed.
    pub(super) fn retry(&mut self) {
        self.table = None;
        self.records.clear();
        self.failure = None;
    }

    /// Whether it is in the registry.
    pub fn entered(&self) -> bool {
        self.entered.is_some() || self.table.is_some()
    }

    /// Whether the table's directory has been made.
    pub(super) fn is_made(&self) -> bool {
        self.made
    }

    /// Whether the table is held in memory.
    pub(super) fn is_open(&self) -> bool {
        self.table.is_some()
    }

    /// Keeps the table from going on.
    pub(super) fn fail(&mut self, error: Error) {
        self.table = None;
        self.failure = Some(error);
    }

    /// Removes the directory of a table that was dropped.
    pub(super) fn remove_files(&mut self) -> Result<()> {
        self.table = None;
        if std::mem::take(&mut self.made) {
            self.disk.remove_dir(&self.token.dir)?;
        }
        Ok(())
    }

    /// Lets the table's memory go; the next step opens it again.
    pub fn close(&mut self) {
        self.table = None;
        if self.records.is_empty() {
            self.metas = SegmentMetas::default();
        }
    }

    /// Takes note that there is nothing to do, without a look at a log of which news is told.
    pub(super) fn rest_when_done(&mut self) {
        if self.is_open() && !self.behind() {
            self.idle_since.get_or_insert_with(Instant::now);
        }
    }

    /// Whether the table is open, and nothing has come for it for so long.
    pub(super) fn is_open_and_idle(&self, long: Duration) -> bool {
        self.is_open() && !self.behind() && self.idle_since.is_some_and(|since| since.elapsed() >= long)
    }

    /// Works on the table's files, opened if need be; `None` where there are none, or it can't go on. After an error it is opened
    /// anew.
    pub(super) fn with_table<T>(
        &mut self,
        source: &dyn Files,
        work: impl FnOnce(&mut FileTable) -> Result<T>,
    ) -> Option<Result<T>> {
        let stopped = matches!(self.standing, Standing::Suspended { .. } | Standing::Dropped { .. });
        if self.failure.is_some() || stopped {
            return None;
        }
        if self.table.is_none() {
            let there = self.disk.len(&format!("{}/_txn", self.token.dir));
            if !there.is_ok_and(|len| len.is_some()) {
                return None;
            }
            if let Err(error) = self.open(source) {
                return Some(Err(error));
            }
        }
        let table = self.table.as_mut()?;
        let done = work(table);
        self.rows = table.rows();
        if done.is_err() {
            self.table = None;
        }
        Some(done)
    }

    /// Applies the next block of transactions.
    pub fn step(&mut self, source: &(dyn Files + Sync), limits: BatchLimits) -> Step {
        if self.failure.is_some()
            || matches!(self.standing, Standing::Suspended { .. } | Standing::Dropped { .. })
        {
            return Step::Stopped;
        }
        match self.try_step(source, limits) {
            Ok(step) => step,
            Err(error) => {
                // Its files are as some transaction left them; what is in memory may not be.
                self.table = None;
                self.records.clear();
                self.failure = Some(error);
                Step::Stopped
            }
        }
    }

    fn try_step(&mut self, source: &(dyn Files + Sync), limits: BatchLimits) -> Result<Step> {
        // A table that was closed meanwhile is opened for news only.
        if self.table.is_none() && self.made && self.records.is_empty() && !self.read_records(source)? {
            return Ok(Step::Idle);
        }
        if self.table.is_none() {
            self.open(source)?;
        }
        if self.records.is_empty() && !self.read_records(source)? {
            return Ok(Step::Idle);
        }
        let Some(mut table) = self.table.take() else { return Ok(Step::Idle) };
        table.set_portion(limits.rows);
        let done = self.apply_next(&mut table, source, limits)?;
        let newest = done.checked_sub(1).and_then(|last| self.records.get(last)).map(|last| last.commit_ts);
        self.delay = newest.map(since);
        self.records.drain(..done.min(self.records.len()));
        if self.records.is_empty() {
            self.records = Vec::new();
        }
        self.seq_txn = table.seq_txn();
        self.rows = table.rows();
        self.standing = table.standing().clone();
        self.token.name.clone_from(&table.table().name);
        let stopped = table.is_stopped();
        self.table = Some(table);
        Ok(if stopped { Step::Stopped } else { Step::Applied(self.seq_txn) })
    }

    fn open(&mut self, source: &dyn Files) -> Result<()> {
        let dir = &self.token.dir;
        let mut table = match self.disk.len(&format!("{dir}/_txn"))? {
            Some(_) => FileTable::open(self.disk.clone(), &self.token, self.commit_mode)?,
            // The rows of its log are in the same folder, which making a table anew would empty.
            None if self.own_log => return Err(Error::Absent { file: format!("{dir}/_txn").into() }),
            None => self.create(source)?,
        };
        if self.own_log {
            table.leave_log_to_writer();
        }
        if !table.is_ours() && !self.adopt {
            let what = format!(
                "{}; it has its own history now. --adopt takes it as it is",
                table.written_elsewhere()
            );
            return Err(Error::Unsupported {
                file: format!("{dir}/_txn").into(),
                offset: 0,
                what: what.into(),
            });
        }
        table.recover()?;
        if !self.made {
            // Once open, it may be closed and opened again while one of its partitions is being converted.
            table.sweep_conversions()?;
        }
        if !table.is_ours() {
            table.adopt()?;
        }
        self.made = true;
        self.seq_txn = table.seq_txn();
        self.rows = table.rows();
        self.standing = table.standing().clone();
        self.table = Some(Box::new(table));
        Ok(())
    }

    /// Begins with the first transaction, or with the table as it is where its first transactions are gone.
    fn create(&self, source: &dyn Files) -> Result<FileTable> {
        let log = SequencerLog::open(source, &self.token.dir)?;
        let survey = Survey::read(source, &log)?;
        if survey.purged.is_empty() && survey.first_record <= 1 {
            return FileTable::create(self.disk.clone(), source, &self.token, self.commit_mode);
        }
        FileTable::create_from(self.disk.clone(), source, &self.token, self.commit_mode)
    }

    /// Reads the records behind the last transaction applied; answers whether there are any.
    fn read_records(&mut self, source: &dyn Files) -> Result<bool> {
        let log = SequencerLog::open(source, &self.token.dir)?;
        self.max_txn = log.max_txn;
        let first = self.seq_txn + 1;
        if log.max_txn < first {
            return Ok(false);
        }
        self.records = log.records(source, first..=log.max_txn.min(first + RECORDS - 1))?;
        self.refuse_replicas_own(source)?;
        Ok(!self.records.is_empty())
    }

    /// A replica's records have no rows: who is behind it can't go on from them.
    fn refuse_replicas_own(&self, source: &dyn Files) -> Result<()> {
        let dir = &self.token.dir;
        let wals: BTreeSet<u32> =
            self.records.iter().filter_map(|record| Some(record.segment()?.0.wal)).collect();
        for wal in wals {
            if is_replicas_own(source, dir, wal)? {
                let what = "SOURCE is a replica itself, which has no WAL to follow: give what it follows, or begin anew \
                            in an empty directory";
                let file = format!("{dir}/wal{wal}");
                return Err(Error::Unsupported { file: file.into(), offset: 0, what: what.into() });
            }
        }
        Ok(())
    }

    /// Applies transactions from the front of the records; answers how many.
    fn apply_next(
        &mut self,
        table: &mut FileTable,
        source: &(dyn Files + Sync),
        limits: BatchLimits,
    ) -> Result<usize> {
        let Some(first) = self.records.first().copied() else { return Ok(0) };
        let dir = self.token.dir.clone();
        expect_version(&dir, table, &first)?;
        match first.kind {
            TxnKind::Structure => {
                table.apply_structure(source, &dir, &first)?;
                return Ok(1);
            }
            TxnKind::Drop => {
                table.apply_single(source, &dir, &first, &mut self.metas)?;
                return Ok(1);
            }
            TxnKind::Wal { .. } if self.token.kind == TableKind::MatView => {
                table.apply_single(source, &dir, &first, &mut self.metas)?;
                table.note_view_state(source, &first)?;
                return Ok(1);
            }
            TxnKind::Wal { .. } => {}
        }
        let newest = table.table().max_ts();
        let stub = table.table();
        let mut highest = newest;
        let mut orderly = true;
        let ends = |commits: &[BatchCommit], next: &CommitHead| {
            let Some(last) = commits.last() else { return false };
            let follows = |head: &CommitHead, highest: Option<i64>| {
                !head.has_rows || !head.out_of_order && highest.is_none_or(|highest| head.min_ts > highest)
            };
            // Of all commits but the last it is known.
            orderly &= follows(&last.head, highest);
            highest = highest.max(last.head.newest());
            let rows = last.first_row as usize + last.rows as usize;
            let enough = commits.len() >= ORDERLY_COMMITS || rows >= ORDERLY_ROWS;
            enough && orderly && follows(next, highest) || ends_block(stub, highest, &last.head, next)
        };
        let (mut batch, stopped) = Batch::gather(source, &dir, &self.records, &mut self.metas, limits, ends);
        let count = batch.commits().len();
        if count == 0 {
            if let Gathered::Failed(error) = stopped {
                return Err(error);
            }
            table.apply_single(source, &dir, &first, &mut self.metas)?;
            return Ok(1);
        }
        if batch.commits().first().is_some_and(|commit| commit.head.replaces) {
            table.apply_single(source, &dir, &first, &mut self.metas)?;
            return Ok(1);
        }
        let records = self.records.get(..count).unwrap_or_default();
        table.apply_batch(source, &mut batch, records, limits.column)?;
        Ok(count)
    }
}

/// A transaction is of the version of the table that it changes; one that is not can't be applied.
fn expect_version(dir: &str, table: &FileTable, record: &TxnRecord) -> Result<()> {
    let here = table.table().schema.version;
    let expected = match record.kind {
        TxnKind::Structure => here + 1,
        TxnKind::Wal { .. } => here,
        TxnKind::Drop => return Ok(()),
    };
    if record.structure_version == expected {
        return Ok(());
    }
    let found = format_args!("{} in transaction {}", record.structure_version, record.seq_txn);
    Err(Error::damaged(
        &format!("{dir}/txn_seq/_txnlog"),
        0,
        format_args!("structure version {expected}"),
        found,
    ))
}

/// How long ago a moment was, given in microseconds UTC.
fn since(us: i64) -> Duration {
    let then = UNIX_EPOCH + Duration::from_micros(u64::try_from(us).unwrap_or(0));
    SystemTime::now().duration_since(then).unwrap_or_default()
}
