//! What of a pack is still of use: a replica that starts again reads packs that it has applied in part.

use super::tables::Tables;
use crate::ledger::{Pack, TableEntry, What};
use crate::native::outcome::Exit;
use std::collections::BTreeSet;

impl Tables {
    /// The pack of number `n` without what the tables are beyond, or can't take.
    pub(super) fn fit(&mut self, n: u64, pack: &Pack) -> Pack {
        let mut based = BTreeSet::new();
        let mut tables = Vec::with_capacity(pack.tables.len());
        let created = |dir: &str| {
            let is = |entry: &&TableEntry| matches!(entry.what, What::Created { .. } | What::Base { .. });
            pack.tables.iter().filter(is).any(|entry| entry.token.dir == dir)
        };
        for entry in &pack.tables {
            let dir = &entry.token.dir;
            if !self.is_of_use(n, entry, &mut based) {
                continue;
            }
            if self.is_own(dir) {
                self.halt(dir, Exit::Failed, "a table without a WAL that was made here has its directory");
                continue;
            }
            // A table's transactions are of no use without the table.
            if let What::Transactions(run) = &entry.what
                && run.first_seq_txn > 1
                && !self.is_known(dir)
                && !created(dir)
            {
                let what = format!(
                    "transaction {} came, and those before it did not: the table isn't here",
                    run.first_seq_txn
                );
                self.halt(dir, Exit::Damaged, &what);
                continue;
            }
            tables.push(entry.clone());
        }
        Pack { tables, handover: pack.handover.clone(), answers: Vec::new() }
    }

    /// `based` are tables whose copy in this pack was met.
    fn is_of_use(&self, n: u64, entry: &TableEntry, based: &mut BTreeSet<String>) -> bool {
        let dir = &entry.token.dir;
        let Some(kept) = self.kept.get(dir) else { return true };
        if kept.dropped.is_some_and(|dropped| n <= dropped) {
            return false;
        }
        let is_base = matches!(entry.what, What::Base { .. });
        let before = based.contains(dir);
        if is_base {
            based.insert(dir.clone());
        }
        if let Some(base) = &kept.base
            && n <= base.n
            && !before
        {
            // What comes before a copy counts no more; a copy that is there is not taken twice.
            return n == base.n && is_base && !base.done;
        }
        let needs_rows =
            matches!(entry.what, What::Transactions(_) | What::Digests { .. } | What::Created { .. });
        !(needs_rows && kept.stopped.is_some() && !before)
    }
}
