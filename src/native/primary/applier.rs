//! The log into tables, on threads of its own.

use crate::apply::backlog::BatchLimits;
use crate::native::disk::DiskFiles;
use crate::native::outcome::{Failure, Result};
use crate::native::store::{CommitMode, RealDisk, Step, Worker};
use crate::table::Standing;
use crate::wal::TableToken;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Memory that planning takes for a row, as reckoned for `apply`.
const PLANNED_ROW: u64 = 48;
const COMMITS: usize = 256 * 1024;
/// Tables that stay open.
const OPEN_TABLES: usize = 512;
/// How long a table that fails, for want of room or otherwise, waits for the next attempt.
const AGAIN: Duration = Duration::from_secs(2);

/// Applies transactions as it is told of them.
#[derive(Debug)]
pub struct Applier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How far a table is.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The last transaction applied.
    pub seq_txn: u64,
    /// Rows.
    pub rows: u64,
    /// Why it does not go on, if it doesn't.
    pub trouble: Option<String>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Tables with transactions to apply.
    due: BTreeMap<String, TableToken>,
    applied: BTreeMap<String, Applied>,
    busy: bool,
    stop: bool,
}

impl Applier {
    /// Begins, for a directory of tables with logs of their own. Memory is that of rows on their way.
    ///
    /// # Errors
    /// When the directory or a thread can't be had.
    pub fn start(db: &Path, mode: CommitMode, memory: u64) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", db.display()));
        let disk = Arc::new(RealDisk::open(db).map_err(failed)?);
        let files = DiskFiles::open(db).map_err(failed)?;
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Failure::failed(error.to_string()))?;
        let half = memory / 2;
        let limits = BatchLimits {
            rows: (half / PLANNED_ROW).clamp(1, u64::from(u32::MAX >> 2)),
            bytes: u64::MAX,
            commits: COMMITS,
            column: half / threads as u64,
        };
        let shared = Arc::new(Shared { state: Mutex::default(), news: Condvar::new() });
        let mut tables =
            Tables { disk, files, mode, limits, workers: BTreeMap::new(), failed: BTreeSet::new() };
        let told = shared.clone();
        let work = move || pool.install(|| tables.run(&told));
        let thread = std::thread::Builder::new().name("apply".into()).spawn(work).map_err(failed)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Tells that a table has transactions that may not be applied.
    pub fn wake(&self, token: &TableToken) {
        let mut state = self.shared.lock();
        state.due.entry(token.dir.clone()).or_insert_with(|| token.clone());
        self.shared.news.notify_all();
    }

    /// How far the tables are, by directory.
    pub fn applied(&self) -> BTreeMap<String, Applied> {
        self.shared.lock().applied.clone()
    }

    /// Waits until all that was told is applied, or fails; at most so long. Answers whether it is.
    pub fn settle(&self, most: Duration) -> bool {
        let state = self.shared.lock();
        let busy = |state: &mut State| state.busy || !state.due.is_empty();
        let waited = self.shared.news.wait_timeout_while(state, most, busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.busy && state.due.is_empty() && state.applied.values().all(|applied| applied.trouble.is_none())
    }

    /// Ends after the blocks that are under way.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.lock().stop = true;
        self.shared.news.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Tables {
    disk: Arc<RealDisk>,
    files: DiskFiles,
    mode: CommitMode,
    limits: BatchLimits,
    workers: BTreeMap<String, Worker>,
    /// To be tried again.
    failed: BTreeSet<String>,
}

impl Tables {
    fn run(&mut self, shared: &Shared) {
        loop {
            let due = {
                let mut state = shared.lock();
                state.busy = false;
                shared.news.notify_all();
                while state.due.is_empty() && !state.stop {
                    if self.failed.is_empty() {
                        state = shared.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                        continue;
                    }
                    let waited = shared.news.wait_timeout(state, AGAIN);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    if state.due.is_empty() {
                        break;
                    }
                }
                if state.stop {
                    return;
                }
                state.busy = true;
                std::mem::take(&mut state.due)
            };
            let again = std::mem::take(&mut self.failed);
            self.round(shared, due, again);
        }
    }

    /// Steps each of these tables until it has nothing more, or the process is to end.
    fn round(&mut self, shared: &Shared, due: BTreeMap<String, TableToken>, again: BTreeSet<String>) {
        let mut turns: Vec<Worker> = Vec::new();
        for dir in again.iter().filter(|dir| !due.contains_key(*dir)) {
            turns.extend(self.workers.remove(dir).map(|worker| self.anew(worker.token().clone())));
        }
        for (dir, token) in due {
            let known = self.workers.remove(&dir).filter(|worker| worker.failure().is_none());
            turns.push(known.unwrap_or_else(|| self.anew(token)));
        }
        let (files, limits) = (&self.files, self.limits);
        turns.par_iter_mut().for_each(|worker| {
            while let Step::Applied(seq_txn) = worker.step(files, limits) {
                let stop = {
                    let mut state = shared.lock();
                    state.applied.insert(worker.token().dir.clone(), applied(worker, seq_txn));
                    state.stop
                };
                if stop {
                    return;
                }
            }
        });
        let mut state = shared.lock();
        for worker in turns {
            let dir = worker.token().dir.clone();
            let now = applied(&worker, worker.progress().0);
            if worker.failure().is_some() {
                self.failed.insert(dir.clone());
            }
            if let Some(trouble) = &now.trouble
                && state.applied.get(&dir).is_none_or(|before| before.trouble.as_ref() != Some(trouble))
            {
                tracing::warn!(table = %dir, "{trouble}");
            }
            state.applied.insert(dir.clone(), now);
            self.workers.insert(dir, worker);
        }
        drop(state);
        let open = self.workers.len().saturating_sub(OPEN_TABLES);
        self.workers.values_mut().take(open).for_each(Worker::close);
    }

    fn anew(&self, token: TableToken) -> Worker {
        Worker::new(self.disk.clone(), token, self.mode, true).with_own_log()
    }
}

fn applied(worker: &Worker, seq_txn: u64) -> Applied {
    let trouble = match (worker.failure(), worker.standing()) {
        (Some(error), _) => Some(error.to_string()),
        (None, Standing::Suspended { seq_txn, reason }) => {
            Some(format!("suspended at transaction {seq_txn}: {reason}"))
        }
        _ => None,
    };
    Applied { seq_txn, rows: worker.rows(), trouble }
}
