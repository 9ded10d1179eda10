//! One table of the catalog: its sequencer's log as it came, laid out as a file again.

use super::extents::{Extents, Lies};
use crate::ledger::{Error, Key, Result, Run, Token};
use crate::wal::{LogVersion, Piece, PieceFiles, SequencerLog, TableKind};
use bytes::{Bytes, BytesMut};

/// Bytes of a record in the two layouts of the log. A short one with zeros behind it is a long one.
const V1_RECORD: usize = 28;
const V2_RECORD: usize = 60;
/// Where a record says which WAL it points at, and what stands there in a drop's.
const WAL_AT: std::ops::Range<usize> = 8..12;
const DROP: i32 = -2;
/// Where a record has its commit time.
const TIME_AT: std::ops::Range<usize> = 20..28;
/// Transactions in a part of a log that is laid out behind a copy.
const PART: u64 = 4096;
/// A WAL that no server makes: records that point at it count as purged.
const NO_WAL: i32 = i32::MAX;

/// A table and how far its log has come.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) token: Token,
    pub(super) dropped: bool,
    /// Why nothing more of it is taken until a base comes.
    pub(super) broken: Option<String>,
    /// The last transaction that came; `None` before anything did.
    pub(super) last: Option<u64>,
    /// The transaction up to which a copy stands in for the log; 0 where the log is whole.
    pub(super) base: u64,
    /// Transactions in a part of the log as it came.
    part_size: u32,
    created_us: i64,
    ends_dropped: bool,
}

impl Listed {
    pub(super) fn new(token: Token) -> Self {
        Self {
            token,
            dropped: false,
            broken: None,
            last: None,
            base: 0,
            part_size: 0,
            created_us: 0,
            ends_dropped: false,
        }
    }

    /// The table was made: `pieces` are the beginning of its log.
    pub(super) fn created(&mut self, pieces: &[Piece], files: &mut Extents) {
        let mut header = PieceFiles::default();
        pieces.iter().for_each(|piece| header.add(piece.clone()));
        if let Ok(log) = SequencerLog::open(&header, &self.token.dir) {
            self.created_us = log.created_us;
            self.part_size = match log.version {
                LogVersion::V1 => 0,
                LogVersion::V2 { part_size } => part_size,
            };
        }
        self.last = Some(0);
        self.lay_header(files);
    }

    /// From here on a copy stands in for all up to `seq_txn`.
    pub(super) fn begin_at(&mut self, seq_txn: u64, time_us: i64, files: &mut Extents) {
        (self.broken, self.dropped, self.ends_dropped) = (None, false, false);
        (self.last, self.base) = (Some(seq_txn), seq_txn);
        // A view has no log of rows.
        if self.token.kind != TableKind::View {
            self.lay_purged(time_us, files);
            self.lay_header(files);
        }
    }

    /// Whether a run adds anything; one that leaves some out breaks the table.
    pub(super) fn follows(&mut self, run: &Run) -> bool {
        let expected = self.last.map(|last| last.saturating_add(1));
        if self.broken.is_some() || expected.is_some_and(|expected| run.last_seq_txn() < expected) {
            return false;
        }
        if let Some(expected) = expected.filter(|expected| run.first_seq_txn > *expected) {
            let before = expected.saturating_sub(1);
            self.broken =
                Some(format!("transaction {} follows {before}: some are missing", run.first_seq_txn));
            return false;
        }
        true
    }

    /// Adds a run's records to the log.
    pub(super) fn add(&mut self, run: &Run, files: &mut Extents) {
        if self.last.is_none() {
            // A log of which the beginning never came.
            self.base = run.first_seq_txn.saturating_sub(1);
        }
        if self.base == 0 {
            self.part_size = run.part_size;
        }
        if self.base > 0 && self.last.is_none_or(|last| last == self.base) {
            let time_us = run.records.first().and_then(|record| record.get(TIME_AT)?.try_into().ok());
            self.lay_purged(time_us.map_or(0, i64::from_le_bytes), files);
        }
        self.last = Some(run.last_seq_txn());
        let first = run.first_seq_txn.max(self.base.saturating_add(1));
        let skipped = usize::try_from(first - run.first_seq_txn).unwrap_or(usize::MAX);
        self.ends_dropped = run.records.last().is_some_and(|record| wal_of(record) == Some(DROP));
        self.lay_records(first, run.records.get(skipped..).unwrap_or_default(), files);
        self.lay_header(files);
    }

    /// The server removes a dropped table's log sooner than anybody reads its last record: it is made up then.
    pub(super) fn end(&mut self, committed_us: i64, files: &mut Extents) {
        self.dropped = true;
        if self.ends_dropped || self.token.kind == TableKind::View {
            return;
        }
        let next = self.last.unwrap_or(self.base).saturating_add(1);
        let mut record = BytesMut::zeroed(V1_RECORD);
        set(&mut record, DROP, committed_us);
        (self.last, self.ends_dropped) = (Some(next), true);
        self.lay_records(next, &[record.freeze()], files);
        self.lay_header(files);
    }

    /// As it is laid out: behind a copy in parts, of which the server deletes those that it doesn't need.
    fn log(&self) -> SequencerLog {
        let part_size = if self.base == 0 { self.part_size } else { PART as u32 };
        SequencerLog::laid_out(&self.token.dir, part_size, self.last.unwrap_or(0), self.created_us)
    }

    fn lay_header(&self, files: &mut Extents) {
        let (path, header) = self.log().header();
        files.add(path, 0, header.len() as u64, Lies::Here(header));
    }

    /// The part in which the log goes on behind a copy begins with records of what the copy holds.
    fn lay_purged(&self, time_us: i64, files: &mut Extents) {
        let mut record = BytesMut::zeroed(V2_RECORD);
        set(&mut record, NO_WAL, time_us);
        let count = usize::try_from(self.base % PART).unwrap_or(0);
        self.lay_records(self.base / PART * PART + 1, &vec![record.freeze(); count], files);
    }

    fn lay_records(&self, first: u64, records: &[Bytes], files: &mut Extents) {
        let log = self.log();
        let len = if matches!(log.version, LogVersion::V1) { V1_RECORD } else { V2_RECORD };
        let mut run: Option<(String, u64, BytesMut)> = None;
        for (seq_txn, record) in (first..).zip(records) {
            let (path, offset, _) = log.place(seq_txn);
            let behind = run.as_ref().is_some_and(|(to, at, bytes)| {
                *to == path && at.saturating_add(bytes.len() as u64) == offset
            });
            if !behind {
                lay(files, run.take());
            }
            let (_, _, bytes) = run.get_or_insert_with(|| (path, offset, BytesMut::new()));
            let end = bytes.len() + len;
            bytes.extend_from_slice(record.get(..len.min(record.len())).unwrap_or_default());
            bytes.resize(end, 0);
        }
        lay(files, run);
    }
}

fn lay(files: &mut Extents, run: Option<(String, u64, BytesMut)>) {
    if let Some((path, offset, bytes)) = run {
        files.add(path, offset, bytes.len() as u64, Lies::Here(bytes.freeze()));
    }
}

fn set(record: &mut [u8], wal: i32, time_us: i64) {
    if let Some(at) = record.get_mut(WAL_AT) {
        at.copy_from_slice(&wal.to_le_bytes());
    }
    if let Some(at) = record.get_mut(TIME_AT) {
        at.copy_from_slice(&time_us.to_le_bytes());
    }
}

fn wal_of(record: &[u8]) -> Option<i32> {
    Some(i32::from_le_bytes(record.get(WAL_AT)?.try_into().ok()?))
}

/// Records must be as long as the layout has them, and a run must not be empty.
pub(super) fn check(key: Key, run: &Run) -> Result<()> {
    let len = if run.part_size == 0 { V1_RECORD } else { V2_RECORD };
    if let Some(wrong) = run.records.iter().find(|record| record.len() != len) {
        return Err(Error::damaged(key, 0, format_args!("records of {len} bytes"), wrong.len()));
    }
    if run.first_seq_txn == 0 || run.records.is_empty() {
        return Err(Error::damaged(key, 0, "transactions from 1 on", run.first_seq_txn));
    }
    Ok(())
}
