use crate::table::{Chunk, Table};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// States of a table to start from when moving back.
///
/// Spaced by the work to redo between them; where memory is short, those go first whose loss costs
/// least: near neighbours far from the cursor.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    states: BTreeMap<u64, Checkpoint>,
    /// Bytes built since memory was last counted exactly.
    unaccounted: usize,
    counted: usize,
}

#[derive(Debug)]
struct Checkpoint {
    table: Table,
    /// Work from the beginning of the log to here.
    work: u64,
}

impl Checkpoints {
    /// Keeps a state; `work` counts from the beginning of the log.
    pub(super) fn keep(&mut self, table: &Table, work: u64) {
        self.states.entry(table.seq_txn).or_insert_with(|| Checkpoint { table: table.clone(), work });
    }

    /// The last state at `seq_txn` or before, with the work up to it.
    pub(super) fn before(&self, seq_txn: u64) -> Option<(&Table, u64)> {
        self.states.range(..=seq_txn).next_back().map(|(_, kept)| (&kept.table, kept.work))
    }

    /// Notes that rows of this size were built since.
    pub(super) fn built(&mut self, bytes: usize) {
        self.unaccounted += bytes;
    }

    /// Memory of all states, each shared chunk counted once, as far as it is known.
    pub(super) fn memory(&self) -> usize {
        self.counted + self.unaccounted
    }

    /// Lets all states go but the one at the beginning.
    pub(super) fn clear_after_beginning(&mut self) {
        let beginning = self.states.keys().next().copied();
        self.states.retain(|&seq_txn, _| Some(seq_txn) == beginning);
    }

    /// Number of states.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Lets states go until all of them, with `current`, fit `limit` bytes; false if they don't with
    /// the one at the beginning alone, which stays.
    pub(super) fn fit(&mut self, current: &Table, cursor_work: u64, limit: usize) -> bool {
        if self.memory() <= limit {
            return true;
        }
        loop {
            if self.count(current) <= limit {
                return true;
            }
            if self.states.len() <= 1 {
                return false;
            }
            // A quarter at a time, so that counting stays rare.
            for _ in 0..self.states.len().div_ceil(4) {
                let Some(victim) = self.cheapest(cursor_work) else { return false };
                self.states.remove(&victim);
            }
        }
    }

    fn count(&mut self, current: &Table) -> usize {
        let mut seen = HashSet::new();
        let tables = self.states.values().map(|kept| &kept.table).chain([current]);
        self.counted = tables.map(|table| unseen_memory(table, &mut seen)).sum();
        self.unaccounted = 0;
        self.counted
    }

    /// The state whose loss costs least: the work between its neighbours, over its distance from the
    /// cursor.
    fn cheapest(&self, cursor_work: u64) -> Option<u64> {
        let works: Vec<(u64, u64)> = self.states.iter().map(|(&txn, kept)| (txn, kept.work)).collect();
        let score = |window: &[(u64, u64)]| {
            let [(_, before), (txn, work), (_, after)] = window else { return None };
            let gap = (after - before) as f64;
            Some((*txn, gap / (work.abs_diff(cursor_work) + 1) as f64))
        };
        let best = works.windows(3).filter_map(score).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(txn, _)| txn);
        // Of the beginning and one other, the other.
        best.or_else(|| works.last().map(|&(txn, _)| txn).filter(|_| works.len() > 1))
    }
}

fn unseen_memory(table: &Table, seen: &mut HashSet<*const Chunk>) -> usize {
    let mut bytes = 0;
    for block in table.blocks() {
        for chunk in block.columns.iter().flatten() {
            if seen.insert(Arc::as_ptr(chunk)) {
                bytes += chunk.memory();
            }
        }
    }
    // Dictionaries share most of their nodes; counting each would count the same strings again.
    bytes
}
