//! Writes a partition as a Parquet file.

mod bytes;
mod column;
mod file;
pub(super) mod fixed;
mod job;
mod levels;
mod plan;
mod run;
mod source;
mod statistics;

pub use file::PartitionWriter;
pub use job::{Encoded, Job};
pub use plan::{Field, Plan};
pub use run::{Run, runs_of};
pub use source::{PartRows, PartitionRows, RowSource, RunTasks, Task, encode, encode_with};

/// Why a partition can't be written as Parquet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A STRING or SYMBOL is not text, so no Parquet reader could take it. QuestDB refuses it, too.
    #[error("holds a value that is not text (a half of a UTF-16 pair)")]
    NotText,
    /// A value doesn't fit into a page.
    #[error("a page of {0} bytes is longer than Parquet's pages can be")]
    PageTooLong(usize),
    /// A key has no symbol.
    #[error("symbol key {key}, of a dictionary of {known}")]
    UnknownSymbol {
        /// The key.
        key: u32,
        /// Symbols that there are.
        known: usize,
    },
    /// Other rows than were announced.
    #[error("{found} rows where {expected} were expected")]
    Rows {
        /// As the plan has it.
        expected: usize,
        /// As they came.
        found: usize,
    },
    /// The codec or its level.
    #[error("{0}")]
    Codec(String),
    /// What is wrong with one column.
    #[error("column {column}: {error}")]
    Column {
        /// Its name.
        column: String,
        /// What is wrong.
        error: Box<EncodeError>,
    },
    /// The file's frame, or the sink.
    #[error("the Parquet file can't be written: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The rows can't be read.
    #[error(transparent)]
    Read(#[from] crate::wal::Error),
}
