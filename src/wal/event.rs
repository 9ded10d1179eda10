use super::{ColumnType, SymbolDiff};
use bytes::Bytes;

/// One record of a table's sequencer log: the order of everything that happens to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxnRecord {
    /// 1-based and dense.
    pub seq_txn: u64,
    /// The version the transaction was written against; of a structural change, the new one.
    pub structure_version: i64,
    /// Where the content of the transaction is.
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
    Wal {
        /// Number of the writer's directory.
        wal: u32,
        /// Number of the segment in it.
        segment: u32,
        /// Number of the event in the segment, from 0.
        segment_txn: u32,
    },
    /// Entry `structure_version - 1` of the structural changes.
    Structure,
    /// The table was dropped.
    Drop,
}

/// A structural change (`_txnlog.meta.d`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// ADD COLUMN, one or several.
    AddColumns(Vec<ColumnSpec>),
    /// DROP COLUMN, by name.
    DropColumns(Vec<String>),
    /// Pairs of old and new name.
    RenameColumns(Vec<(String, String)>),
    /// RENAME TABLE.
    RenameTable {
        /// The name until then.
        from: String,
        /// The name from then on.
        to: String,
    },
    /// Writer indexes of the upsert keys, the designated timestamp included.
    DedupEnable(Vec<usize>),
    /// DEDUP DISABLE.
    DedupDisable,
    /// ALTER COLUMN TYPE: the column as it becomes.
    ChangeType(ColumnSpec),
}

/// A column as ADD COLUMN and ALTER COLUMN TYPE describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Name as written in the log.
    pub name: String,
    /// Type with its parameters.
    pub ty: ColumnType,
    /// Capacity asked for the dictionary of a SYMBOL.
    pub symbol_capacity: i32,
    /// Whether the server caches the dictionary of a SYMBOL.
    pub symbol_cache: bool,
    /// Whether a SYMBOL has a bitmap index.
    pub indexed: bool,
    /// Row ids per block of that index.
    pub index_block_capacity: i32,
}

/// A record of a segment's `_event` file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Rows.
    Data(DataEvent),
    /// TRUNCATE TABLE.
    Truncate,
    /// A statement.
    Sql(SqlEvent),
    /// The state of a materialized view changed.
    MatViewInvalidate {
        /// The base table's seqTxn that the view was refreshed to.
        base_txn: i64,
        /// When it was, microseconds UTC.
        refresh_ts: i64,
        /// Whether the view is invalid from then on.
        invalid: bool,
        /// Why.
        reason: Option<String>,
    },
    /// A view was created or changed.
    ViewDefinition {
        /// Its query.
        sql: String,
        /// Tables that the query reads, each with the columns that it names.
        dependencies: Vec<(String, Vec<String>)>,
    },
}

/// Rows `row_lo .. row_hi` of the segment (DATA and MAT_VIEW_DATA).
#[derive(Debug, Clone, PartialEq)]
pub struct DataEvent {
    /// First row of the transaction in its segment.
    pub row_lo: u64,
    /// The row after its last.
    pub row_hi: u64,
    /// In the table's timestamp unit; meaningless when there are no rows.
    pub min_ts: i64,
    /// Largest timestamp, in the same unit and under the same condition.
    pub max_ts: i64,
    /// Whether timestamps may decrease from row to row.
    pub out_of_order: bool,
    /// Symbols that the transaction brings, one entry per SYMBOL column.
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
    /// The statement, as the server logged it.
    pub sql: String,
    /// Seeds of the random functions of the statement.
    pub seeds: (i64, i64),
    /// Values of `$1`, `$2` ... in order.
    pub indexed: Vec<BindValue>,
    /// Values of `:name` variables.
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
