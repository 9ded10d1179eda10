use super::cursor::{Cursor, Gather};
use super::{Error, Files, Result, SegmentId, TxnKind, TxnRecord};
#[cfg(feature = "ledger")]
use bytes::Bytes;
use std::ops::RangeInclusive;

/// Bytes before the first record of a V1 log.
const HEADER: u64 = 76;
/// The part of the header that means something; the rest is reserved.
const HEADER_USED: u64 = 24;
const V1_RECORD: u64 = 28;
const V2_RECORD: u64 = 60;

/// The two layouts of a sequencer log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVersion {
    /// One file with the header and all records of 28 bytes.
    V1,
    /// Records of 60 bytes in part files, the oldest of which QuestDB deletes.
    V2 {
        /// Transactions per part.
        part_size: u32,
    },
}

/// The sequencer log of a table (`txn_seq/_txnlog`): the order of everything that happens to it.
///
/// Only the header is held; records are read by range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencerLog {
    table_dir: Box<str>,
    /// The layout of its records.
    pub version: LogVersion,
    /// Number of committed transactions, which is the last `seqTxn`.
    pub max_txn: u64,
    /// When the table was created, microseconds UTC.
    pub created_us: i64,
}

impl SequencerLog {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Error::Absent`] for a table without WAL, [`Error::Unsupported`] for another version than
    /// V1 and V2, [`Error::Damaged`] for counts that can't be.
    pub fn open(files: &dyn Files, table_dir: &str) -> Result<Self> {
        let file = format!("{table_dir}/txn_seq/_txnlog");
        let bytes = files.read(&file, 0, HEADER_USED)?;
        let mut cursor = Cursor::new(&file, 0, &bytes);
        let version = cursor.i32("the log's format")?;
        if !(0..=1).contains(&version) {
            return Err(
                cursor.unsupported_back(4, format_args!("sequencer log format {version}; 0 and 1 are known"))
            );
        }
        let max_txn = cursor.u63("number of transactions")?;
        // Keeps every offset computed from a seqTxn inside i64.
        if max_txn > i64::MAX as u64 / V2_RECORD - HEADER {
            return Err(cursor.damaged_back(8, "a number of transactions that fits a file", max_txn));
        }
        let created_us = cursor.i64("creation time")?;
        let part_size = cursor.u31("transactions per part")?;
        let version = match (version, part_size) {
            (0, _) => LogVersion::V1,
            (_, 0) => return Err(cursor.damaged_back(4, "at least 1 transaction per part", 0)),
            (_, part_size) => LogVersion::V2 { part_size },
        };
        Ok(Self { table_dir: table_dir.into(), version, max_txn, created_us })
    }

    /// A log of which only a part is there, as a reader of that part needs it: see [`header`](Self::header).
    #[cfg(feature = "ledger")]
    pub(crate) fn laid_out(table_dir: &str, part_size: u32, max_txn: u64, created_us: i64) -> Self {
        let version = if part_size == 0 { LogVersion::V1 } else { LogVersion::V2 { part_size } };
        Self { table_dir: table_dir.into(), version, max_txn, created_us }
    }

    /// The log's main file, and the header in it.
    #[cfg(feature = "ledger")]
    pub(crate) fn header(&self) -> (String, Bytes) {
        let (format, part_size) = match self.version {
            LogVersion::V1 => (0i32, 0),
            LogVersion::V2 { part_size } => (1, part_size),
        };
        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend_from_slice(&format.to_le_bytes());
        header.extend_from_slice(&self.max_txn.to_le_bytes());
        header.extend_from_slice(&self.created_us.to_le_bytes());
        header.extend_from_slice(&part_size.to_le_bytes());
        header.resize(HEADER as usize, 0);
        (format!("{}/txn_seq/_txnlog", self.table_dir), header.into())
    }

    /// The table's directory.
    pub fn table_dir(&self) -> &str {
        &self.table_dir
    }

    /// The records of these transactions, which must be between 1 and `max_txn`; asked for beyond
    /// that, only what is inside is answered.
    ///
    /// # Errors
    /// [`Error::Absent`] names a part file of a V2 log that QuestDB has deleted: see
    /// [`first_record`](Self::first_record).
    pub fn records(&self, files: &dyn Files, txns: RangeInclusive<u64>) -> Result<Vec<TxnRecord>> {
        let first = (*txns.start()).max(1);
        let last = (*txns.end()).min(self.max_txn);
        if first > last {
            return Ok(Vec::new());
        }
        match self.version {
            LogVersion::V1 => {
                let file = format!("{}/txn_seq/_txnlog", self.table_dir);
                let offset = HEADER + (first - 1) * V1_RECORD;
                let bytes = files.read(&file, offset, (last - first + 1) * V1_RECORD)?;
                let mut out = Vec::with_capacity(bytes.len() / V1_RECORD as usize);
                decode_records(&file, offset, &bytes, first, false, &mut out)?;
                Ok(out)
            }
            LogVersion::V2 { part_size } => self.records_of_parts(files, u64::from(part_size), first, last),
        }
    }

    fn records_of_parts(
        &self,
        files: &dyn Files,
        size: u64,
        first: u64,
        last: u64,
    ) -> Result<Vec<TxnRecord>> {
        let mut pieces = Vec::new();
        let mut gather = Gather::default();
        for part in (first - 1) / size..=(last - 1) / size {
            let from = first.max(part * size + 1);
            let to = last.min((part + 1) * size);
            let file = self.part(part);
            let offset = (from - 1 - part * size) * V2_RECORD;
            if let Some(bytes) = gather.add(files.read(&file, offset, (to - from + 1) * V2_RECORD))? {
                pieces.push((file, offset, from, bytes));
            }
            if gather.is_full() {
                break;
            }
        }
        gather.done()?;
        let mut out = Vec::new();
        for (file, offset, from, bytes) in &pieces {
            decode_records(file, *offset, bytes, *from, true, &mut out)?;
        }
        Ok(out)
    }

    /// The first transaction whose record can still be read: 1, or in a V2 log the first of the
    /// oldest part that QuestDB has kept. `max_txn + 1` if no record is left.
    pub fn first_record(&self, files: &dyn Files) -> Result<u64> {
        let LogVersion::V2 { part_size } = self.version else { return Ok(1) };
        if self.max_txn == 0 {
            return Ok(1);
        }
        // Parts are deleted from the oldest on, so those that are left are a tail.
        let last = (self.max_txn - 1) / u64::from(part_size);
        if !self.has_part(files, last)? {
            return Ok(self.max_txn + 1);
        }
        let (mut absent, mut present) = (0, last);
        while absent < present {
            let middle = absent + (present - absent) / 2;
            if self.has_part(files, middle)? {
                present = middle;
            } else {
                absent = middle + 1;
            }
        }
        Ok(present * u64::from(part_size) + 1)
    }

    fn part(&self, part: u64) -> String {
        format!("{}/txn_seq/_txn_parts/{part}", self.table_dir)
    }

    fn has_part(&self, files: &dyn Files, part: u64) -> Result<bool> {
        match files.len(&self.part(part)) {
            Ok(_) => Ok(true),
            Err(Error::Absent { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// File, offset and length of a transaction's record.
    pub fn place(&self, seq_txn: u64) -> (String, u64, u64) {
        let index = seq_txn.saturating_sub(1);
        match self.version {
            LogVersion::V1 => {
                (format!("{}/txn_seq/_txnlog", self.table_dir), HEADER + index * V1_RECORD, V1_RECORD)
            }
            LogVersion::V2 { part_size } => {
                let size = u64::from(part_size.max(1));
                (self.part(index / size), index % size * V2_RECORD, V2_RECORD)
            }
        }
    }
}

fn decode_records(
    file: &str,
    offset: u64,
    bytes: &[u8],
    first: u64,
    v2: bool,
    out: &mut Vec<TxnRecord>,
) -> Result<()> {
    let mut cursor = Cursor::new(file, offset, bytes);
    let mut seq_txn = first;
    while cursor.remaining() > 0 {
        out.push(decode_record(&mut cursor, seq_txn, v2)?);
        seq_txn += 1;
    }
    Ok(())
}

fn decode_record(cursor: &mut Cursor<'_>, seq_txn: u64, v2: bool) -> Result<TxnRecord> {
    let structure_version = cursor.u63("structure version")? as i64;
    let wal = cursor.i32("WAL id")?;
    if wal == 0 || wal < -2 {
        return Err(cursor.damaged_back(4, "a WAL id of 1 or more, -1 (structure) or -2 (drop)", wal));
    }
    let segment = cursor.i32("segment id")?;
    let segment_txn = cursor.i32("segment transaction")?;
    if wal > 0 && (segment < 0 || segment_txn < 0) {
        return Err(cursor.damaged_back(
            8,
            "a segment and its transaction of 0 or more",
            format_args!("{segment} and {segment_txn}"),
        ));
    }
    let kind = match wal {
        -1 => TxnKind::Structure,
        -2 => TxnKind::Drop,
        _ => TxnKind::Wal { wal: wal as u32, segment: segment as u32, segment_txn: segment_txn as u32 },
    };
    if kind == TxnKind::Structure && structure_version == 0 {
        return Err(cursor.damaged_back(20, "a structure version of 1 or more after a change", 0));
    }
    let commit_ts = cursor.i64("commit time")?;
    let mut extent = None;
    if v2 {
        let min = cursor.i64("smallest timestamp")?;
        let max = cursor.i64("largest timestamp")?;
        let rows = cursor.i64("row count")?;
        cursor.take(8, "reserved bytes")?;
        if wal > 0 && rows > 0 && min <= max {
            extent = Some((min, max, rows as u64));
        }
    }
    Ok(TxnRecord { seq_txn, structure_version, kind, commit_ts, extent })
}

impl TxnRecord {
    /// The segment that holds the transaction's content and the transaction's number there.
    pub fn segment(&self) -> Option<(SegmentId, u32)> {
        match self.kind {
            TxnKind::Wal { wal, segment, segment_txn } => Some((SegmentId { wal, segment }, segment_txn)),
            TxnKind::Structure | TxnKind::Drop => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::MemoryFiles;

    fn header(version: i32, max_txn: i64, part_size: i32) -> Vec<u8> {
        let mut out = version.to_le_bytes().to_vec();
        out.extend(max_txn.to_le_bytes());
        out.extend(1_700_000_000_000_000i64.to_le_bytes());
        out.extend(part_size.to_le_bytes());
        out.resize(76, 0);
        out
    }

    fn record(version: i64, wal: i32, segment: i32, txn: i32, v2: bool) -> Vec<u8> {
        let mut out = version.to_le_bytes().to_vec();
        for n in [wal, segment, txn] {
            out.extend(n.to_le_bytes());
        }
        out.extend(55i64.to_le_bytes());
        if v2 {
            for n in [100i64, 200, 3, 0] {
                out.extend(n.to_le_bytes());
            }
        }
        out
    }

    #[test]
    fn reads_a_v1_log_by_range_and_ignores_what_follows() {
        let mut log = header(0, 3, 0);
        log.extend(record(0, 1, 0, 0, false));
        log.extend(record(1, -1, -1, -1, false));
        log.extend(record(1, -2, 0, 0, false));
        log.extend([0xee; 500]);
        let mut files = MemoryFiles::default();
        files.insert("t/txn_seq/_txnlog", log);
        let log = SequencerLog::open(&files, "t").unwrap();
        assert_eq!((log.max_txn, log.version), (3, LogVersion::V1));
        let all = log.records(&files, 1..=u64::MAX).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].segment(), Some((SegmentId { wal: 1, segment: 0 }, 0)));
        assert_eq!(all[1].kind, TxnKind::Structure);
        assert_eq!(all[2].kind, TxnKind::Drop);
        assert_eq!(log.records(&files, 2..=2).unwrap(), all[1..2]);
        assert_eq!(log.records(&files, 9..=12).unwrap(), []);
        assert_eq!(log.first_record(&files), Ok(1));
    }

    #[test]
    fn reads_v2_parts_and_finds_the_oldest_kept_one() {
        let mut files = MemoryFiles::default();
        files.insert("t/txn_seq/_txnlog", header(1, 8, 3));
        for part in 1..3u64 {
            let mut bytes: Vec<u8> = (0..3).flat_map(|i| record(0, 1, part as i32, i, true)).collect();
            bytes.truncate(180);
            files.insert(format!("t/txn_seq/_txn_parts/{part}"), bytes);
        }
        let log = SequencerLog::open(&files, "t").unwrap();
        assert_eq!(log.first_record(&files), Ok(4));
        let tail = log.records(&files, 4..=8).unwrap();
        assert_eq!(tail.iter().map(|r| r.seq_txn).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
        assert_eq!(tail[3].segment(), Some((SegmentId { wal: 1, segment: 2 }, 0)));
        assert_eq!(tail[0].extent, Some((100, 200, 3)));
        assert!(matches!(log.records(&files, 1..=8), Err(Error::Absent { .. })));
        assert_eq!(log.place(5), ("t/txn_seq/_txn_parts/1".to_owned(), 60, 60));
    }

    #[test]
    fn refuses_unknown_versions_and_impossible_records() {
        let mut files = MemoryFiles::default();
        files.insert("t/txn_seq/_txnlog", header(7, 0, 0));
        assert!(matches!(SequencerLog::open(&files, "t"), Err(Error::Unsupported { offset: 0, .. })));
        files.insert("t/txn_seq/_txnlog", header(0, -1, 0));
        assert!(matches!(SequencerLog::open(&files, "t"), Err(Error::Damaged { offset: 4, .. })));
        let mut log = header(0, 1, 0);
        log.extend(record(0, 0, 0, 0, false));
        files.insert("t/txn_seq/_txnlog", log);
        let log = SequencerLog::open(&files, "t").unwrap();
        assert!(matches!(log.records(&files, 1..=1), Err(Error::Damaged { offset: 84, .. })));
        files.insert("t/txn_seq/_txnlog", header(0, 5, 0));
        let log = SequencerLog::open(&files, "t").unwrap();
        assert!(matches!(log.records(&files, 1..=5), Err(Error::Short { .. })));
    }
}
