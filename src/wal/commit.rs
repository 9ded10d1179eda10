use super::{ColumnType, SymbolText};
use bytes::Bytes;

/// The new symbols of one column in one commit.
///
/// In the commit's rows a key below `clean` is a key of the table's dictionary; a key `clean + k`
/// is entry `k` of `entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolDiff {
    /// Writer index.
    pub column: usize,
    /// Whether the column holds nulls from here on.
    pub has_null: bool,
    /// Number of keys of the table's dictionary that the writer knew.
    pub clean: u32,
    /// The new symbols, in order of key.
    pub entries: Vec<SymbolText>,
}

/// The rows of one data transaction, read and validated: what `apply` takes.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its place in the table's sequencer log, from 1.
    pub seq_txn: u64,
    /// Microseconds UTC.
    pub commit_ts: i64,
    /// Number of rows.
    pub rows: usize,
    /// Smallest timestamp in the table's unit; meaningless without rows.
    pub min_ts: i64,
    /// Largest timestamp, likewise.
    pub max_ts: i64,
    /// False promises that timestamps do not decrease (checked by the reader).
    pub out_of_order: bool,
    /// `[lo, hi)` of a replace-range commit (dedup mode 3).
    pub replace: Option<(i64, i64)>,
    /// Base seqTxn and refresh time of a materialized view's commit.
    pub mat_view: Option<(i64, i64)>,
    /// New symbols, one entry per SYMBOL column.
    pub symbols: Vec<SymbolDiff>,
    /// By writer index; `None` for a column that is dropped or that the segment does not have.
    pub columns: Vec<Option<WalColumn>>,
}

/// One column's values in a commit, in QuestDB's segment encoding, validated.
#[derive(Debug, Clone)]
pub enum WalColumn {
    /// The designated timestamp: per row `i64 timestamp, i64 row id`.
    Designated(Bytes),
    /// `rows * size` bytes.
    Fixed {
        /// The column's type.
        ty: ColumnType,
        /// The values, one after the other.
        values: Bytes,
    },
    /// STRING, BINARY: `aux` has rows + 1 offsets of 8 bytes; VARCHAR, ARRAY: rows entries of 16 bytes.
    /// Offsets count from `base`: byte `offset - base` of `data`.
    Var {
        /// The column's type.
        ty: ColumnType,
        /// Where each row's value is.
        aux: Bytes,
        /// The values.
        data: Bytes,
        /// Offset of the first byte of `data` in the segment's file.
        base: u64,
    },
}

impl Commit {
    /// Bytes of its values, as the segment holds them.
    pub fn bytes(&self) -> usize {
        let size = |column: &WalColumn| match column {
            WalColumn::Designated(values) | WalColumn::Fixed { values, .. } => values.len(),
            WalColumn::Var { aux, data, .. } => aux.len() + data.len(),
        };
        self.columns.iter().flatten().map(size).sum()
    }
}
