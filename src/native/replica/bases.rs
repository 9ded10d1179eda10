//! Copies of tables out of the bucket into the directory, and other work on whole tables, beside the driver's own thread.

use super::digests::Compared;
use super::tables::{BaseJob, Copied, DigestJob};
use crate::ledger::{Base, Document, Key, Sum};
use crate::native::bucket::Bucket;
use crate::native::cluster::get_blob;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::store::{CommitMode, Disk, FileTable};
use crate::wal::{self, Files, Piece, TableKind};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle as Fetching;

/// Tables that are worked on at a time.
const AT_ONCE: usize = 2;
/// Bundles that are fetched before they are asked for, and their bytes, unless a single one has more.
const AHEAD: usize = 3;
const AHEAD_BYTES: u64 = 128 << 20;
/// The longest file of a view.
const VIEW_FILE_MAX: u64 = 16 << 20;
/// How soon work on a table notices that it shall end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest pause before a copy is begun again.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Something to be done with a whole table.
#[derive(Debug)]
pub(super) enum Job {
    Copy(BaseJob),
    Compare(DigestJob),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Copied(BaseJob, Result<Copied>),
    /// It is tried again.
    Trouble(BaseJob, Failure),
    Compared(DigestJob, Option<Compared>),
}

/// What jobs need.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) bucket: Bucket,
    pub(super) handle: Handle,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) commit_mode: CommitMode,
}

/// Does jobs on threads of its own, until it is [ended](Self::end).
pub(super) struct Jobs {
    means: Means,
    tell: Arc<dyn Fn(Done) + Send + Sync>,
    waiting: Arc<Mutex<VecDeque<Job>>>,
    running: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Jobs {
    pub(super) fn new(means: Means, tell: impl Fn(Done) + Send + Sync + 'static) -> Self {
        let waiting = Arc::default();
        Self { means, tell: Arc::new(tell), waiting, running: Vec::new(), stop: Arc::default() }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
        self.running.retain(|thread| !thread.is_finished());
        if self.running.len() >= AT_ONCE {
            return;
        }
        let (means, tell) = (self.means.clone(), self.tell.clone());
        let (waiting, stop) = (self.waiting.clone(), self.stop.clone());
        let work = move || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                match next {
                    Some(job) if !stop.load(Ordering::Relaxed) => run(&means, job, &stop, &*tell),
                    _ => return,
                }
            }
        };
        if let Ok(thread) = std::thread::Builder::new().name("tables".into()).spawn(work) {
            self.running.push(thread);
        }
    }

    /// Begins nothing more, and waits until what is at hand has noticed.
    pub(super) fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            // One that panicked has told so.
            let _ = thread.join();
        }
    }
}

fn run(means: &Means, job: Job, stop: &Arc<AtomicBool>, tell: &dyn Fn(Done)) {
    let job = match job {
        Job::Compare(job) => {
            let compared = super::digests::compare(&*means.disk, &job, stop);
            return tell(Done::Compared(job, compared));
        }
        Job::Copy(job) => job,
    };
    let mut pause = Duration::from_millis(500);
    loop {
        match copy(means, &job, stop) {
            // The store does not answer, or the disk is full: that may pass.
            Err(failure) if failure.exit == Exit::Failed && !stop.load(Ordering::Relaxed) => {
                tell(Done::Trouble(job.clone(), failure));
            }
            _ if stop.load(Ordering::Relaxed) => return,
            done => return tell(Done::Copied(job, done)),
        }
        let mut slept = Duration::ZERO;
        while slept < pause && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK_EVERY);
            slept += LOOK_EVERY;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Makes a table's directory of its copy. One that is there already gives way, and until all has come there is no table.
fn copy(means: &Means, job: &BaseJob, stop: &Arc<AtomicBool>) -> Result<Copied> {
    let manifest = wait(means, stop, fetch(means, job.manifest))?;
    let base = Base::read(Key::Blob(job.manifest), &manifest).map_err(|error| super::log_failure(&error))?;
    if base.directory != job.dir {
        let what = format!("{}: is a copy of {}, not of {}", job.manifest, base.directory, job.dir);
        return Err(Failure::new(Exit::Damaged, what));
    }
    let (token, seq_txn) = (base.token(), base.seq_txn);
    let ahead = Fetcher::new(means, &base, stop);
    let missing = ahead.missing.clone();
    let files = base.files(&job.dir, |sum| ahead.get(sum)).map_err(|error| super::log_failure(&error))?;
    let made = if token.kind == TableKind::View {
        pieces(&files, &job.dir).map(|view| Copied { token, seq_txn, view })
    } else {
        FileTable::create_from(means.disk.clone(), &files, &token, means.commit_mode).and_then(|table| {
            if table.seq_txn() == seq_txn {
                return Ok(Copied { token, seq_txn, view: Vec::new() });
            }
            let found = format_args!("transaction {}", table.seq_txn());
            Err(wal::Error::damaged(&job.dir, 0, format_args!("a copy as of transaction {seq_txn}"), found))
        })
    };
    made.map_err(|error| {
        let missing = missing.lock().unwrap_or_else(PoisonError::into_inner).take();
        missing.unwrap_or_else(|| Failure::from(error))
    })
}

/// All files of a view.
fn pieces(files: &dyn Files, dir: &str) -> wal::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in files.list(&folder)?.unwrap_or_default() {
            let path = format!("{folder}/{name}");
            match files.read_all(&path, VIEW_FILE_MAX) {
                Ok(bytes) => pieces.push(Piece { path, offset: 0, bytes }),
                Err(wal::Error::Absent { .. }) => folders.push(path),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(pieces)
}

fn fetch(means: &Means, sum: Sum) -> Fetching<Result<Bytes>> {
    let bucket = means.bucket.clone();
    means.handle.spawn(async move { get_blob(&bucket, sum).await })
}

/// Waits for what is fetched, unless everything ends.
fn wait(means: &Means, stop: &AtomicBool, mut fetching: Fetching<Result<Bytes>>) -> Result<Bytes> {
    means.handle.block_on(async {
        while !stop.load(Ordering::Relaxed) {
            if let Ok(done) = tokio::time::timeout(LOOK_EVERY, &mut fetching).await {
                return done.map_err(|error| Failure::failed(error.to_string()))?;
            }
        }
        fetching.abort();
        Err(Failure::failed("interrupted"))
    })
}

/// Gets a copy's bundles in their order, some before they are asked for.
struct Fetcher {
    means: Means,
    /// In the order in which they are wanted.
    bundles: Vec<(Sum, u64)>,
    flying: Mutex<Vec<(Sum, Fetching<Result<Bytes>>)>>,
    /// What could not be had, as the store told.
    missing: Arc<Mutex<Option<Failure>>>,
    stop: Arc<AtomicBool>,
}

impl Fetcher {
    fn new(means: &Means, base: &Base, stop: &Arc<AtomicBool>) -> Self {
        Self {
            means: means.clone(),
            bundles: base.bundles.iter().map(|bundle| (bundle.sum, bundle.bytes)).collect(),
            flying: Mutex::default(),
            missing: Arc::default(),
            stop: stop.clone(),
        }
    }

    fn get(&self, sum: Sum) -> wal::Result<Bytes> {
        let failed = |failure: Failure| {
            let error =
                wal::Error::Io { file: sum.to_string().into(), message: failure.message.as_str().into() };
            *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            error
        };
        wait(&self.means, &self.stop, self.start(sum)).map_err(failed)
    }

    /// The request for a bundle; those for the next ones are under way, too.
    fn start(&self, sum: Sum) -> Fetching<Result<Bytes>> {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        let fetch = |sum| fetch(&self.means, sum);
        let this = match flying.iter().position(|(known, _)| *known == sum) {
            Some(place) => flying.swap_remove(place).1,
            None => fetch(sum),
        };
        let place = self.bundles.iter().position(|(known, _)| *known == sum).unwrap_or(self.bundles.len());
        let mut bytes = 0;
        for (next, len) in self.bundles.iter().skip(place + 1).take(AHEAD) {
            bytes += len;
            let known = *next == sum || flying.iter().any(|(known, _)| known == next);
            if bytes > AHEAD_BYTES {
                break;
            }
            if !known && flying.len() < AHEAD {
                flying.push((*next, fetch(*next)));
            }
        }
        this
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        let flying = self.flying.get_mut().unwrap_or_else(PoisonError::into_inner);
        flying.drain(..).for_each(|(_, fetching)| fetching.abort());
    }
}
