//! Partitions of which not all rows are here: a storage policy has dropped them from this instance, and the bucket may
//! have them.
//!
//! What is known of them stands beside the table, durably before anything is dropped. The state before a drop and that after
//! it are both kept, and the count of commits in `_txn` decides which one counts: so a crash leaves one or the other.

use super::disk::{Disk, DiskReader};
use super::parquet::Dropped;
use super::seal::read_kept;
use super::table::FileTable;
use crate::ledger::Sum;
use crate::table::files::read::AppliedTable;
use crate::table::{Block, Partition};
use crate::wal::{AppliedPartition, Files, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What is not here of a partition, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// Rows that were dropped and are nowhere else, as far as is known here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// Rows that were dropped here: the bucket has them in this file. What is in the table's own files came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Blob>,
    /// A file in the bucket with all rows, those that are here too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
    /// The last transaction that changed rows by a statement, and could not do so to those that are not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drop: Option<Dropping>,
}

/// A partition's Parquet file in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Its name, the hash of its bytes.
    pub sum: Sum,
    /// Bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// The version of the table's columns that it was made with.
    pub columns: i64,
}

/// A file in the bucket that has what is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The file.
    pub blob: Blob,
    /// The [`stamp`] of the table's own files that it has the rows of.
    pub covers: u64,
}

/// What is true once a commit is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Dropping {
    /// The count of commits with which the rows are gone.
    at: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    lost: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under: Option<Blob>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Away {
    /// Whether rows are missing here.
    pub fn is_partial(&self) -> bool {
        self.lost > 0 || self.under.is_some()
    }

    /// The file that has all rows, if the table's own files have this stamp.
    pub fn covering(&self, stamp: u64) -> Option<Blob> {
        self.whole.filter(|whole| whole.covers == stamp).map(|whole| whole.blob)
    }

    /// As it is where the count of commits is `txn`.
    fn settled(mut self, txn: i64) -> Self {
        match self.drop.take() {
            Some(Dropping { at, lost, under }) if at <= txn => {
                Self { lost, under, missed: self.missed, ..Self::default() }
            }
            _ => self,
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Tells states of a partition's own files apart: their rows and columns, and also their form.
pub fn stamp(table: &AppliedTable, parts: Range<usize>) -> u64 {
    // FNV-1a: it guards against nobody.
    let mix = |hash: u64, word: u64| {
        word.to_le_bytes()
            .iter()
            .fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let parts: &[AppliedPartition] = table.applied.partitions.get(parts).unwrap_or_default();
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        let words = [part.ts as u64, part.rows, part.name_txn as u64, part.parquet_len as u64];
        hash = words.into_iter().fold(hash, mix);
        for (index, _) in table.schema.live() {
            if let Some(top) = table.versions.top(part.ts, index, part.rows).filter(|top| *top < part.rows) {
                let name_txn = table.versions.name_txn(part.ts, index) as u64;
                hash = [index as u64, top, name_txn].into_iter().fold(hash, mix);
            }
        }
    }
    hash
}

/// What is not here of a table in its directory, by first timestamps, where the count of commits is `txn`.
///
/// # Errors
/// What reading answers. A directory that we have not written to has nothing.
pub fn away_of(files: &dyn Files, dir: &str, txn: i64) -> Result<BTreeMap<i64, Away>> {
    Ok(settled(&read_kept(files, dir)?.away, txn))
}

/// What stands beside a table in its directory of the forms of its partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forms {
    /// Partitions, by first timestamp, that statements in the log have put into Parquet form.
    pub wished: BTreeSet<i64>,
    /// See [`away_of`].
    pub away: BTreeMap<i64, Away>,
}

impl Forms {
    /// Reads them, where the count of commits is `txn`.
    ///
    /// # Errors
    /// What reading answers.
    pub fn read(disk: &dyn Disk, dir: &str, txn: i64) -> Result<Self> {
        let kept = read_kept(&DiskReader(disk), dir)?;
        Ok(Self { away: settled(&kept.away, txn), wished: kept.parquet })
    }
}

pub(super) fn settled(away: &BTreeMap<i64, Away>, txn: i64) -> BTreeMap<i64, Away> {
    let settled = away.iter().map(|(floor, away)| (*floor, away.clone().settled(txn)));
    settled.filter(|(_, away)| !away.is_empty()).collect()
}

impl FileTable {
    /// What of the table is not here, by first timestamps.
    pub fn away(&self) -> &BTreeMap<i64, Away> {
        &self.away
    }

    /// Notes that a file in the bucket has all rows of a partition, whose own files have this stamp. Survives a loss of power.
    ///
    /// # Errors
    /// What writing answers.
    pub fn note_uploaded(&mut self, floor: i64, blob: Blob, covers: u64) -> Result<()> {
        Arc::make_mut(&mut self.away).entry(floor).or_default().whole = Some(Whole { blob, covers });
        self.keep()
    }

    /// Drops a partition in this directory alone, whose files have this stamp. The bucket goes on having what it has; rows that
    /// come later make a new one.
    ///
    /// # Errors
    /// What reading and writing answer. The table is then to be opened anew.
    pub fn drop_local(&mut self, floor: i64, stamp: u64) -> Result<Dropped> {
        let last = self.table.partitions.last_key_value().is_some_and(|(last, _)| *last == floor);
        let rows = self.table.partitions.get(&floor).map(|partition| partition.rows as u64);
        if let Some(rows) = rows.filter(|_| !last) {
            let at = self.txn.txn + 1;
            let away = Arc::make_mut(&mut self.away).entry(floor).or_default();
            away.drop = Some(match away.covering(stamp) {
                Some(blob) => Dropping { at, lost: away.lost, under: Some(blob) },
                None => Dropping { at, lost: away.lost.saturating_add(rows), under: away.under },
            });
        }
        let dropped = self.drop_partition(floor)?;
        self.away = Arc::new(settled(&self.away, self.txn.txn));
        Ok(dropped)
    }

    /// A statement has changed rows of the table, or `range` of it has been replaced: what is not here could not be reached.
    pub(super) fn miss(&mut self, seq_txn: u64, range: Option<(i64, i64)>) {
        let calendar = self.table.calendar();
        let (lo, hi) = range.unwrap_or((i64::MIN, i64::MAX));
        let partial = self
            .away
            .iter()
            .filter(|(floor, away)| away.is_partial() && calendar.ceiling(**floor) > lo && **floor < hi);
        let floors: Vec<i64> = partial.map(|(floor, _)| *floor).collect();
        for floor in floors {
            let all = range.is_some() && lo <= floor && calendar.ceiling(floor) <= hi;
            let away = Arc::make_mut(&mut self.away);
            match away.get_mut(&floor) {
                // All of its rows were replaced by what is here.
                Some(_) if all => drop(away.remove(&floor)),
                Some(away) => away.missed = Some(seq_txn),
                None => {}
            }
        }
    }

    /// A partition is gone by the log's doing: nothing of it is anywhere.
    pub(super) fn forget_away(&mut self, floor: i64) {
        if self.away.get(&floor).is_some_and(|away| away.drop.is_none()) {
            Arc::make_mut(&mut self.away).remove(&floor);
        }
    }

    /// Shows the table's statements partitions that are not here; answers which.
    pub(super) fn show_away(&mut self) -> Vec<i64> {
        let mut shown = Vec::new();
        for &floor in self.away.keys() {
            if self.table.partitions.contains_key(&floor) {
                continue;
            }
            let mut block = Block::empty();
            (block.rows, block.min_ts, block.max_ts) = (1, floor, floor);
            let partition = Partition {
                floor,
                rows: 1,
                let_go: true,
                parquet: self.parquet.contains(&floor),
                blocks: vec![Arc::new(block)],
            };
            self.table.partitions.insert(floor, Arc::new(partition));
            shown.push(floor);
        }
        shown
    }

    /// Takes them out again; those that a statement has dropped are forgotten.
    pub(super) fn hide_away(&mut self, shown: Vec<i64>) {
        for floor in shown {
            if self.table.partitions.remove(&floor).is_none() {
                self.forget_away(floor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(n: u8) -> Blob {
        Blob { sum: Sum([n; 32]), bytes: 9, rows: 2, columns: 0 }
    }

    #[test]
    fn a_drop_counts_once_its_commit_is_there() {
        let whole = Some(Whole { blob: blob(1), covers: 7 });
        let drop = Some(Dropping { at: 5, lost: 0, under: Some(blob(1)) });
        let away = Away { whole, drop, ..Away::default() };
        let kept = [(0, away)].into();
        let before = settled(&kept, 4);
        assert_eq!(before[&0], Away { whole, ..Away::default() });
        assert_eq!((before[&0].is_partial(), before[&0].covering(7)), (false, Some(blob(1))));
        let after = settled(&kept, 5);
        assert_eq!(after[&0], Away { under: Some(blob(1)), ..Away::default() });
        assert!(after[&0].is_partial());
        let bytes = serde_json::to_vec(&kept).unwrap();
        assert_eq!(serde_json::from_slice::<BTreeMap<i64, Away>>(&bytes).unwrap(), kept);
    }
}
