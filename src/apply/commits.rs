//! Applying the rows of transactions.

use super::effect::{Effect, Touch};
use super::execute::execute;
use super::plan::{self, PartitionPlan, Piece};
use super::source::{Prepared, Source, Sources, SymbolMap};
use super::{remove, ttl};
use crate::table::{Partition, Table};
use crate::wal::{Commit, DataEvent, TxnRecord};
use std::sync::Arc;

/// Applies data transactions of one structure version, in order, as one block.
///
/// The result is that of applying them one by one: the caller ends a block where something between
/// two transactions could see the difference ([`ends_block`]).
///
/// ```
/// use understudy::{apply, table::Table};
/// # fn demo(table: &mut Table, commits: &[understudy::wal::Commit]) {
/// let effect = apply::apply_commits(table, commits);
/// println!("{} rows came in, {} were replaced", effect.rows_added, effect.rows_replaced);
/// # }
/// ```
pub fn apply_commits(table: &mut Table, commits: &[Commit]) -> Effect {
    let mut effect = Effect::default();
    if let [commit] = commits
        && let Some((lo, hi)) = commit.replace
    {
        effect.then(remove::remove_range(table, lo, hi));
    }
    let before: Vec<usize> = table.symbols.iter().map(|s| s.as_ref().map_or(0, |s| s.len())).collect();
    let prepared: Vec<Prepared<'_>> = commits.iter().map(|commit| prepare(table, commit)).collect();
    for (column, (&before, after)) in before.iter().zip(&table.symbols).enumerate() {
        let after = after.as_ref().map_or(0, |symbols| symbols.len());
        if after > before {
            effect.symbols.push((column, before, after));
        }
    }
    let with_rows: Vec<Prepared<'_>> = prepared.into_iter().filter(|p| p.commit.rows > 0).collect();
    insert(table, &with_rows, &mut effect);
    if let Some(last) = commits.last() {
        table.seq_txn = last.seq_txn;
        effect.then(ttl::evict(table, last.commit_ts));
    }
    effect
}

/// What of a commit decides where a block of transactions ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitHead {
    /// Its place in the table's log.
    pub seq_txn: u64,
    /// Microseconds UTC.
    pub commit_ts: i64,
    /// Whether it has rows.
    pub has_rows: bool,
    /// Smallest timestamp in the table's unit; meaningless without rows.
    pub min_ts: i64,
    /// Largest timestamp, likewise.
    pub max_ts: i64,
    /// Whether timestamps may decrease from row to row.
    pub out_of_order: bool,
    /// Whether it replaces a range.
    pub replaces: bool,
}

impl CommitHead {
    /// Of a commit by its record and event.
    pub fn of(record: &TxnRecord, event: &DataEvent) -> Self {
        Self {
            seq_txn: record.seq_txn,
            commit_ts: record.commit_ts,
            has_rows: event.row_hi > event.row_lo,
            min_ts: event.min_ts,
            max_ts: event.max_ts,
            out_of_order: event.out_of_order,
            replaces: event.replace.is_some(),
        }
    }

    /// The largest timestamp, if there is one.
    pub fn newest(&self) -> Option<i64> {
        self.has_rows.then_some(self.max_ts)
    }
}

impl From<&Commit> for CommitHead {
    fn from(commit: &Commit) -> Self {
        Self {
            seq_txn: commit.seq_txn,
            commit_ts: commit.commit_ts,
            has_rows: commit.rows > 0,
            min_ts: commit.min_ts,
            max_ts: commit.max_ts,
            out_of_order: commit.out_of_order,
            replaces: commit.replace.is_some(),
        }
    }
}

/// True if `next` can't be in one block with the commits before it, whose newest timestamp, together
/// with the table's, is `newest`.
pub fn ends_block(table: &Table, newest: Option<i64>, last: &CommitHead, next: &CommitHead) -> bool {
    if last.replaces || next.replaces {
        return true;
    }
    if table.schema.ttl == 0 {
        return false;
    }
    // What TTL compares with must stay the same within the block: the newest partition, and the wall
    // clock where it is behind the newest row.
    let calendar = table.calendar();
    let Some(newest) = newest else { return true };
    next.has_rows && next.max_ts >= calendar.ceiling(newest)
        || ttl::in_table_unit(table, next.commit_ts) < newest.max(next.max_ts)
        || calendar.floor(newest) != table.max_ts().map_or(i64::MIN, |ts| calendar.floor(ts))
}

fn insert(table: &mut Table, commits: &[Prepared<'_>], effect: &mut Effect) {
    if commits.is_empty() {
        return;
    }
    let schema = table.schema.clone();
    let replacing = commits.iter().any(|prepared| prepared.commit.replace.is_some());
    let keys = schema.extra_keys();
    let dedup = (schema.dedup() && !replacing).then_some(keys.as_slice());
    let plans = plan::plan(&schema, table.calendar(), &table.partitions, commits, dedup);
    for plan in plans {
        let partition = table.partitions.entry(plan.floor).or_insert_with(|| Arc::new(Partition::default()));
        note(effect, &plan, &Sources { blocks: &partition.blocks, commits });
        execute(&schema, Arc::make_mut(partition), plan, commits);
    }
}

/// Interns a commit's new symbols in order of entry, as the server does, and keeps the way from its
/// keys to the table's.
fn prepare<'a>(table: &mut Table, commit: &'a Commit) -> Prepared<'a> {
    let mut symbols = Vec::new();
    symbols.resize_with(table.symbols.len(), || None);
    for diff in &commit.symbols {
        let (Some(place), Some(Some(dictionary))) =
            (symbols.get_mut(diff.column), table.symbols.get_mut(diff.column))
        else {
            continue;
        };
        *place = SymbolMap::of(dictionary, diff);
    }
    Prepared { commit, symbols }
}

fn note(effect: &mut Effect, plan: &PartitionPlan, sources: &Sources<'_>) {
    let existing: usize = sources.blocks.iter().map(|block| block.rows).sum();
    let mut at = 0;
    let mut ranges = Vec::new();
    for piece in &plan.pieces {
        let (block, runs) = match piece {
            Piece::Keep(block) => (Some(block), &[][..]),
            Piece::Extend(block, runs) => (Some(block), runs.as_slice()),
            Piece::Build(runs) => (None, runs.as_slice()),
        };
        at += block.and_then(|&block| sources.blocks.get(block)).map_or(0, |block| block.rows);
        for run in runs {
            if !sources.get(run.source).is_some_and(Source::is_block) {
                ranges.push((at, run.len as usize));
            }
            at += run.len as usize;
        }
    }
    let appended = plan.replaced == 0 && ranges.iter().all(|&(first, _)| first >= existing);
    let touch = match (existing, appended) {
        (0, _) => Touch::Created,
        (_, true) => Touch::Appended,
        _ => Touch::Merged,
    };
    effect.rows_added += ranges.iter().map(|&(_, count)| count).sum::<usize>();
    let partition = effect.touch(plan.floor, touch);
    for (first, count) in ranges {
        partition.change(first, count);
    }
    effect.rows_replaced += plan.replaced;
}
