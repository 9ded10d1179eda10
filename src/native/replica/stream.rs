//! The log on its way to the tables: followed and unpacked beside them, as far as there is room.

use super::bases::Done;
use super::policy::Worked;
use crate::ledger::{
    BLOCK_RAW_MAX, Block, Codec, FilePiece, Held, Key, Loaded, Manifest, Pack, Point, Reader, Run, Sum, What,
};
use crate::native::bucket::Bucket;
use crate::native::cluster::{Arrived, FollowOptions, Followed, Follower};
use crate::native::outcome::{Failure, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

/// What the driver hears of.
#[derive(Debug)]
pub(in crate::native::replica) enum Event {
    /// The next pack.
    Pack(Box<Ready>),
    /// A new term has begun.
    Term(Box<Point>),
    /// All that is in the log has come.
    CaughtUp,
    /// A snapshot is to be loaded, and [`Stream::loaded`] to be told.
    Load(Box<Manifest>),
    /// The store does not answer; it is asked again.
    Trouble(String),
    /// The log can't be followed.
    Stopped(Failure),
    /// Work on a table is done.
    Done(Done),
    /// A task of a storage policy is done.
    Worked(Worked),
    /// Look around.
    Wake,
}

/// A pack, unpacked.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) n: u64,
    /// By its writer's clock.
    pub(super) committed_us: i64,
    /// The object's length.
    pub(super) bytes: u64,
    pub(super) pack: Pack,
    pub(super) blobs: BTreeMap<Sum, Bytes>,
    /// Behind it.
    pub(super) point: Point,
    /// What it takes of the room.
    room: u32,
}

/// The log on its way, until it is dropped.
pub(super) struct Stream {
    room: Arc<Semaphore>,
    answers: mpsc::Sender<Loaded>,
    /// Follows it; of one that is fed, somebody else does.
    task: Option<tokio::task::JoinHandle<()>>,
}

/// Feeds a replica whose log somebody else follows: a node's machine.
#[derive(Debug)]
pub struct Feed {
    events: Sender<Event>,
    room: Arc<Semaphore>,
    most: u32,
    answered: mpsc::Receiver<Loaded>,
}

impl Stream {
    pub(super) fn start(
        handle: &Handle,
        bucket: Bucket,
        reader: Reader,
        options: FollowOptions,
        events: Sender<Event>,
    ) -> Self {
        let most = kibibytes(options.ahead_bytes);
        let room = Arc::new(Semaphore::new(most as usize));
        let (answers, answered) = mpsc::channel(1);
        let _inside = handle.enter();
        let follower = Follower::start(bucket, reader, options);
        let feed = Feed { events, room: room.clone(), most, answered };
        let task = Some(handle.spawn(feed.follow(follower)));
        Self { room, answers, task }
    }

    /// One that is fed.
    pub(super) fn fed(ahead_bytes: u64, events: Sender<Event>) -> (Self, Feed) {
        let most = kibibytes(ahead_bytes);
        let room = Arc::new(Semaphore::new(most as usize));
        let (answers, answered) = mpsc::channel(1);
        (Self { room: room.clone(), answers, task: None }, Feed { events, room, most, answered })
    }

    /// A pack has been taken: there is room for another one.
    pub(super) fn took(&self, ready: &Ready) {
        self.room.add_permits(ready.room as usize);
    }

    /// Answers [`Event::Load`].
    pub(super) fn loaded(&self, loaded: Loaded) {
        // There is at most one question at a time.
        let _ = self.answers.try_send(loaded);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Feed {
    async fn follow(mut self, mut follower: Follower) {
        loop {
            let event = match follower.next().await {
                Followed::Pack(arrived) => {
                    if !self.pack(*arrived).await {
                        return;
                    }
                    continue;
                }
                Followed::Term(point) => Event::Term(point),
                Followed::CaughtUp => Event::CaughtUp,
                Followed::Load(manifest) => {
                    let Some(loaded) = self.load(*manifest).await else { return };
                    follower.loaded(loaded).await;
                    continue;
                }
                Followed::Trouble(why) => Event::Trouble(why),
                Followed::Stopped(failure) => Event::Stopped(failure),
            };
            let over = matches!(event, Event::Stopped(_));
            if self.events.send(event).is_err() || over {
                return;
            }
        }
    }

    /// The next pack, once there is room for it; `false` if the replica is gone or can't take it.
    pub async fn pack(&self, arrived: Arrived) -> bool {
        let unpacked = tokio::task::spawn_blocking(move || unpack(arrived)).await;
        let event = match unpacked {
            Ok(Ok(mut ready)) => {
                ready.room = ready.room.clamp(1, self.most);
                let Ok(permit) = self.room.acquire_many(ready.room).await else { return false };
                permit.forget();
                Event::Pack(Box::new(ready))
            }
            Ok(Err(failure)) => Event::Stopped(failure),
            Err(error) => Event::Stopped(Failure::failed(error.to_string())),
        };
        let over = matches!(event, Event::Stopped(_));
        self.events.send(event).is_ok() && !over
    }

    /// A new term has begun.
    pub fn term(&self, point: Point) {
        // A replica that is gone wants to know nothing.
        let _ = self.events.send(Event::Term(Box::new(point)));
    }

    /// All that is in the log has come.
    pub fn caught_up(&self) {
        let _ = self.events.send(Event::CaughtUp);
    }

    /// A snapshot that takes the place of the tables; `None` if the replica is gone.
    pub async fn load(&mut self, manifest: Manifest) -> Option<Loaded> {
        self.events.send(Event::Load(Box::new(manifest))).ok()?;
        self.answered.recv().await
    }

    /// The log can't be followed.
    pub fn stopped(&self, failure: Failure) {
        let _ = self.events.send(Event::Stopped(failure));
    }
}

fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1)
}

/// Decompresses what a pack holds.
fn unpack(arrived: Arrived) -> Result<Ready> {
    let Arrived { object, mut pack, mut blobs, point } = arrived;
    let place = object.head().place;
    let mut raw = 0;
    let files = pack.tables.iter_mut().flat_map(|entry| match &mut entry.what {
        What::Transactions(Run { files, .. }) | What::Created { files } => files.as_mut_slice(),
        _ => &mut [],
    });
    for piece in files {
        raw += piece.block.raw_len;
        unpack_piece(place.key(), piece, &blobs)?;
    }
    let left = pack.blobs();
    blobs.retain(|sum, _| left.contains(sum));
    Ok(Ready {
        n: place.n,
        committed_us: object.head().committed_us,
        bytes: object.bytes().len() as u64,
        pack,
        blobs,
        point,
        room: kibibytes(raw),
    })
}

fn unpack_piece(key: Key, piece: &mut FilePiece, blobs: &BTreeMap<Sum, Bytes>) -> Result<()> {
    let block = &mut piece.block;
    // One that is longer than a block in an object may be stays a blob.
    if block.raw_len > BLOCK_RAW_MAX {
        return Ok(());
    }
    let bytes = match &block.held {
        Held::Inline(_) => block.unpack(key),
        Held::Blob(sum) => match blobs.get(sum) {
            Some(blob) => block.unpack_blob(blob),
            // Whoever takes the pack tells so.
            None => return Ok(()),
        },
    };
    let bytes = bytes.map_err(|error| super::log_failure(&error))?;
    let len = bytes.len() as u64;
    // Its CRC has been checked, and stands for nothing any more.
    *block = Block { codec: Codec::Stored, stored_len: len, held: Held::Inline(bytes), ..block.clone() };
    Ok(())
}
