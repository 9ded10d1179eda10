//! Partitions that are not in QuestDB's column files.

use crate::table::Chunk;
use crate::wal::{ColumnType, Files, Result};
use std::fmt;

/// Reads partitions in Parquet form: what a driver passes in that can.
pub trait PartitionForm: fmt::Debug + Send + Sync {
    /// The values of these columns, in the same order, each in chunks that end at `cuts`; `None` for a column that the
    /// file doesn't have and that may be absent.
    ///
    /// Asks for the bytes of all columns before it answers [`Error::Pending`](crate::wal::Error::Pending).
    ///
    /// # Errors
    /// What the files answer, and [`Error::Damaged`](crate::wal::Error::Damaged) if the file has other rows than
    /// announced, or other columns.
    fn read(
        &self,
        files: &dyn Files,
        file: &PartFile<'_>,
        columns: &[WantedColumn],
        cuts: &[usize],
    ) -> Result<Vec<Option<Vec<Chunk>>>>;

    /// Whether the file has so many rows and these columns, going by what it says of itself.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn check(&self, files: &dyn Files, file: &PartFile<'_>, columns: &[WantedColumn]) -> Result<()>;
}

/// The file of a partition, and what `_txn` says of it.
#[derive(Debug, Clone, Copy)]
pub struct PartFile<'a> {
    /// Its path.
    pub path: &'a str,
    /// Bytes.
    pub len: u64,
    /// Rows.
    pub rows: u64,
}

/// A column that is to be read.
#[derive(Debug, Clone, Copy)]
pub struct WantedColumn {
    /// Writer index.
    pub index: usize,
    /// Place in `SELECT *`.
    pub place: usize,
    /// Type.
    pub ty: ColumnType,
    /// Keys of a SYMBOL are below this.
    pub symbols: u32,
    /// The partition is older than the column, so the file need not have it.
    pub may_be_absent: bool,
}
