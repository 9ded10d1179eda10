//! What the tables ask of the driver.

use crate::ledger::{Note, Sum};
use crate::table::Digest;
use crate::wal::{Piece, TableToken};

/// What comes of taking and applying packs, for the driver.
#[derive(Debug)]
pub(in crate::native::replica) enum Outcome {
    /// To be written into the journal.
    Note(Note),
    /// A table moved.
    Applied(TableToken, u64),
    /// A table's files are to be fetched. What is kept has to be written down first.
    Load(BaseJob),
    /// A table is to be compared with a digest.
    Compare(DigestJob),
}

impl Outcome {
    /// Whether the rows of the table in this directory are others than before.
    pub(in crate::native::replica) fn is_of(&self, dir: &str) -> bool {
        match self {
            Self::Applied(token, _) => token.dir == dir,
            Self::Note(Note::Base { table, .. }) => table == dir,
            _ => false,
        }
    }
}

/// A copy to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::native::replica) struct BaseJob {
    /// The table's directory.
    pub(in crate::native::replica) dir: String,
    /// The object or snapshot that names it.
    pub(in crate::native::replica) n: u64,
    /// The blob that lists its files.
    pub(in crate::native::replica) manifest: Sum,
    /// Why.
    pub(in crate::native::replica) why: String,
}

/// A digest to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::native::replica) struct DigestJob {
    pub(in crate::native::replica) token: TableToken,
    pub(in crate::native::replica) seq_txn: u64,
    pub(in crate::native::replica) digest: Digest,
}

/// A copy that was taken.
#[derive(Debug)]
pub(in crate::native::replica) struct Copied {
    pub(in crate::native::replica) token: TableToken,
    pub(in crate::native::replica) seq_txn: u64,
    /// A view's files, which are laid out as they came.
    pub(in crate::native::replica) view: Vec<Piece>,
}
