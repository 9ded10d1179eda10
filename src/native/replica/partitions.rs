//! How partitions are stored, told as they change.

use crate::ledger::{Note, PartitionForm, StoredPartition};
use crate::native::store::{self, Blob, Disk, DiskReader, Forms};
use crate::table::files::partition_dir;
use crate::table::files::read::AppliedTable;
use crate::table::{Calendar, Digest};
use crate::wal::{self, TableToken};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
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
    /// Partitions that are being converted, by directory.
    converting: BTreeMap<String, BTreeSet<i64>>,
}

/// A partition as it was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    floor: i64,
    /// Tells states apart.
    stamp: u64,
    form: PartitionForm,
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
        let converting = self.converting.get(&token.dir);
        let (mut told, mut partitions) = (Vec::new(), Vec::new());
        let mut old = before.iter().peekable();
        for (floor, found) in found(disk, &table) {
            while let Some(gone) = old.next_if(|old| old.floor < floor) {
                partitions.push(StoredPartition::dropped(calendar.name(gone.floor)));
            }
            let old = old.next_if(|old| old.floor == floor);
            let form = match &found {
                Found::Away(_) => PartitionForm::Remote,
                Found::Gone => PartitionForm::Dropped,
                Found::Here(parts) if is_parquet(&table, parts) => PartitionForm::Parquet,
                Found::Here(_) if converting.is_some_and(|of| of.contains(&floor)) => {
                    PartitionForm::Converting
                }
                Found::Here(_) => PartitionForm::Native,
            };
            let stamp = found.stamp(&table);
            let known = old.filter(|old| old.stamp == stamp);
            let digest = digests
                .and_then(|digests| digests.partitions.iter().find(|(of, _)| *of == floor))
                .map(|(_, digest)| *digest)
                .or_else(|| known.and_then(|known| known.digest));
            if known.is_none_or(|known| known.digest != digest || known.form != form) {
                let (rows, bytes) = found.size(disk, &table);
                let (name, digest) = (calendar.name(floor), digest.map(|digest| digest.to_string()));
                partitions.push(StoredPartition { name, rows, bytes, form, digest });
            }
            told.push(Told { floor, stamp, form, digest });
        }
        partitions.extend(old.map(|gone| StoredPartition::dropped(calendar.name(gone.floor))));
        self.told.insert(token.dir.clone(), told);
        (!partitions.is_empty()).then(|| Note::Partitions { table: token.dir.clone(), seq_txn, partitions })
    }

    /// These partitions of a table are being converted, and no others.
    pub(super) fn converting(&mut self, dir: &str, floors: BTreeSet<i64>) {
        if floors.is_empty() {
            self.converting.remove(dir);
        } else {
            self.converting.insert(dir.to_owned(), floors);
        }
    }
}

/// A partition that is here, with its parts, in the bucket alone, or no longer anywhere.
enum Found {
    Here(Range<usize>),
    Away(Blob),
    /// Dropped here by a policy, and nowhere else as far as is known: whoever was told before hears of it.
    Gone,
}

/// All partitions, from the oldest.
fn found(disk: &dyn Disk, table: &AppliedTable) -> BTreeMap<i64, Found> {
    // What can't be read is told as if there were none: the policies' own reading tells what is wrong.
    let forms = Forms::read(disk, &table.token.dir, table.applied.txn).unwrap_or_default();
    let away = forms.away.into_iter().filter(|(_, away)| away.is_partial());
    let away = away.map(|(floor, away)| (floor, away.under.map_or(Found::Gone, Found::Away)));
    let mut found: BTreeMap<i64, Found> = away.collect();
    found.extend(table.partitions().into_iter().map(|(floor, parts)| (floor, Found::Here(parts))));
    found
}

impl Found {
    fn stamp(&self, table: &AppliedTable) -> u64 {
        match self {
            // With the columns: a digest holds for these alone.
            Self::Here(parts) => store::stamp(table, parts.clone()) ^ table.schema.version.cast_unsigned(),
            Self::Gone => 0,
            Self::Away(blob) => blob.sum.0.iter().fold(0, |stamp, byte| stamp << 8 | u64::from(*byte)),
        }
    }

    /// Rows and bytes.
    fn size(&self, disk: &dyn Disk, table: &AppliedTable) -> (u64, u64) {
        match self {
            Self::Here(parts) => {
                let rows = table.applied.partitions.get(parts.clone()).unwrap_or_default();
                let rows = rows.iter().map(|part| part.rows).sum();
                (rows, bytes(disk, table, parts.clone()).unwrap_or(0))
            }
            Self::Away(blob) => (blob.rows, blob.bytes),
            Self::Gone => (0, 0),
        }
    }
}

fn is_parquet(table: &AppliedTable, parts: &Range<usize>) -> bool {
    table.applied.partitions.get(parts.clone()).unwrap_or_default().iter().any(|part| part.parquet)
}

/// Bytes of a partition's files.
fn bytes(disk: &dyn Disk, table: &AppliedTable, parts: Range<usize>) -> wal::Result<u64> {
    let (by, nanos) = (table.schema.partition_by, table.schema.nanos());
    let mut sum = 0;
    for part in table.applied.partitions.get(parts).unwrap_or_default() {
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
