//! Partitions to Parquet files and back.

use crate::columnar::parquet::{Field, Options, PartitionRows, Plan, encode};
use crate::table::{Digest, Partition, Table};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Files that are kept in case they are needed again, bytes.
const KEPT_MAX: usize = 64 << 20;

/// A partition's Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// All of it.
    pub bytes: Bytes,
    /// Of the rows in it.
    pub digest: Digest,
    /// Number of rows.
    pub rows: usize,
}

/// What was converted so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversions {
    /// Files.
    pub files: usize,
    /// Rows in them.
    pub rows: usize,
    /// Bytes of the native partitions.
    pub native_bytes: usize,
    /// Bytes of the files.
    pub file_bytes: usize,
    /// Milliseconds that it took.
    pub ms: f64,
}

/// Makes files, and keeps them: the same rows are converted once, whoever asks.
#[derive(Debug)]
pub(super) struct Converter {
    clock: fn() -> f64,
    kept: BTreeMap<(i64, u128), File>,
    order: VecDeque<(i64, u128)>,
    bytes: usize,
    pub(super) done: Conversions,
}

impl Converter {
    pub(super) fn new(clock: fn() -> f64) -> Self {
        Self { clock, kept: BTreeMap::new(), order: VecDeque::new(), bytes: 0, done: Conversions::default() }
    }

    /// The file of these rows; why there is none is said in words.
    pub(super) fn file(&mut self, table: &Table, partition: &Partition) -> std::result::Result<File, String> {
        if partition.let_go {
            return Err("the rows were let go for want of memory".to_owned());
        }
        let digest = table.partition_digest(partition);
        let key = (partition.floor, digest.0);
        if let Some(file) = self.kept.get(&key) {
            return Ok(file.clone());
        }
        let begun = (self.clock)();
        let bytes =
            encode_partition(table, partition, Options::default()).map_err(|error| error.to_string())?;
        self.done.ms += (self.clock)() - begun;
        self.done.files += 1;
        self.done.rows += partition.rows;
        self.done.native_bytes += partition.memory();
        self.done.file_bytes += bytes.len();
        let file = File { bytes: bytes.into(), digest, rows: partition.rows };
        self.keep(key, &file);
        Ok(file)
    }

    fn keep(&mut self, key: (i64, u128), file: &File) {
        self.bytes += file.bytes.len();
        self.kept.insert(key, file.clone());
        self.order.push_back(key);
        while self.bytes > KEPT_MAX {
            let Some(old) = self.order.pop_front() else { return };
            self.bytes -= self.kept.remove(&old).map_or(0, |file| file.bytes.len());
        }
    }
}

/// A partition as a Parquet file, as QuestDB has it in place of the column files.
///
/// # Errors
/// See [`EncodeError`](crate::columnar::parquet::EncodeError).
pub fn encode_partition(
    table: &Table,
    partition: &Partition,
    options: Options,
) -> std::result::Result<Vec<u8>, crate::columnar::parquet::EncodeError> {
    let plan = Plan::new(&table.name, Field::of_table(&table.schema), partition.rows, options)?;
    let mut bytes = Vec::new();
    encode(&plan, &PartitionRows { partition, symbols: &table.symbols }, &mut bytes)?;
    Ok(bytes)
}
