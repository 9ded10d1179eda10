//! A node without a cluster.

use crate::ilp::{LineError, Status, Unit};
use crate::native::line_http::Writes;
use crate::native::outcome::{Failure, Result};
use crate::native::primary::{Applied, Applier, Log, LogError, purge};
use crate::native::store::lock::{DirectoryLock, Held};
use crate::native::store::{CommitMode, Disk, DiskReader, RealDisk};
use crate::node::write::{Commit, Options};
use crate::wal::Applied as TableState;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a [`Standalone`] node runs.
#[derive(Debug, Clone)]
pub struct StandaloneOptions {
    /// QuestDB's root, in which `db` is.
    pub dir: PathBuf,
    /// What of the rows survives a loss of power.
    pub commit_mode: CommitMode,
    /// Memory for rows on their way into tables.
    pub memory: u64,
    /// How tables are made.
    pub write: Options,
}

/// Takes lines, and applies them. Nobody else may write to the directory meanwhile.
#[derive(Debug)]
pub struct Standalone {
    log: Arc<Mutex<Log>>,
    applier: Arc<Applier>,
    disk: Arc<RealDisk>,
    _lock: DirectoryLock,
}

impl Standalone {
    /// Takes the directory up, which is made where there is none, and goes on where it was left.
    ///
    /// # Errors
    /// When another process has the directory, or it can't be read.
    pub fn start(options: StandaloneOptions) -> Result<Self> {
        let db = options.dir.join("db");
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", db.display()));
        std::fs::create_dir_all(&db).map_err(failed)?;
        let lock = DirectoryLock::take_for(&db, "run").map_err(|held| {
            let failure = Failure::failed(held.to_string());
            match held {
                Held::Running { .. } => failure.advise("stop the program that has it open"),
                Held::Unknown { .. } => failure,
            }
        })?;
        let disk = Arc::new(RealDisk::open(&db).map_err(failed)?);
        let log = Log::open(disk.clone(), options.commit_mode, options.write)?;
        let applier = Arc::new(Applier::start(&db, options.commit_mode, options.memory)?);
        for (token, last) in log.tables() {
            let applied = TableState::read(&DiskReader(&*disk), &token.dir);
            if applied.is_ok_and(|applied| applied.seq_txn == last) {
                continue;
            }
            applier.wake(&token);
        }
        Ok(Self { log: Arc::new(Mutex::new(log)), applier, disk, _lock: lock })
    }

    /// Writes a request and has it applied.
    ///
    /// # Errors
    /// Why it is not in the log.
    pub fn commit(&self, body: Vec<u8>, precision: Unit) -> std::result::Result<Vec<Commit>, LogError> {
        write(&self.log, &self.applier, body, precision)
    }

    /// How far the tables are, by directory.
    pub fn applied(&self) -> BTreeMap<String, Applied> {
        self.applier.applied()
    }

    /// Waits until all that was written is applied, or fails; at most so long.
    pub fn settle(&self, most: Duration) -> bool {
        self.applier.settle(most)
    }

    /// Removes segments of the log that are applied.
    pub fn purge(&self) {
        for (dir, applied) in self.applied() {
            if let Err(error) = purge(&*self.disk as &dyn Disk, &dir, applied.seq_txn) {
                tracing::warn!(table = %dir, "what is applied can't be purged: {error}");
            }
        }
    }
}

/// Writes a request, and has what came of it applied.
fn write(
    log: &Mutex<Log>,
    applier: &Applier,
    body: Vec<u8>,
    precision: Unit,
) -> std::result::Result<Vec<Commit>, LogError> {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let written = log.write(body, precision, now_us());
    // Of a request that is refused there may be tables and columns.
    log.take_news().iter().for_each(|token| applier.wake(token));
    written
}

impl Writes for Standalone {
    fn refuses(&self) -> Option<&'static str> {
        None
    }

    fn offers_durable(&self) -> bool {
        false
    }

    async fn write(
        &self,
        body: Vec<u8>,
        precision: Unit,
        durable: bool,
    ) -> std::result::Result<(), LineError> {
        if durable {
            let what = "durable=1 needs a cluster: this node stands alone";
            return Err(LineError::of_request(Status::Invalid, what));
        }
        let (log, applier) = (self.log.clone(), self.applier.clone());
        // It goes on where the client has gone.
        let task = tokio::task::spawn_blocking(move || write(&log, &applier, body, precision));
        let written = task.await.map_err(|error| {
            LineError::of_request(Status::Internal, format!("the request could not be written: {error}"))
        })?;
        written.map(drop).map_err(|error| error.told())
    }
}

/// Microseconds UTC.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
