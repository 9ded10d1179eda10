use super::{ColumnType, SymbolDiff};
use bytes::Bytes;

/// One record of a table's sequencer log: the order of everything that happens to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxnRecord {
    /// 1-based and dense.
    pub seq_txn: u64,
    /// The version the transaction was written against; of a structural change, the new one.
    pub structure_version: i64,
    pub kind: TxnKind,
    /// Commit time of the sequencing server, microseconds UTC.
    pub commit_ts: i64,
    /// V2 logs only, data commits only: smallest and largest timestamp, number of rows.
    pub extent: Option<(i64, i64, u64)>,
}

/// Where a transaction's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxnKind {
    /// An event of segment `segment` of `wal{wal}`.
    Wal { wal: u32, segment: u32, segment_txn: u32 },
    /// Entry `structure_version - 1` of the structural changes.
    Structure,
    /// The table was dropped.
    Drop,
}

/// A structural change (`_txnlog.meta.d`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    AddColumns(Vec<ColumnSpec>),
    DropColumns(Vec<String>),
    /// Pairs of old and new name.
    RenameColumns(Vec<(String, String)>),
    RenameTable {
        from: String,
        to: String,
    },
    /// Writer indexes of the upsert keys, the designated timestamp included.
    DedupEnable(Vec<usize>),
    DedupDisable,
    ChangeType(ColumnSpec),
}

/// A column as ADD COLUMN and ALTER COLUMN TYPE describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    pub name: String,
    pub ty: ColumnType,
    pub symbol_capacity: i32,
    pub symbol_cache: bool,
    pub indexed: bool,
    pub index_block_capacity: i32,
}

/// A record of a segment's `_event` file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    Data(DataEvent),
    Truncate,
    Sql(SqlEvent),
    MatViewInvalidate { base_txn: i64, refresh_ts: i64, invalid: bool, reason: Option<String> },
    ViewDefinition { sql: String, dependencies: Vec<(String, Vec<String>)> },
}

/// Rows `row_lo .. row_hi` of the segment (DATA and MAT_VIEW_DATA).
#[derive(Debug, Clone, PartialEq)]
pub struct DataEvent {
    pub row_lo: u64,
    pub row_hi: u64,
    /// In the table's timestamp unit; meaningless when there are no rows.
    pub min_ts: i64,
    pub max_ts: i64,
    pub out_of_order: bool,
    pub symbols: Vec<SymbolDiff>,
    /// 0 follow the table, 1 none, 2 upsert-new, 3 replace range.
    pub dedup_mode: u8,
    /// `[lo, hi)` with mode 3.
    pub replace: Option<(i64, i64)>,
    /// Of a materialized view: base table seqTxn refreshed to, refresh wall clock in microseconds.
    pub mat_view: Option<(i64, i64)>,
}

/// A statement to execute at its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlEvent {
    /// 2 ALTER, 3 UPDATE.
    pub command: i32,
    pub sql: String,
    pub seeds: (i64, i64),
    pub indexed: Vec<BindValue>,
    pub named: Vec<(String, BindValue)>,
}

/// A bind value as the log holds it: the type of the variable and its column encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct BindValue {
    /// Type code; not every code here can be stored in a table.
    pub type_code: i32,
    /// The bytes of a fixed-size value; of STRING the UTF-16LE units, of VARCHAR UTF-8, of BINARY
    /// the bytes, of ARRAY `i32` dimension lengths then `f64` values. `None` is a null of those four.
    pub bytes: Option<Bytes>,
}
