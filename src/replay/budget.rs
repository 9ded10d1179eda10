//! Keeping a table within a budget of memory when no checkpoint is left to let go.

use crate::table::{Partition, Table};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Lets the values of one more partition go: the oldest one that still has them, neither one in `focus`
/// nor the newest. `None` if there is none.
///
/// Designated timestamps and columns that are, were or will be upsert keys (`kept`) stay, so later transactions are still planned exactly: row
/// counts, order and what each transaction touches remain true. Only the values are gone until the
/// partition is brought back by applying the log again.
pub(super) fn let_one_go(
    table: &mut Table,
    focus: Option<&RangeInclusive<i64>>,
    kept: &BTreeSet<usize>,
) -> Option<i64> {
    let candidates = table.partitions.len().saturating_sub(1);
    let floor = table
        .partitions
        .iter()
        .take(candidates)
        .find(|&(floor, partition)| !partition.let_go && !focus.is_some_and(|focus| focus.contains(floor)))
        .map(|(&floor, _)| floor)?;
    strip(table, floor, kept);
    Some(floor)
}

/// Takes the values out of what transactions since have written into partitions that were let go.
pub(super) fn strip_again(table: &mut Table, kept: &BTreeSet<usize>) {
    let floors: Vec<i64> =
        table.partitions.iter().filter(|(_, partition)| partition.let_go).map(|(&floor, _)| floor).collect();
    for floor in floors {
        strip(table, floor, kept);
    }
}

fn strip(table: &mut Table, floor: i64, kept: &BTreeSet<usize>) {
    let timestamp = table.schema.timestamp;
    let needed = |index: usize| index == timestamp || kept.contains(&index);
    let Some(partition) = table.partitions.get_mut(&floor) else { return };
    let stripped = |partition: &Partition| {
        let mut columns = partition.blocks.iter().flat_map(|block| block.columns.iter().enumerate());
        columns.all(|(index, chunk)| chunk.is_none() || needed(index))
    };
    if partition.let_go && stripped(partition) {
        return;
    }
    let partition = Arc::make_mut(partition);
    partition.let_go = true;
    for block in &mut partition.blocks {
        let block = Arc::make_mut(block);
        for (index, chunk) in block.columns.iter_mut().enumerate() {
            if !needed(index) {
                *chunk = None;
            }
        }
        block.forget_digest();
    }
}
