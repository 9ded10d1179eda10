//! A [`Replication`] that is told what is new, instead of looking for it: of ten thousand tables those that have nothing to do
//! cost nothing.

use super::run::Replication;
use super::table::FileTable;
use super::worker::Worker;
use crate::wal::{Error, Files, Result, TableKind, TableToken};

impl Replication {
    /// From now on nothing is looked at that was not [told](Self::wake) of; all tables are looked at once more.
    pub fn feed(&mut self) {
        self.awake = Some((0..self.workers.len()).collect());
    }

    /// There is something new in the log of this table, which reaches up to this transaction.
    pub fn wake(&mut self, dir: &str, max_txn: u64) {
        let Some(&place) = self.places.get(dir) else { return };
        if let Some(worker) = self.workers.get_mut(place) {
            worker.idle_since = None;
            worker.expect(max_txn);
        }
        if let Some(awake) = &mut self.awake {
            awake.insert(place);
        }
    }

    /// The source's registry is another one.
    ///
    /// # Errors
    /// What reading it, and taking views over, answers.
    pub fn registry_changed(&mut self, source: &dyn Files) -> Result<()> {
        self.look(source)
    }

    /// The worker of a directory.
    pub fn worker(&self, dir: &str) -> Option<&Worker> {
        self.workers.get(*self.places.get(dir)?)
    }

    /// The last transaction that a table has, once it has been made and is in the registry.
    pub fn applied(&self, dir: &str) -> Option<u64> {
        let there = |worker: &&Worker| worker.is_made() && worker.entered.is_some();
        self.worker(dir).filter(there).map(|worker| worker.progress().0)
    }

    /// Whether the table can't be entered into the registry, as another one still has its name.
    pub fn waits_for_name(&self, dir: &str) -> bool {
        self.places.get(dir).is_some_and(|place| self.unentered.contains(place))
    }

    /// The tables as the directory's registry has them.
    pub fn registered(&self) -> &[TableToken] {
        self.database.tables()
    }

    /// Keeps a table from going on, until [`retry`](Self::retry) or a [replacement](Self::hold_back).
    pub fn stop(&mut self, dir: &str, error: Error) {
        if let Some(worker) = self.worker_mut(dir) {
            worker.fail(error);
        }
    }

    /// Tries again what failed.
    pub fn retry(&mut self, dir: &str) {
        if let Some(worker) = self.worker_mut(dir) {
            worker.retry();
        }
        self.wake(dir, 0);
    }

    /// Keeps hands off a table's directory, which somebody makes anew, until it is [let go](Self::let_go).
    pub fn hold_back(&mut self, dir: &str) {
        self.forget(dir);
        self.held_back.insert(dir.to_owned());
    }

    /// Goes on with a table from what its directory holds now; a [view](crate::wal::TableKind::View) is looked at with the registry.
    pub fn let_go(&mut self, token: &TableToken) {
        self.held_back.remove(&token.dir);
        self.forget(&token.dir);
        if token.kind != TableKind::View {
            let (disk, mode, adopt) = (self.disk.clone(), self.options.commit_mode, self.options.adopt);
            self.add(Worker::new(disk, token.clone(), mode, adopt));
        }
    }

    /// Removes a table or view, with its files.
    ///
    /// # Errors
    /// What writing answers.
    pub fn drop_table(&mut self, dir: &str) -> Result<()> {
        if self.database.find(dir).is_some() {
            self.database.remove(dir);
            self.database.save()?;
        }
        self.forget(dir);
        self.held_back.remove(dir);
        self.disk.remove_dir(dir)
    }

    /// Brings those to rest that were looked at in vain.
    pub(super) fn let_rest(&mut self) {
        let (Some(awake), workers) = (&mut self.awake, &self.workers) else { return };
        awake.retain(|place| workers.get(*place).is_some_and(|worker| worker.idle_since.is_none()));
    }

    /// Works on a table's files between two blocks of its log; `None` where there is no such table, or it can't go on.
    pub fn with_table<T>(
        &mut self,
        dir: &str,
        source: &dyn Files,
        work: impl FnOnce(&mut FileTable) -> Result<T>,
    ) -> Option<Result<T>> {
        self.worker_mut(dir)?.with_table(source, work)
    }

    fn forget(&mut self, dir: &str) {
        let Some(place) = self.places.remove(dir) else { return };
        self.workers.swap_remove(place);
        if let Some(moved) = self.workers.get(place) {
            self.places.insert(moved.token().dir.clone(), place);
        }
        let last = self.workers.len();
        for places in self.awake.iter_mut().chain([&mut self.unentered]) {
            places.remove(&place);
            if places.remove(&last) && place < last {
                places.insert(place);
            }
        }
    }

    fn worker_mut(&mut self, dir: &str) -> Option<&mut Worker> {
        self.workers.get_mut(*self.places.get(dir)?)
    }
}
