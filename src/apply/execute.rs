//! Building what a plan says.

use super::gather::append;
use super::plan::{PartitionPlan, Piece, Run, runs_rows};
use super::source::{Prepared, Source, Sources};
use crate::table::{BLOCK_ROWS, Block, Chunk, Partition, Schema};
use crate::wal::ColumnType;
use std::sync::Arc;

/// Carries out one partition's plan.
pub(super) fn execute(
    schema: &Schema,
    partition: &mut Partition,
    plan: PartitionPlan,
    commits: &[Prepared<'_>],
) {
    let mut blocks = std::mem::take(&mut partition.blocks);
    let mut made = Vec::with_capacity(plan.pieces.len());
    for piece in plan.pieces {
        match piece {
            Piece::Keep(index) => made.extend(blocks.get(index).cloned()),
            Piece::Extend(index, runs) => {
                let Some(place) = blocks.get_mut(index) else { continue };
                // Out of the list, so that a block nobody else holds can grow in place.
                let mut block = std::mem::replace(place, Arc::new(Block::empty()));
                extend(schema, Arc::make_mut(&mut block), &runs, &Sources { blocks: &blocks, commits });
                made.push(block);
            }
            Piece::Build(runs) => {
                let mut block = Block::empty();
                extend(schema, &mut block, &runs, &Sources { blocks: &blocks, commits });
                made.push(Arc::new(block));
            }
        }
    }
    super::tops::write(schema, &mut made, &plan.written);
    partition.floor = plan.floor;
    partition.rows = made.iter().map(|block| block.rows).sum();
    partition.blocks = made;
}

/// Appends runs to a block, column by column.
fn extend(schema: &Schema, block: &mut Block, runs: &[Run], sources: &Sources<'_>) {
    let rows = runs_rows(runs);
    let existing = block.rows;
    block.columns.resize(schema.columns.len(), None);
    for (index, column) in schema.columns.iter().enumerate() {
        let Some(place) = block.columns.get_mut(index).filter(|_| !column.dropped) else { continue };
        if place.is_none() && runs.iter().all(|run| is_absent(sources, run, index)) {
            continue;
        }
        let chunk = roomy(place, column.ty, existing, existing + rows);
        if let Chunk::Fixed { values, .. } = chunk {
            super::fixed::append(values, column.ty, index, runs, sources);
            continue;
        }
        for run in runs {
            if let Some(source) = sources.get(run.source) {
                append(chunk, column.ty, index, source, run.start as usize, run.len as usize);
            }
        }
    }
    block.rows += rows;
    let last = block.rows.saturating_sub(1);
    block.min_ts = block.timestamp(0, schema.timestamp);
    block.max_ts = block.timestamp(last, schema.timestamp);
    block.forget_digest();
}

/// A chunk of `existing` rows that nobody else holds, with room for `rows`. A checkpoint's chunk is copied once,
/// to where the rows behind it fit: a clone has no room, and would be copied again to grow.
fn roomy(place: &mut Option<Arc<Chunk>>, ty: ColumnType, existing: usize, rows: usize) -> &mut Chunk {
    if place.as_mut().and_then(Arc::get_mut).is_none() {
        let mut chunk = Chunk::new(ty);
        chunk.reserve(rows.max(rows.next_power_of_two().min(BLOCK_ROWS)));
        super::gather::append_rows(&mut chunk, ty, place.as_deref(), 0, existing);
        *place = Some(Arc::new(chunk));
    }
    Arc::make_mut(place.get_or_insert_with(|| Arc::new(Chunk::new(ty))))
}

/// True if a run has no values of a column, so that a column added later costs nothing in old rows.
fn is_absent(sources: &Sources<'_>, run: &Run, column: usize) -> bool {
    match sources.get(run.source) {
        Some(Source::Block(block)) => block.chunk(column).is_none(),
        Some(Source::Commit(prepared)) => !matches!(prepared.commit.columns.get(column), Some(Some(_))),
        None => true,
    }
}
