//! Shipping a database's log into a bucket, beside the open-source QuestDB that writes it.
//!
//! | file | what happens there |
//! |---|---|
//! | `learned` | what the log in the bucket says of each table: all that a restart needs |
//! | `tables` | the tables, and how far each of them is on its way |
//! | `poll`, `tails`, `tail`, `open_files` | looking for news: the registry, the heads of the sequencers' logs |
//! | `links` | hard links of segments that the server is about to delete |
//! | `files` | reading beside the server: our links, else its files |
//! | `run`, `correct` | transactions as they are read, and statements that no replica can execute |
//! | `copy`, `copying` | tables as the server has applied them, where the log does not tell |
//! | `blocks` | compression |
//! | `gather`, `send` | packs, and what becomes of them |
//! | `hints`, `snapshot`, `digests` | what readers begin with and compare with |
//! | `requests` | operators' requests, answered in the next pack |
//! | `own` | the same of a node that is the primary itself |
//! | `divergent` | what a fenced shipper had and the history does not contain |
//!
//! The shipper reads QuestDB's files, by `pread`, and never writes one.

mod blocks;
mod cleaning;
mod copy;
mod copying;
mod correct;
mod digests;
mod divergent;
mod files;
mod gather;
mod hints;
mod learned;
mod links;
mod open_files;
mod own;
mod poll;
mod requests;
mod run;
mod send;
mod snapshot;
mod start;
mod tables;
mod tail;
mod tails;

pub use divergent::{count as count_rows, divergent, put as put_divergent};
pub use own::{Own, ship_own};
pub use start::ship;

use crate::ledger::{Note, Point, Signer, TableEntry, Token, What};
use crate::native::cluster::JournalWriter;
use crate::native::policies;
use crate::table::Digest;
pub use cleaning::Cleaning;
use hints::Tell;
use links::Links;
use requests::Requests;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tables::{State, Tables};
use tokio::sync::{Notify, mpsc};

/// What is shipped, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database: the directory with `tables.d.N` in it.
    pub db: PathBuf,
    /// The shipper's own folder, on the same file system.
    pub own: PathBuf,
    /// What the instance is called.
    pub name: String,
    /// Between two packs, unless there is more than fits into one.
    pub window: Duration,
    /// Of zstd, 1 to 19.
    pub compression_level: i32,
    /// Threads that compress.
    pub compression_threads: usize,
    /// Tables, by name or directory, that are to begin anew with a copy.
    pub rebase: Vec<String>,
    /// End when all that there is has been sent.
    pub once: bool,
    /// After so long without one a pack is sent that says nothing; never if zero.
    pub beat: Duration,
    /// Between two snapshots.
    pub snapshot_interval: Duration,
    /// Bytes of packs after which one is taken, too.
    pub snapshot_bytes: u64,
    /// Take one at once.
    pub snapshot_now: bool,
    /// Delete what nobody needs any more.
    pub cleaning: Option<Cleaning>,
    /// Bytes of tables that are read in a second for digests; none if 0.
    pub digest_rate: u64,
    /// Bytes of segments that only our links keep, at most: beyond, the oldest are let go.
    pub disk_limit: u64,
    /// Run when another process continues the history, before anything else.
    pub on_fence: Option<String>,
    /// Signs packs.
    pub signer: Option<Arc<Signer>>,
}

/// What the caller hears while it goes on.
pub trait Listen: Send + Sync {
    /// Something worth a line.
    fn note(&self, text: &str);
    /// Something that may be wrong.
    fn warn(&self, text: &str);
    /// How far it is; told once a second.
    fn progress(&self, progress: &Progress);
    /// Another process continues the history; told before anything else.
    fn fenced(&self) {}
    /// An operator wants another instance to be the primary, by a hand-over.
    ///
    /// # Errors
    /// Why that can't be.
    fn hand_over(&self, _to: &str) -> Result<(), String> {
        Err("the primary is a QuestDB that knows nothing of it: stop that, then promote without --planned"
            .into())
    }
}

/// How far the shipper is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Tables that are sent.
    pub tables: u64,
    /// Packs that were handed in.
    pub packs: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Their bytes before compression.
    pub raw_bytes: u64,
    /// Transactions that are in the logs and not yet in the bucket.
    pub behind: u64,
    /// Bytes of packs and blobs that were sent.
    pub stored_bytes: u64,
    /// Bytes on disk that only the shipper's links keep.
    pub disk_bytes: u64,
    /// All numbers of the log below it are in the bucket for good.
    pub acknowledged: u64,
    /// The next number of the log.
    pub next: u64,
    /// Tables that can't go on.
    pub stopped: u64,
    /// Tables that are not sent: without a WAL, or QuestDB's own.
    pub not_replicated: u64,
    /// Snapshots that were taken.
    pub snapshots: u64,
    /// What is in the way of the bucket, if anything is.
    pub trouble: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// How far it got.
    pub progress: Progress,
    /// The first number that was not used; all before it are in the bucket.
    pub next: u64,
    /// It ended because another process continues the history.
    pub fenced: bool,
    /// Tables that can't go on: name and reason.
    pub stopped: BTreeMap<String, String>,
}

/// What all parts of the shipper share.
struct Shared {
    options: Options,
    tables: Tables,
    links: Mutex<Links>,
    listen: Arc<dyn Listen>,
    journal: JournalWriter,
    /// Nobody shall look for news any more.
    stop: AtomicBool,
    stopping: Notify,
    /// The last look was taken.
    polled: AtomicBool,
    news: Notify,
    /// A table wants a copy.
    copies: Notify,
    counts: Counts,
    trouble: Mutex<Option<String>>,
    /// The next number.
    handed_in: AtomicU64,
    /// Behind all that is acknowledged.
    confirmed: Mutex<Option<Confirmed>>,
    hints: mpsc::UnboundedSender<Tell>,
    /// Of quiet tables, to be handed in.
    digests: Mutex<Vec<TableEntry>>,
    /// Snapshots that were taken.
    snapshots: AtomicU64,
    /// Of operators.
    requests: Mutex<Requests>,
}

/// What is in the bucket for good.
#[derive(Debug, Clone)]
struct Confirmed {
    /// Behind it.
    point: Point,
    /// All requests before this one are answered in it.
    requests: u64,
}

#[derive(Debug, Default)]
struct Counts {
    packs: AtomicU64,
    txns: AtomicU64,
    raw: AtomicU64,
    stored: AtomicU64,
    not_replicated: AtomicU64,
}

impl Shared {
    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, text: impl AsRef<str>) {
        self.listen.note(text.as_ref());
    }

    fn warn(&self, text: impl AsRef<str>) {
        self.listen.warn(text.as_ref());
    }

    fn journal(&self, note: Note) {
        self.journal.note(note);
    }

    /// Something is wrong with a table.
    fn trouble(&self, dir: &str, text: &str) {
        self.warn(format!("{dir}: {text}"));
        self.journal(Note::Error { table: Some(dir.to_owned()), text: text.to_owned() });
    }

    /// It is over.
    fn recovered(&self, dir: &str) {
        self.note(format!("{dir}: goes on"));
        self.journal(Note::Recovered { table: Some(dir.to_owned()) });
    }

    /// What is in the way of the bucket.
    fn set_trouble(&self, trouble: Option<String>) {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == trouble {
            return;
        }
        match (&*known, &trouble) {
            (None, Some(why)) => self.warn(format!("the bucket does not take what is sent: {why}")),
            (Some(_), None) => self.note("the bucket takes what is sent again"),
            _ => {}
        }
        *known = trouble;
    }

    /// Stops a table: a person has to look.
    fn stop_table(&self, dir: &str, why: String) {
        let mut new = false;
        self.tables.change(dir, |table| {
            new = !matches!(table.state, State::Stopped { .. });
            table.state = State::Stopped { why: why.clone() };
        });
        if new {
            self.trouble(dir, &why);
        }
    }

    /// The log of a table has fewer transactions than it had.
    fn went_back(&self, dir: &str, max_txn: u64) {
        let shipped = self.tables.lock().get(dir).and_then(|table| table.shipped).unwrap_or(0);
        self.tables.change(dir, |table| table.max_txn = max_txn);
        if max_txn < shipped {
            self.stop_table(dir, start::rewritten(dir, max_txn + 1, &format!("it ends at {max_txn}")));
        } else if let Some(why) = start::compare(self, dir) {
            self.stop_table(dir, why);
        }
    }

    /// Pack `n` is in the bucket.
    fn acknowledged(&self, n: u64, bytes: u64, reached: &BTreeMap<String, u64>, ended: &[String]) {
        for (dir, seq_txn) in reached {
            self.tables.change(dir, |table| table.acknowledged = table.acknowledged.max(*seq_txn));
            if let Err(error) = self.links().release(dir, *seq_txn) {
                self.warn(format!("{dir}: links of its segments can't be removed: {error}"));
            }
            if dir == policies::DIR {
                self.requests().acknowledged = *seq_txn;
            }
            self.journal.applied(dir, *seq_txn);
        }
        for dir in ended {
            self.tables.lock().remove(dir);
            if let Err(error) = self.links().forget(dir) {
                self.warn(format!("{dir}: its links can't be removed: {error}"));
            }
        }
        self.journal.note(Note::Reached { n, bytes });
    }

    /// All before this point is acknowledged.
    fn confirm(&self, point: Point, requests: u64) {
        let confirmed = Confirmed { point, requests };
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some(confirmed);
    }

    fn confirmed(&self) -> Option<Confirmed> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the digest of a table sent.
    fn digest(&self, token: &Token, seq_txn: u64, digest: Digest) {
        let what = What::Digests { digests: vec![(seq_txn, digest)] };
        let entry = TableEntry { token: token.clone(), what };
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        let tables = [(token.dir.clone(), (seq_txn, digest.to_string()))].into();
        self.journal(Note::Digests { tables });
        self.news.notify_one();
    }

    fn progress(&self) -> Progress {
        let disk_bytes = self.links().held();
        let tables = self.tables.lock();
        let behind = tables
            .values()
            .filter(|table| !table.is_view())
            .map(|table| table.max_txn.saturating_sub(table.acknowledged));
        Progress {
            tables: tables.len() as u64,
            behind: behind.sum(),
            packs: self.counts.packs.load(Ordering::Relaxed),
            transactions: self.counts.txns.load(Ordering::Relaxed),
            raw_bytes: self.counts.raw.load(Ordering::Relaxed),
            stored_bytes: self.counts.stored.load(Ordering::Relaxed),
            disk_bytes,
            acknowledged: self.confirmed().map_or(0, |confirmed| confirmed.point.next.n),
            next: self.handed_in.load(Ordering::Relaxed),
            stopped: tables.values().filter(|table| table.obstacle().is_some()).count() as u64,
            not_replicated: self.counts.not_replicated.load(Ordering::Relaxed),
            snapshots: self.snapshots.load(Ordering::Relaxed),
            trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
