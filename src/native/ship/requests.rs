//! Operators' requests: the next one is asked for, checked, and answered in the next pack together with what it changes.

use super::Shared;
use super::files::BesideFiles;
use super::gather::Gathered;
use crate::ledger::{
    ANSWER_BYTES_MAX, ClusterId, Document, Key, Note, PolicyNote, PolicyRequest, PromoteRequest, Request,
    RequestAnswer,
};
use crate::native::bucket::{Bucket, GetAnswer};
use crate::native::cluster::now_us;
use crate::native::outcome::Failure;
use crate::native::policies::{self, Facts, PolicyRow, PolicyTable, decide};
use crate::policy::{Change, StoragePolicy};
use crate::table::ttl_text;
use crate::wal::{Registry, TableMeta};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the next request is asked for, and how often for a while after one has come.
const IDLE: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_millis(500);
const WHILE: Duration = Duration::from_secs(30);

/// Requests, and the storage policies that they change.
pub(super) struct Requests {
    cluster: ClusterId,
    /// The policies, with what was handed in.
    pub(super) table: PolicyTable,
    /// All before this one are answered in packs that were handed in.
    pub(super) next: u64,
    /// The last transaction of the policies' table that is in the bucket for good.
    pub(super) acknowledged: u64,
    /// The next one, as it came.
    waiting: Option<Bytes>,
    /// What the database has of policies that the log has never heard of: it was a replica's.
    found: Vec<PolicyRow>,
    /// The next one was asked for, and is not there.
    level: bool,
    /// What of the policies was told last.
    told: Option<BTreeMap<String, PolicyNote>>,
    looked: Option<Instant>,
}

impl Requests {
    pub(super) fn new(
        cluster: ClusterId,
        table: PolicyTable,
        next: u64,
        files: &BesideFiles,
    ) -> Result<Self, Failure> {
        let found = match table.seq_txn() {
            None => policies::definitions(files)?,
            Some(_) => BTreeMap::new(),
        };
        let row = |(dir, (policy, at_us)): (String, _)| PolicyRow::of(&dir, &policy, at_us);
        let found = found.into_iter().map(row).collect();
        let acknowledged = table.seq_txn().unwrap_or(0);
        let (waiting, level, told, looked) = (None, false, None, None);
        Ok(Self { cluster, table, next, acknowledged, waiting, found, level, told, looked })
    }
}

/// Where the policies' table is applied.
pub(super) fn policies_folder(own: &Path) -> PathBuf {
    own.join("policies")
}

/// Asks for requests for as long as the shipper runs.
pub(super) async fn run(shared: Arc<Shared>, bucket: Bucket) {
    let mut last: Option<Instant> = None;
    // With `--once` those that are there are still answered.
    while shared.options.once || !shared.stop.load(Ordering::Relaxed) {
        let next = {
            let requests = shared.requests();
            requests.waiting.is_none().then_some(requests.next)
        };
        if let Some(k) = next {
            match bucket.get(&Key::Request(k).to_string()).await {
                GetAnswer::Found(bytes) => {
                    last = Some(Instant::now());
                    shared.requests().waiting = Some(bytes);
                    shared.news.notify_one();
                }
                GetAnswer::NotFound => {
                    let new = !std::mem::replace(&mut shared.requests().level, true);
                    if new {
                        shared.news.notify_one();
                    }
                }
                GetAnswer::Failed(_) => {}
            }
        }
        let busy = last.is_some_and(|last| last.elapsed() < WHILE);
        tokio::time::sleep(if busy { BUSY } else { IDLE }).await;
    }
}

impl Shared {
    pub(super) fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all requests that there were at the start are answered.
    pub(super) fn has_answered(&self) -> bool {
        let requests = self.requests();
        requests.level && requests.waiting.is_none()
    }
}

/// Answers the request that waits, if one does, and lets policies go of tables that end with this pack.
pub(super) fn answer(shared: &Shared, files: &BesideFiles, gathered: &mut Gathered) {
    let mut requests = shared.requests();
    let found = std::mem::take(&mut requests.found);
    let mut changed = !found.is_empty();
    if let Err(why) = requests.append(found, gathered) {
        shared.warn(why);
    }
    if let Some(bytes) = requests.waiting.take() {
        let k = requests.next;
        let (rows, mut answer) = match promotion(shared, requests.cluster, k, &bytes) {
            Some(answer) => (Vec::new(), answer),
            None => requests.answer(files, k, &bytes),
        };
        changed |= !rows.is_empty();
        if let Err(why) = requests.append(rows, gathered) {
            answer = RequestAnswer { request: k, done: false, text: why };
        }
        let told = if answer.done { "accepted" } else { "refused" };
        shared.note(format!("request {k} {told}: {}", answer.text));
        let (done, text) = (answer.done, answer.text.clone());
        shared.journal(Note::Answered { request: k, done, text });
        gathered.pack.answers.push(answer);
        requests.next = k + 1;
        requests.level = false;
    }
    for (dir, statement) in std::mem::take(&mut gathered.policies) {
        let done = requests.statement(files, &dir, &statement.change);
        let done = done.and_then(|row| requests.append(row.into_iter().collect(), gathered));
        match done {
            Ok(()) => changed = true,
            Err(why) => {
                shared.trouble(&dir, &format!("a statement about its storage policy is not followed: {why}"))
            }
        }
    }
    let ended: Vec<PolicyRow> = gathered
        .ended
        .iter()
        .filter_map(|dir| requests.table.policy(dir).map(|_| PolicyRow::removed(dir, 0)))
        .collect();
    changed |= !ended.is_empty();
    if let Err(why) = requests.append(ended, gathered) {
        shared.warn(why);
    }
    gathered.requests = requests.next;
    // A TTL comes and goes without us.
    if changed || requests.looked.is_none_or(|looked| looked.elapsed() >= IDLE) {
        requests.tell(shared, files);
    }
}

/// The answer to a wish that an instance be the primary; `None` of another wish.
fn promotion(shared: &Shared, cluster: ClusterId, k: u64, bytes: &Bytes) -> Option<RequestAnswer> {
    let request = Request::read(Key::Request(k), bytes).ok().filter(|request| request.cluster == cluster)?;
    let wish = match PromoteRequest::of(&request) {
        Ok(wish) => wish?,
        Err(error) => return Some(RequestAnswer { request: k, done: false, text: error.to_string() }),
    };
    let node = &wish.node;
    let answered = match wish.planned {
        _ if *node == shared.options.name => Ok(format!("{node} is the primary")),
        true => shared.listen.hand_over(node).map(|()| format!("handing over to {node}")),
        // It does not wait for an answer.
        false => Ok(format!("left to {node}, which takes over by itself")),
    };
    let done = answered.is_ok();
    let (Ok(text) | Err(text)) = answered;
    Some(RequestAnswer { request: k, done, text: clipped(&text) })
}

impl Requests {
    /// What a request changes, and its answer.
    fn answer(&self, files: &BesideFiles, k: u64, bytes: &Bytes) -> (Vec<PolicyRow>, RequestAnswer) {
        match self.check(files, k, bytes) {
            Ok((row, text)) => {
                (row.into_iter().collect(), RequestAnswer { request: k, done: true, text: clipped(&text) })
            }
            Err(why) => (Vec::new(), RequestAnswer { request: k, done: false, text: clipped(&why) }),
        }
    }

    /// What a statement in a table's log changes.
    fn statement(
        &self,
        files: &BesideFiles,
        dir: &str,
        change: &Change,
    ) -> Result<Option<PolicyRow>, String> {
        let (facts, current) = self.stands(files, dir)?;
        let decided = decide(change, &facts, current.as_ref());
        decided.map(|(row, _)| row).map_err(|error| error.to_string())
    }

    /// What a table, by name or directory, is like, and the policy that it has.
    fn stands(&self, files: &BesideFiles, table: &str) -> Result<(Facts, Option<StoragePolicy>), String> {
        let registry = Registry::read(files).map_err(|error| error.to_string())?;
        let token = policies::find(&registry.tables, table)?;
        let meta = TableMeta::applied(files, &token.dir).map_err(|error| error.to_string())?;
        let current = self.table.policy(&token.dir).and_then(PolicyRow::policy);
        Ok((Facts::of(token, &meta), current))
    }

    fn check(
        &self,
        files: &BesideFiles,
        k: u64,
        bytes: &Bytes,
    ) -> Result<(Option<PolicyRow>, String), String> {
        let request = Request::read(Key::Request(k), bytes).map_err(|error| error.to_string())?;
        if request.cluster != self.cluster {
            return Err(format!("it is for cluster {}", request.cluster));
        }
        let wish = PolicyRequest::of(&request).map_err(|error| error.to_string())?;
        let (facts, current) = self.stands(files, &wish.table)?;
        let change = policies::wished(&wish.change).map_err(|error| error.to_string())?;
        decide(&change, &facts, current.as_ref()).map_err(|error| error.to_string())
    }

    /// Adds rows to the table, and to the pack.
    fn append(&mut self, rows: Vec<PolicyRow>, gathered: &mut Gathered) -> Result<(), String> {
        if rows.is_empty() {
            return Ok(());
        }
        let entries = self.table.append(rows, now_us()).map_err(|failure| failure.message)?;
        gathered.pack.tables.extend(entries);
        if let Some(seq_txn) = self.table.seq_txn() {
            gathered.reached.insert(policies::DIR.to_owned(), seq_txn);
        }
        Ok(())
    }

    /// Tells in the journal which policies there are.
    fn tell(&mut self, shared: &Shared, files: &BesideFiles) {
        let note = |row: &PolicyRow| {
            let policy = row.policy()?;
            let ttl = TableMeta::applied(files, &row.table_dir_name).ok().map(|meta| meta.ttl);
            let ttl = ttl.and_then(|ttl| ttl_text(policies::stored(ttl)));
            let note = PolicyNote { policy: policy.list(), status: row.status.to_string(), ttl };
            Some((row.table_dir_name.clone(), note))
        };
        let tables: BTreeMap<String, PolicyNote> = self.table.policies().filter_map(note).collect();
        self.looked = Some(Instant::now());
        let nothing = self.told.is_none() && tables.is_empty();
        if self.told.as_ref() != Some(&tables) && !nothing {
            shared.journal(Note::Policies { tables: tables.clone() });
        }
        self.told = Some(tables);
    }
}

/// As long as an answer may be.
fn clipped(text: &str) -> String {
    let mut end = text.len().min(ANSWER_BYTES_MAX as usize);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
