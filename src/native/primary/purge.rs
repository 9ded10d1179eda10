//! Segments that nobody needs any more.

use crate::native::store::{Disk, DiskReader};
use crate::wal::{Result, SequencerLog};
use std::collections::BTreeMap;

/// Records that are read at a time.
const RECORDS: u64 = 8 * 1024;

/// Removes a table's segments of which all transactions are `done` or before: applied, and in the cluster's log if there is one.
/// The newest segment of each WAL stays, as with QuestDB: its writer may be at it. Answers how many were removed.
///
/// # Errors
/// What reading the log, or removing, answers.
pub fn purge(disk: &dyn Disk, dir: &str, done: u64) -> Result<usize> {
    let files = DiskReader(disk);
    let mut segments: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for name in disk.list(dir)?.unwrap_or_default() {
        let Some(wal) = name.strip_prefix("wal").and_then(|wal| wal.parse().ok()) else { continue };
        let names = disk.list(&format!("{dir}/{name}"))?.unwrap_or_default();
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        segments.insert(wal, numbers);
    }
    if segments.values().all(|numbers| numbers.len() < 2) {
        return Ok(0);
    }
    // The first segment of each WAL that a transaction behind `done` is in.
    let log = SequencerLog::open(&files, dir)?;
    let mut needed: BTreeMap<u32, u32> = BTreeMap::new();
    let mut next = done.saturating_add(1);
    while next <= log.max_txn {
        let records = log.records(&files, next..=log.max_txn.min(next + RECORDS - 1))?;
        for (segment, _) in records.iter().filter_map(|record| record.segment()) {
            let first = needed.entry(segment.wal).or_insert(segment.segment);
            *first = segment.segment.min(*first);
        }
        next += RECORDS;
    }
    let mut removed = 0;
    for (wal, numbers) in segments {
        let keep = needed.get(&wal).copied().unwrap_or(u32::MAX);
        let Some((_, older)) = numbers.split_last() else { continue };
        for number in older.iter().filter(|number| **number < keep) {
            disk.remove_dir(&format!("{dir}/wal{wal}/{number}"))?;
            removed += 1;
        }
    }
    Ok(removed)
}
