//! What we last wrote, beside the table: whether another program has written since, and how far the rows can be
//! trusted.

use super::disk::{Disk, Open};
use crate::table::Standing;
use crate::table::files::{TxnFile, TxnState};
use crate::wal::{Error, Result};
use serde::{Deserialize, Serialize};

/// File of the two slots: one for the state before a publication, one for that after it.
const SLOTS: &str = "_understudy";
/// File of a standing that is not exact.
const STANDING: &str = "_understudy.json";
const MAGIC: u64 = u64::from_le_bytes(*b"UNDSTDY1");
const SLOT: u64 = 32;

/// Our mark on a table's directory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seal {
    path: String,
    standing: Standing,
    /// Whether the present state is one that we published.
    ours: bool,
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
        Self { path: dir.to_owned(), standing: Standing::Exact, ours: true }
    }

    /// Reads the mark and compares it with the state that `_txn` has.
    pub(super) fn read(disk: &dyn Disk, dir: &str, txn: &TxnState, file: &TxnFile) -> Result<Self> {
        let path = format!("{dir}/{STANDING}");
        let standing = match disk.open(&path, Open::Read) {
            Ok(file) => {
                let len = file.len()?.min(1 << 20) as usize;
                let mut bytes = vec![0; len];
                let got = file.read_at(0, &mut bytes)?;
                bytes.truncate(got);
                serde_json::from_slice::<Saved>(&bytes)
                    .map(Standing::from)
                    .map_err(|error| Error::damaged(&path, 0, "a table's standing", error))?
            }
            Err(Error::Absent { .. }) => Standing::Exact,
            Err(error) => return Err(error),
        };
        let slots = format!("{dir}/{SLOTS}");
        let mut slot = [0; SLOT as usize];
        let ours = match disk.open(&slots, Open::Read) {
            Ok(file) => file.read_at(place(file_version(txn)), &mut slot)? == slot.len(),
            Err(Error::Absent { .. }) => false,
            Err(error) => return Err(error),
        };
        let (offset, len) = file.record();
        let path = format!("{dir}/_txn");
        let mut record = vec![0; len as usize];
        disk.open(&path, Open::Read)?.read_exact_at(&path, offset, &mut record)?;
        let ours = ours && slot == encode(txn.txn, &record);
        Ok(Self { path: dir.to_owned(), standing, ours })
    }

    /// Whether the table's state is one that we published.
    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
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

    /// Writes a standing that changed.
    pub(super) fn keep(&mut self, disk: &dyn Disk, standing: &Standing) -> Result<()> {
        if *standing == self.standing {
            return Ok(());
        }
        let path = format!("{}/{STANDING}", self.path);
        if *standing == Standing::Exact {
            disk.remove(&path)?;
        } else {
            let text = serde_json::to_vec(&Saved::from(standing)).unwrap_or_default();
            let aside = format!("{path}.tmp");
            let file = disk.open(&aside, Open::New)?;
            file.write_at(0, &text)?;
            file.sync()?;
            disk.rename(&aside, &path)?;
        }
        self.standing = standing.clone();
        Ok(())
    }
}

fn file_version(txn: &TxnState) -> i64 {
    txn.txn
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
