use crate::apply::commits::CommitHead;
use crate::apply::source::{SymbolMap, designated};
use crate::table::SymbolTable;
use crate::wal::{
    ColumnBytes, Error, Event, Files, Result, SegmentId, SegmentMetas, SequencerMeta, Stretch, SymbolDiff,
    TxnKind, TxnRecord, read_events,
};
use std::collections::BTreeSet;
use std::ops::Range;

/// Neighbouring data transactions: what they are, and the timestamps of their rows.
///
/// Rows are numbered through, in the order of the log.
#[derive(Debug, Default)]
pub struct Batch {
    commits: Vec<BatchCommit>,
    stretches: Vec<Stretch>,
    timestamps: Vec<i64>,
    /// By writer index.
    bytes: Vec<u64>,
}

/// A commit of a [`Batch`].
#[derive(Debug, Clone)]
pub struct BatchCommit {
    /// What decides where a block ends.
    pub head: CommitHead,
    /// Number of its first row.
    pub first_row: u32,
    /// Number of rows.
    pub rows: u32,
}

/// How large a [`Batch`] may grow; a single segment's share may exceed it.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Rows.
    pub rows: u64,
    /// Bytes of rows as the log holds them.
    pub bytes: u64,
    /// Commits.
    pub commits: usize,
    /// Bytes of a column's values that may be in memory at a time.
    pub column: u64,
}

/// Events that are read at a time.
const GROUP: usize = 16 * 1024;

/// What ended a [`Batch`].
#[derive(Debug)]
pub enum Gathered {
    /// The limits, or the end of the records.
    Full,
    /// The next transaction can't be in the same block.
    Block,
    /// The next transaction is none of rows.
    Other,
    /// The next transaction can't be read.
    Failed(Error),
}

/// Neighbouring rows of a [`Batch`]: whole stretches of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Positions of its stretches.
    pub(super) stretches: Range<usize>,
    /// Positions of its commits.
    pub(super) commits: Range<usize>,
    /// Numbers of its rows.
    pub rows: Range<usize>,
}

/// Timestamps of neighbouring rows that are to be read.
#[derive(Debug)]
pub struct TimestampReader<'a> {
    stretch: &'a Stretch,
    timestamps: &'a mut [i64],
}

impl TimestampReader<'_> {
    /// Reads and validates them; `bytes` is memory to read into.
    ///
    /// # Errors
    /// What reading and validating them answers.
    pub fn read(self, files: &dyn Files, bytes: &mut ColumnBytes) -> Result<()> {
        bytes.data.clear();
        if let Some(index) = self.stretch.meta().timestamp {
            self.stretch.append_column(files, index, bytes)?;
        }
        for (to, row) in self.timestamps.iter_mut().zip(bytes.data.as_chunks::<16>().0) {
            *to = designated(row);
        }
        Ok(())
    }
}

/// For each column, the commits whose symbol keys are not the table's.
#[derive(Debug, Default)]
pub struct SymbolMaps {
    /// By writer index: commits (by position in the batch) with their maps, in order.
    columns: Vec<Vec<(usize, SymbolMap)>>,
    /// Columns of whose rows some are null.
    nulls: BTreeSet<usize>,
}

impl Batch {
    /// Gathers transactions from the front of `records` for as long as they can be one block.
    ///
    /// `ends` is asked before each commit but the first: whether it can't go into one block with those before.
    /// [`Gathered`] says what stopped it, errors included: the batch holds what came before.
    pub fn gather(
        files: &dyn Files,
        table_dir: &str,
        records: &[TxnRecord],
        metas: &mut SegmentMetas,
        limits: BatchLimits,
        mut ends: impl FnMut(&[BatchCommit], &CommitHead) -> bool,
    ) -> (Self, Gathered) {
        let mut batch = Self::default();
        let mut rest = records;
        while let Some(record) = rest.first() {
            if batch.is_full(&limits) {
                return (batch, Gathered::Full);
            }
            let TxnKind::Wal { wal, segment, segment_txn } = record.kind else {
                return (batch, Gathered::Other);
            };
            let id = SegmentId { wal, segment };
            let most = GROUP.min(limits.commits - batch.commits.len());
            let run = run_length(rest.get(..most).unwrap_or(rest));
            let group = match Group::read(files, table_dir, record, id, segment_txn, run, metas) {
                Ok(group) => group,
                Err(error) => return (batch, Gathered::Failed(error)),
            };
            let taken = match batch.take(files, group, rest, &limits, &mut ends) {
                Ok((taken, None)) => taken,
                Ok((_, Some(stopped))) => return (batch, stopped),
                Err(error) => {
                    // Commits that are in no stretch were never here.
                    batch
                        .commits
                        .truncate(batch.stretches.iter().map(|stretch| stretch.events().len()).sum());
                    return (batch, Gathered::Failed(error));
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        (batch, Gathered::Full)
    }

    /// The timestamps of all rows, to be read, cut into pieces of neighbouring stretches: [`TimestampReader::read`] is to
    /// be called for each, in any order.
    pub fn timestamp_readers(&mut self) -> Vec<TimestampReader<'_>> {
        self.timestamps.clear();
        self.timestamps.resize(self.rows(), 0);
        let mut rest = self.timestamps.as_mut_slice();
        let mut readers = Vec::new();
        for stretch in self.stretches.iter().filter(|stretch| stretch.rows() > 0) {
            let (here, behind) = rest.split_at_mut((stretch.rows() as usize).min(rest.len()));
            rest = behind;
            readers.push(TimestampReader { stretch, timestamps: here });
        }
        readers
    }

    /// The commits' writers with their segments' columns and new symbols, in the order of the log.
    pub fn symbols(&self) -> impl Iterator<Item = (u32, &SequencerMeta, &[SymbolDiff])> {
        self.stretches.iter().flat_map(|stretch| {
            stretch.events().iter().map(|event| (stretch.wal(), stretch.meta(), event.symbols.as_slice()))
        })
    }

    /// Enters the symbols that the commits bring into the table's dictionaries, in the order of the log, and says
    /// how the commits' keys become the table's.
    pub fn intern(&self, symbols: &mut [Option<SymbolTable>]) -> SymbolMaps {
        let mut columns = Vec::new();
        columns.resize_with(symbols.len(), Vec::new);
        let mut nulls = BTreeSet::new();
        let events = self.stretches.iter().flat_map(Stretch::events);
        for (commit, event) in events.enumerate() {
            for diff in &event.symbols {
                if diff.has_null {
                    nulls.insert(diff.column);
                }
                let (Some(maps), Some(Some(dictionary))) =
                    (columns.get_mut(diff.column), symbols.get_mut(diff.column))
                else {
                    continue;
                };
                maps.extend(SymbolMap::of(dictionary, diff).map(|map| (commit, map)));
            }
        }
        SymbolMaps { columns, nulls }
    }

    /// The commits.
    pub fn commits(&self) -> &[BatchCommit] {
        &self.commits
    }

    /// The timestamps of all rows, once they were read.
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.commits.last().map_or(0, |last| last.first_row as usize + last.rows as usize)
    }

    /// Bytes of a column's values, as the log holds them.
    pub fn bytes(&self, column: usize) -> u64 {
        self.bytes.get(column).copied().unwrap_or(0)
    }

    /// All rows at once.
    pub fn whole(&self) -> Window {
        Window { stretches: 0..self.stretches.len(), commits: 0..self.commits.len(), rows: 0..self.rows() }
    }

    /// The rows, cut so that a window has about `rows` rows or is a single stretch.
    pub fn windows(&self, rows: usize) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        let (mut commits, mut first) = (0, 0);
        for (position, stretch) in self.stretches.iter().enumerate() {
            let next = Window {
                stretches: position..position + 1,
                commits: commits..commits + stretch.events().len(),
                rows: first..first + stretch.rows() as usize,
            };
            (commits, first) = (next.commits.end, next.rows.end);
            match windows.last_mut() {
                Some(last) if next.rows.end - last.rows.start <= rows => {
                    last.stretches.end = next.stretches.end;
                    last.commits.end = next.commits.end;
                    last.rows.end = next.rows.end;
                }
                _ => windows.push(next),
            }
        }
        windows
    }

    /// The stretches of a window that have rows.
    pub(super) fn stretches(&self, window: &Window) -> impl Iterator<Item = &Stretch> + Clone {
        let stretches = self.stretches.get(window.stretches.clone()).unwrap_or_default();
        stretches.iter().filter(|stretch| stretch.rows() > 0)
    }

    fn is_full(&self, limits: &BatchLimits) -> bool {
        self.commits.len() >= limits.commits
            || self.rows() as u64 >= limits.rows
            || self.bytes.iter().sum::<u64>() >= limits.bytes
    }

    /// Takes the events of a group for as long as they are rows of this block; answers how many, and what stopped it.
    fn take(
        &mut self,
        files: &dyn Files,
        group: Group,
        records: &[TxnRecord],
        limits: &BatchLimits,
        ends: &mut impl FnMut(&[BatchCommit], &CommitHead) -> bool,
    ) -> Result<(usize, Option<Gathered>)> {
        let Group { table_dir, id, meta, events } = group;
        let mut taken = 0;
        let mut stopped = None;
        let mut stretch: Option<Stretch> = None;
        for (event, record) in events.into_iter().zip(records) {
            let Event::Data(event) = event else {
                stopped = Some(Gathered::Other);
                break;
            };
            let rows = event.row_hi - event.row_lo;
            let head = CommitHead::of(record, &event);
            if !self.commits.is_empty() && ends(&self.commits, &head) {
                stopped = Some(Gathered::Block);
                break;
            }
            let first_row = self.rows() as u64;
            if first_row + rows > u64::from(u32::MAX >> 1) || taken > 0 && first_row >= limits.rows {
                stopped = (taken == 0).then_some(Gathered::Full);
                break;
            }
            let left = match &mut stretch {
                Some(stretch) => stretch.push(event)?,
                None => Some(event),
            };
            if let Some(event) = left {
                if let Some(whole) = stretch.take() {
                    self.add(files, whole)?;
                }
                stretch = Some(Stretch::new(&table_dir, id, meta.clone(), event)?);
            }
            self.commits.push(BatchCommit { head, first_row: first_row as u32, rows: rows as u32 });
            taken += 1;
        }
        if let Some(whole) = stretch {
            self.add(files, whole)?;
        }
        Ok((taken, stopped))
    }

    fn add(&mut self, files: &dyn Files, stretch: Stretch) -> Result<()> {
        let bytes = stretch.bytes(files)?;
        self.bytes.resize(self.bytes.len().max(bytes.len()), 0);
        self.bytes.iter_mut().zip(bytes).for_each(|(sum, more)| *sum = sum.saturating_add(more));
        self.stretches.push(stretch);
        Ok(())
    }
}

impl SymbolMaps {
    /// Columns, by writer index, that have nulls from these commits on.
    pub fn nulls(&self) -> impl Iterator<Item = usize> + '_ {
        self.nulls.iter().copied()
    }

    /// The maps of a column: commits by position in the batch, in order.
    pub(super) fn of(&self, column: usize) -> &[(usize, SymbolMap)] {
        self.columns.get(column).map_or(&[], Vec::as_slice)
    }
}

/// Events of one segment that were read together.
struct Group {
    table_dir: String,
    id: SegmentId,
    meta: std::sync::Arc<crate::wal::SequencerMeta>,
    events: Vec<Event>,
}

impl Group {
    fn read(
        files: &dyn Files,
        table_dir: &str,
        record: &TxnRecord,
        id: SegmentId,
        segment_txn: u32,
        run: usize,
        metas: &mut SegmentMetas,
    ) -> Result<Self> {
        let events = read_events(files, table_dir, id, segment_txn, u32::try_from(run).unwrap_or(u32::MAX))?;
        let meta = metas.read(files, table_dir, id, record.structure_version)?;
        Ok(Self { table_dir: table_dir.to_owned(), id, meta, events })
    }
}

/// Number of records from the front that are neighbouring transactions of one segment.
fn run_length(records: &[TxnRecord]) -> usize {
    let mut wanted = None;
    let mut version = None;
    records
        .iter()
        .take_while(|record| {
            let TxnKind::Wal { wal, segment, segment_txn } = record.kind else { return false };
            let here = (wal, segment, segment_txn);
            let follows = wanted.is_none_or(|wanted| wanted == here)
                && version.is_none_or(|version| version == record.structure_version);
            wanted = segment_txn.checked_add(1).map(|next| (wal, segment, next));
            version = Some(record.structure_version);
            follows
        })
        .count()
}
