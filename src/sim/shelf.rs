//! The rows of snapshots. In the simulated bucket a copied table is a few words with its digest; its rows are kept here, by
//! the hash of those words, and are shared with the table that was copied.

use super::applied::TableState;
use crate::ledger::Sum;
use bytes::Bytes;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Shelf(BTreeMap<Sum, TableState>);

impl Shelf {
    /// Keeps a copy of a table; answers the blob that stands for it.
    pub(super) fn put(&mut self, state: &TableState) -> (Sum, Bytes) {
        let table = &state.table;
        let words = format!("{} {} {} {}\n", table.dir, table.seq_txn, table.digest(), table.rows());
        let sum = Sum::of(words.as_bytes());
        self.0.entry(sum).or_insert_with(|| state.clone());
        (sum, words.into())
    }

    pub(super) fn get(&self, sum: Sum) -> Option<&TableState> {
        self.0.get(&sum)
    }
}
