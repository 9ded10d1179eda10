//! All tables of a database on their way from its log into a directory.

use super::database::Database;
use super::disk::Disk;
use super::plain_views::take_over;
use super::table::CommitMode;
use super::worker::{Step, Worker};
use crate::apply::backlog::BatchLimits;
use crate::table::Standing;
use crate::wal::{Files, Registry, Result, SequencerLog, TableKind, TableToken};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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
    pub(super) disk: Arc<dyn Disk>,
    pub(super) database: Database,
    pub(super) workers: Vec<Worker>,
    /// Where each directory's worker is.
    pub(super) places: BTreeMap<String, usize>,
    /// Workers that have something to do, if a driver tells.
    pub(super) awake: Option<BTreeSet<usize>>,
    /// Workers of tables whose name another one still has.
    pub(super) unentered: BTreeSet<usize>,
    /// Directories that somebody else is at.
    pub(super) held_back: BTreeSet<String>,
    pool: rayon::ThreadPool,
    pub(super) options: ReplicationOptions,
    /// The source's registry as last seen.
    known: Vec<TableToken>,
    looked: Option<Instant>,
    closed: Instant,
    /// Whose turn it is.
    next: usize,
}

/// For how long a log that had nothing new is left alone, for each table there is.
const REST: Duration = Duration::from_micros(100);
/// The longest that is.
const LONGEST_REST: Duration = Duration::from_millis(250);
/// How long tables are taken in turns before new ones are entered into the registry, and the source's is looked at.
const ROUND: Duration = Duration::from_millis(250);
/// How often the source's list of tables is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Bytes that planning takes per row: its timestamp twice, its place in the log and in the order, and its upsert key.
const PLANNED_ROW: u64 = 48;
/// Commits in one block.
const COMMITS: usize = 256 * 1024;
/// Tables that are kept open.
const OPEN_TABLES: usize = 512;
/// How long a table is kept open to which nothing comes, and how often that is looked at.
const OPEN_LONG: Duration = Duration::from_secs(60);
const CLOSE_EVERY: Duration = Duration::from_secs(10);

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
        let mut replication = Self {
            disk,
            database,
            workers: Vec::new(),
            places: BTreeMap::new(),
            awake: None,
            unentered: BTreeSet::new(),
            held_back: BTreeSet::new(),
            pool,
            options,
            known: Vec::new(),
            looked: None,
            closed: Instant::now(),
            next: 0,
        };
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

    /// Applies blocks of the tables that have transactions, in turns, until none has or a quarter of a second is over; answers
    /// whether there were any.
    ///
    /// # Errors
    /// What writing the registry answers. What keeps a single table from going on is the table's
    /// [`failure`](Worker::failure).
    pub fn round(&mut self, source: &(dyn Files + Sync), stop: &AtomicBool) -> Result<bool> {
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if due && self.awake.is_none() {
            // A registry that is just being written is looked at again.
            let _ = self.look(source);
        }
        let limits = self.limits();
        let tables = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        let rest = match self.awake {
            None => REST.saturating_mul(tables).min(LONGEST_REST),
            // Until there is news of it.
            Some(_) => Duration::MAX,
        };
        let awake = self.awake.clone();
        let takes_part = |index: &usize| awake.as_ref().is_none_or(|awake| awake.contains(index));
        let workers = self.workers.iter_mut().enumerate().filter(|(index, _)| takes_part(index));
        let turns = Turns {
            workers: workers.map(|(_, worker)| Mutex::new(worker)).collect(),
            next: AtomicUsize::new(self.next),
            any: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            begun: Instant::now(),
            rest,
        };
        self.pool.scope(|scope| {
            for _ in 0..self.options.threads.max(1) {
                scope.spawn(|_| turns.take(|worker| worker.step(source, limits), stop));
            }
        });
        self.next = turns.next.into_inner();
        let any = turns.any.into_inner() || !turns.quiet.into_inner();
        self.enter()?;
        self.let_rest();
        self.close_idle();
        self.close_some();
        Ok(any)
    }

    fn limits(&self) -> BatchLimits {
        let behind =
            self.workers.iter().filter(|worker| worker.failure().is_none() && worker.behind()).count();
        let at_once = behind.clamp(1, self.options.threads.max(1)) as u64;
        let half = self.options.memory / 2;
        BatchLimits {
            rows: (half / at_once / PLANNED_ROW).clamp(1, u64::from(u32::MAX >> 2)),
            bytes: u64::MAX,
            commits: COMMITS,
            column: half / self.options.threads.max(1) as u64,
        }
    }

    /// Looks for tables that are new, renamed or dropped.
    pub(super) fn look(&mut self, source: &dyn Files) -> Result<()> {
        self.looked = Some(Instant::now());
        let tables = Registry::read(source)?.tables;
        self.take_views(source, &tables)?;
        if tables == self.known {
            return Ok(());
        }
        for token in &tables {
            let wanted = matches!(token.kind, TableKind::Wal | TableKind::MatView) && token.is_shared();
            let chosen = self.is_chosen(token);
            let known = self.places.contains_key(&token.dir) || self.held_back.contains(&token.dir);
            // One that was dropped before we ever saw it is of no use to anybody.
            let gone = token.dropped && self.database.find(&token.dir).is_none();
            if wanted && chosen && !known && !gone {
                let (disk, mode, adopt) = (self.disk.clone(), self.options.commit_mode, self.options.adopt);
                let mut worker = Worker::new(disk, token.clone(), mode, adopt);
                if let Ok(log) = SequencerLog::open(source, &token.dir) {
                    worker.expect(log.max_txn);
                }
                self.add(worker);
            }
        }
        self.known = tables;
        Ok(())
    }

    pub(super) fn add(&mut self, worker: Worker) {
        let place = self.workers.len();
        self.places.insert(worker.token().dir.clone(), place);
        self.workers.push(worker);
        if let Some(awake) = &mut self.awake {
            awake.insert(place);
        }
    }

    fn is_chosen(&self, token: &TableToken) -> bool {
        let named = |name: &String| *name == token.name || *name == token.dir;
        self.options.tables.is_empty() || self.options.tables.iter().any(named)
    }

    /// Takes over what views there are, and lets those go that were dropped.
    fn take_views(&mut self, source: &dyn Files, tables: &[TableToken]) -> Result<()> {
        let sync = self.options.commit_mode == CommitMode::Sync;
        let is_view = |token: &&TableToken| token.kind == TableKind::View;
        let there = |dir: &str| tables.iter().any(|token| token.dir == dir && !token.dropped);
        let known = self.database.tables().iter().filter(is_view);
        let gone: Vec<String> =
            known.filter(|token| !there(&token.dir)).map(|token| token.dir.clone()).collect();
        for dir in gone {
            self.database.remove(&dir);
            self.database.save()?;
            self.disk.remove_dir(&dir)?;
        }
        for token in tables.iter().filter(is_view) {
            if token.dropped || !self.is_chosen(token) {
                continue;
            }
            // One that can't be read now is looked at again.
            let there = take_over(&*self.disk, source, token, sync).is_ok_and(|there| there);
            if there || self.database.find(&token.dir).is_some() {
                self.database.enter(token)?;
            }
        }
        Ok(())
    }

    /// Brings the registry in line with the tables.
    fn enter(&mut self) -> Result<()> {
        let places: Vec<usize> = match &self.awake {
            None => (0..self.workers.len()).collect(),
            Some(awake) => awake.union(&self.unentered).copied().collect(),
        };
        self.unentered.clear();
        for place in places {
            let Some(worker) = self.workers.get_mut(place) else { continue };
            if let Standing::Dropped { .. } = worker.standing() {
                if self.database.find(&worker.token().dir).is_some() {
                    self.database.remove(&worker.token().dir);
                    self.database.save()?;
                }
                worker.remove_files()?;
            } else if worker.is_made() && worker.entered.as_ref() != Some(worker.token()) {
                let waits = self.awake.is_some() && self.database.is_taken_for_now(worker.token());
                match self.database.enter(worker.token()) {
                    Ok(()) => worker.entered = Some(worker.token().clone()),
                    // Of the table that has the name, what renames or drops it is still to come.
                    Err(_) if waits => {
                        self.unentered.insert(place);
                    }
                    Err(error) => worker.fail(error),
                }
            }
        }
        self.database.save()
    }

    /// Closes tables to which nothing has come for a while: an idle replica of many needs little memory.
    pub fn close_idle(&mut self) {
        if self.closed.elapsed() < CLOSE_EVERY {
            return;
        }
        self.closed = Instant::now();
        if self.awake.is_some() {
            self.workers.iter_mut().for_each(Worker::rest_when_done);
        }
        let idle = self.workers.iter_mut().filter(|worker| worker.is_open_and_idle(OPEN_LONG));
        idle.for_each(Worker::close);
    }

    /// Keeps the number of open tables in bounds: those that have nothing to do are closed.
    fn close_some(&mut self) {
        let open = self.workers.iter().filter(|worker| worker.is_open()).count();
        let idle = self.workers.iter_mut().filter(|worker| worker.is_open() && !worker.behind());
        idle.take(open.saturating_sub(OPEN_TABLES)).for_each(Worker::close);
    }
}

/// Tables that threads take in turns: one that waits for another's block is not kept from its next one.
struct Turns<'a> {
    workers: Vec<Mutex<&'a mut Worker>>,
    next: AtomicUsize,
    /// A block was applied.
    any: AtomicBool,
    /// All tables were looked at in vain.
    quiet: AtomicBool,
    begun: Instant,
    rest: Duration,
}

impl Turns<'_> {
    /// Steps one table after the other until there was nothing to do for any of them.
    fn take(&self, step: impl Fn(&mut Worker) -> Step, stop: &AtomicBool) {
        let mut in_vain = 0;
        while in_vain < self.workers.len() && !stop.load(Ordering::Relaxed) && self.begun.elapsed() < ROUND {
            let index = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
            // One that is held is under way.
            let held = self.workers.get(index).and_then(|worker| worker.try_lock().ok());
            let took = held.is_some_and(|mut worker| {
                if worker.idle_since.is_some_and(|since| since.elapsed() < self.rest) {
                    return false;
                }
                let took = matches!(step(&mut worker), Step::Applied(_));
                worker.idle_since = (!took).then(Instant::now);
                took
            });
            in_vain = if took { 0 } else { in_vain + 1 };
            self.any.fetch_or(took, Ordering::Relaxed);
        }
        if in_vain >= self.workers.len() {
            self.quiet.store(true, Ordering::Relaxed);
        }
    }
}
