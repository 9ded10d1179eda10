//! Rows from before a column was added: null as a whole, until QuestDB writes them out.
//!
//! Such a row reads the same either way; but when the column's type changes to or from BOOLEAN, BYTE or SHORT,
//! which have no null, a row that was never written becomes null, and one that was written becomes a zero. A
//! partition's rows above a column's top are written when late rows are merged among them or right behind.

use super::gather::append_nulls;
use super::plan::Entry;
use crate::table::{Block, Chunk, Partition, Schema};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of a partition whose missing rows the new ones make QuestDB write.
///
/// `entries` are the new rows of the partition. Their commits count one after another: rows behind all others
/// are appended, others merged, with `dedup` also those at the newest timestamp.
pub(super) fn written(
    schema: &Schema,
    partition: Option<&Arc<Partition>>,
    entries: &[Entry],
    dedup: bool,
) -> Vec<usize> {
    let Some(partition) = partition else { return Vec::new() };
    let mut commits: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
    let columns = schema.columns.iter().enumerate().filter(|(index, column)| {
        let missing = partition.blocks.first().is_some_and(|block| block.chunk(*index).is_none());
        missing && !column.dropped
    });
    let mut found = Vec::new();
    for (index, _) in columns {
        if commits.is_empty() {
            for entry in entries {
                let (low, high) = commits.entry(entry.commit).or_insert((entry.ts, entry.ts));
                (*low, *high) = ((*low).min(entry.ts), (*high).max(entry.ts));
            }
        }
        if is_written(partition, index, &commits, dedup) {
            found.push(index);
        }
    }
    found
}

fn is_written(
    partition: &Partition,
    column: usize,
    commits: &BTreeMap<u32, (i64, i64)>,
    dedup: bool,
) -> bool {
    let mut newest = partition.max_ts();
    // The first row that has the column.
    let mut behind =
        partition.blocks.iter().find(|block| block.chunk(column).is_some()).map(|block| block.min_ts);
    for &(low, high) in commits.values() {
        let before = |ts: i64| low < ts || dedup && low == ts;
        if before(newest) && behind.is_none_or(before) {
            return true;
        }
        behind = behind.or(Some(low));
        newest = newest.max(high);
    }
    false
}

/// Writes a column's missing rows.
pub(super) fn write(schema: &Schema, blocks: &mut [Arc<Block>], columns: &[usize]) {
    for &index in columns {
        let Some(ty) = schema.columns.get(index).map(|column| column.ty) else { continue };
        for block in blocks.iter_mut().filter(|block| block.chunk(index).is_none()) {
            let block = Arc::make_mut(block);
            let mut chunk = Chunk::new(ty);
            chunk.reserve(block.rows);
            append_nulls(&mut chunk, ty, block.rows);
            block.columns.resize(schema.columns.len(), None);
            if let Some(place) = block.columns.get_mut(index) {
                *place = Some(Arc::new(chunk));
            }
        }
    }
}
