//! Packs on their way into the bucket.

use super::{Patience, get, log_failure, now_us, put};
use crate::ledger::{Action, GetAnswer, Key, Pack, Place, Point, PutAnswer, Sign, Signer, Status, Writer};
use crate::native::bucket::Bucket;
use crate::native::outcome::{Exit, Failure};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How a [`PackWriter`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterState {
    /// It writes; with what is in its way, if anything is.
    Running {
        /// What the store said last, while nothing gets through.
        trouble: Option<String>,
    },
    /// Another process continues the history (rule W6): at this place the directory was sealed.
    Fenced(Place),
    /// It met what should not be: a person has to look.
    Stopped(Failure),
}

/// Writes packs into the log, several at a time (rules W1 to W6). Ends when it is dropped and all is acknowledged.
#[derive(Debug)]
pub struct PackWriter {
    offers: mpsc::Sender<Offer>,
    acknowledged: watch::Receiver<u64>,
    state: watch::Receiver<WriterState>,
    point: watch::Receiver<Point>,
}

/// A pack that was handed in, and waits for its number.
#[derive(Debug)]
pub struct Offer {
    /// The pack.
    pub pack: Pack,
    number: oneshot::Sender<Result<HandedIn, Failure>>,
}

/// The other side of a [`PackWriter`] whose packs somebody else writes: a node's machine.
#[derive(Debug)]
pub struct Driven {
    /// Packs that are handed in, one at a time.
    pub offers: mpsc::Receiver<Offer>,
    acknowledged: watch::Sender<u64>,
    state: watch::Sender<WriterState>,
    point: watch::Sender<Point>,
}

impl Offer {
    /// Tells what became of it.
    pub fn answer(self, answer: Result<HandedIn, Failure>) {
        // Who handed it in may have gone.
        let _ = self.number.send(answer);
    }
}

impl Driven {
    /// A pack was handed in: all up to it lies before this point. To be told before its number is.
    pub fn passed(&self, point: Point) {
        self.point.send_replace(point);
    }

    /// All numbers below this one are durable.
    pub fn acknowledged(&self, below: u64) {
        self.acknowledged.send_replace(below);
    }

    /// How it is.
    pub fn state(&self, state: WriterState) {
        self.state.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        });
    }
}

/// A pack on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedIn {
    /// Where it will be.
    pub place: Place,
    /// Its commit time, microseconds since 1970.
    pub committed_us: i64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Behind it.
    pub point: Point,
}

impl PackWriter {
    /// A writer whose first pack goes to `start.next`, with at most `window` of them in flight.
    pub fn start(bucket: Bucket, start: Point, window: usize, signer: Option<Arc<Signer>>) -> Self {
        let (offers, offered) = mpsc::channel(1);
        let (acknowledged_to, acknowledged) = watch::channel(start.next.n);
        let (state_to, state) = watch::channel(WriterState::Running { trouble: None });
        let (point_to, point) = watch::channel(start.clone());
        let task = Task {
            bucket,
            writer: Writer::new(start.clone(), window),
            behind: start,
            signer,
            requests: JoinSet::new(),
            patience: BTreeMap::new(),
            acknowledged: acknowledged_to,
            state: state_to,
            point: point_to,
        };
        tokio::spawn(task.run(offered));
        Self { offers, acknowledged, state, point }
    }

    /// One whose packs somebody else writes, from this point on.
    pub fn driven(start: Point) -> (Self, Driven) {
        let (offers, offered) = mpsc::channel(1);
        let (acknowledged_to, acknowledged) = watch::channel(start.next.n);
        let (state_to, state) = watch::channel(WriterState::Running { trouble: None });
        let (point_to, point) = watch::channel(start);
        let driven =
            Driven { offers: offered, acknowledged: acknowledged_to, state: state_to, point: point_to };
        (Self { offers, acknowledged, state, point }, driven)
    }

    /// Hands in the next pack, and answers its number; waits while the window is full. That it is sent is not that it is
    /// there: see [`acknowledged`](Self::acknowledged).
    ///
    /// # Errors
    /// When the writer no longer runs, or the pack is larger than one may be.
    pub async fn put(&self, pack: Pack) -> Result<u64, Failure> {
        Ok(self.hand_in(pack).await?.place.n)
    }

    /// As [`put`](Self::put), and tells what an index tells of it.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn hand_in(&self, pack: Pack) -> Result<HandedIn, Failure> {
        let (number, answer) = oneshot::channel();
        let ended = || ended(&self.state.borrow());
        self.offers.send(Offer { pack, number }).await.map_err(|_closed| ended())?;
        answer.await.map_err(|_closed| ended())?
    }

    /// All numbers below this one are durable.
    pub fn acknowledged(&self) -> watch::Receiver<u64> {
        self.acknowledged.clone()
    }

    /// How it is.
    pub fn state(&self) -> watch::Receiver<WriterState> {
        self.state.clone()
    }

    /// Behind all that was handed in.
    pub fn point(&self) -> Point {
        self.point.borrow().clone()
    }
}

fn ended(state: &WriterState) -> Failure {
    match state {
        WriterState::Fenced(place) => Failure::new(
            Exit::Failed,
            format!("fenced: another process continues the history behind {place}"),
        ),
        WriterState::Stopped(failure) => failure.clone(),
        WriterState::Running { .. } => Failure::failed("the writer has ended"),
    }
}

/// How often a writer that has nothing to write looks whether its next number is taken: whether it was fenced.
const LOOK_EVERY: Duration = Duration::from_secs(10);

struct Task {
    bucket: Bucket,
    writer: Writer,
    /// Behind all that was offered.
    behind: Point,
    signer: Option<Arc<Signer>>,
    requests: JoinSet<Done>,
    /// How patient to be with each object.
    patience: BTreeMap<Key, Patience>,
    acknowledged: watch::Sender<u64>,
    state: watch::Sender<WriterState>,
    point: watch::Sender<Point>,
}

enum Done {
    Put(Key, PutAnswer, Option<String>),
    Got(Key, GetAnswer, Option<String>),
    Waited(Key),
    /// Something stands where the next pack goes.
    Occupied(Key),
}

impl Task {
    async fn run(mut self, mut offers: mpsc::Receiver<Offer>) {
        let mut open = true;
        let mut looking = tokio::time::interval(LOOK_EVERY);
        looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.send();
            self.tell(None);
            if *self.writer.status() != Status::Running {
                return;
            }
            let idle = self.writer.unacknowledged().next().is_none();
            if !open && idle {
                return;
            }
            tokio::select! {
                offer = offers.recv(), if open && self.writer.slot().is_some() => match offer {
                    Some(offer) => {
                        looking.reset();
                        self.offer(offer);
                    }
                    None => open = false,
                },
                _ = looking.tick(), if idle => self.look(),
                Some(done) = self.requests.join_next(), if !self.requests.is_empty() => {
                    if let Ok(done) = done { self.take(done) }
                }
                else => return,
            }
        }
    }

    fn offer(&mut self, Offer { pack, number }: Offer) {
        let Some(head) = self.writer.slot() else { return };
        let head = crate::ledger::Head { committed_us: now_us(), ..head };
        let signer = self.signer.as_deref().map(|signer| signer as &dyn Sign);
        let offered = pack.encode(head, signer).and_then(|object| {
            let (sum, bytes) = (object.sum(), object.bytes().len() as u64);
            self.writer.offer(object).map(|()| (sum, bytes))
        });
        let answer = match offered {
            Ok((sum, bytes)) => {
                self.behind.pass(sum);
                self.point.send_replace(self.behind.clone());
                let point = self.behind.clone();
                Ok(HandedIn { place: head.place, committed_us: head.committed_us, bytes, point })
            }
            Err(error) => Err(log_failure(&error)),
        };
        Offer { pack: Pack::default(), number }.answer(answer);
    }

    /// Asks whether somebody has sealed the directory meanwhile, which a put would tell.
    fn look(&mut self) {
        let (bucket, key) = (self.bucket.clone(), self.behind.next.key());
        self.requests.spawn(async move {
            match get(&bucket, key).await.0 {
                GetAnswer::Found(_) => Done::Occupied(key),
                GetAnswer::NotFound | GetAnswer::Failed => Done::Waited(key),
            }
        });
    }

    /// Sends what the machine asks for.
    fn send(&mut self) {
        while let Some(action) = self.writer.poll() {
            let bucket = self.bucket.clone();
            match action {
                Action::Put { key, bytes, .. } => {
                    self.requests.spawn(async move {
                        let (answer, why) = put(&bucket, key, bytes).await;
                        Done::Put(key, answer, why)
                    });
                }
                Action::Get { key } => {
                    self.requests.spawn(async move {
                        let (answer, why) = get(&bucket, key).await;
                        Done::Got(key, answer, why)
                    });
                }
                Action::Later { key, pause } => {
                    let pause = self.patience.entry(key).or_default().pause(pause);
                    self.requests.spawn(async move {
                        tokio::time::sleep(pause).await;
                        Done::Waited(key)
                    });
                }
                Action::Delete { .. } => {}
            }
        }
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Put(key, answer, why) => {
                self.writer.put_answered(key, answer);
                if answer == PutAnswer::Stored {
                    self.patience.remove(&key);
                    self.clear();
                }
                self.tell(why);
            }
            Done::Got(key, answer, why) => {
                self.writer.get_answered(key, &answer);
                self.tell(why);
            }
            Done::Waited(key) => self.writer.waited(key),
            // An empty pack finds out what it is (rule W4); unless a pack was offered since, which finds it out as well.
            Done::Occupied(key) if key == self.behind.next.key() => {
                let (number, _nobody) = oneshot::channel();
                self.offer(Offer { pack: Pack::default(), number });
            }
            Done::Occupied(_) => {}
        }
    }

    /// Nothing is in the way any more.
    fn clear(&self) {
        let clear = |state: &mut WriterState| match state {
            WriterState::Running { trouble } => trouble.take().is_some(),
            _ => false,
        };
        self.state.send_if_modified(clear);
    }

    fn tell(&self, why: Option<String>) {
        let acknowledged = self.writer.acknowledged();
        self.acknowledged.send_if_modified(|known| std::mem::replace(known, acknowledged) != acknowledged);
        let state = match self.writer.status() {
            Status::Running => match why {
                None => return,
                Some(why) => {
                    tracing::warn!("{why}");
                    WriterState::Running { trouble: Some(why) }
                }
            },
            Status::Fenced(place) => WriterState::Fenced(*place),
            Status::Stopped(error) => WriterState::Stopped(log_failure(error)),
        };
        self.state.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        });
    }
}
