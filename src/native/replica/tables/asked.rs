//! What is asked of the tables.

use super::Tables;
use crate::ledger::Point;
use crate::native::outcome::Exit;
use crate::native::replica::kept::Stopped;
use crate::native::store::{Disk, FileTable, Worker};
use crate::table::Standing;
use crate::wal::{self, TableToken};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

impl Tables {
    /// Behind all that is settled.
    pub(in crate::native::replica) fn point(&self) -> &Point {
        &self.point
    }

    /// Whether all that was taken is applied.
    pub(in crate::native::replica) fn is_settled(&self) -> bool {
        self.taken.is_empty() && self.loading.is_empty()
    }

    /// Whether all that is left are tables that failed and are tried again later, or that have no name yet.
    pub(in crate::native::replica) fn waits_for_better_times(&self) -> bool {
        let nameless = || self.busy.iter().all(|dir| self.replication.waits_for_name(dir));
        let any = !self.failing.is_empty() || !self.busy.is_empty();
        self.loading.is_empty() && any && nameless()
    }

    /// Whether there is something to apply.
    pub(in crate::native::replica) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Packs that are not settled.
    pub(in crate::native::replica) fn unsettled(&self) -> usize {
        self.taken.len()
    }

    /// Whether there is something to write down.
    pub(in crate::native::replica) fn is_changed(&self) -> bool {
        self.dirty
    }

    /// The last transaction of a table that was told of, or that it was opened with.
    pub(in crate::native::replica) fn applied(&self, dir: &str) -> u64 {
        self.told.get(dir).copied().unwrap_or(0)
    }

    /// Whether a snapshot's tables are on their way.
    pub(in crate::native::replica) fn is_loading(&self) -> bool {
        !self.loading.is_empty()
    }

    /// Bytes of packs that are not applied yet.
    pub(in crate::native::replica) fn held(&self) -> u64 {
        self.mirror.held()
    }

    /// Transactions applied, and known in all.
    pub(in crate::native::replica) fn progress(&self) -> (u64, u64) {
        self.replication.progress()
    }

    pub(in crate::native::replica) fn workers(&self) -> &[Worker] {
        self.replication.workers()
    }

    /// Why a table doesn't go on, if so.
    pub(in crate::native::replica) fn trouble(&self, dir: &str) -> Option<Stopped> {
        let stopped = self.kept.get(dir).and_then(|table| table.stopped.clone());
        let failing = || {
            let failing = self.failing.get(dir)?;
            Some(Stopped { exit: Exit::Failed, text: failing.text.clone() })
        };
        let diverged = || match self.replication.worker(dir)?.standing() {
            Standing::Diverged { seq_txn, reason, .. } => {
                let text = format!("diverged at transaction {seq_txn}: {reason}; a copy of it will follow");
                Some(Stopped { exit: Exit::Diverged, text })
            }
            _ => None,
        };
        let nameless = || {
            let text = "another table has its name; it is entered once that one is renamed or dropped";
            let waits = self.replication.waits_for_name(dir);
            waits.then(|| Stopped { exit: Exit::Failed, text: text.to_owned() })
        };
        stopped.or_else(failing).or_else(diverged).or_else(nameless)
    }

    /// Directories of tables that can't go on, also of those that are not there.
    pub(in crate::native::replica) fn troubled(&self) -> BTreeSet<String> {
        let stopped = self.kept.iter().filter(|(_, table)| table.stopped.is_some()).map(|(dir, _)| dir);
        stopped.chain(self.failing.keys()).chain(&self.diverged).cloned().collect()
    }

    /// When a table is to be tried again.
    pub(in crate::native::replica) fn due(&self) -> Option<Instant> {
        self.failing.values().map(|failing| failing.at).min()
    }

    /// The disk, for those who make a table anew.
    pub(in crate::native::replica) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The table in this directory, unless a copy of it is on its way.
    pub(in crate::native::replica) fn token(&self, dir: &str) -> Option<TableToken> {
        self.replication.worker(dir).filter(|worker| worker.entered()).map(|worker| worker.token().clone())
    }

    /// Works on a table's files between two blocks of its log; `None` where there is no such table, or it can't go on.
    pub(in crate::native::replica) fn with_table<T>(
        &mut self,
        dir: &str,
        work: impl FnOnce(&mut FileTable) -> wal::Result<T>,
    ) -> Option<wal::Result<T>> {
        self.replication.with_table(dir, self.mirror.files(), work)
    }

    /// Whether this is a table without a WAL, or the system's, which is none of the cluster's.
    pub(in crate::native::replica) fn is_own(&self, dir: &str) -> bool {
        let mut registered = self.replication.registered().iter();
        registered.any(|token| token.dir == dir && !token.is_shared())
    }

    /// Whether anything of this table has come, or is there.
    pub(in crate::native::replica) fn is_known(&self, dir: &str) -> bool {
        self.mirror.last(dir).is_some()
    }
}
