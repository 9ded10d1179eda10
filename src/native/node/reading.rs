//! Beside the machine: objects fetched ahead for its reader, and packs on their way to the replica.

use crate::ledger::{Key, Loaded, Manifest, Object, Pack, Point};
use crate::native::bucket::Bucket;
use crate::native::cluster::{Ahead, Arrived, blobs_of, check_signature};
use crate::native::outcome::Failure;
use crate::native::replica::{Feed, Waker};
use crate::node::Answer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Bytes of objects that are fetched ahead.
const AHEAD_BYTES: u64 = 64 << 20;
/// Packs that wait for the replica before no more are read.
const WAITING: u64 = 8;
const GLANCE: Duration = Duration::from_millis(2);
/// The pause before blobs that can't be had are asked for again.
const LATER: Duration = Duration::from_secs(1);

/// An answer to the machine's request of this number, and what was wrong for people.
pub(super) type Answered = (u64, Answer, Option<String>);

/// Answers reads of the log one after the other, as long as packs are taken.
pub(super) async fn read(
    bucket: Bucket,
    mut asked: mpsc::UnboundedReceiver<(u64, Key)>,
    answers: mpsc::UnboundedSender<Answered>,
    waiting: Arc<AtomicU64>,
) {
    let mut ahead = Ahead::new(bucket, AHEAD_BYTES);
    while let Some((id, key)) = asked.recv().await {
        while waiting.load(Ordering::Relaxed) >= WAITING {
            tokio::time::sleep(GLANCE).await;
        }
        let (answer, why) = ahead.get(key).await;
        if answers.send((id, Answer::Got(answer), why)).is_err() {
            return;
        }
    }
}

/// What a replica is to get.
pub(super) enum Food {
    /// The replica.
    Replica(Feed, Waker),
    /// There is none any more.
    Gone,
    /// The next pack.
    Pack(Object, Box<Pack>, Box<Point>),
    /// A new term.
    Term(Box<Point>),
    /// All has come.
    Level,
    /// A snapshot in place of its tables.
    Load(Box<Manifest>),
}

/// Hands on what comes, in order.
pub(super) async fn feed(
    bucket: Bucket,
    trusted: Vec<[u8; 32]>,
    mut food: mpsc::UnboundedReceiver<Food>,
    waiting: Arc<AtomicU64>,
    loaded: impl Fn(Loaded) + Send + Sync,
    failed: impl Fn(Failure) + Send + Sync,
) {
    let mut replica: Option<(Feed, Waker)> = None;
    // What comes before its replica waits for it.
    let mut early = Vec::new();
    while let Some(next) = food.recv().await {
        match next {
            Food::Replica(feed, waker) => {
                replica = Some((feed, waker));
                for next in std::mem::take(&mut early) {
                    hand_on(&bucket, &trusted, &mut replica, next, &waiting, &loaded, &failed).await;
                }
            }
            Food::Gone => {
                replica = None;
                early.clear();
                waiting.store(0, Ordering::Relaxed);
            }
            next if replica.is_none() => early.push(next),
            next => hand_on(&bucket, &trusted, &mut replica, next, &waiting, &loaded, &failed).await,
        }
    }
}

async fn hand_on(
    bucket: &Bucket,
    trusted: &[[u8; 32]],
    replica: &mut Option<(Feed, Waker)>,
    next: Food,
    waiting: &AtomicU64,
    loaded: &(impl Fn(Loaded) + Sync),
    failed: &(impl Fn(Failure) + Sync),
) {
    let Some((feed, waker)) = replica else { return };
    match next {
        Food::Pack(object, pack, point) => {
            if let Err(failure) = check_signature(&object, trusted) {
                return failed(failure);
            }
            let blobs = loop {
                match blobs_of(bucket, &pack).await {
                    Ok(blobs) => break blobs,
                    Err(failure) => {
                        tracing::warn!("{}: {}", object.head().place, failure.message);
                        tokio::time::sleep(LATER).await;
                    }
                }
            };
            // A replica that can't take it tells so itself.
            feed.pack(Arrived { object, pack: *pack, blobs, point: *point }).await;
            let less = |count: u64| count.checked_sub(1);
            let _ = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        Food::Term(point) => feed.term(*point),
        Food::Level => feed.caught_up(),
        Food::Load(manifest) => {
            if let Some(what) = feed.load(*manifest).await {
                loaded(what);
            }
        }
        Food::Replica(..) | Food::Gone => {}
    }
    waker.wake();
}
