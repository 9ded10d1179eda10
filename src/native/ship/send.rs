//! Packs on their way: at most one in a window of time unless there is more than fits, blobs first, and what becomes of the
//! tables when they are acknowledged.

use super::Shared;
use super::blocks::Packing;
use super::gather::{Gathered, gather};
use super::hints::Tell;
use crate::ledger::{IndexEntry, Place, Point, Sum, TableEntry, What};
use crate::native::bucket::Bucket;
use crate::native::cluster::{PackWriter, WriterState, put_blob};
use crate::native::outcome::Failure;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Blobs that are put at a time.
const BLOBS_AT_ONCE: usize = 8;
/// How long a shipper that ends waits for what it has sent.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause after a refusal.
const REFUSED: Duration = Duration::from_secs(5);
/// How often it is looked whether something is due that nobody has told of: at all tables.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same of a shipper that is to end soon.
const LOOK_ONCE_EVERY: Duration = Duration::from_millis(500);

/// A pack that was handed in.
#[derive(Debug)]
struct Sent {
    n: u64,
    point: Point,
    entry: IndexEntry,
    reached: BTreeMap<String, u64>,
    ended: Vec<String>,
    requests: u64,
}

/// Sends packs.
pub(super) struct Sender {
    shared: Arc<Shared>,
    packing: Arc<Packing>,
    bucket: Bucket,
    writer: PackWriter,
    sent: Arc<Mutex<VecDeque<Sent>>>,
    after: String,
}

/// Why sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to, and all is acknowledged.
    Done,
    /// It was asked to, and the store did not take all in time.
    Unsettled,
    /// Somebody else continues the history.
    Fenced(Place),
    /// It can't go on.
    Failed(Failure),
}

impl Sender {
    pub(super) fn new(
        shared: Arc<Shared>,
        packing: Arc<Packing>,
        bucket: Bucket,
        writer: PackWriter,
    ) -> Self {
        let sent = Arc::default();
        Self { shared, packing, bucket, writer, sent, after: String::new() }
    }

    /// Sends what there is, and what comes until the shipper stops; answers also what of each table is in packs below the
    /// place at which it was fenced.
    pub(super) async fn run(mut self) -> (Ended, BTreeMap<String, u64>) {
        let acknowledging =
            tokio::spawn(acknowledge(self.shared.clone(), self.writer.acknowledged(), self.sent.clone()));
        let overdue = overdue(self.shared.clone());
        let sent = tokio::select! {
            sent = self.send_all() => Some(sent),
            () = overdue => None,
        };
        let ended = match sent {
            Some(Ok(())) => self.settle().await,
            Some(Err(failure)) => self.state().unwrap_or(Ended::Failed(failure)),
            None => self.state().unwrap_or(Ended::Unsettled),
        };
        acknowledging.abort();
        self.shared.set_trouble(None);
        let reached = self.reached_below(&ended);
        (ended, reached)
    }

    /// What the history has of packs that were not acknowledged: those below the seal.
    fn reached_below(&self, ended: &Ended) -> BTreeMap<String, u64> {
        let Ended::Fenced(place) = ended else { return BTreeMap::new() };
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let below = sent.iter().filter(|sent| sent.n < place.n);
        below.flat_map(|sent| sent.reached.clone()).collect()
    }

    /// Until the shipper stops, and then what is left.
    async fn send_all(&mut self) -> Result<(), Failure> {
        let mut state = self.writer.state();
        let mut last: Option<Instant> = None;
        let mut beat = Instant::now();
        loop {
            let stopping = self.shared.polled.load(Ordering::Acquire);
            if let Some(last) = last
                && !stopping
            {
                self.wait_out_window(last, &mut state).await;
            }
            if let Some(ended) = self.state() {
                return Err(failure_of(&ended));
            }
            let begun = Instant::now();
            let mut any = false;
            loop {
                let gathered = self.gather().await?;
                let more = gathered.more;
                if gathered.pack.is_empty() && !self.beats(beat) {
                    break;
                }
                any |= !gathered.pack.is_empty();
                self.put(gathered).await?;
                beat = Instant::now();
                if !more {
                    break;
                }
            }
            if any {
                last = Some(begun);
                continue;
            }
            if self.is_done(stopping) {
                return Ok(());
            }
            last = None;
            let rest = if self.shared.options.once { LOOK_ONCE_EVERY } else { LOOK_EVERY };
            tokio::select! {
                () = self.shared.news.notified() => {}
                () = self.shared.stopping.notified() => {}
                () = tokio::time::sleep(rest) => {}
                _ = state.changed() => {}
            }
        }
    }

    /// Waits for the end of the window that began then; or until the shipper stops, or can't go on.
    async fn wait_out_window(&self, begun: Instant, state: &mut watch::Receiver<WriterState>) {
        loop {
            let rest = self.shared.options.window.saturating_sub(begun.elapsed());
            let changed = tokio::select! {
                () = tokio::time::sleep(rest) => return,
                () = self.shared.stopping.notified() => return,
                changed = state.changed() => changed,
            };
            // A put that has to be sent again is no end of the window.
            if changed.is_err() || self.state().is_some() {
                return;
            }
        }
    }

    /// Whether an empty pack is due: what an idle writer shows that it is there by, and learns by that it was fenced.
    fn beats(&self, last: Instant) -> bool {
        let beat = self.shared.options.beat;
        !beat.is_zero() && last.elapsed() >= beat && !self.shared.options.once
    }

    /// Whether nothing is left to hand in, once nobody looks for news any more.
    fn is_done(&self, stopping: bool) -> bool {
        let options = &self.shared.options;
        if options.once {
            let tables = self.shared.tables.lock();
            let stuck = tables.values().any(|table| table.obstacle().is_some());
            let snapshot =
                !options.snapshot_now || stuck || self.shared.snapshots.load(Ordering::Acquire) > 0;
            let answered = self.shared.has_answered();
            return stopping && snapshot && answered && tables.values().all(|table| table.is_done());
        }
        stopping
    }

    async fn gather(&mut self) -> Result<Gathered, Failure> {
        let (shared, packing) = (self.shared.clone(), self.packing.clone());
        let mut after = std::mem::take(&mut self.after);
        let gathering = tokio::task::spawn_blocking(move || {
            let gathered = gather(&shared, &packing, &mut after);
            (gathered, after)
        });
        let (gathered, after) = gathering.await.map_err(|error| Failure::failed(error.to_string()))?;
        self.after = after;
        gathered
    }

    async fn put(&self, gathered: Gathered) -> Result<(), Failure> {
        let blobs: u64 = gathered.blobs.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        self.put_blobs(gathered.blobs).await?;
        let shared = &self.shared;
        let txns: u64 = gathered.pack.tables.iter().map(transactions).sum();
        let tables = gathered.pack.tables.iter().map(|entry| entry.token.dir.clone());
        let tables = tables.collect::<BTreeSet<String>>().into_iter().collect();
        let handed_in = self.writer.hand_in(gathered.pack).await?;
        let (place, bytes) = (handed_in.place, handed_in.bytes);
        let entry = IndexEntry { directory: place.dir, committed_us: handed_in.committed_us, bytes, tables };
        shared.handed_in.store(place.n + 1, Ordering::Release);
        shared.counts.packs.fetch_add(1, Ordering::Relaxed);
        shared.counts.stored.fetch_add(bytes + blobs, Ordering::Relaxed);
        shared.counts.txns.fetch_add(txns, Ordering::Relaxed);
        shared.counts.raw.fetch_add(gathered.raw, Ordering::Relaxed);
        let point = handed_in.point;
        let Gathered { reached, ended, requests, .. } = gathered;
        let sent = Sent { n: place.n, point, entry, reached, ended, requests };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push_back(sent);
        // It may be acknowledged already.
        settle(shared, *self.writer.acknowledged().borrow(), &self.sent);
        Ok(())
    }

    async fn put_blobs(&self, blobs: Vec<(Sum, Bytes)>) -> Result<(), Failure> {
        let mut waiting = blobs.into_iter();
        let mut flying = JoinSet::new();
        loop {
            while flying.len() < BLOBS_AT_ONCE
                && let Some((sum, bytes)) = waiting.next()
            {
                let (shared, bucket) = (self.shared.clone(), self.bucket.clone());
                flying.spawn(async move { put_patiently(&shared, &bucket, sum, bytes).await });
            }
            match flying.join_next().await {
                None => return Ok(()),
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(Failure::failed(error.to_string())),
            }
        }
    }

    /// Waits until all that was handed in is acknowledged.
    async fn settle(&self) -> Ended {
        let end = self.writer.point().next.n;
        let (mut acknowledged, mut state) = (self.writer.acknowledged(), self.writer.state());
        let deadline = tokio::time::sleep(PATIENCE);
        tokio::pin!(deadline);
        loop {
            if let Some(ended) = self.state() {
                return ended;
            }
            if *acknowledged.borrow_and_update() >= end {
                settle(&self.shared, end, &self.sent);
                return Ended::Done;
            }
            tokio::select! {
                _ = acknowledged.changed() => {}
                _ = state.changed() => {}
                () = &mut deadline => return Ended::Unsettled,
            }
        }
    }

    /// How the writer ended, if it has.
    fn state(&self) -> Option<Ended> {
        match &*self.writer.state().borrow() {
            WriterState::Running { trouble } => {
                self.shared.set_trouble(trouble.clone());
                None
            }
            WriterState::Fenced(place) => Some(Ended::Fenced(*place)),
            WriterState::Stopped(failure) => Some(Ended::Failed(failure.clone())),
        }
    }
}

/// Puts a blob, however long the store refuses it: nothing goes on without.
async fn put_patiently(shared: &Shared, bucket: &Bucket, sum: Sum, bytes: Bytes) {
    while let Err(trouble) = put_blob(bucket, sum, bytes.clone()).await {
        shared.set_trouble(Some(trouble.to_string()));
        tokio::time::sleep(REFUSED).await;
    }
}

/// Ready when the shipper has been asked to end for as long as it may take.
async fn overdue(shared: Arc<Shared>) {
    while !shared.polled.load(Ordering::Acquire) || shared.options.once {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(PATIENCE).await;
}

fn failure_of(ended: &Ended) -> Failure {
    match ended {
        Ended::Failed(failure) => failure.clone(),
        _ => Failure::failed("the writer has ended"),
    }
}

fn transactions(entry: &TableEntry) -> u64 {
    match &entry.what {
        What::Transactions(run) => run.records.len() as u64,
        _ => 0,
    }
}

async fn acknowledge(
    shared: Arc<Shared>,
    mut acknowledged: tokio::sync::watch::Receiver<u64>,
    sent: Arc<Mutex<VecDeque<Sent>>>,
) {
    while acknowledged.changed().await.is_ok() {
        let end = *acknowledged.borrow_and_update();
        let (shared, sent) = (shared.clone(), sent.clone());
        // Links are removed: that waits for the disk.
        let settled = tokio::task::spawn_blocking(move || settle(&shared, end, &sent));
        if settled.await.is_err() {
            return;
        }
    }
}

/// All numbers below `end` are in the bucket: what they hold needs no links any more.
fn settle(shared: &Shared, end: u64, sent: &Mutex<VecDeque<Sent>>) {
    loop {
        let mut waiting = sent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(done) = waiting.pop_front_if(|sent| sent.n < end) else { return };
        drop(waiting);
        shared.acknowledged(done.n, done.entry.bytes, &done.reached, &done.ended);
        if let Some(place) = done.point.last() {
            // Who hears of it may have ended.
            let _ = shared.hints.send(Tell::Confirmed(place, done.entry));
        }
        shared.confirm(done.point, done.requests);
    }
}
