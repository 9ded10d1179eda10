//! What the log's objects did, without their bytes.

use crate::ledger::pack::{TableEntry, What};
use crate::ledger::{Kind, Object, Pack, Place};
use crate::table::Digest;

/// An object of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Where it lies.
    pub place: Place,
    /// Pack, or a seal with the next directory.
    pub kind: Kind,
    /// When it was made by its writer's clock, microseconds since 1970.
    pub committed_us: i64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes of blobs that it refers to.
    pub blob_bytes: u64,
    /// Blobs that it refers to.
    pub blobs: u64,
    /// The instance that shall be the next primary, if it names one.
    pub handover: Option<String>,
    /// What happened to tables.
    pub tables: Vec<(String, Happened)>,
}

/// What happened to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Transactions, the first and the last one.
    Transactions(u64, u64),
    /// It was made.
    Created,
    /// It has another name.
    Renamed(String),
    /// It was dropped.
    Dropped,
    /// It starts anew from a copy as of this transaction; why.
    Base(u64, String),
    /// Digests of it: `seqTxn` and digest.
    Digests(Vec<(u64, Digest)>),
}

impl Passed {
    pub(super) fn of(object: &Object, pack: Option<&Pack>) -> Self {
        let head = object.head();
        let (blobs, blob_bytes) = pack.map_or((0, 0), blobs_of);
        let tables = pack.map_or(&[][..], |pack| pack.tables.as_slice());
        Self {
            place: head.place,
            kind: head.kind,
            committed_us: head.committed_us,
            bytes: object.bytes().len() as u64,
            blob_bytes,
            blobs,
            handover: pack.and_then(|pack| pack.handover.clone()),
            tables: tables.iter().map(happened).collect(),
        }
    }
}

fn happened(entry: &TableEntry) -> (String, Happened) {
    let what = match &entry.what {
        What::Transactions(run) => Happened::Transactions(run.first_seq_txn, run.last_seq_txn()),
        What::Created { .. } => Happened::Created,
        What::Renamed { to } => Happened::Renamed(to.clone()),
        What::Dropped => Happened::Dropped,
        What::Base { seq_txn, why, .. } => Happened::Base(*seq_txn, why.clone()),
        What::Digests { digests } => Happened::Digests(digests.clone()),
    };
    (entry.token.dir.clone(), what)
}

/// Blobs that the pieces refer to, and their bytes as stored.
fn blobs_of(pack: &Pack) -> (u64, u64) {
    let files = pack.tables.iter().flat_map(|entry| match &entry.what {
        What::Transactions(run) => run.files.as_slice(),
        What::Created { files } => files.as_slice(),
        _ => &[],
    });
    let moved = files.filter(|piece| matches!(piece.block.held, crate::ledger::Held::Blob(_)));
    moved.fold((0, 0), |(count, bytes), piece| (count + 1, bytes + piece.block.stored_len))
}
