//! The tables of a replica: what packs bring is laid out, applied, and settled, in this order. Knows no bucket.

mod asked;
mod job;

pub(in crate::native::replica) use job::{BaseJob, Copied, DigestJob, Outcome};

use super::kept::{KeptBase, KeptPlace, KeptTable, Stopped};
use crate::ledger::{Key, Manifest, Mirror, News, Note, Pack, Point, Sum, Token};
use crate::native::outcome::{Exit, Result, exit_of};
use crate::native::store::{Database, Disk, DiskReader, Replication, ReplicationOptions};
use crate::table::{Digest, Standing};
use crate::wal::{Applied, Error, TableKind, TableToken};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// The shortest and the longest pause before a table that failed for want of room, say, is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// All tables, and the packs that are not settled yet.
pub(in crate::native::replica) struct Tables {
    disk: Arc<dyn Disk>,
    mirror: Mirror,
    replication: Replication,
    /// What is remembered of tables.
    pub(in crate::native::replica) kept: BTreeMap<String, KeptTable>,
    /// Packs that came, oldest first, until all that they brought is done with.
    taken: VecDeque<Taken>,
    /// Behind all that is settled.
    point: Point,
    /// Copies on their way, by directory; with the next one for the same table.
    loading: BTreeMap<String, Loading>,
    /// Tables with something to do.
    busy: BTreeSet<String>,
    /// Tables of which transactions are missing behind those that came, with what is wrong.
    gaps: BTreeMap<String, String>,
    /// The last transaction told of.
    told: BTreeMap<String, u64>,
    /// Tables that will be tried again.
    failing: BTreeMap<String, Failing>,
    diverged: BTreeSet<String>,
    /// Digests to compare with, once a table is there.
    digests: BTreeMap<String, Vec<(u64, Digest)>>,
    outcomes: Vec<Outcome>,
    /// `kept` or `point` changed since they were written down.
    dirty: bool,
}

/// A pack that came.
#[derive(Debug)]
struct Taken {
    n: u64,
    /// Behind it.
    point: Point,
    /// Tables with the last transaction that it brought.
    needs: Vec<(String, u64)>,
}

#[derive(Debug)]
struct Loading {
    next: Option<BaseJob>,
    /// Dropped meanwhile.
    drop: bool,
    /// The table had stopped.
    recovers: bool,
}

#[derive(Debug)]
struct Failing {
    text: String,
    at: Instant,
    pause: Duration,
}

impl Tables {
    /// The tables of a directory as they are.
    pub(in crate::native::replica) fn open(
        disk: Arc<dyn Disk>,
        options: ReplicationOptions,
        point: Point,
        kept: BTreeMap<String, KeptTable>,
    ) -> Result<Self> {
        let mut mirror = Mirror::default();
        let mut troubles = Vec::new();
        let mut known = Vec::new();
        let unfinished = |dir: &str| {
            let base = kept.get(dir).and_then(|table| table.base.as_ref());
            base.is_some_and(|base| !base.done)
        };
        let database = Database::open(disk.clone())?;
        for token in database.tables().iter().filter(|token| token.is_shared()) {
            match Applied::read(&DiskReader(&*disk), &token.dir) {
                Ok(applied) => known.push((token_of(token), applied.seq_txn)),
                // It is begun again.
                Err(_) if unfinished(&token.dir) => {}
                Err(error) => troubles.push((token.dir.clone(), error)),
            }
        }
        let busy = known.iter().map(|(token, _)| token.dir.clone()).collect();
        let told = known.iter().map(|(token, seq_txn)| (token.dir.clone(), *seq_txn)).collect();
        mirror.know_all(known);
        let mut replication = Replication::new(disk.clone(), mirror.files(), options)?;
        replication.feed();
        let mut tables = Self {
            disk,
            mirror,
            replication,
            kept,
            taken: VecDeque::new(),
            point,
            loading: BTreeMap::new(),
            busy,
            gaps: BTreeMap::new(),
            told,
            failing: BTreeMap::new(),
            diverged: BTreeSet::new(),
            digests: BTreeMap::new(),
            outcomes: Vec::new(),
            dirty: true,
        };
        for (dir, table) in &tables.kept {
            if table.base.as_ref().is_some_and(|base| !base.done) {
                tables.replication.hold_back(dir);
            } else if let Some(stopped) = &table.stopped {
                tables.replication.stop(dir, halted(dir, stopped));
            }
        }
        for (dir, error) in troubles {
            tables.halt(&dir, exit_of(&error), &error.to_string());
        }
        Ok(tables)
    }

    /// Takes the pack of number `n`; `point` is behind it.
    pub(in crate::native::replica) fn take(
        &mut self,
        n: u64,
        pack: &Pack,
        blobs: &BTreeMap<Sum, Bytes>,
        point: Point,
    ) -> Result<()> {
        let key = point.last().map_or(Key::Head, |place| place.key());
        let pack = self.fit(n, pack);
        let news = self
            .mirror
            .take(key, &pack, blobs)
            .map_err(|error| crate::native::replica::log_failure(&error))?;
        let mut taken = Taken { n, point, needs: Vec::new() };
        let mut registry = false;
        for news in news {
            match news {
                News::Transactions { dir, last } => {
                    registry |= self.replication.worker(&dir).is_none();
                    self.replication.wake(&dir, last);
                    self.busy.insert(dir.clone());
                    taken.needs.push((dir, last));
                }
                News::Base { token, manifest, why, .. } => {
                    self.take_from(BaseJob { dir: token.dir, n, manifest, why });
                }
                News::Dropped { dir } => self.drop_table(&dir, n)?,
                News::Renamed { .. } => registry = true,
                News::Digests { dir, digests } => {
                    self.digests.entry(dir.clone()).or_default().extend(digests);
                    self.busy.insert(dir);
                }
                // What came before the gap is applied first.
                News::Broken { dir, why } if self.busy.contains(&dir) => drop(self.gaps.insert(dir, why)),
                News::Broken { dir, why } => self.halt(&dir, Exit::Damaged, &why),
            }
        }
        self.taken.push_back(taken);
        if registry {
            self.replication.registry_changed(self.mirror.files())?;
        }
        Ok(())
    }

    /// Takes a snapshot in place of what there is: its tables are copied, others removed.
    pub(in crate::native::replica) fn load(&mut self, manifest: &Manifest) -> Result<()> {
        let n = manifest.n;
        self.taken.clear();
        self.digests.clear();
        let there: Vec<String> = self.replicated().map(|token| token.dir.clone()).collect();
        for dir in there.iter().filter(|dir| manifest.parts.iter().all(|part| part.name != **dir)) {
            self.drop_table(dir, n)?;
        }
        for part in &manifest.parts {
            let base = self.kept.get(&part.name).and_then(|table| table.base.as_ref());
            let same = base.is_some_and(|base| base.n == n && base.sum == part.sum && base.done);
            if !same {
                let why = format!("snapshot {n}");
                self.take_from(BaseJob { dir: part.name.clone(), n, manifest: part.sum, why });
            }
        }
        self.taken.push_back(Taken { n, point: Point::behind(manifest), needs: Vec::new() });
        Ok(())
    }

    /// A copy has come, or can't be had: [`Exit::Purged`] if it isn't there.
    pub(in crate::native::replica) fn copied(&mut self, job: &BaseJob, copied: Result<Copied>) -> Result<()> {
        let Some(loading) = self.loading.remove(&job.dir) else { return Ok(()) };
        if loading.drop {
            return self.drop_table(&job.dir, job.n);
        }
        if let Some(next) = loading.next {
            self.take_from(next);
            return Ok(());
        }
        let copied = match copied {
            Ok(copied) => copied,
            Err(failure) => {
                let text = format!("its copy can't be taken: {}", failure.message);
                self.halt(&job.dir, failure.exit, &text);
                return Ok(());
            }
        };
        let dir = &job.dir;
        let table = self.kept.entry(dir.clone()).or_default();
        table.base = Some(KeptBase { n: job.n, sum: job.manifest, done: true });
        let recovered = loading.recovers | self.diverged.remove(dir) | self.failing.remove(dir).is_some();
        self.dirty = true;
        self.mirror.know(&token_of(&copied.token), copied.seq_txn);
        self.replication.let_go(&copied.token);
        if copied.token.kind == TableKind::View {
            self.mirror.add_view(dir, copied.view);
            self.replication.registry_changed(self.mirror.files())?;
        } else {
            self.replication.wake(dir, self.mirror.last(dir).unwrap_or(0));
            self.busy.insert(dir.clone());
        }
        let (table, seq_txn, why) = (dir.clone(), copied.seq_txn, job.why.clone());
        self.outcomes.push(Outcome::Note(Note::Base { table, seq_txn, why }));
        if recovered {
            self.outcomes.push(Outcome::Note(Note::Recovered { table: Some(dir.clone()) }));
        }
        Ok(())
    }

    /// What came of a comparison: `None` if the table moved meanwhile.
    pub(in crate::native::replica) fn compared(&mut self, job: &DigestJob, equal: Option<bool>) {
        if equal != Some(false) {
            return;
        }
        let text = format!(
            "after transaction {} its rows are not those of the primary (the digest there is {})",
            job.seq_txn, job.digest
        );
        self.halt(&job.token.dir, Exit::Diverged, &text);
    }

    /// Applies for a while; answers whether there is more to do.
    pub(in crate::native::replica) fn round(&mut self, stop: &AtomicBool) -> Result<bool> {
        self.retry();
        if self.busy.is_empty() {
            self.replication.close_idle();
            self.settle();
            return Ok(false);
        }
        let any = self.replication.round(self.mirror.files(), stop)?;
        for dir in self.busy.clone() {
            self.look_at(&dir);
        }
        self.stop_at_gaps();
        self.settle();
        Ok(any)
    }

    /// Stops tables that have applied all that came before a gap.
    fn stop_at_gaps(&mut self) {
        let reached: Vec<String> =
            self.gaps.keys().filter(|dir| !self.busy.contains(*dir)).cloned().collect();
        for dir in reached {
            let Some(why) = self.gaps.remove(&dir) else { continue };
            if self.kept.get(&dir).is_none_or(|table| table.stopped.is_none()) {
                self.halt(&dir, Exit::Damaged, &why);
            }
        }
    }

    /// What came of it since the last time.
    pub(in crate::native::replica) fn outcomes(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// What is to be written down, if it changed.
    pub(in crate::native::replica) fn changed(&mut self) -> Option<KeptPlace> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let point = self.point.next.n;
        let told = |table: &mut KeptTable| {
            table.dropped = table.dropped.filter(|n| *n >= point);
            !table.is_empty()
        };
        self.kept.retain(|_, table| told(table));
        Some(KeptPlace::new(&self.point, self.kept.clone()))
    }

    /// A new term begins: the log goes on here.
    pub(in crate::native::replica) fn term(&mut self, point: Point) {
        let n = point.next.n.saturating_sub(1);
        self.taken.push_back(Taken { n, point, needs: Vec::new() });
    }

    fn replicated(&self) -> impl Iterator<Item = &TableToken> {
        self.replication.registered().iter().filter(|token| token.is_shared())
    }

    /// Has a table taken from a copy. Nothing but that is done to it until it has come.
    fn take_from(&mut self, job: BaseJob) {
        self.busy.remove(&job.dir);
        self.gaps.remove(&job.dir);
        self.digests.remove(&job.dir);
        if let Some(loading) = self.loading.get_mut(&job.dir) {
            loading.drop = false;
            loading.next = Some(job);
            return;
        }
        self.replication.hold_back(&job.dir);
        let table = self.kept.entry(job.dir.clone()).or_default();
        table.dropped = None;
        table.base = Some(KeptBase { n: job.n, sum: job.manifest, done: false });
        // What follows the copy is taken while it is on its way.
        let recovers = table.stopped.take().is_some();
        self.dirty = true;
        self.loading.insert(job.dir.clone(), Loading { next: None, drop: false, recovers });
        self.outcomes.push(Outcome::Load(job));
    }

    fn drop_table(&mut self, dir: &str, n: u64) -> Result<()> {
        if let Some(loading) = self.loading.get_mut(dir) {
            loading.drop = true;
            return Ok(());
        }
        self.kept.insert(dir.to_owned(), KeptTable { dropped: Some(n), ..KeptTable::default() });
        self.dirty = true;
        self.busy.remove(dir);
        self.told.remove(dir);
        self.failing.remove(dir);
        self.diverged.remove(dir);
        self.digests.remove(dir);
        self.mirror.forget(dir);
        self.replication.drop_table(dir)?;
        Ok(())
    }

    /// Takes nothing more of a table until a copy comes.
    pub(in crate::native::replica) fn halt(&mut self, dir: &str, exit: Exit, what: &str) {
        let name = self.replicated().find(|token| token.dir == dir).map_or(dir, |token| &token.name);
        let text =
            format!("{what}; it stops here until a copy comes: `understudy ship --rebase {name}` sends one");
        let stopped = Stopped { exit, text: text.clone() };
        if exit != Exit::Suspended {
            self.replication.stop(dir, halted(dir, &stopped));
        }
        self.kept.entry(dir.to_owned()).or_default().stopped = Some(stopped);
        self.mirror.applied(dir, u64::MAX);
        self.busy.remove(dir);
        self.failing.remove(dir);
        self.digests.remove(dir);
        self.dirty = true;
        self.outcomes.push(Outcome::Note(Note::Error { table: Some(dir.to_owned()), text }));
    }

    /// Sees how far a table has come.
    fn look_at(&mut self, dir: &str) {
        let stopped = self.kept.get(dir).is_some_and(|table| table.stopped.is_some());
        let Some(worker) = self.replication.worker(dir).filter(|_| !stopped) else {
            self.busy.remove(dir);
            return;
        };
        let applied = self.replication.applied(dir).unwrap_or(0);
        let (failure, standing) = (worker.failure().cloned(), worker.standing().clone());
        let token = worker.token().clone();
        if self.told.get(dir).is_none_or(|told| *told < applied) {
            self.told.insert(dir.to_owned(), applied);
            self.mirror.applied(dir, applied);
            self.outcomes.push(Outcome::Applied(token.clone(), applied));
            if self.failing.remove(dir).is_some() {
                self.outcomes.push(Outcome::Note(Note::Recovered { table: Some(dir.to_owned()) }));
            }
        }
        match (failure, standing) {
            (Some(Error::Io { file, message }), _) => self.failed(dir, &format!("{file}: {message}")),
            (Some(error), _) => {
                let what = format!("stopped after transaction {applied}: {error}");
                self.halt(dir, exit_of(&error), &what);
            }
            (None, Standing::Suspended { seq_txn, reason }) => {
                self.halt(dir, Exit::Suspended, &format!("suspended at transaction {seq_txn}: {reason}"));
            }
            (None, Standing::Diverged { seq_txn, reason, .. }) => {
                self.digests.remove(dir);
                if self.diverged.insert(dir.to_owned()) {
                    let text = format!(
                        "diverged at transaction {seq_txn}: {reason}. The primary's shipper sends a copy of it"
                    );
                    self.outcomes.push(Outcome::Note(Note::Error { table: Some(dir.to_owned()), text }));
                }
            }
            _ => {}
        }
        self.compare(&token, applied);
        let level = self.mirror.last(dir).is_none_or(|last| applied >= last);
        if level && self.replication.applied(dir).is_some() {
            self.busy.remove(dir);
        }
    }

    /// Has a table compared that is exactly where a digest is of.
    fn compare(&mut self, token: &TableToken, applied: u64) {
        let Some(digests) = self.digests.get_mut(&token.dir) else { return };
        digests.retain(|(seq_txn, _)| *seq_txn >= applied);
        if let Some(at) = digests.iter().position(|(seq_txn, _)| *seq_txn == applied) {
            let (seq_txn, digest) = digests.swap_remove(at);
            self.outcomes.push(Outcome::Compare(DigestJob { token: token.clone(), seq_txn, digest }));
        }
        if digests.is_empty() {
            self.digests.remove(&token.dir);
        }
    }

    /// A failure that may pass: the table is tried again after a while.
    fn failed(&mut self, dir: &str, text: &str) {
        let before = self.failing.get(dir).map(|failing| failing.pause);
        let pause = before.map_or(RETRY.0, |pause| (pause * 2).min(RETRY.1));
        let failing = Failing { text: text.to_owned(), at: Instant::now() + pause, pause };
        self.failing.insert(dir.to_owned(), failing);
        self.busy.remove(dir);
        if before.is_none() {
            let text = format!("{text}; it is tried again");
            self.outcomes.push(Outcome::Note(Note::Error { table: Some(dir.to_owned()), text }));
        }
    }

    fn retry(&mut self) {
        let now = Instant::now();
        let due = self.failing.iter_mut().filter(|(_, failing)| failing.at <= now);
        for (dir, failing) in due {
            failing.at = now + failing.pause;
            self.replication.retry(dir);
            self.busy.insert(dir.clone());
        }
    }

    /// Steps over packs of which all is done.
    fn settle(&mut self) {
        while let Some(first) = self.taken.front_mut() {
            let (n, mut needs) = (first.n, std::mem::take(&mut first.needs));
            needs.retain(|(dir, seq_txn)| !self.is_done(n, dir, *seq_txn));
            if !needs.is_empty() || self.is_copying(n) {
                if let Some(first) = self.taken.front_mut() {
                    first.needs = needs;
                }
                return;
            }
            let Some(first) = self.taken.pop_front() else { return };
            self.point = first.point;
            self.dirty = true;
        }
    }

    /// Whether a copy that the object `n` names is on its way.
    fn is_copying(&self, n: u64) -> bool {
        let of = |dir: &String| self.kept.get(dir).and_then(|table| table.base.as_ref());
        self.loading.keys().filter_map(of).any(|base| base.n <= n)
    }

    fn is_done(&self, n: u64, dir: &str, seq_txn: u64) -> bool {
        if self.loading.contains_key(dir) {
            return false;
        }
        let kept = self.kept.get(dir);
        let superseded = kept.and_then(|table| table.base.as_ref()).is_some_and(|base| base.n > n);
        let stopped = kept.is_some_and(|table| table.stopped.is_some());
        superseded
            || stopped
            || self.replication.worker(dir).is_none()
            || self.replication.applied(dir).is_some_and(|applied| applied >= seq_txn)
    }
}

fn halted(dir: &str, stopped: &Stopped) -> Error {
    Error::Io { file: dir.into(), message: stopped.text.as_str().into() }
}

fn token_of(token: &TableToken) -> Token {
    Token { dir: token.dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind }
}
