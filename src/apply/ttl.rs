//! Partitions that have outlived the table's TTL.

use super::effect::Effect;
use super::remove::remove_partitions;
use crate::table::Table;

/// Removes the oldest partitions for as long as they have outlived the TTL, never the last one.
///
/// A partition's age is counted from its end to the newest row, or to `commit_ts` (microseconds) where
/// that is earlier: rows dated in the future do not make others old. The server takes its wall clock
/// at the time of applying there; the commit's time is the one that every replica knows.
pub fn evict(table: &mut Table, commit_ts: i64) -> Effect {
    let ttl = table.schema.ttl;
    let (Some(newest), true) = (table.max_ts(), ttl != 0) else { return Effect::default() };
    let now = newest.min(in_table_unit(table, commit_ts));
    let calendar = table.calendar();
    let candidates = table.partitions.len().saturating_sub(1);
    let old: Vec<i64> = table
        .partitions
        .keys()
        .copied()
        .take(candidates)
        .take_while(|&floor| calendar.expired(calendar.ceiling(floor), now, ttl))
        .collect();
    remove_partitions(table, old)
}

/// Microseconds in the unit of the table's designated timestamp.
pub(super) fn in_table_unit(table: &Table, micros: i64) -> i64 {
    if table.schema.nanos() { micros.saturating_mul(1_000) } else { micros }
}
