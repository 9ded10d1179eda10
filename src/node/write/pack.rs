//! What a request changed, for the cluster's log.

use super::{Write, Written};
use crate::ledger::{Block, Codec, FilePiece, Result, Run, TableEntry, Token, What};
use bytes::Bytes;

/// What happened to a table.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// It was made.
    Created { token: Token, files: Vec<Write> },
    /// It has transactions.
    Transactions { token: Token, run: Transactions },
}

/// Transactions, one after the other, and the files that reading them takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Transactions {
    pub(super) first: u64,
    pub(super) part_size: u32,
    pub(super) records: Vec<Bytes>,
    pub(super) files: Vec<Write>,
}

impl Written {
    /// What goes into the cluster's log, in this order.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::ledger::Error::Unsupported) of zstd, which is the driver's.
    pub fn entries(&self, codec: Codec) -> Result<Vec<TableEntry>> {
        let entry = |change: &Change| {
            Ok(match change {
                Change::Created { token, files } => {
                    TableEntry { token: token.clone(), what: What::Created { files: pieces(files, codec)? } }
                }
                Change::Transactions { token, run } => {
                    let files = pieces(&run.files, codec)?;
                    let (first_seq_txn, part_size) = (run.first, run.part_size);
                    let run = Run { first_seq_txn, part_size, records: run.records.clone(), files };
                    TableEntry { token: token.clone(), what: What::Transactions(run) }
                }
            })
        };
        self.changes.iter().map(entry).collect()
    }

    /// The tables that it makes or has transactions for; one may be named twice.
    pub fn tables(&self) -> impl Iterator<Item = &Token> {
        self.changes.iter().map(|change| match change {
            Change::Created { token, .. } | Change::Transactions { token, .. } => token,
        })
    }

    /// True if nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

fn pieces(files: &[Write], codec: Codec) -> Result<Vec<FilePiece>> {
    let piece = |write: &Write| {
        let block = Block::of(write.bytes.clone(), codec)?;
        Ok(FilePiece { path: write.file.to_string(), offset: write.offset, block })
    };
    files.iter().map(piece).collect()
}
