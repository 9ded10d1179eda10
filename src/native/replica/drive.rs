//! The replica as a whole: what comes from the log is taken, applied and written down.

mod asked;
mod snapshot;

pub use self::asked::Waker;
use self::snapshot::Snapshot;
use super::bases::{Done, Job, Jobs, Means};
use super::home::Home;
use super::partitions::Partitions;
use super::policy::Enforcer;
use super::report::told;
use super::start::{Start, start};
use super::stream::{Event, Feed, Ready, Stream};
use super::tables::{Outcome, Tables};
use crate::columnar::parquet::Options as ParquetOptions;
use crate::ledger::{Cluster, Note};
use crate::native::bucket::Bucket;
use crate::native::cluster::{JournalWriter, Pace};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::policies;
use crate::native::store::{CommitMode, RealDisk, ReplicationOptions};
use crate::policy::Settings;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// How often the place is written down while packs come.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How soon tables that could do nothing are looked at again.
const GLANCE: Duration = Duration::from_millis(100);
/// Packs that are laid out at a time: each table's part of the log is laid out anew with each of them.
const LAID_OUT: usize = 256;
/// Bytes of packs that are fetched before there is room for them.
const AHEAD_BYTES: u64 = 64 << 20;
/// Threads for requests.
const REQUESTERS: usize = 2;

/// How a [`Replica`] goes about it.
#[derive(Debug, Clone)]
pub struct ReplicaOptions {
    /// A QuestDB root; made where there is none.
    pub dir: PathBuf,
    /// The verb, for others who want the directory.
    pub verb: &'static str,
    /// The instance's name in the cluster.
    pub name: String,
    /// Threads that apply.
    pub threads: usize,
    /// Bytes of packs that are held until they are applied; rows on their way take as much again.
    pub memory: u64,
    /// What survives a loss of power.
    pub commit_mode: CommitMode,
    /// How often the log is asked for more.
    pub pace: Pace,
    /// Compare with the primary's digests.
    pub digest: bool,
    /// Public keys of which one must have signed each pack; none: any pack is taken.
    pub trusted: Vec<[u8; 32]>,
    /// How storage policies are enforced here.
    pub policy: Settings,
    /// How Parquet files are written.
    pub parquet: ParquetOptions,
}

/// A directory that follows a bucket. Dropped without [`finish`](Self::finish), it is as if it had been killed.
pub struct Replica {
    options: ReplicaOptions,
    jobs: Jobs,
    stream: Option<Stream>,
    pub(super) tables: Tables,
    /// Enforces storage policies.
    pub(super) enforcer: Enforcer,
    home: Home,
    cluster: Cluster,
    number: u32,
    bucket: Bucket,
    pub(super) journal: JournalWriter,
    events: Receiver<Event>,
    sender: Sender<Event>,
    /// Packs for which there was no room yet.
    waiting: VecDeque<Box<Ready>>,
    /// When packs were made that are not settled, with their numbers.
    ages: VecDeque<(u64, i64)>,
    snapshot: Option<Snapshot>,
    /// All that is in the log has come.
    caught_up: bool,
    pub(super) partitions: Partitions,
    /// Tables being compared.
    comparing: usize,
    /// Tables that were found to differ from the primary's.
    pub(super) mismatches: u64,
    /// Transactions that were there at the start.
    pub(super) begun_with: u64,
    saved: Instant,
    unsaved: bool,
    /// The last round did something.
    more: bool,
    pub(super) said: Vec<String>,
    /// The same of what is in order.
    pub(super) noted: Vec<String>,
    /// Steps that storage policies have taken since the process began.
    pub(super) policy_steps: u64,
    /// The storage policies may be others than they were.
    pub(super) policies: bool,
    /// The same, for those who enforce them.
    pub(super) unenforced: bool,
    stop: Arc<AtomicBool>,
    runtime: Option<Runtime>,
}

impl Replica {
    /// Joins the bucket's cluster and takes up what the directory has.
    ///
    /// # Errors
    /// A directory that another program has open, that belongs to another cluster, or to another history than the bucket's; what
    /// reading and writing answer.
    pub fn start(bucket: Bucket, options: ReplicaOptions) -> Result<Self> {
        let mut replica = Self::prepare(bucket, options)?;
        replica.begin(replica.tables.point().clone())?;
        Ok(replica)
    }

    /// As [`start`](Self::start), but somebody else follows the log, from [`next`](Self::next) on.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn fed(bucket: Bucket, options: ReplicaOptions) -> Result<(Self, Feed)> {
        let mut replica = Self::prepare(bucket, options)?;
        replica.save(true)?;
        let ahead = AHEAD_BYTES.min(replica.options.memory);
        let (stream, feed) = Stream::fed(ahead, replica.sender.clone());
        replica.stream = Some(stream);
        Ok((replica, feed))
    }

    fn prepare(bucket: Bucket, options: ReplicaOptions) -> Result<Self> {
        let home = Home::open(&options.dir, options.verb)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(REQUESTERS)
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("no threads: {error}")))?;
        let Start { cluster, node, place, notices } =
            runtime.block_on(start(&bucket, &home, &options.name))?;
        let disk = RealDisk::open(home.db())
            .map_err(|error| Failure::failed(format!("{}: {error}", home.db().display())))?;
        let applying = ReplicationOptions {
            tables: Vec::new(),
            threads: options.threads,
            memory: options.memory,
            commit_mode: options.commit_mode,
            adopt: false,
        };
        let point = place.point();
        let tables = Tables::open(Arc::new(disk), applying, point, place.tables)?;
        let (sender, events) = channel();
        let means = Means {
            bucket: bucket.clone(),
            handle: runtime.handle().clone(),
            disk: tables.disk().clone(),
            commit_mode: options.commit_mode,
        };
        let done = sender.clone();
        let jobs = Jobs::new(means.clone(), move |what| {
            // A replica that is gone wants to know nothing.
            let _ = done.send(Event::Done(what));
        });
        let journal = {
            let _inside = runtime.enter();
            JournalWriter::start(bucket.clone(), cluster.cluster, node, &options.name)
        };
        journal.note(Note::Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: "replica".to_owned(),
        });
        for worker in tables.workers() {
            journal.applied(&worker.token().dir, tables.applied(&worker.token().dir));
        }
        let encoder = options.parquet.clone();
        let mut enforcer = Enforcer::new(options.policy, means, encoder, sender.clone());
        tables.workers().iter().for_each(|worker| enforcer.found(&worker.token().dir));
        let begun_with = tables.workers().iter().map(|worker| tables.applied(&worker.token().dir)).sum();
        Ok(Self {
            options,
            jobs,
            stream: None,
            tables,
            enforcer,
            home,
            cluster,
            number: node,
            bucket,
            journal,
            events,
            sender,
            waiting: VecDeque::new(),
            ages: VecDeque::new(),
            snapshot: None,
            caught_up: false,
            partitions: Partitions::default(),
            comparing: 0,
            mismatches: 0,
            begun_with,
            saved: Instant::now(),
            unsaved: true,
            more: true,
            said: notices,
            noted: Vec::new(),
            policy_steps: 0,
            policies: true,
            unenforced: true,
            stop: Arc::default(),
            runtime: Some(runtime),
        })
    }

    /// Does what there is to do, and waits for at most this long if there is nothing.
    ///
    /// # Errors
    /// When the log or the directory can't be gone on with. What keeps a single table from going on is told by
    /// [`report`](Self::report).
    pub fn step(&mut self, wait: Duration) -> Result<()> {
        let idle = !self.has_room() || self.waiting.is_empty();
        self.hear(if idle { self.patience(wait) } else { Duration::ZERO })?;
        self.take_waiting()?;
        let stop = self.stop.clone();
        self.more = false;
        while self.tables.round(&stop)? {
            self.more = true;
            self.tell()?;
            self.hear(Duration::ZERO)?;
            if self.stop.load(std::sync::atomic::Ordering::Relaxed) || !self.waiting.is_empty() {
                break;
            }
        }
        self.tell()?;
        self.end_snapshot()?;
        self.enforce();
        let changed = self.partitions.look(&**self.tables.disk());
        changed.into_iter().for_each(|note| self.journal.note(note));
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save(false)?;
        }
        Ok(())
    }

    /// Whether tables are being made anew.
    pub(super) fn is_loading(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Where its requests run.
    pub(super) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }

    /// Writes down how far it is, tells the others why it ends, and lets the directory go.
    ///
    /// # Errors
    /// What writing answers.
    pub fn finish(mut self, why: &str) -> Result<()> {
        self.stream = None;
        self.tell()?;
        self.save(true)?;
        let changed = self.partitions.look_at_all(&**self.tables.disk());
        changed.into_iter().for_each(|note| self.journal.note(note));
        self.journal.note(Note::Stopped { why: why.to_owned() });
        if let Some(runtime) = &self.runtime {
            runtime.block_on(self.journal.clone().close());
        }
        Ok(())
    }

    /// As [`finish`](Self::finish), for a directory that is a primary's from here on: nobody waits for the others to be told.
    ///
    /// # Errors
    /// What writing answers.
    pub fn leave(mut self) -> Result<()> {
        self.stream = None;
        self.tell()?;
        self.save(true)?;
        let (runtime, journal) = (self.runtime.take(), self.journal.clone());
        drop(self);
        std::thread::spawn(move || {
            if let Some(runtime) = runtime {
                runtime.block_on(journal.close());
                runtime.shutdown_background();
            }
        });
        Ok(())
    }

    /// How long there is nothing to do.
    fn patience(&self, wait: Duration) -> Duration {
        let now = Instant::now();
        let due = self.tables.due().map_or(wait, |due| due.saturating_duration_since(now));
        let save = if self.unsaved || self.tables.is_changed() {
            SAVE_EVERY.saturating_sub(self.saved.elapsed())
        } else {
            wait
        };
        let settled = match self.tables.is_busy() {
            true if self.more => Duration::ZERO,
            true => wait.min(GLANCE),
            false => wait,
        };
        self.policy_patience(wait.min(due).min(save).min(settled))
    }

    /// Takes in what was told, waiting for it if nothing is there.
    fn hear(&mut self, wait: Duration) -> Result<()> {
        let first = match self.events.recv_timeout(wait) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        };
        self.handle(first)?;
        while let Ok(event) = self.events.try_recv() {
            self.handle(event)?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Pack(ready) => {
                self.caught_up = false;
                self.journal.note(Note::Reached { n: ready.n, bytes: ready.bytes });
                self.ages.push_back((ready.n, ready.committed_us));
                self.waiting.push_back(ready);
            }
            Event::Term(point) => self.tables.term(*point),
            Event::CaughtUp => self.caught_up = true,
            Event::Load(manifest) => self.load(*manifest, true)?,
            Event::Trouble(why) => self.said.push(why),
            Event::Stopped(failure) => {
                let text = failure.message.clone();
                self.journal.note(Note::Error { table: None, text });
                return Err(failure);
            }
            Event::Done(Done::Trouble(job, failure)) => {
                self.said.push(format!("{}: {}; it is tried again", job.dir, failure.message));
            }
            Event::Done(Done::Copied(job, copied)) => {
                let purged = copied.as_ref().is_err_and(|failure| failure.exit == Exit::Purged);
                if let Some(snapshot) = &mut self.snapshot {
                    snapshot.missing |= purged && snapshot.manifest.n == job.n;
                }
                self.tables.copied(&job, copied)?;
            }
            Event::Done(Done::Compared(job, compared)) => {
                self.comparing = self.comparing.saturating_sub(1);
                let equal = compared.as_ref().map(|compared| compared.equal);
                let digests = compared.as_ref().map(|compared| &compared.partitions);
                let stored = self.partitions.look_at(&**self.tables.disk(), &job.token, digests);
                stored.into_iter().for_each(|note| self.journal.note(note));
                self.mismatches += u64::from(equal == Some(false));
                self.tables.compared(&job, equal);
            }
            Event::Worked(worked) => self.policy_worked(worked),
            Event::Wake => {}
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.snapshot.is_none()
            && self.tables.held() < self.options.memory
            && self.tables.unsettled() < LAID_OUT
    }

    fn take_waiting(&mut self) -> Result<()> {
        while self.has_room()
            && let Some(ready) = self.waiting.pop_front()
        {
            if let Some(stream) = &self.stream {
                stream.took(&ready);
            }
            self.tables.take(ready.n, &ready.pack, &ready.blobs, ready.point)?;
        }
        Ok(())
    }

    /// Passes on what came of it.
    fn tell(&mut self) -> Result<()> {
        let outcomes = self.tables.outcomes();
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Load(_))) {
            self.save(true)?;
        }
        for outcome in outcomes {
            let policies = outcome.is_of(policies::DIR);
            self.policies |= policies;
            self.unenforced |= policies;
            match outcome {
                Outcome::Note(note) => {
                    let heard =
                        if matches!(note, Note::Error { .. }) { &mut self.said } else { &mut self.noted };
                    heard.extend(told(&note));
                    if let Note::Base { table, .. } = &note {
                        self.enforcer.moved(table);
                    }
                    self.journal.note(note);
                }
                Outcome::Applied(token, seq_txn) => {
                    self.journal.applied(&token.dir, seq_txn);
                    self.partitions.moved(&token);
                    self.enforcer.moved(&token.dir);
                }
                Outcome::Load(job) => self.jobs.push(Job::Copy(job)),
                Outcome::Compare(job) if self.options.digest && self.is_comparable(&job) => {
                    self.comparing += 1;
                    self.jobs.push(Job::Compare(job));
                }
                Outcome::Compare(_) => {}
            }
        }
        let next = self.tables.point().next.n;
        while self.ages.front().is_some_and(|(n, _)| *n < next) {
            self.ages.pop_front();
        }
        Ok(())
    }

    /// Writes the place down, if it is another one. `sync`: before anything else is done.
    fn save(&mut self, sync: bool) -> Result<()> {
        self.saved = Instant::now();
        let Some(place) = self.tables.changed() else { return Ok(()) };
        self.unsaved = false;
        self.home.write_place(&place, sync || self.options.commit_mode == CommitMode::Sync)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.jobs.end();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
