//! Partitions to Parquet files and back.

use crate::columnar::parquet::{Field, Options, ParquetFile, PartitionRows, Plan, encode};
use crate::table::{BLOCK_ROWS, Block, Digest, Partition, Schema, Table};
use crate::wal::cursor::Gather;
use crate::wal::{Error, MemoryFiles, Result};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

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

/// The rows of a partition's Parquet file.
///
/// # Errors
/// Bytes that are no such file, of so many rows, of a table with this schema.
pub fn decode(table: &Table, floor: i64, rows: usize, bytes: &Bytes) -> Result<Partition> {
    const PATH: &str = "data.parquet";
    let mut files = MemoryFiles::default();
    files.insert(PATH, bytes.clone());
    let file = ParquetFile::open(&files, PATH, bytes.len() as u64)?;
    if file.rows() != rows as u64 {
        return Err(Error::damaged(PATH, 0, format_args!("{rows} rows"), file.rows()));
    }
    let mut blocks: Vec<Block> =
        (0..rows).step_by(BLOCK_ROWS).map(|from| block(&table.schema, rows - from)).collect();
    for (place, (index, column)) in table.schema.live().enumerate() {
        let Some(found) = file.find(index, place) else { continue };
        let symbols = table.dictionary(index).map_or(0, |symbols| symbols.len() as u32);
        let mut gather = Gather::default();
        let Some(mut reader) = gather.add(file.read(&files, found, column.ty, symbols, 0..file.rows()))?
        else {
            gather.done()?;
            continue;
        };
        for block in &mut blocks {
            let chunk = reader.next(block.rows)?;
            if let Some(slot) = block.columns.get_mut(index) {
                *slot = Some(Arc::new(chunk));
            }
        }
    }
    let timestamp = table.schema.timestamp;
    for block in &mut blocks {
        (block.min_ts, block.max_ts) =
            (block.timestamp(0, timestamp), block.timestamp(block.rows.saturating_sub(1), timestamp));
    }
    let blocks = blocks.into_iter().map(Arc::new).collect();
    Ok(Partition { floor, blocks, rows, ..Partition::default() })
}

fn block(schema: &Schema, left: usize) -> Block {
    let mut block = Block::empty();
    block.rows = left.min(BLOCK_ROWS);
    block.columns = vec![None; schema.columns.len()];
    block
}
