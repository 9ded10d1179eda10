//! What this instance did, written down for the others.

use super::nodes::journal_end;
use super::{Patience, get, now_us, put};
use crate::ledger::{
    ClusterId, Document, GetAnswer, Journal, JournalEntry, Key, Note, Pause, PutAnswer, StoredPartition,
    Summary,
};
use crate::native::bucket::Bucket;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long what happened may wait before it is written.
const BUSY: Duration = Duration::from_secs(10);
/// The same of what people should know at once.
const URGENT: Duration = Duration::from_millis(500);
/// How often an instance says that it is there.
const IDLE: Duration = Duration::from_secs(60);
/// Progress is noted this often at most.
const SAMPLE_US: i64 = 250_000;
/// Entries that wait while the store doesn't answer; older progress is let go.
const ENTRIES_MAX: usize = 10_000;
/// Partitions that one object tells of.
const PARTITIONS_MAX: usize = 512;

/// Writes an instance's journal in the background.
#[derive(Debug, Clone)]
pub struct JournalWriter {
    told: mpsc::UnboundedSender<Told>,
}

#[derive(Debug)]
enum Told {
    Note(Note),
    Applied(String, u64),
    Close(tokio::sync::oneshot::Sender<()>),
}

impl JournalWriter {
    /// Goes on with the journal of instance `node`.
    pub fn start(bucket: Bucket, cluster: ClusterId, node: u32, name: &str) -> Self {
        let (told, heard) = mpsc::unbounded_channel();
        let task = Task {
            bucket,
            cluster,
            node,
            name: name.to_owned(),
            k: None,
            state: BTreeMap::new(),
            before: BTreeMap::new(),
            entries: Vec::new(),
            holds: Vec::new(),
            held: Vec::new(),
            summary: Summary::default(),
            partitions: BTreeMap::new(),
            urgent: false,
            reached: 0,
            written: Instant::now(),
        };
        tokio::spawn(task.run(heard));
        Self { told }
    }

    /// Notes that something happened now.
    pub fn note(&self, note: Note) {
        // A journal that can't be written keeps nobody from working.
        let _ = self.told.send(Told::Note(note));
    }

    /// Notes that all transactions of a table up to this one are applied, or shipped.
    pub fn applied(&self, dir: &str, seq_txn: u64) {
        let _ = self.told.send(Told::Applied(dir.to_owned(), seq_txn));
    }

    /// Writes what is left, for at most some seconds.
    pub async fn close(self) {
        let (done, closed) = tokio::sync::oneshot::channel();
        if self.told.send(Told::Close(done)).is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(5), closed).await;
        }
    }
}

/// How partitions of a table are stored now.
#[derive(Debug, Default)]
struct Changed {
    seq_txn: u64,
    partitions: BTreeMap<String, StoredPartition>,
}

struct Task {
    bucket: Bucket,
    cluster: ClusterId,
    node: u32,
    name: String,
    /// The number of the next object; not known before the bucket was asked.
    k: Option<u64>,
    /// The last transaction of each table.
    state: BTreeMap<String, u64>,
    /// The same before the first entry that is not written.
    before: BTreeMap<String, u64>,
    entries: Vec<JournalEntry>,
    /// What was told and still holds.
    holds: Vec<JournalEntry>,
    /// The same before the first entry that is not written.
    held: Vec<JournalEntry>,
    /// What the next summary holds.
    summary: Summary,
    /// Partitions that changed since they were told of: by table, then by name.
    partitions: BTreeMap<String, Changed>,
    urgent: bool,
    /// The number reached last.
    reached: u64,
    written: Instant,
}

impl Task {
    async fn run(mut self, mut heard: mpsc::UnboundedReceiver<Told>) {
        let mut patience = Patience::default();
        loop {
            let wait = self.due().saturating_sub(self.written.elapsed());
            let told = tokio::time::timeout(wait, heard.recv()).await;
            match told {
                Ok(Some(Told::Note(note))) => self.note(note),
                Ok(Some(Told::Applied(dir, seq_txn))) => self.applied(dir, seq_txn),
                Ok(Some(Told::Close(done))) => {
                    self.write().await;
                    let _ = done.send(());
                    return;
                }
                Ok(None) => return,
                Err(_due) => {
                    if self.write().await {
                        patience.reset();
                    } else {
                        patience.wait(Pause::Retry).await;
                    }
                }
            }
        }
    }

    fn due(&self) -> Duration {
        match (self.urgent, self.entries.is_empty() && self.partitions.is_empty()) {
            (true, _) => URGENT,
            (false, false) => BUSY,
            (false, true) => IDLE,
        }
    }

    fn note(&mut self, what: Note) {
        let at_us = now_us();
        if let Note::Partitions { table, seq_txn, partitions } = what {
            let changed = self.partitions.entry(table).or_default();
            changed.seq_txn = seq_txn;
            changed.partitions.extend(partitions.into_iter().map(|stored| (stored.name.clone(), stored)));
            return;
        }
        if let Note::Reached { n, bytes } = what {
            self.reached = n;
            // Of the latest stretch one entry is enough.
            let mut recent =
                self.entries.iter_mut().rev().take_while(|entry| at_us - entry.at_us < SAMPLE_US);
            let same = recent.find_map(|entry| match &mut entry.what {
                Note::Reached { n, bytes } => Some((n, bytes)),
                _ => None,
            });
            if let Some((known, sum)) = same {
                (*known, *sum) = (n, *sum + bytes);
                return;
            }
        } else {
            self.urgent |= is_urgent(&what);
        }
        let entry = JournalEntry { at_us, what };
        entry.hold(&mut self.holds);
        self.push(entry);
    }

    fn applied(&mut self, dir: String, seq_txn: u64) {
        if self.state.insert(dir.clone(), seq_txn) == Some(seq_txn) {
            return;
        }
        let at_us = now_us();
        let mut recent = self.entries.iter_mut().rev().take_while(|entry| at_us - entry.at_us < SAMPLE_US);
        let same = recent.find_map(|entry| match &mut entry.what {
            Note::Applied { tables } => Some(tables),
            _ => None,
        });
        match same {
            Some(tables) => {
                tables.insert(dir, seq_txn);
            }
            None => {
                self.push(JournalEntry { at_us, what: Note::Applied { tables: [(dir, seq_txn)].into() } })
            }
        }
    }

    fn push(&mut self, entry: JournalEntry) {
        if self.entries.len() >= ENTRIES_MAX {
            let progress =
                |entry: &JournalEntry| matches!(entry.what, Note::Applied { .. } | Note::Reached { .. });
            let first = self.entries.iter().position(progress).unwrap_or(0);
            self.entries.remove(first);
        }
        self.entries.push(entry);
    }

    /// Has the next object tell of partitions that changed, of as many as it may.
    fn tell_partitions(&mut self, at_us: i64) {
        // What could not be written is told first.
        if self.entries.iter().any(|entry| matches!(entry.what, Note::Partitions { .. })) {
            return;
        }
        let mut room = PARTITIONS_MAX;
        while room > 0
            && let Some((table, mut changed)) = self.partitions.pop_first()
        {
            let mut told = Vec::new();
            while told.len() < room
                && let Some((_, stored)) = changed.partitions.pop_first()
            {
                told.push(stored);
            }
            room -= told.len();
            let what = Note::Partitions { table: table.clone(), seq_txn: changed.seq_txn, partitions: told };
            self.push(JournalEntry { at_us, what });
            if !changed.partitions.is_empty() {
                self.partitions.insert(table, changed);
            }
        }
    }

    /// Writes the next object; answers whether it is there now.
    async fn write(&mut self) -> bool {
        let k = match self.k {
            Some(k) => k,
            None => match self.take_up().await {
                Some(k) => k,
                None => return false,
            },
        };
        let mut journal = Journal::new(self.cluster, self.node, &self.name, k);
        journal.written_us = now_us();
        if Journal::is_full(k) {
            journal.state = Some(self.before.clone());
            journal.holds.clone_from(&self.held);
            journal.recent = self.summary.recent();
        }
        if Journal::is_rollup(k) {
            journal.summary = self.summary.entries();
        }
        self.tell_partitions(journal.written_us);
        journal.entries.clone_from(&self.entries);
        if journal.entries.is_empty() {
            let what = Note::Reached { n: self.reached, bytes: 0 };
            journal.entries.push(JournalEntry { at_us: journal.written_us, what });
        }
        let Ok(bytes) = journal.to_bytes() else {
            // Longer than an object may be: what is left is still told by the next one that has all tables.
            self.entries.clear();
            self.summary = Summary::default();
            return false;
        };
        let key = Key::Journal { node: self.node, k };
        let mut stored = match put(&self.bucket, key, bytes.clone()).await.0 {
            PutAnswer::Stored => true,
            PutAnswer::Taken => match get(&self.bucket, key).await.0 {
                GetAnswer::Found(there) if there == bytes => true,
                // Another process of this name, or an operator who retired it.
                GetAnswer::Found(_) => {
                    self.k = Some(k + 1);
                    return false;
                }
                GetAnswer::NotFound | GetAnswer::Failed => false,
            },
            PutAnswer::Unsettled(_) | PutAnswer::Refused(_) => false,
        };
        if !stored {
            // It may have landed: then these bytes are there when it is tried again, or others get the next number.
            stored = get(&self.bucket, key).await.0 == GetAnswer::Found(bytes);
        }
        if stored {
            self.k = Some(k + 1);
            if Journal::is_rollup(k) {
                self.summary.roll();
            }
            for entry in std::mem::take(&mut self.entries) {
                self.summary.take(entry);
            }
            self.before.clone_from(&self.state);
            self.held.clone_from(&self.holds);
            self.urgent = false;
            self.written = Instant::now();
        }
        stored
    }

    /// Finds the next number, and what is to be summed up since the last summary.
    async fn take_up(&mut self) -> Option<u64> {
        let k = journal_end(&self.bucket, self.node, 0).await.ok()?;
        let rolled_up = Journal::rollup_before(k);
        let mut summary = Summary::default();
        for old in rolled_up.unwrap_or(0)..k {
            let key = Key::Journal { node: self.node, k: old };
            match get(&self.bucket, key).await.0 {
                GetAnswer::Found(bytes) => {
                    let Ok(journal) = Journal::read(key, &bytes) else { continue };
                    if rolled_up == Some(old) {
                        summary = Summary::behind(journal);
                    } else {
                        journal.entries.into_iter().for_each(|entry| summary.take(entry));
                    }
                }
                GetAnswer::NotFound => {}
                GetAnswer::Failed => return None,
            }
        }
        self.summary = summary;
        self.k = Some(k);
        Some(k)
    }
}

fn is_urgent(note: &Note) -> bool {
    !matches!(
        note,
        Note::Applied { .. } | Note::Reached { .. } | Note::Digests { .. } | Note::Partitions { .. }
    )
}
