//! Lines become rows of tables: QuestDB's write-ahead log, written as QuestDB 9.3.4 writes it.
//!
//! [`Tables`] knows the tables of a directory as their writers have to know them: columns, the number of the next transaction,
//! the segment that is open. [`Tables::commit`] takes a request and answers the [`Write`]s to be done, in their order, and what
//! they commit. It does nothing itself: the driver writes them to a disk, the simulator to a map.
//!
//! A commit presumes nothing of a table's dictionaries: each names all symbols that it uses. So a directory that a replica kept
//! is taken up like any other, and goes on with a WAL of its own.

mod begin;
mod column;
mod convert;
mod create;
mod line;
mod names;
mod pack;
mod segment;
mod table;
mod tables;

pub use names::{is_column_name, is_table_name};
pub use tables::Tables;

use crate::ilp::LineError;
use crate::ledger::Token;
use crate::wal::{ColumnType, LogVersion, PartitionBy};
use bytes::Bytes;
use pack::Change;
use std::sync::Arc;

/// How tables and columns are made, and when a segment is full: QuestDB's settings and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `line.default.partition.by`
    pub partition_by: PartitionBy,
    /// `line.auto.create.new.tables`
    pub create_tables: bool,
    /// `line.auto.create.new.columns`
    pub create_columns: bool,
    /// `line.float.default.column.type`
    pub float: ColumnType,
    /// `line.integer.default.column.type`
    pub integer: ColumnType,
    /// What a new column of text is: VARCHAR, or STRING with `line.use.legacy.string.default`.
    pub string: ColumnType,
    /// `line.timestamp.default.column.type`, for tables whose first line has no timestamp.
    pub timestamp: ColumnType,
    /// `cairo.max.file.name.length`, in UTF-16 units
    pub max_name: usize,
    /// `cairo.default.symbol.capacity`
    pub symbol_capacity: i32,
    /// `cairo.default.symbol.cache.flag`
    pub symbol_cache: bool,
    /// `cairo.max.uncommitted.rows`
    pub max_uncommitted_rows: i32,
    /// `cairo.o3.max.lag`, in microseconds
    pub o3_max_lag: i64,
    /// `cairo.default.sequencer.part.txn.count`
    pub log: LogVersion,
    /// `cairo.wal.segment.rollover.row.count`
    pub segment_rows: u64,
    /// `cairo.wal.segment.rollover.size`, in bytes
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        let double = ColumnType::from_code(10).unwrap_or(ColumnType::LONG);
        Self {
            partition_by: PartitionBy::Day,
            create_tables: true,
            create_columns: true,
            float: double,
            integer: ColumnType::LONG,
            string: ColumnType::VARCHAR,
            timestamp: ColumnType::TIMESTAMP,
            max_name: 127,
            symbol_capacity: 256,
            symbol_cache: true,
            max_uncommitted_rows: 500_000,
            o3_max_lag: 600_000_000,
            log: LogVersion::V1,
            segment_rows: 200_000,
            segment_bytes: 50 << 20,
        }
    }
}

/// Bytes to be put into a file. A file or folder that is not there is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The table's directory; empty for files of the database itself.
    pub dir: Arc<str>,
    /// The file below that, with `/` between components.
    pub file: Arc<str>,
    /// Where the bytes go. The file may end before that: what lies between is zeros.
    pub offset: u64,
    /// What is written.
    pub bytes: Bytes,
}

impl Write {
    /// The file, from the database's root on.
    pub fn path(&self) -> String {
        if self.dir.is_empty() { self.file.to_string() } else { [&*self.dir, "/", &*self.file].concat() }
    }
}

/// Rows of a table that a request committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The table.
    pub token: Token,
    /// The transaction's place in the table's log, from 1.
    pub seq_txn: u64,
    /// Number of rows.
    pub rows: u64,
}

/// What a request changes.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// A transaction per table that got rows.
    pub commits: Vec<Commit>,
    /// What is to be written, in this order. Whatever of it is left out at the end, the directory is as it was after some
    /// transaction.
    pub writes: Vec<Write>,
    /// Per table, what goes into the cluster's log; [`entries`](Self::entries) makes it.
    changes: Vec<Change>,
}

/// A request that was refused. No row of it is there, but tables and columns that it made before are, as with the server.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    /// Why.
    pub error: LineError,
    /// What it changed all the same.
    pub made: Box<Written>,
}
