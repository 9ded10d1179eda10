//! A table's `txn_seq`: the log that QuestDB's writers append to after they take over.

use super::Patch;
use super::out::{Out, java_hash};
use crate::wal::{
    ColumnSpec, Cursor, Files, LogVersion, Result, SegmentId, SequencerLog, SequencerMeta, TxnKind, TxnRecord,
};
use bytes::Bytes;

const LOG: &str = "txn_seq/_txnlog";
const CHANGES: &str = "txn_seq/_txnlog.meta.d";
const CHANGES_INDEX: &str = "txn_seq/_txnlog.meta.i";
/// ALTER's number of ADD COLUMN.
const ADD_COLUMN: i16 = 1;
const HEADER: u64 = 76;
/// Where the number of transactions is: what makes records visible.
const MAX_TXN: u64 = 4;
const V1_RECORD: u64 = 28;
const V2_RECORD: u64 = 60;

/// The whole content of `txn_seq/_meta`, with its checksum and the order of `SELECT *` (that of the
/// columns where `read_order` is `None`).
pub fn encode_sequencer_meta(meta: &SequencerMeta) -> Vec<u8> {
    let mut out = encode_columns(meta);
    let mut checksum = meta.columns.len() as i64;
    for column in &meta.columns {
        let code = column.ty.code();
        for part in [if column.dropped { -code } else { code }, java_hash(&column.name)] {
            checksum = checksum.wrapping_mul(31).wrapping_add(i64::from(part));
        }
    }
    out.i64(checksum);
    out.count32(meta.columns.len());
    for index in 0..meta.columns.len() {
        let position = meta.read_order.as_ref().and_then(|order| order.get(index)).copied();
        out.i32(position.unwrap_or(index as i32));
    }
    out.put_i32(0, out.len() as i32);
    out.0
}

/// The whole content of a segment's `_meta`.
pub fn encode_segment_meta(meta: &SequencerMeta) -> Vec<u8> {
    encode_columns(meta).0
}

fn encode_columns(meta: &SequencerMeta) -> Out {
    let mut out = Out::default();
    out.i32(0);
    out.i32(0);
    out.i64(meta.structure_version);
    out.count32(meta.columns.len());
    out.i32(meta.timestamp.map_or(-1, |index| i32::try_from(index).unwrap_or(-1)));
    out.i32(meta.table_id);
    out.byte(0);
    for column in &meta.columns {
        let code = column.ty.code();
        out.i32(if column.dropped { -code } else { code });
        out.text(&column.name);
    }
    out.put_i32(0, out.len() as i32);
    out
}

/// A record to append to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord {
    /// The version the transaction was written against; of a structural change, the new one.
    pub structure_version: i64,
    /// Where the transaction's content is.
    pub kind: TxnKind,
    /// Microseconds UTC.
    pub commit_ts: i64,
    /// The three numbers that only V2 logs hold: smallest and largest timestamp and rows of a commit; of a
    /// structural change the ALTER's command and zeros.
    pub extent: (i64, i64, i64),
}

impl LogRecord {
    /// A transaction that points at an event without rows.
    pub fn empty(structure_version: i64, segment: SegmentId, segment_txn: u32, commit_ts: i64) -> Self {
        let kind = TxnKind::Wal { wal: segment.wal, segment: segment.segment, segment_txn };
        Self { structure_version, kind, commit_ts, extent: (i64::MAX, -1, 0) }
    }

    /// A structural change, `structure_version` being the one that it leads to and `raw` its entry in the
    /// changes ([`raw_change`]).
    pub fn structure(structure_version: i64, commit_ts: i64, raw: &[u8]) -> Self {
        let mut cursor = Cursor::new(CHANGES, 0, raw);
        let command = cursor.i32("length").and_then(|_| cursor.i16("command")).unwrap_or_default();
        let extent = (i64::from(command), 0, 0);
        Self { structure_version, kind: TxnKind::Structure, commit_ts, extent }
    }

    /// A record as another log has it; of a V1 log, the numbers of V2 are not known.
    pub fn copy_of(record: &TxnRecord) -> Self {
        let rows = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let extent = match (record.kind, record.extent) {
            (_, Some((min, max, count))) => (min, max, rows(count)),
            (TxnKind::Wal { .. }, None) => (i64::MAX, -1, 0),
            _ => (0, 0, 0),
        };
        Self {
            structure_version: record.structure_version,
            kind: record.kind,
            commit_ts: record.commit_ts,
            extent,
        }
    }

    /// The record as it stands in a log, of the kind with three numbers more if `v2`.
    pub fn bytes(&self, v2: bool) -> Vec<u8> {
        let mut out = Out::with_capacity(V2_RECORD as usize);
        self.encode(v2, &mut out);
        out.0
    }

    fn encode(&self, v2: bool, out: &mut Out) {
        out.i64(self.structure_version);
        let place = match self.kind {
            TxnKind::Structure => [-1, -1, -1],
            TxnKind::Drop => [-2, 0, 0],
            TxnKind::Wal { wal, segment, segment_txn } => [wal, segment, segment_txn].map(|n| n as i32),
        };
        place.into_iter().for_each(|number| out.i32(number));
        out.i64(self.commit_ts);
        if v2 {
            let (min, max, rows) = self.extent;
            [min, max, rows, 0].into_iter().for_each(|number| out.i64(number));
        }
    }
}

/// Appends to a table's `_txnlog`: knows its layout and how many transactions it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogWriter {
    version: LogVersion,
    max_txn: u64,
}

impl LogWriter {
    /// A new log without a transaction, and the file's content.
    ///
    /// ```
    /// use understudy::table::files::LogWriter;
    /// use understudy::wal::LogVersion;
    /// let (log, header) = LogWriter::create(LogVersion::V1, 1_700_000_000_000_000);
    /// assert_eq!((log.max_txn(), header.bytes.len()), (0, 76));
    /// ```
    pub fn create(version: LogVersion, created_us: i64) -> (Self, Patch) {
        let mut out = Out::with_capacity(HEADER as usize);
        let (format, part_size) = match version {
            LogVersion::V1 => (0, 0),
            LogVersion::V2 { part_size } => (1, part_size as usize),
        };
        out.i32(format);
        out.i64(0);
        out.i64(created_us);
        out.count32(part_size);
        out.pad_to(HEADER as usize);
        (Self { version, max_txn: 0 }, Patch::new(LOG, 0, out.0))
    }

    /// Goes on with a log that is there.
    pub fn of(log: &SequencerLog) -> Self {
        Self { version: log.version, max_txn: log.max_txn }
    }

    /// The same layout, to go on behind transaction `max_txn`, whose own record and those before it are
    /// there, or in a V2 log in parts that are not kept.
    pub fn at(self, max_txn: u64) -> Self {
        Self { max_txn, ..self }
    }

    /// Number of transactions.
    pub fn max_txn(&self) -> u64 {
        self.max_txn
    }

    /// The writes that append records: the records of each file, then the number of transactions that
    /// makes them count. In this order. None for no records.
    pub fn append(self, records: &[LogRecord]) -> (Self, Vec<Patch>) {
        let mut patches = Vec::new();
        let next = self.at(self.max_txn.saturating_add(records.len() as u64));
        if records.is_empty() {
            return (self, patches);
        }
        match self.version {
            LogVersion::V1 => {
                let mut out = Out::with_capacity(records.len() * V1_RECORD as usize);
                records.iter().for_each(|record| record.encode(false, &mut out));
                patches.push(Patch::new(LOG, HEADER.saturating_add(self.max_txn * V1_RECORD), out.0));
            }
            LogVersion::V2 { part_size } => {
                self.append_parts(u64::from(part_size.max(1)), records, &mut patches)
            }
        }
        patches.push(next.publish());
        (next, patches)
    }

    /// The writes that put `record` in the place of the last one. None for a log without records.
    pub fn replace_last(self, record: LogRecord) -> Vec<Patch> {
        let Some(before) = self.max_txn.checked_sub(1) else { return Vec::new() };
        let (_, mut patches) = self.at(before).append(&[record]);
        // It counts already.
        patches.pop();
        patches
    }

    fn append_parts(self, size: u64, mut records: &[LogRecord], patches: &mut Vec<Patch>) {
        let mut txn = self.max_txn;
        while !records.is_empty() {
            let (part, within) = (txn / size, txn % size);
            let file = format!("txn_seq/_txn_parts/{part}");
            if within == 0 {
                // A part is as long as it will ever be from the beginning: it is mapped whole.
                patches.push(Patch::new(&*file, size * V2_RECORD - 8, vec![0; 8]));
            }
            let count = usize::try_from(size - within).unwrap_or(usize::MAX).min(records.len());
            let (here, rest) = records.split_at(count);
            let mut out = Out::with_capacity(here.len() * V2_RECORD as usize);
            here.iter().for_each(|record| record.encode(true, &mut out));
            patches.push(Patch::new(file, within * V2_RECORD, out.0));
            txn = txn.saturating_add(count as u64);
            records = rest;
        }
    }

    /// The write that makes the log end at [`max_txn`](Self::max_txn).
    pub fn publish(&self) -> Patch {
        let max_txn = i64::try_from(self.max_txn).unwrap_or(i64::MAX);
        Patch::new(LOG, MAX_TXN, max_txn.to_le_bytes().to_vec())
    }
}

/// A structural change's bytes in the log of `table_dir`, its length included: the change that led to
/// `structure_version`.
///
/// # Errors
/// As [`read_change`](crate::wal::read_change), without a look into the change.
pub fn raw_change(files: &dyn Files, table_dir: &str, structure_version: i64) -> Result<Bytes> {
    crate::wal::read_raw_change(files, table_dir, structure_version)
}

/// The bytes of ADD COLUMN in the log of structural changes, as a writer of rows logs it.
pub fn encode_add_column(column: &ColumnSpec) -> Vec<u8> {
    let mut out = Out::default();
    out.i32(0);
    out.i16(ADD_COLUMN);
    // No place in a statement.
    out.i32(0);
    let flag = |set: bool, yes: i64, no: i64| if set { yes } else { no };
    let longs = [
        i64::from(column.ty.code()),
        i64::from(column.symbol_capacity),
        flag(column.symbol_cache, 1, -1),
        flag(column.indexed, 1, 0),
        i64::from(column.index_block_capacity),
        0,
    ];
    out.count32(longs.len());
    longs.into_iter().for_each(|long| out.i64(long));
    out.i32(1);
    out.text(&column.name);
    out.put_i32(0, out.len() as i32 - 4);
    out.0
}

/// Appends to a table's structural changes, `_txnlog.meta.i` and `_txnlog.meta.d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeLog {
    version: u64,
    end: u64,
}

impl ChangeLog {
    /// New files for a table at a structure version, the changes before it not kept.
    pub fn create(structure_version: u64) -> (Self, [Patch; 2]) {
        let entries = structure_version.saturating_add(1).min(1 << 24) as usize;
        let index = Patch::new(CHANGES_INDEX, 0, vec![0; entries * 8]);
        (Self { version: structure_version, end: 0 }, [Patch::new(CHANGES, 0, Vec::new()), index])
    }

    /// Goes on with files that are there, behind the change that led to `structure_version`.
    ///
    /// # Errors
    /// If the index does not reach that far.
    pub fn open(files: &dyn Files, table_dir: &str, structure_version: u64) -> Result<Self> {
        let file = format!("{table_dir}/{CHANGES_INDEX}");
        let offset = structure_version.saturating_mul(8);
        let bytes = files.read(&file, offset, 8)?;
        let end = Cursor::new(&file, offset, &bytes).u63("end of the changes")?;
        Ok(Self { version: structure_version, end })
    }

    /// The structure version that the last change led to.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The entries of the index from here to `next`, with which a reader finds the changes between.
    pub fn entries(&self, next: &Self) -> Patch {
        let mut ends = Out::default();
        ends.u63(self.end);
        ends.u63(next.end);
        Patch::new(CHANGES_INDEX, self.version.saturating_mul(8), ends.0)
    }

    /// The writes that append a change ([`raw_change`]): its bytes, then its end in the index.
    pub fn append(self, raw: &[u8]) -> (Self, [Patch; 2]) {
        let next =
            Self { version: self.version.saturating_add(1), end: self.end.saturating_add(raw.len() as u64) };
        let mut end = Out::default();
        end.u63(next.end);
        let place = next.version.saturating_mul(8);
        (next, [Patch::new(CHANGES, self.end, raw.to_vec()), Patch::new(CHANGES_INDEX, place, end.0)])
    }
}
