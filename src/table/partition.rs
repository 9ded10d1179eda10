use super::digest::BlockDigest;
use super::{Chunk, Schema, SymbolTable, Value};
use std::sync::{Arc, OnceLock};

/// Rows per block, at most. Small enough that a late row rewrites little, large enough that a
/// column's values are copied in long runs.
pub const BLOCK_ROWS: usize = 16 * 1024;

/// Neighbouring rows of a partition: one chunk per column.
///
/// Blocks are shared between the states of a table; only a block that nobody else holds is changed in
/// place.
#[derive(Debug, Clone)]
pub struct Block {
    /// Number of rows.
    pub rows: usize,
    /// By writer index. Absent: the column was added after these rows (or dropped), all null.
    pub columns: Vec<Option<Arc<Chunk>>>,
    /// Smallest and largest designated timestamp.
    pub min_ts: i64,
    /// See `min_ts`.
    pub max_ts: i64,
    /// Computed when first asked for.
    pub(super) digest: OnceLock<BlockDigest>,
}

/// The rows between two boundaries of time, in order of the designated timestamp.
#[derive(Debug, Clone, Default)]
pub struct Partition {
    /// First timestamp that belongs here.
    pub floor: i64,
    /// In order; none is empty.
    pub blocks: Vec<Arc<Block>>,
    /// Number of rows.
    pub rows: usize,
    /// The server holds it in Parquet form: it can't update its rows nor change the type of its columns.
    pub parquet: bool,
    /// The values were let go for want of memory: blocks have timestamps and upsert keys only, and
    /// there is no digest.
    pub let_go: bool,
}

impl Block {
    /// A block without rows, to build into.
    pub fn empty() -> Self {
        Self { rows: 0, columns: Vec::new(), min_ts: i64::MAX, max_ts: i64::MIN, digest: OnceLock::new() }
    }

    /// To be called when rows or values changed.
    pub(crate) fn forget_digest(&mut self) {
        self.digest = OnceLock::new();
    }

    /// The chunk of a column; `None` where all its values are null.
    pub fn chunk(&self, column: usize) -> Option<&Arc<Chunk>> {
        self.columns.get(column)?.as_ref()
    }

    /// The designated timestamp of a row.
    pub fn timestamp(&self, row: usize, timestamp: usize) -> i64 {
        self.chunk(timestamp).map_or(i64::MIN, |chunk| chunk.long(row))
    }

    /// The designated timestamps, little-endian.
    pub fn timestamps(&self, timestamp: usize) -> &[[u8; 8]] {
        match self.chunk(timestamp).map(|chunk| &**chunk) {
            Some(Chunk::Fixed { values, width: 8 }) => values.as_chunks().0,
            _ => &[],
        }
    }

    /// Memory held, in bytes, whoever shares it.
    pub fn memory(&self) -> usize {
        self.columns.iter().flatten().map(|chunk| chunk.memory()).sum()
    }

    /// The value of a column in a row.
    pub fn value<'a>(
        &'a self,
        row: usize,
        column: usize,
        schema: &Schema,
        symbols: Option<&'a SymbolTable>,
    ) -> Value<'a> {
        match (self.chunk(column), schema.columns.get(column)) {
            (Some(chunk), Some(definition)) => chunk.value(row, definition.ty, symbols),
            (None, Some(definition)) => Value::absent(definition.ty),
            _ => Value::Null,
        }
    }
}

impl Partition {
    /// Smallest designated timestamp.
    pub fn min_ts(&self) -> i64 {
        self.blocks.first().map_or(i64::MAX, |block| block.min_ts)
    }

    /// Largest designated timestamp.
    pub fn max_ts(&self) -> i64 {
        self.blocks.last().map_or(i64::MIN, |block| block.max_ts)
    }

    /// The block that holds a row and the row's number in it.
    pub fn locate(&self, row: usize) -> Option<(&Block, usize)> {
        let mut first = 0;
        for block in &self.blocks {
            if row < first + block.rows {
                return Some((block, row - first));
            }
            first += block.rows;
        }
        None
    }

    /// Memory held by the rows, in bytes.
    pub fn memory(&self) -> usize {
        self.blocks.iter().map(|block| block.memory()).sum()
    }
}
