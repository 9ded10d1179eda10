//! All tables of a database on their way from its log into a directory.

use super::database::Database;
use super::disk::Disk;
use super::table::CommitMode;
use super::worker::{Step, Worker};
use crate::apply::backlog::BatchLimits;
use crate::table::Standing;
use crate::wal::{Files, Registry, Result, SequencerLog, TableKind, TableToken};
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How [`Replication`] goes about it.
#[derive(Debug, Clone)]
pub struct ReplicationOptions {
    /// Tables by name or directory; all that are no system tables if empty.
    pub tables: Vec<String>,
    /// Threads.
    pub threads: usize,
    /// Bytes of rows on their way, and what planning them takes.
    pub memory: u64,
    /// What survives a loss of power.
    pub commit_mode: CommitMode,
    /// Takes tables that another program has written to as they are.
    pub adopt: bool,
}

/// Applies a database's log to a directory, many tables at a time.
#[derive(Debug)]
pub struct Replication {
    disk: Arc<dyn Disk>,
    database: Database,
    workers: Vec<Worker>,
    pool: rayon::ThreadPool,
    options: ReplicationOptions,
    /// The source's registry as last seen.
    known: Vec<TableToken>,
    looked: Option<Instant>,
}

/// How often the source's list of tables is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Bytes that planning takes per row: its timestamp twice, its place in the log and in the order, and its upsert key.
const PLANNED_ROW: u64 = 48;
/// Commits in one block.
const COMMITS: usize = 256 * 1024;
/// Tables that are kept open.
const OPEN_TABLES: usize = 512;

impl Replication {
    /// For the log of `source`, into the directory of `disk`.
    ///
    /// # Errors
    /// What reading the two registries answers.
    pub fn new(disk: Arc<dyn Disk>, source: &dyn Files, options: ReplicationOptions) -> Result<Self> {
        let database = Database::open(disk.clone())?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.max(1))
            .build()
            .map_err(|error| crate::wal::Error::Io { file: "".into(), message: error.to_string().into() })?;
        let mut replication =
            Self { disk, database, workers: Vec::new(), pool, options, known: Vec::new(), looked: None };
        replication.look(source)?;
        Ok(replication)
    }

    /// The tables.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Transactions to apply that are known now: applied, and in all.
    pub fn progress(&self) -> (u64, u64) {
        self.workers.iter().map(Worker::progress).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Applies one block of each table that has transactions; answers whether there were any.
    ///
    /// # Errors
    /// What writing the registry answers. What keeps a single table from going on is the table's
    /// [`failure`](Worker::failure).
    pub fn round(&mut self, source: &(dyn Files + Sync), stop: &AtomicBool) -> Result<bool> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            // A registry that is just being written is looked at again.
            let _ = self.look(source);
        }
        let behind =
            self.workers.iter().filter(|worker| worker.failure().is_none() && worker.behind()).count();
        let at_once = behind.clamp(1, self.options.threads.max(1)) as u64;
        let half = self.options.memory / 2;
        let limits = BatchLimits {
            rows: (half / at_once / PLANNED_ROW).clamp(1, u64::from(u32::MAX >> 2)),
            bytes: u64::MAX,
            commits: COMMITS,
            column: half / self.options.threads.max(1) as u64,
        };
        let step = |worker: &mut Worker| match stop.load(Ordering::Relaxed) {
            true => Step::Idle,
            false => worker.step(source, limits),
        };
        let workers = &mut self.workers;
        let steps: Vec<Step> =
            self.pool.install(|| workers.par_iter_mut().with_max_len(1).map(step).collect());
        let any = steps.iter().any(|step| matches!(step, Step::Applied(_)));
        self.enter()?;
        self.close_some(&steps);
        Ok(any)
    }

    /// Looks for tables that are new, renamed or dropped.
    fn look(&mut self, source: &dyn Files) -> Result<()> {
        self.looked = Some(Instant::now());
        let tables = Registry::read(source)?.tables;
        if tables == self.known {
            return Ok(());
        }
        for token in &tables {
            let wanted = matches!(token.kind, TableKind::Wal | TableKind::MatView) && !token.is_system();
            let named = |name: &String| *name == token.name || *name == token.dir;
            let chosen = self.options.tables.is_empty() || self.options.tables.iter().any(named);
            let known = self.workers.iter().any(|worker| worker.token().dir == token.dir);
            // One that was dropped before we ever saw it is of no use to anybody.
            let gone = token.dropped && self.database.find(&token.dir).is_none();
            if wanted && chosen && !known && !gone {
                let (disk, mode, adopt) = (self.disk.clone(), self.options.commit_mode, self.options.adopt);
                let mut worker = Worker::new(disk, token.clone(), mode, adopt);
                if let Ok(log) = SequencerLog::open(source, &token.dir) {
                    worker.expect(log.max_txn);
                }
                self.workers.push(worker);
            }
        }
        self.known = tables;
        Ok(())
    }

    /// Brings the registry in line with the tables.
    fn enter(&mut self) -> Result<()> {
        for worker in &mut self.workers {
            if let Standing::Dropped { .. } = worker.standing() {
                if self.database.find(&worker.token().dir).is_some() {
                    self.database.remove(&worker.token().dir);
                    self.database.save()?;
                }
                worker.remove_files()?;
            } else if worker.is_made()
                && let Err(error) = self.database.enter(worker.token())
            {
                worker.fail(error);
            }
        }
        self.database.save()
    }

    /// Keeps the number of open tables in bounds: those that were idle are closed first.
    fn close_some(&mut self, steps: &[Step]) {
        let open = self.workers.iter().filter(|worker| worker.is_open()).count();
        let mut excess = open.saturating_sub(OPEN_TABLES);
        for (worker, step) in self.workers.iter_mut().zip(steps) {
            if excess == 0 {
                return;
            }
            if *step == Step::Idle && worker.is_open() {
                worker.close();
                excess -= 1;
            }
        }
    }
}
