//! Taking rows out: replace ranges, TRUNCATE, DROP PARTITION.

use super::effect::{Effect, Touch};
use super::execute::execute;
use super::plan::{PartitionPlan, Piece, Run, lower_bound};
use crate::table::{Block, Table};
use std::sync::Arc;

/// Removes rows with `lo <= designated timestamp < hi`.
pub(super) fn remove_range(table: &mut Table, lo: i64, hi: i64) -> Effect {
    let mut effect = Effect::default();
    if lo >= hi {
        return effect;
    }
    let floors: Vec<i64> = table
        .partitions
        .iter()
        .filter(|(_, partition)| partition.max_ts() >= lo && partition.min_ts() < hi)
        .map(|(&floor, _)| floor)
        .collect();
    let schema = table.schema.clone();
    for floor in floors {
        let Some(partition) = table.partitions.get_mut(&floor) else { continue };
        let before = partition.rows;
        let pieces: Vec<Piece> = partition
            .blocks
            .iter()
            .enumerate()
            .filter_map(|(index, block)| remaining(index, block, schema.timestamp, lo, hi))
            .collect();
        execute(
            &schema,
            Arc::make_mut(partition),
            PartitionPlan { floor, pieces, replaced: 0, written: Vec::new() },
            &[],
        );
        let after = partition.rows;
        if after == before {
            continue;
        }
        effect.rows_removed += before - after;
        if after == 0 {
            table.partitions.remove(&floor);
            effect.touch(floor, Touch::Removed);
        } else {
            effect.touch(floor, Touch::Merged);
        }
    }
    effect
}

/// Removes whole partitions.
pub(super) fn remove_partitions(table: &mut Table, floors: impl IntoIterator<Item = i64>) -> Effect {
    let mut effect = Effect::default();
    for floor in floors {
        if let Some(partition) = table.partitions.remove(&floor) {
            effect.rows_removed += partition.rows;
            effect.touch(floor, Touch::Removed);
        }
    }
    effect
}

/// Removes all rows; schema and dictionaries stay.
pub(super) fn truncate(table: &mut Table) -> Effect {
    let floors: Vec<i64> = table.partitions.keys().copied().collect();
    remove_partitions(table, floors)
}

fn remaining(index: usize, block: &Block, timestamp: usize, lo: i64, hi: i64) -> Option<Piece> {
    if block.max_ts < lo || block.min_ts >= hi {
        return Some(Piece::Keep(index));
    }
    let first = lower_bound(0, block.rows, |row| block.timestamp(row, timestamp) < lo);
    let last = lower_bound(first, block.rows, |row| block.timestamp(row, timestamp) < hi);
    let run = |start: usize, end: usize| Run {
        source: index as u32,
        start: start as u32,
        len: (end - start) as u32,
    };
    let runs: Vec<Run> =
        [run(0, first), run(last, block.rows)].into_iter().filter(|run| run.len > 0).collect();
    (!runs.is_empty()).then_some(Piece::Build(runs))
}
