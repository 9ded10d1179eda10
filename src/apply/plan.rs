//! Which row goes where: looks at timestamps and dedup keys only.

use super::merge::{self, Merge};
use super::source::{Prepared, Source, Sources, designated};
use super::tops;
use crate::table::{BLOCK_ROWS, Calendar, Partition, Schema};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Neighbouring rows of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) source: u32,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// A part of a partition as it will be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// This block as it is.
    Keep(usize),
    /// This block with rows behind it.
    Extend(usize, Vec<Run>),
    /// A new block.
    Build(Vec<Run>),
}

/// What becomes of one partition.
#[derive(Debug)]
pub(super) struct PartitionPlan {
    pub(super) floor: i64,
    pub(super) pieces: Vec<Piece>,
    /// Rows replaced by deduplication, existing or new.
    pub(super) replaced: usize,
    /// Columns whose rows from before they were added get written.
    pub(super) written: Vec<usize>,
}

/// A new row in the order of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) ts: i64,
    pub(super) commit: u32,
    pub(super) row: u32,
}

/// Plans the commits of one block over the table's partitions.
///
/// `dedup` lists the upsert keys besides the timestamp; `None` without deduplication.
pub(super) fn plan(
    schema: &Schema,
    calendar: Calendar,
    partitions: &BTreeMap<i64, Arc<Partition>>,
    commits: &[Prepared<'_>],
    dedup: Option<&[usize]>,
) -> Vec<PartitionPlan> {
    if let Some(plans) = plan_append(schema, calendar, partitions, commits, dedup) {
        return plans;
    }
    let entries = sorted_entries(schema, commits);
    let mut plans = Vec::new();
    let mut rest = entries.as_slice();
    while let Some(first) = rest.first() {
        let ceiling = calendar.ceiling(first.ts);
        let here = rest.partition_point(|entry| entry.ts < ceiling).max(1);
        let (now, later) = rest.split_at(here);
        rest = later;
        let floor = calendar.floor(first.ts);
        let partition = partitions.get(&floor);
        let blocks = partition.map_or(&[][..], |partition| &partition.blocks);
        let merge = Merge { sources: Sources { blocks, commits }, schema, dedup };
        let (pieces, replaced) = merge::merge(&merge, now);
        let written = tops::written(schema, partition, now, dedup.is_some());
        plans.push(PartitionPlan { floor, pieces: settle(pieces, &merge.sources), replaced, written });
    }
    plans
}

/// All rows in order and behind the table's newest: no row is looked at twice.
fn plan_append(
    schema: &Schema,
    calendar: Calendar,
    partitions: &BTreeMap<i64, Arc<Partition>>,
    commits: &[Prepared<'_>],
    dedup: Option<&[usize]>,
) -> Option<Vec<PartitionPlan>> {
    let mut newest = partitions.values().next_back().map(|partition| partition.max_ts());
    for prepared in commits {
        let commit = prepared.commit;
        if commit.out_of_order || newest.is_some_and(|newest| commit.min_ts < newest) {
            return None;
        }
        // Equal timestamps may be equal keys.
        if dedup.is_some() && (newest == Some(commit.min_ts) || !strictly_increasing(prepared, schema)) {
            return None;
        }
        newest = Some(commit.max_ts);
    }
    let mut plans: Vec<PartitionPlan> = Vec::new();
    for (index, prepared) in commits.iter().enumerate() {
        let rows = prepared.commit.rows;
        let mut start = 0;
        while start < rows {
            let ts = prepared.timestamp(start, schema.timestamp);
            let (floor, ceiling) = (calendar.floor(ts), calendar.ceiling(ts));
            let end = lower_bound(start + 1, rows, |row| prepared.timestamp(row, schema.timestamp) < ceiling);
            let blocks = partitions.get(&floor).map_or(0, |partition| partition.blocks.len());
            let run = Run { source: (blocks + index) as u32, start: start as u32, len: (end - start) as u32 };
            match plans.last_mut().filter(|plan| plan.floor == floor) {
                Some(plan) => match plan.pieces.last_mut() {
                    Some(Piece::Build(runs)) => runs.push(run),
                    _ => plan.pieces.push(Piece::Build(vec![run])),
                },
                None => {
                    let mut pieces: Vec<Piece> = (0..blocks).map(Piece::Keep).collect();
                    pieces.push(Piece::Build(vec![run]));
                    plans.push(PartitionPlan { floor, pieces, replaced: 0, written: Vec::new() });
                }
            }
            start = end;
        }
    }
    for plan in &mut plans {
        let blocks = partitions.get(&plan.floor).map_or(&[][..], |partition| &partition.blocks);
        plan.pieces = settle(std::mem::take(&mut plan.pieces), &Sources { blocks, commits });
    }
    Some(plans)
}

fn strictly_increasing(prepared: &Prepared<'_>, schema: &Schema) -> bool {
    prepared.timestamps(schema.timestamp).is_sorted_by(|a, b| designated(a) < designated(b))
}

/// First index in `lo .. hi` for which `before` is false.
pub(super) fn lower_bound(mut lo: usize, mut hi: usize, before: impl Fn(usize) -> bool) -> usize {
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if before(middle) {
            lo = middle + 1;
        } else {
            hi = middle;
        }
    }
    lo
}

/// New rows by (timestamp, transaction, row). The sort is stable and finds runs that are in order, so
/// a backlog of sorted commits is merged rather than sorted.
fn sorted_entries(schema: &Schema, commits: &[Prepared<'_>]) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(commits.iter().map(|prepared| prepared.commit.rows).sum());
    for (index, prepared) in commits.iter().enumerate() {
        let rows = (0..).zip(prepared.timestamps(schema.timestamp));
        entries.extend(rows.map(|(row, entry)| Entry { ts: designated(entry), commit: index as u32, row }));
    }
    entries.sort_by_key(|entry| entry.ts);
    entries
}

/// Keeps blocks neither crumbs nor larger than [`BLOCK_ROWS`]: small new pieces join a neighbour,
/// large ones are cut.
pub(super) fn settle(pieces: Vec<Piece>, sources: &Sources<'_>) -> Vec<Piece> {
    let rows_of = |block: usize| sources.blocks.get(block).map_or(0, |block| block.rows);
    let mut settled: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Build(mut runs) => {
                if let Some(Piece::Keep(block)) = settled.last()
                    && continues(sources, *block, &runs)
                {
                    let room = BLOCK_ROWS.saturating_sub(rows_of(*block));
                    let fitting = take_rows(&mut runs, room);
                    if !fitting.is_empty() {
                        let block = *block;
                        settled.pop();
                        settled.push(Piece::Extend(block, fitting));
                    }
                }
                let share = block_share(&runs, sources.blocks.len());
                while !runs.is_empty() {
                    settled.push(Piece::Build(take_rows(&mut runs, share)));
                }
            }
            Piece::Keep(block) => match settled.last_mut() {
                // Rows in front of a block that could take them: write both anew.
                Some(Piece::Build(runs)) if runs_rows(runs) + rows_of(block) <= BLOCK_ROWS => {
                    runs.push(Run { source: block as u32, start: 0, len: rows_of(block) as u32 });
                }
                _ => settled.push(Piece::Keep(block)),
            },
            piece @ Piece::Extend(..) => settled.push(piece),
        }
    }
    settled
}

/// Rows per block when `runs` are cut: a block that grew too large is halved, so that neither half
/// overflows at the next late row; rows that only arrive at the end fill their blocks.
fn block_share(runs: &[Run], blocks: usize) -> usize {
    let rows = runs_rows(runs);
    let merged = runs.iter().any(|run| (run.source as usize) < blocks);
    if merged { rows.div_ceil(rows.div_ceil(BLOCK_ROWS).max(1)).max(1) } else { BLOCK_ROWS }
}

pub(super) fn runs_rows(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.len as usize).sum()
}

/// Takes runs of at most `rows` rows from the front.
fn take_rows(runs: &mut Vec<Run>, rows: usize) -> Vec<Run> {
    let mut left = rows;
    let mut whole = 0;
    for run in runs.iter() {
        if run.len as usize > left {
            break;
        }
        left -= run.len as usize;
        whole += 1;
    }
    let mut taken: Vec<Run> = runs.drain(..whole).collect();
    if let Some(next) = runs.first_mut().filter(|_| left > 0) {
        taken.push(Run { len: left as u32, ..*next });
        next.start += left as u32;
        next.len -= left as u32;
    }
    taken
}

/// False if rows have values in a column that the block is too old to have: QuestDB keeps the rows
/// above such a column's top apart (a change of type leaves them null), and so do blocks.
fn continues(sources: &Sources<'_>, block: usize, runs: &[Run]) -> bool {
    let Some(block) = sources.blocks.get(block) else { return false };
    runs.iter().all(|run| match sources.get(run.source) {
        Some(Source::Commit(prepared)) => {
            let mut columns = prepared.commit.columns.iter().enumerate();
            columns.all(|(index, column)| column.is_none() || block.chunk(index).is_some())
        }
        Some(Source::Block(other)) => {
            let mut columns = other.columns.iter().enumerate();
            columns.all(|(index, column)| column.is_none() || block.chunk(index).is_some())
        }
        None => true,
    })
}
