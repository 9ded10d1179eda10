use crate::table::Table;
use crate::wal::Applied;
use std::collections::BTreeMap;

/// A partition in which the replay and the server's applied table differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// QuestDB's name of the partition.
    pub partition: String,
    /// Rows that the replay gives.
    pub replayed: u64,
    /// Rows that the server has.
    pub applied: u64,
}

/// What changes a table without a record in the log: the possible causes of a [`Difference`].
pub const UNLOGGED_CAUSES: &str = "ALTER TABLE ... FORCE DROP PARTITION, ATTACH or DETACH PARTITION, TTL \
     evaluated at another time, an UPDATE that was not executed exactly, or files changed by hand";

/// Compares partitions and row counts with the server's applied table.
///
/// `None` while the two stand at different transactions. Split parts of a partition count as one.
pub fn compare(table: &Table, applied: &Applied) -> Option<Vec<Difference>> {
    if table.seq_txn != applied.seq_txn {
        return None;
    }
    let calendar = table.calendar();
    let mut counts: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (&floor, partition) in &table.partitions {
        counts.entry(floor).or_default().0 += partition.rows as u64;
    }
    for partition in &applied.partitions {
        counts.entry(calendar.floor(partition.ts)).or_default().1 += partition.rows;
    }
    let differences = counts.into_iter().filter(|(_, (replayed, applied))| replayed != applied);
    let difference =
        |(floor, (replayed, applied))| Difference { partition: calendar.name(floor), replayed, applied };
    Some(differences.map(difference).collect())
}
