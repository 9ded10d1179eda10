//! One table, as its writer knows it.

use super::column::{Filled, Pending};
use super::pack::{Change, Transactions};
use super::segment::{Laid, Segment};
use super::{Commit, Options, Write, Written};
use crate::ledger::Token;
use crate::table::files::{
    ChangeLog, LogRecord, LogWriter, Patch, encode_add_column, encode_sequencer_meta, encode_wal_index,
};
use crate::wal::{ColumnSpec, ColumnType, LogVersion, MetaColumn, SegmentId, SequencerMeta, TxnKind};
use bytes::Bytes;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::Arc;

/// Spellings of columns that are remembered: clients have few.
const SPELLINGS_MAX: usize = 10_000;

/// A table with a log.
#[derive(Debug)]
pub(super) struct TableWriter {
    pub(super) token: Token,
    pub(super) meta: SequencerMeta,
    dir: Arc<str>,
    log: LogWriter,
    part_size: u32,
    changes: ChangeLog,
    /// The last WAL that anybody took.
    last_wal: u32,
    /// Ours, once there is one, and its next segment.
    wal: Option<(u32, u32)>,
    segment: Option<Segment>,
    /// Columns by their names in lower case.
    names: HashMap<String, usize, FixedState>,
    /// By names as they are sent.
    spellings: HashMap<Box<[u8]>, usize, FixedState>,
    /// Name and column of each field of the line before.
    hints: Vec<(Box<[u8]>, usize)>,
    pending: Vec<Pending>,
    times: Vec<i64>,
    /// Which line each column was last named by.
    named_by: Vec<u64>,
    line: u64,
    /// What the request changed so far.
    run: Transactions,
}

/// Where a table's log is.
pub(super) struct Place {
    pub(super) log: LogWriter,
    pub(super) version: LogVersion,
    pub(super) changes: ChangeLog,
    pub(super) last_wal: u32,
}

impl TableWriter {
    pub(super) fn new(token: Token, meta: SequencerMeta, place: Place) -> Self {
        let part_size = match place.version {
            LogVersion::V1 => 0,
            LogVersion::V2 { part_size } => part_size,
        };
        let mut writer = Self {
            dir: token.dir.as_str().into(),
            token,
            meta: SequencerMeta { columns: Vec::new(), ..meta },
            log: place.log,
            part_size,
            changes: place.changes,
            last_wal: place.last_wal,
            wal: None,
            segment: None,
            names: HashMap::default(),
            spellings: HashMap::default(),
            hints: Vec::new(),
            pending: Vec::new(),
            times: Vec::new(),
            named_by: Vec::new(),
            line: 0,
            run: Transactions::default(),
        };
        meta.columns.into_iter().for_each(|column| writer.enter(column));
        writer
    }

    fn enter(&mut self, column: MetaColumn) {
        let index = self.meta.columns.len();
        if !column.dropped {
            self.names.insert(column.name.to_lowercase(), index);
        }
        self.pending.push(Pending::new(column.ty));
        self.named_by.push(0);
        self.meta.columns.push(column);
    }

    /// The last transaction.
    pub(super) fn seq_txn(&self) -> u64 {
        self.log.max_txn()
    }

    pub(super) fn is_nanos(&self) -> bool {
        self.designated().is_some_and(|column| column.ty.is_nanos())
    }

    fn designated(&self) -> Option<&MetaColumn> {
        self.meta.columns.get(self.meta.timestamp?)
    }

    pub(super) fn column(&self, index: usize) -> Option<&MetaColumn> {
        self.meta.columns.get(index)
    }

    /// Begins a line; the row that it becomes.
    pub(super) fn begin_line(&mut self) -> u64 {
        self.line += 1;
        self.times.len() as u64
    }

    /// The column that field `at` of the line names, `Err` if there is none of that name.
    pub(super) fn find(&mut self, at: usize, name: &[u8]) -> Result<usize, ()> {
        if let Some((known, column)) = self.hints.get(at)
            && **known == *name
        {
            return Ok(*column);
        }
        let column = match self.spellings.get(name) {
            Some(column) => *column,
            None => {
                let text = std::str::from_utf8(name).map_err(drop)?;
                let column = *self.names.get(&text.to_lowercase()).ok_or(())?;
                if self.spellings.len() >= SPELLINGS_MAX {
                    self.spellings.clear();
                }
                self.spellings.insert(name.into(), column);
                column
            }
        };
        let known = self.hints.len();
        match self.hints.get_mut(at) {
            Some(hint) => *hint = (name.into(), column),
            None if known == at => self.hints.push((name.into(), column)),
            None => {}
        }
        Ok(column)
    }

    /// Notes that the line names a column; `false` if it did so before.
    pub(super) fn name(&mut self, column: usize) -> bool {
        let line = self.line;
        let place = self.named_by.get_mut(column);
        place.is_some_and(|last| std::mem::replace(last, line) != line)
    }

    pub(super) fn pending(&mut self, column: usize) -> Option<&mut Pending> {
        self.pending.get_mut(column)
    }

    /// Ends the line: the row is there.
    pub(super) fn end_line(&mut self, time: i64) {
        self.times.push(time);
    }

    /// Adds a column, which is a transaction of its own.
    pub(super) fn add_column(
        &mut self,
        name: &str,
        ty: ColumnType,
        options: &Options,
        now_us: i64,
        out: &mut Written,
    ) -> usize {
        let spec = ColumnSpec {
            name: name.to_owned(),
            ty,
            symbol_capacity: options.symbol_capacity,
            symbol_cache: options.symbol_cache,
            indexed: false,
            index_block_capacity: 256,
        };
        let raw = encode_add_column(&spec);
        let index = self.meta.columns.len();
        self.enter(MetaColumn { name: spec.name, ty, dropped: false });
        self.meta.structure_version += 1;
        if let Some(order) = &mut self.meta.read_order {
            order.push(i32::try_from(index).unwrap_or(i32::MAX));
        }
        let before = self.changes;
        let (changes, patches) = before.append(&raw);
        self.changes = changes;
        for patch in patches {
            let write = self.write(patch);
            if write.file.ends_with(".d") {
                self.run.files.push(write.clone());
            }
            out.writes.push(write);
        }
        // A reader wants both ends of the change.
        self.run.files.push(self.write(before.entries(&changes)));
        out.writes.push(self.write(Patch::new("txn_seq/_meta", 0, encode_sequencer_meta(&self.meta))));
        let record = LogRecord::structure(self.meta.structure_version, now_us, &raw);
        self.sequence(record, out);
        index
    }

    fn write(&self, patch: Patch) -> Write {
        Write {
            dir: self.dir.clone(),
            file: patch.file.into(),
            offset: patch.offset,
            bytes: patch.bytes.into(),
        }
    }

    fn sequence(&mut self, record: LogRecord, out: &mut Written) {
        let (log, patches) = self.log.append(&[record]);
        self.log = log;
        if self.run.records.is_empty() {
            self.run.first = log.max_txn();
        }
        self.run.records.push(Bytes::from(record.bytes(self.part_size > 0)));
        for patch in patches {
            out.writes.push(self.write(patch));
        }
    }

    /// Makes a transaction of the rows.
    pub(super) fn commit(&mut self, options: &Options, now_us: i64, out: &mut Written) {
        let times = std::mem::take(&mut self.times);
        if times.is_empty() {
            return;
        }
        let mut segment = self.open_segment(out);
        let rows = times.len() as u64;
        let designated = self.meta.timestamp;
        let take = |(index, (pending, column)): (usize, (&mut Pending, &MetaColumn))| -> Option<Filled> {
            (!column.dropped && Some(index) != designated).then(|| pending.take(rows))
        };
        let columns = self.pending.iter_mut().zip(&self.meta.columns).enumerate().map(take).collect();
        let mut laid = Laid::default();
        let segment_txn = segment.txn;
        segment.append(&times, columns, &self.meta, &mut laid);
        out.writes.append(&mut laid.writes);
        self.run.files.append(&mut laid.pieces);
        let SegmentId { wal, segment: number } = segment.id;
        let (min, max) = (times.iter().min().copied(), times.iter().max().copied());
        let record = LogRecord {
            structure_version: self.meta.structure_version,
            kind: TxnKind::Wal { wal, segment: number, segment_txn },
            commit_ts: now_us,
            extent: (
                min.unwrap_or_default(),
                max.unwrap_or_default(),
                i64::try_from(rows).unwrap_or(i64::MAX),
            ),
        };
        let full = segment.rows >= options.segment_rows
            || segment.bytes >= options.segment_bytes
            || segment.txn > i32::MAX as u32 - 2;
        self.segment = (!full).then_some(segment);
        self.sequence(record, out);
        out.commits.push(Commit { token: self.token.clone(), seq_txn: self.seq_txn(), rows });
    }

    fn open_segment(&mut self, out: &mut Written) -> Segment {
        if let Some(segment) = self.segment.take()
            && segment.layout == self.meta.columns.len()
        {
            return segment;
        }
        let (wal, segment) = match self.wal {
            Some(place) => place,
            None => {
                self.last_wal += 1;
                let index = Patch::new("txn_seq/_wal_index.d", 0, encode_wal_index(self.last_wal));
                out.writes.push(self.write(index));
                (self.last_wal, 0)
            }
        };
        self.wal = Some((wal, segment + 1));
        Segment::new(&self.dir, SegmentId { wal, segment }, &self.meta)
    }

    /// Lets go of the rows of a request that is refused.
    pub(super) fn roll_back(&mut self) {
        self.times.clear();
        self.pending.iter_mut().for_each(Pending::clear);
    }

    /// Hands over what the request changed.
    pub(super) fn hand_over(&mut self, out: &mut Written) {
        let run = std::mem::take(&mut self.run);
        if !run.records.is_empty() {
            let run = Transactions { part_size: self.part_size, ..run };
            out.changes.push(Change::Transactions { token: self.token.clone(), run });
        }
    }
}
