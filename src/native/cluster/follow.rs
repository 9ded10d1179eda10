//! The log as a stream of packs.

use super::ahead::Ahead;
use super::blobs::get_blob;
use super::end::head_at;
use super::pace::{Newest, Pace};
use super::{Patience, log_failure, now_us};
use crate::ledger::{
    Action, Event, GetAnswer, Loaded, Manifest, Object, Pack, Pause, Point, Reader, Sum, verify,
};
use crate::native::bucket::Bucket;
use crate::native::outcome::{Exit, Failure};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How often the boundary is looked at while nothing comes (rule R2).
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Blobs of one pack that are fetched at a time.
const BLOBS_AT_ONCE: usize = 8;
/// Packs that wait for whoever follows.
const WAITING: usize = 2;

/// How a [`Follower`] goes about it.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// How long to wait before a number that was missing is asked for again.
    pub pace: Pace,
    /// About how many bytes of packs are fetched ahead.
    pub ahead_bytes: u64,
    /// Public keys of which one must have signed each pack; none: any pack is taken.
    pub trusted: Vec<[u8; 32]>,
}

/// What comes from the log.
#[derive(Debug)]
pub enum Followed {
    /// The next pack.
    Pack(Box<Arrived>),
    /// A new term has begun; the log goes on here.
    Term(Box<Point>),
    /// All that is in the log has come. Told again each time that something came.
    CaughtUp,
    /// What comes next is gone: load this snapshot, then call [`Follower::loaded`].
    Load(Box<Manifest>),
    /// The store does not answer as it should; it is asked again.
    Trouble(String),
    /// The log can't be followed further; a person has to look.
    Stopped(Failure),
}

/// A pack with all that it takes to apply it.
#[derive(Debug)]
pub struct Arrived {
    /// As it lies in the bucket.
    pub object: Object,
    /// Its contents.
    pub pack: Pack,
    /// The blobs that it refers to, by their hash.
    pub blobs: BTreeMap<Sum, Bytes>,
    /// Where the log goes on behind it.
    pub point: Point,
}

/// Follows the log in the background. Ends when it is dropped.
#[derive(Debug)]
pub struct Follower {
    events: mpsc::Receiver<Followed>,
    answers: mpsc::Sender<Loaded>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Follows from where `reader` stands.
    pub fn start(bucket: Bucket, reader: Reader, options: FollowOptions) -> Self {
        let (events_to, events) = mpsc::channel(WAITING);
        let (answers, answered) = mpsc::channel(1);
        let ahead = Ahead::new(bucket.clone(), options.ahead_bytes);
        let task = Task { bucket, reader, options, ahead, events: events_to, answered };
        Self { events, answers, task: tokio::spawn(task.run()) }
    }

    /// What comes next; waits for it.
    pub async fn next(&mut self) -> Followed {
        match self.events.recv().await {
            Some(event) => event,
            None => Followed::Stopped(Failure::failed("the log is no longer followed")),
        }
    }

    /// What comes next, if it is there already.
    pub fn try_next(&mut self) -> Option<Followed> {
        self.events.try_recv().ok()
    }

    /// Answers [`Followed::Load`].
    pub async fn loaded(&self, loaded: Loaded) {
        // A task that has ended needs no answer.
        let _ = self.answers.send(loaded).await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    bucket: Bucket,
    reader: Reader,
    options: FollowOptions,
    ahead: Ahead,
    events: mpsc::Sender<Followed>,
    answered: mpsc::Receiver<Loaded>,
}

impl Task {
    async fn run(mut self) {
        let mut patience = Patience::default();
        let mut looked = Instant::now();
        let mut told = false;
        let mut level = false;
        let mut newest = Newest::default();
        while let Some(action) = self.reader.next() {
            let key = match action {
                Action::Get { key } => key,
                Action::Later { .. } => {
                    if !newest.is_known() {
                        self.look_back(&mut newest).await;
                    }
                    tokio::time::sleep(self.options.pace.pause(newest.age())).await;
                    if looked.elapsed() >= LOOK_EVERY {
                        looked = Instant::now();
                        self.reader.look();
                    } else {
                        self.reader.waited();
                    }
                    continue;
                }
                Action::Put { .. } | Action::Delete { .. } => continue,
            };
            let (answer, why) = self.ahead.get(key).await;
            if answer == GetAnswer::Failed {
                let trouble = Followed::Trouble(why.unwrap_or_else(|| format!("{key}: no answer")));
                if self.events.send(trouble).await.is_err() {
                    return;
                }
                patience.wait(Pause::Retry).await;
                continue;
            }
            patience.reset();
            let event = match self.reader.got(&answer) {
                None => continue,
                Some(Event::Missing) if told => continue,
                Some(event) => event,
            };
            match &event {
                Event::Pack(object) => newest.come(object.head().committed_us, level),
                Event::Followed(_) => newest.come(now_us(), level),
                Event::Missing => level = true,
                _ => {}
            }
            told = matches!(event, Event::Missing);
            match self.follow(event).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(failure) => {
                    let _ = self.events.send(Followed::Stopped(failure)).await;
                    return;
                }
            }
        }
    }

    /// Learns how old the object before the next one is, which a process before this one has read.
    async fn look_back(&self, newest: &mut Newest) {
        let committed_us = match self.reader.point().last() {
            // It may be gone, and the store may not answer: then the log counts as busy.
            Some(last) => {
                head_at(&self.bucket, last).await.ok().flatten().map(|(_, committed_us)| committed_us)
            }
            None => None,
        };
        newest.come(committed_us.unwrap_or_else(now_us), false);
    }

    /// Tells of an event; false if nobody listens any more.
    async fn follow(&mut self, event: Event) -> Result<bool, Failure> {
        let point = self.reader.point().clone();
        let followed = match event {
            Event::Pack(object) => {
                check_signature(&object, &self.options.trusted)?;
                let pack = object.pack().map_err(|error| log_failure(&error))?;
                let blobs = blobs_of(&self.bucket, &pack).await?;
                Followed::Pack(Box::new(Arrived { object, pack, blobs, point }))
            }
            Event::Followed(_) => Followed::Term(Box::new(point)),
            Event::Missing => Followed::CaughtUp,
            Event::Load(manifest) => {
                if self.events.send(Followed::Load(manifest)).await.is_err() {
                    return Ok(false);
                }
                let Some(loaded) = self.answered.recv().await else { return Ok(false) };
                self.reader.loaded(loaded);
                return Ok(true);
            }
            Event::Stopped(error) => return Err(log_failure(&error)),
        };
        Ok(self.events.send(followed).await.is_ok())
    }
}

/// Refuses a pack that nobody signed who is trusted; without any, each pack is taken.
///
/// # Errors
/// If it is refused.
pub fn check_signature(object: &Object, trusted: &[[u8; 32]]) -> Result<(), Failure> {
    if trusted.is_empty() || trusted.iter().any(|key| verify(object, key)) {
        return Ok(());
    }
    let what = if object.signature().is_some() { "signed by nobody who is trusted" } else { "not signed" };
    Err(Failure::new(Exit::Damaged, format!("{}: {what}", object.head().place))
        .advise("understudy.trusted.keys names whose packs are taken"))
}

/// The blobs that a pack refers to, by their hash.
///
/// # Errors
/// What the bucket answers.
pub async fn blobs_of(bucket: &Bucket, pack: &Pack) -> Result<BTreeMap<Sum, Bytes>, Failure> {
    let mut wanted = pack.blobs().into_iter();
    let mut blobs = BTreeMap::new();
    let mut flying = JoinSet::new();
    loop {
        while flying.len() < BLOBS_AT_ONCE
            && let Some(sum) = wanted.next()
        {
            let bucket = bucket.clone();
            flying.spawn(async move { get_blob(&bucket, sum).await.map(|bytes| (sum, bytes)) });
        }
        match flying.join_next().await {
            None => return Ok(blobs),
            Some(Ok(got)) => {
                let (sum, bytes) = got?;
                blobs.insert(sum, bytes);
            }
            Some(Err(error)) => return Err(Failure::failed(error.to_string())),
        }
    }
}
