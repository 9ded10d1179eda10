//! What we last wrote, beside the table: whether another program has written since, and how far the rows can be
//! trusted.

use super::away::Away;
use super::disk::{Disk, DiskReader, Open};
use super::log::replace_file;
use crate::table::Standing;
use crate::table::files::{TxnFile, TxnState};
use crate::wal::{Error, Files, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// File of the two slots: one for the state before a publication, one for that after it.
const SLOTS: &str = "_understudy";
/// File of what is kept, where there is something.
const STANDING: &str = "_understudy.json";
const MAGIC: u64 = u64::from_le_bytes(*b"UNDSTDY1");
const SLOT: u64 = 32;
/// The longest file of what is kept.
const KEPT_MAX: u64 = 64 << 20;

/// Our mark on a table's directory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seal {
    path: String,
    kept: Kept,
    /// Whether the present state is one that we published.
    ours: bool,
    /// Whether we ever published one.
    known: bool,
}

/// What is known of a table and has no place in QuestDB's files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Kept {
    /// How far the rows can be trusted.
    pub(super) standing: Standing,
    /// Partitions, by floor, that the server holds in Parquet form: it suspends where it can't change one.
    pub(super) parquet: BTreeSet<i64>,
    /// Suspended by a change of structure, behind which nothing can be applied.
    pub(super) structural: bool,
    /// What storage policies have dropped here, by first timestamp.
    pub(super) away: Arc<BTreeMap<i64, Away>>,
}

#[derive(Serialize, Deserialize)]
struct SavedKept {
    standing: Saved,
    #[serde(default)]
    parquet: BTreeSet<i64>,
    #[serde(default)]
    structural: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    away: BTreeMap<i64, Away>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Saved {
    Exact,
    Diverged { txn: u64, statement: String, reason: String, position: usize },
    Suspended { txn: u64, reason: String },
    Dropped { txn: u64 },
}

impl Seal {
    /// For a table that is just being made.
    pub(super) fn new(dir: &str) -> Self {
        Self { path: dir.to_owned(), kept: Kept::default(), ours: true, known: true }
    }

    /// Reads the mark and compares it with the state that `_txn` has.
    pub(super) fn read(disk: &dyn Disk, dir: &str, txn: &TxnState, file: &TxnFile) -> Result<Self> {
        let kept = read_kept(&DiskReader(disk), dir)?;
        let slots = format!("{dir}/{SLOTS}");
        let mut slot = [0; SLOT as usize];
        let (known, ours) = match disk.open(&slots, Open::Read) {
            Ok(file) => (true, file.read_at(place(txn.txn), &mut slot)? == slot.len()),
            Err(Error::Absent { .. }) => (false, false),
            Err(error) => return Err(error),
        };
        let ours = ours && slot == encode(txn.txn, &record_of(disk, dir, file)?);
        Ok(Self { path: dir.to_owned(), kept, ours, known })
    }

    /// Whether the table's state is one that we published.
    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }

    /// Whether another program alone has written to the table so far.
    pub(super) fn is_foreign(&self) -> bool {
        !self.known
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// To be called before a state is published: from then on either state counts as ours.
    pub(super) fn announce(&mut self, disk: &dyn Disk, next: &TxnState, sync: bool) -> Result<()> {
        let file = disk.open(&format!("{}/{SLOTS}", self.path), Open::Write)?;
        file.write_at(place(next.txn), &encode(next.txn, &next.encode()))?;
        if sync {
            file.sync()?;
        }
        self.ours = true;
        Ok(())
    }

    /// Takes the present state for one that we published, whoever did.
    pub(super) fn adopt(&mut self, disk: &dyn Disk, txn: i64, file: &TxnFile) -> Result<()> {
        let record = record_of(disk, &self.path, file)?;
        let slots = disk.open(&format!("{}/{SLOTS}", self.path), Open::Write)?;
        slots.write_at(place(txn), &encode(txn, &record))?;
        slots.sync()?;
        self.ours = true;
        Ok(())
    }

    /// Writes what is to be kept, where it changed.
    pub(super) fn keep(&mut self, disk: &dyn Disk, kept: Kept) -> Result<()> {
        if kept == self.kept {
            return Ok(());
        }
        let path = format!("{}/{STANDING}", self.path);
        if kept == Kept::default() {
            disk.remove(&path)?;
        } else {
            let saved = SavedKept {
                standing: Saved::from(&kept.standing),
                parquet: kept.parquet.clone(),
                structural: kept.structural,
                away: (*kept.away).clone(),
            };
            replace_file(disk, &path, &serde_json::to_vec(&saved).unwrap_or_default(), true)?;
        }
        self.kept = kept;
        Ok(())
    }
}

/// What is kept of a table in its directory.
pub(super) fn read_kept(files: &dyn Files, dir: &str) -> Result<Kept> {
    let path = format!("{dir}/{STANDING}");
    let bytes = match files.read_all(&path, KEPT_MAX) {
        Ok(bytes) => bytes,
        Err(Error::Absent { .. }) => return Ok(Kept::default()),
        Err(error) => return Err(error),
    };
    let saved: SavedKept = serde_json::from_slice(&bytes)
        .map_err(|error| Error::damaged(&path, 0, "a table's standing", error))?;
    Ok(Kept {
        standing: saved.standing.into(),
        parquet: saved.parquet,
        structural: saved.structural,
        away: Arc::new(saved.away),
    })
}

/// The record of `_txn` that counts, as it is.
fn record_of(disk: &dyn Disk, dir: &str, file: &TxnFile) -> Result<Vec<u8>> {
    let (offset, len) = file.record();
    let path = format!("{dir}/_txn");
    let mut record = vec![0; len as usize];
    disk.open(&path, Open::Read)?.read_exact_at(&path, offset, &mut record)?;
    Ok(record)
}

fn place(txn: i64) -> u64 {
    (txn & 1) as u64 * SLOT
}

fn encode(txn: i64, record: &[u8]) -> [u8; SLOT as usize] {
    // FNV-1a: it tells states apart, it guards against nobody.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = record.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    let mut slot = [0; SLOT as usize];
    let words = [MAGIC, txn as u64, record.len() as u64, hash];
    for (place, word) in slot.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    slot
}

impl From<&Standing> for Saved {
    fn from(standing: &Standing) -> Self {
        match standing.clone() {
            Standing::Exact => Self::Exact,
            Standing::Diverged { seq_txn, statement, reason, position } => {
                Self::Diverged { txn: seq_txn, statement, reason, position }
            }
            Standing::Suspended { seq_txn, reason } => Self::Suspended { txn: seq_txn, reason },
            Standing::Dropped { seq_txn } => Self::Dropped { txn: seq_txn },
        }
    }
}

impl From<Saved> for Standing {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Exact => Self::Exact,
            Saved::Diverged { txn, statement, reason, position } => {
                Self::Diverged { seq_txn: txn, statement, reason, position }
            }
            Saved::Suspended { txn, reason } => Self::Suspended { seq_txn: txn, reason },
            Saved::Dropped { txn } => Self::Dropped { seq_txn: txn },
        }
    }
}
