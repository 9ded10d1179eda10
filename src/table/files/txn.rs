//! A table's `_txn`: which rows are visible, in which folders.
//!
//! The file holds two records. Its version says which is current: even the one of area A, odd that of area
//! B. A commit writes the other record, then where it is, then the version: a reader sees the old state
//! or the new one.

use super::Patch;
use super::out::Out;
use crate::wal::{Applied, AppliedPartition, Cursor, Error, Result};

const FILE: &str = "_txn";
/// The two areas' descriptors, and the padding around them.
const HEADER: u64 = 64;
const AREA_A: u64 = 8;
const AREA_B: u64 = 32;
/// Bytes of a record before its symbol counts.
const RECORD_HEAD: u64 = 132;
const PARTITION: usize = 32;
const ROWS_MASK: u64 = (1 << 44) - 1;
/// The column structure's version of 0, where a plain 0 would mean "as the metadata's".
const NO_STRUCTURE: i32 = i32::MIN;

/// What a record of `_txn` says: the state of a table after a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnState {
    /// The table writer's own count of commits; the file's version once it is published.
    pub txn: i64,
    /// Last transaction of the log that is applied.
    pub seq_txn: u64,
    /// In the table's timestamp unit; `i64::MAX` when there are no rows.
    pub min_ts: i64,
    /// In the table's timestamp unit; `i64::MIN` when there are no rows.
    pub max_ts: i64,
    /// Versions of metadata (low half) and column structure (high half), as [`pack_structure_version`]
    /// makes it.
    pub structure_version: i64,
    /// Counts replacements of all rows (truncate).
    pub data_version: i64,
    /// Counts changes of the list of partitions.
    pub partition_table_version: i64,
    /// Version of `_cv`.
    pub column_version: i64,
    /// Counts truncates.
    pub truncate_version: i64,
    /// Number of symbols of each live SYMBOL column, in writer order.
    pub symbol_counts: Vec<u32>,
    /// By ascending timestamp; empty without rows.
    pub partitions: Vec<PartitionEntry>,
}

/// A partition in [`TxnState`]; a split part counts as a partition of its own.
pub type PartitionEntry = AppliedPartition;

impl TxnState {
    /// The state of a table without rows, as QuestDB creates it.
    pub fn empty(symbol_columns: usize) -> Self {
        Self {
            txn: 0,
            seq_txn: 0,
            min_ts: i64::MAX,
            max_ts: i64::MIN,
            structure_version: 0,
            data_version: 0,
            partition_table_version: 0,
            column_version: 0,
            truncate_version: 0,
            symbol_counts: vec![0; symbol_columns],
            partitions: Vec::new(),
        }
    }

    /// What was read of a `_txn`, without the rows of its lag, which are not visible.
    pub fn from_applied(applied: &Applied) -> Self {
        Self {
            txn: applied.txn,
            seq_txn: applied.seq_txn,
            min_ts: applied.min_ts,
            max_ts: applied.max_ts,
            structure_version: applied.structure_version,
            data_version: applied.data_version,
            partition_table_version: applied.partition_table_version,
            column_version: applied.column_version,
            truncate_version: applied.truncate_version,
            symbol_counts: applied.symbol_counts.clone(),
            partitions: applied.partitions.clone(),
        }
    }

    /// What a reader of this state sees.
    pub fn to_applied(&self) -> Applied {
        Applied {
            txn: self.txn,
            seq_txn: self.seq_txn,
            lag_txns: 0,
            lag_rows: 0,
            min_ts: self.min_ts,
            max_ts: self.max_ts,
            metadata_version: self.structure_version as i32,
            structure_version: self.structure_version,
            data_version: self.data_version,
            partition_table_version: self.partition_table_version,
            column_version: self.column_version,
            truncate_version: self.truncate_version,
            symbol_counts: self.symbol_counts.clone(),
            partitions: self.partitions.clone(),
            rows: self.rows(),
        }
    }

    /// Visible rows.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().fold(0, |rows, partition| rows.saturating_add(partition.rows))
    }

    /// The record, with nothing in the lag and the lag's checksum right.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::with_capacity(self.record_len() as usize);
        let last = self.partitions.last().map_or(0, |partition| partition.rows);
        out.i64(self.txn);
        out.u63(last);
        out.u63(self.rows().saturating_sub(last));
        out.i64(self.min_ts);
        out.i64(self.max_ts);
        out.i64(self.structure_version);
        out.i64(self.data_version);
        out.i64(self.partition_table_version);
        out.i64(self.column_version);
        out.i64(self.truncate_version);
        out.u63(self.seq_txn);
        out.i32(lag_checksum(self.txn, self.seq_txn));
        out.i32(0);
        out.i32(0);
        out.i64(i64::MAX);
        out.i64(i64::MIN);
        out.pad_to(128);
        out.count32(self.symbol_counts.len());
        for count in &self.symbol_counts {
            // Committed, and as the writer sees it.
            out.count32(*count as usize);
            out.count32(*count as usize);
        }
        out.count32(self.partitions.len() * PARTITION);
        for partition in &self.partitions {
            encode_partition(&mut out, partition);
        }
        out.0
    }

    fn symbols_len(&self) -> u64 {
        self.symbol_counts.len() as u64 * 8
    }

    fn partitions_len(&self) -> u64 {
        (self.partitions.len() * PARTITION) as u64
    }

    fn record_len(&self) -> u64 {
        RECORD_HEAD + self.symbols_len() + 4 + self.partitions_len()
    }
}

fn encode_partition(out: &mut Out, partition: &PartitionEntry) {
    let flag = |set: bool, bit: u32| u64::from(set) << bit;
    let masked = partition.rows & ROWS_MASK
        | u64::from(partition.squash_count) << 44
        | flag(partition.parquet, 61)
        | flag(partition.read_only, 62);
    out.i64(partition.ts);
    out.i64(masked as i64);
    out.i64(partition.name_txn);
    out.i64(partition.parquet_len);
}

/// The checksum of an empty lag.
fn lag_checksum(txn: i64, seq_txn: u64) -> i32 {
    // Smallest and largest timestamp, then rows and transactions, of which there are none.
    let parts = [i64::MIN, txn, seq_txn as i64, 0, 0];
    let hash = parts.into_iter().fold(i64::MAX, |hash, part| hash.wrapping_mul(31).wrapping_add(part));
    (hash ^ (hash as u64 >> 32) as i64) as i32
}

/// The column structure's version, which the sequencer counts, in a packed structure version.
pub fn column_structure_version(packed: i64) -> i64 {
    match (packed >> 32) as i32 {
        0 => i64::from(packed as i32),
        NO_STRUCTURE => 0,
        version => i64::from(version),
    }
}

/// A packed structure version of both counts, in the shortest form that QuestDB uses for it: the high
/// half says nothing where both are equal.
///
/// ```
/// use understudy::table::files::{column_structure_version, pack_structure_version};
/// assert_eq!(pack_structure_version(3, 3), 3);
/// assert_eq!(column_structure_version(pack_structure_version(5, 0)), 0);
/// assert_eq!(column_structure_version(pack_structure_version(5, 2)), 2);
/// ```
pub fn pack_structure_version(metadata: i32, column_structure: i32) -> i64 {
    let high = match column_structure {
        same if same == metadata => 0,
        0 => NO_STRUCTURE,
        version => version,
    };
    i64::from(high) << 32 | i64::from(metadata as u32)
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    offset: u64,
    symbols: u64,
    partitions: u64,
}

impl Area {
    fn end(self) -> u64 {
        self.offset + RECORD_HEAD + self.symbols + 4 + self.partitions
    }
}

/// The header of a `_txn` file: its version, and where its two records are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnFile {
    version: i64,
    areas: [Area; 2],
}

impl TxnFile {
    /// Decodes the first 64 bytes of `file`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there are fewer, or if the current record can't be where it is said to be.
    pub fn decode(file: &str, head: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file, 0, head);
        let version = cursor.i64("version")?;
        if version < 0 {
            return Err(cursor.damaged_back(8, "a version of 0 or more", version));
        }
        let a = decode_area(&mut cursor)?;
        cursor.take(12, "padding")?;
        let b = decode_area(&mut cursor)?;
        let out = Self { version, areas: [a, b] };
        if out.current().offset < HEADER {
            let expected = format_args!("a record at {HEADER} or later");
            return Err(Error::damaged(file, descriptor(version), expected, out.current().offset));
        }
        Ok(out)
    }

    /// A whole new file of one record, whose txn is its version.
    pub fn first(state: &TxnState) -> (Self, Vec<u8>) {
        let area = Area { offset: HEADER, symbols: state.symbols_len(), partitions: state.partitions_len() };
        let unused = Area { offset: 0, symbols: 0, partitions: 0 };
        let areas = if state.txn & 1 == 0 { [area, unused] } else { [unused, area] };
        let mut out = Out::default();
        out.i64(state.txn);
        out.pad_to(descriptor(state.txn) as usize);
        out.0.extend(encode_area(area));
        out.pad_to(HEADER as usize);
        out.0.extend(state.encode());
        (Self { version: state.txn, areas }, out.0)
    }

    /// The version, which is the current record's txn.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Where the current record begins, and how long it is, in bytes.
    pub fn record(&self) -> (u64, u64) {
        let area = self.current();
        (area.offset, area.end() - area.offset)
    }

    /// The writes that publish the next state: the record, where it is, and the version. They must reach
    /// the file in this order, and none touches what the current record occupies.
    ///
    /// `state.txn` is taken to be [`version`](Self::version)` + 1`: readers take no other record.
    pub fn next(&self, state: &TxnState) -> (Self, [Patch; 3]) {
        let version = self.version.wrapping_add(1);
        let current = self.current();
        let mut area =
            Area { offset: HEADER, symbols: state.symbols_len(), partitions: state.partitions_len() };
        if area.end() > current.offset {
            area.offset = current.end();
        }
        let mut next = self.clone();
        next.version = version;
        next.areas[(version & 1) as usize] = area;
        let state = if state.txn == version { state } else { &TxnState { txn: version, ..state.clone() } };
        let patches = [
            Patch::new(FILE, area.offset, state.encode()),
            Patch::new(FILE, descriptor(version), encode_area(area)),
            Patch::new(FILE, 0, version.to_le_bytes().to_vec()),
        ];
        (next, patches)
    }

    fn current(&self) -> Area {
        let [a, b] = self.areas;
        if self.version & 1 == 0 { a } else { b }
    }
}

/// Where the area's descriptor is that a version selects.
fn descriptor(version: i64) -> u64 {
    if version & 1 == 0 { AREA_A } else { AREA_B }
}

fn decode_area(cursor: &mut Cursor<'_>) -> Result<Area> {
    Ok(Area {
        offset: u64::from(cursor.u31("offset of a record")?),
        symbols: u64::from(cursor.u31("size of the symbol counts")?),
        partitions: u64::from(cursor.u31("size of the partitions")?),
    })
}

fn encode_area(area: Area) -> Vec<u8> {
    let mut out = Out::with_capacity(12);
    for number in [area.offset, area.symbols, area.partitions] {
        out.count32(number as usize);
    }
    out.0
}
