//! How partitions are stored, told as they change.

use crate::ledger::{Note, PartitionForm, StoredPartition};
use crate::native::store::{Disk, DiskReader};
use crate::table::files::partition_dir;
use crate::table::files::read::AppliedTable;
use crate::table::{Calendar, Digest};
use crate::wal::{AppliedPartition, Result, TableToken};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How soon after a table has moved its partitions are looked at.
const AFTER: Duration = Duration::from_secs(5);
/// Tables looked at in one go: what applies waits for it.
const AT_ONCE: usize = 4;
/// Tables looked at when the process ends.
const LAST: usize = 100;

/// What is known of tables' partitions, and which tables are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// As told since the process began: by directory, then in order of floors.
    told: BTreeMap<String, Vec<Told>>,
    moved: BTreeSet<String>,
    due: VecDeque<(Instant, TableToken)>,
}

/// A partition as it was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    floor: i64,
    /// Tells states apart.
    stamp: u64,
    digest: Option<Digest>,
}

/// Digests of a table's partitions, as of a transaction.
#[derive(Debug)]
pub(super) struct Digests {
    pub(super) seq_txn: u64,
    pub(super) partitions: Vec<(i64, Digest)>,
}

impl Partitions {
    /// A table has moved.
    pub(super) fn moved(&mut self, token: &TableToken) {
        if self.moved.insert(token.dir.clone()) {
            self.due.push_back((Instant::now() + AFTER, token.clone()));
        }
    }

    /// Looks at tables whose turn it is, and answers what is to be told.
    pub(super) fn look(&mut self, disk: &dyn Disk) -> Vec<Note> {
        let now = Instant::now();
        let mut notes = Vec::new();
        for _ in 0..AT_ONCE {
            let Some((_, token)) = self.due.pop_front_if(|(due, _)| *due <= now) else { break };
            self.moved.remove(&token.dir);
            notes.extend(self.look_at(disk, &token, None));
        }
        notes
    }

    /// Looks at tables that have moved, whether or not it is their turn: the process ends.
    pub(super) fn look_at_all(&mut self, disk: &dyn Disk) -> Vec<Note> {
        self.moved.clear();
        let due = std::mem::take(&mut self.due);
        due.iter().take(LAST).filter_map(|(_, token)| self.look_at(disk, token, None)).collect()
    }

    /// Looks at one table, of which these digests are known. One that is gone, or can't be read, is told of by others.
    pub(super) fn look_at(
        &mut self,
        disk: &dyn Disk,
        token: &TableToken,
        digests: Option<&Digests>,
    ) -> Option<Note> {
        let Ok(table) = AppliedTable::read(&DiskReader(disk), token) else {
            self.told.remove(&token.dir);
            return None;
        };
        let seq_txn = table.applied.seq_txn;
        let digests = digests.filter(|digests| digests.seq_txn == seq_txn);
        let before = self.told.remove(&token.dir).unwrap_or_default();
        let calendar = Calendar::new(table.schema.partition_by, table.schema.nanos());
        let (mut told, mut partitions) = (Vec::new(), Vec::new());
        let mut old = before.iter().peekable();
        for (floor, parts) in table.partitions() {
            while let Some(gone) = old.next_if(|old| old.floor < floor) {
                partitions.push(StoredPartition::dropped(calendar.name(gone.floor)));
            }
            let old = old.next_if(|old| old.floor == floor);
            let parts = table.applied.partitions.get(parts).unwrap_or_default();
            let stamp = stamp(parts);
            let known = old.filter(|old| old.stamp == stamp);
            let digest = digests
                .and_then(|digests| digests.partitions.iter().find(|(of, _)| *of == floor))
                .map(|(_, digest)| *digest)
                .or_else(|| known.and_then(|known| known.digest));
            if known.is_none_or(|known| known.digest != digest) {
                partitions.push(StoredPartition {
                    name: calendar.name(floor),
                    rows: parts.iter().map(|part| part.rows).sum(),
                    bytes: bytes(disk, &table, parts).unwrap_or(0),
                    form: if parts.iter().any(|part| part.parquet) {
                        PartitionForm::Parquet
                    } else {
                        PartitionForm::Native
                    },
                    digest: digest.map(|digest| digest.to_string()),
                });
            }
            told.push(Told { floor, stamp, digest });
        }
        partitions.extend(old.map(|gone| StoredPartition::dropped(calendar.name(gone.floor))));
        self.told.insert(token.dir.clone(), told);
        (!partitions.is_empty()).then(|| Note::Partitions { table: token.dir.clone(), seq_txn, partitions })
    }
}

/// FNV-1a of all that a commit changes of a partition.
fn stamp(parts: &[AppliedPartition]) -> u64 {
    let words = parts.iter().flat_map(|part| {
        [
            part.ts as u64,
            part.rows,
            part.name_txn as u64,
            u64::from(part.squash_count),
            part.parquet_len as u64,
        ]
    });
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}

/// Bytes of a partition's files.
fn bytes(disk: &dyn Disk, table: &AppliedTable, parts: &[AppliedPartition]) -> Result<u64> {
    let (by, nanos) = (table.schema.partition_by, table.schema.nanos());
    let mut sum = 0;
    for part in parts {
        if part.parquet {
            sum += u64::try_from(part.parquet_len).unwrap_or(0);
            continue;
        }
        let folder = format!("{}/{}", table.token.dir, partition_dir(by, nanos, part.ts, part.name_txn));
        for name in disk.list(&folder)?.unwrap_or_default() {
            sum += disk.len(&format!("{folder}/{name}"))?.unwrap_or(0);
        }
    }
    Ok(sum)
}
