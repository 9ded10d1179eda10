//! Following the log: number after number, from one directory to the next.

use super::horizon::{Horizon, Look};
use super::{
    Action, Cluster, Dir, Document, Error, GetAnswer, Key, Kind, Manifest, Object, Pause, Place, Point,
    Result, Rules,
};

/// Reads the one history of a cluster.
///
/// [`next`](Self::next) says what is to be asked for, [`got`](Self::got) takes the answer. A driver may fetch ahead and
/// answer from what it has, but "not found" only from a request sent after `next` asked for it. After
/// [`GetAnswer::Failed`] it waits before it asks again.
///
/// ```
/// use understudy::ledger::*;
/// let dir = Dir { term: Term(1), writer: WriterId(5) };
/// let start = Point::start(&Cluster::new(ClusterId(1), dir));
/// let mut reader = Reader::new(start.clone());
/// assert_eq!(reader.next(), Some(Action::Get { key: Key::Clean(0) }));
/// reader.got(&GetAnswer::NotFound); // nothing was ever cleaned
/// let head = Writer::new(start, 1).slot().expect("there is room");
/// let pack = Pack::default().encode(head, None)?;
/// assert_eq!(reader.next(), Some(Action::Get { key: head.place.key() }));
/// let event = reader.got(&GetAnswer::Found(pack.bytes().clone()));
/// assert_eq!(event, Some(Event::Pack(pack)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reader {
    point: Point,
    pub(super) horizon: Horizon,
    state: State,
    pub(super) rules: Rules,
}

/// What a reader has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The next pack of the history: to be applied.
    Pack(Object),
    /// A seal was followed; the next object is at this place.
    Followed(Place),
    /// Nothing there yet: all of the history so far was read. Wait ([`Reader::waited`]), or look at the boundary
    /// ([`Reader::look`]) every minute or so.
    Missing,
    /// The numbers from here on may be gone: load this snapshot in place of the state so far, then say so
    /// ([`Reader::loaded`]).
    Load(Box<Manifest>),
    /// The log is not what it should be; a person has to look.
    Stopped(Error),
}

/// What came of loading a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// The state is the snapshot's.
    Done,
    /// A part is missing: a newer snapshot stands for it.
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    Looking(Look, After),
    Object,
    Idle,
    Manifest(u64),
    Loading(Box<Manifest>),
    Stopped(Error),
    /// Only without rule R1: the number after a missing one.
    Skipping,
}

/// Why the reader looks at the boundary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum After {
    /// It begins, or found nothing.
    Missing,
    /// It has read the seal at its place.
    Seal(Dir, super::Sum),
}

impl Reader {
    /// A reader at this point: the start of a cluster, behind a snapshot, or where it was when it stopped. It looks at
    /// the boundary first (R2).
    pub fn new(point: Point) -> Self {
        Self::with_rules(point, Rules::ALL)
    }

    /// A reader of a cluster from its beginning.
    pub fn of(cluster: &Cluster) -> Self {
        Self::new(Point::start(cluster))
    }

    #[doc(hidden)]
    pub fn with_rules(point: Point, rules: Rules) -> Self {
        let state = State::Looking(Look::new(), After::Missing);
        Self { point, horizon: Horizon::default(), state, rules }
    }

    /// Takes the answer to what [`next`](Self::next) asked for.
    pub fn got(&mut self, answer: &GetAnswer) -> Option<Event> {
        match self.take(answer) {
            Ok(event) => event,
            Err(error) => {
                self.state = State::Stopped(error.clone());
                Some(Event::Stopped(error))
            }
        }
    }

    /// The pause after [`Event::Missing`] is over: ask again.
    pub fn waited(&mut self) {
        if self.state == State::Idle {
            self.state = State::Object;
        }
    }

    /// After [`Event::Missing`]: look at the boundary now (R2).
    pub fn look(&mut self) {
        if self.state == State::Idle {
            self.state = State::Looking(Look::new(), After::Missing);
        }
    }

    /// The snapshot of [`Event::Load`] is there, or can't be had (R5).
    pub fn loaded(&mut self, loaded: Loaded) {
        let State::Loading(manifest) = &self.state else { return };
        match loaded {
            Loaded::Done => {
                self.point = Point::behind(manifest);
                self.state = State::Object;
            }
            Loaded::Missing => self.state = State::Looking(Look::new(), After::Missing),
        }
    }

    /// After [`Event::Stopped`]: try once more, from the same place.
    pub fn retry(&mut self) {
        if matches!(self.state, State::Stopped(_)) {
            self.state = State::Looking(Look::new(), After::Missing);
        }
    }

    /// The next request; `None` while a snapshot is loaded and after the reader stopped.
    pub fn next(&self) -> Option<Action> {
        match &self.state {
            State::Looking(look, _) => Some(Action::Get { key: Key::Clean(self.horizon.probe(look)) }),
            State::Object => Some(Action::Get { key: self.point.next.key() }),
            State::Idle => Some(Action::Later { key: self.point.next.key(), pause: Pause::Poll }),
            State::Manifest(n) => Some(Action::Get { key: Key::Snapshot(*n) }),
            State::Skipping => Some(Action::Get { key: self.point.next.next().key() }),
            State::Loading(_) | State::Stopped(_) => None,
        }
    }

    /// The state that its events have led to. A replica that has applied them can take a snapshot here (rule S1).
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// The newest boundary record that it has seen, by number.
    pub fn boundary(&self) -> Option<u64> {
        self.horizon.newest().map(|(k, _)| k)
    }

    /// Forgets which boundary records it has seen, as if it had just started. Costs the next look some requests.
    #[doc(hidden)]
    pub fn forget(&mut self) {
        self.horizon = Horizon::default();
    }

    /// Only without rule P5: steps over what stands here.
    pub(super) fn step_over(&mut self) {
        self.point.next = self.point.next.next();
    }

    fn take(&mut self, answer: &GetAnswer) -> Result<Option<Event>> {
        match (&mut self.state, answer) {
            (State::Looking(look, after), _) => {
                let cluster = self.point.cluster;
                if !self.horizon.take(look, cluster, answer)? {
                    return Ok(None);
                }
                let after = after.clone();
                Ok(self.looked(after))
            }
            (_, GetAnswer::Failed) => Ok(None),
            (State::Object, GetAnswer::NotFound) => {
                // R2: it is asked for again; R1: what lies above is not looked at.
                self.state = if self.rules.r1 { State::Idle } else { State::Skipping };
                Ok(Some(Event::Missing))
            }
            (State::Object, GetAnswer::Found(bytes)) => self.object(bytes),
            (State::Manifest(n), GetAnswer::Found(bytes)) => {
                let n = *n;
                self.manifest(n, bytes).map(Some)
            }
            (State::Manifest(_), GetAnswer::NotFound) => {
                // R5: a newer record names a newer snapshot.
                self.state = State::Looking(Look::new(), After::Missing);
                Ok(None)
            }
            (State::Skipping, GetAnswer::Found(bytes)) => {
                let object = Object::read(self.point.next.next(), bytes.clone())?;
                self.step_over();
                Ok(self.accept(object))
            }
            (State::Skipping, GetAnswer::NotFound) => {
                self.state = State::Idle;
                Ok(None)
            }
            (State::Idle | State::Loading(_) | State::Stopped(_), _) => Ok(None),
        }
    }

    /// R3: what stands here is the next object of this history, or nothing goes on.
    fn object(&mut self, bytes: &bytes::Bytes) -> Result<Option<Event>> {
        let place = self.point.next;
        let object = Object::read(place, bytes.clone())?;
        if object.head().cluster != self.point.cluster {
            return Err(Error::Foreign { place, what: "another cluster's object" });
        }
        if object.head().before != self.point.before {
            return Err(Error::Foreign {
                place,
                what: "the object follows another one than was read before it",
            });
        }
        Ok(self.accept(object))
    }

    fn accept(&mut self, object: Object) -> Option<Event> {
        match object.head().kind {
            Kind::Pack => {
                self.point.pass(object.sum());
                self.state = State::Object;
                Some(Event::Pack(object))
            }
            // R4: the look comes after the seal was read.
            Kind::Seal { next } if self.rules.r4 => {
                self.state = State::Looking(Look::new(), After::Seal(next, object.sum()));
                None
            }
            Kind::Seal { next } => Some(self.follow(next, object.sum())),
        }
    }

    fn follow(&mut self, next: Dir, seal: super::Sum) -> Event {
        self.point.follow(next, seal);
        self.state = State::Object;
        Event::Followed(self.point.next)
    }

    /// The look at the boundary is over.
    fn looked(&mut self, after: After) -> Option<Event> {
        match self.horizon.newest() {
            // R4: the seal may be a late one, on a number that was deleted. R2: it may be gone for good.
            Some((_, record)) if record.boundary > self.point.next.n => {
                self.state = State::Manifest(record.snapshot);
                None
            }
            _ => match after {
                After::Seal(next, seal) => Some(self.follow(next, seal)),
                After::Missing => {
                    self.state = State::Object;
                    None
                }
            },
        }
    }

    fn manifest(&mut self, n: u64, bytes: &[u8]) -> Result<Event> {
        let key = Key::Snapshot(n);
        let manifest = Manifest::read(key, bytes)?;
        let cluster = self.point.cluster;
        if manifest.cluster != cluster || manifest.n != n {
            let expected = format_args!("snapshot {n} of cluster {cluster}").to_string();
            let found = format_args!("{} of {}", manifest.n, manifest.cluster).to_string();
            return Err(Error::damaged(key, 0, expected, found));
        }
        if manifest.place().n < self.horizon.boundary() {
            let expected =
                format_args!("a snapshot up to the boundary {}", self.horizon.boundary()).to_string();
            return Err(Error::damaged(key, 0, expected, manifest.n));
        }
        self.state = State::Loading(Box::new(manifest.clone()));
        Ok(Event::Load(Box::new(manifest)))
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
