//! The primary's side of the log: packs in order, a window of them in flight, acknowledged without a gap.

use super::{
    Action, Condition, Error, GetAnswer, Head, Key, Kind, Object, Pause, Place, Point, PutAnswer, Refused,
    Result, Rules, Unsettled,
};
use std::collections::VecDeque;

/// How many numbers above the confirmed run are in flight (rule W2), if nothing else is asked for.
pub const WINDOW: usize = 4;

/// Writes packs in one directory, as its only writer.
///
/// When to poll again: after [`offer`](Self::offer), after each answer, and after [`waited`](Self::waited). Answers
/// come in any order. A process that starts again never goes on with an old one (rule W7): it claims a new term.
///
/// ```
/// use understudy::ledger::{Action, Cluster, ClusterId, Dir, Pack, Point, PutAnswer, Term, Writer, WriterId};
/// let dir = Dir { term: Term(1), writer: WriterId(5) };
/// let mut writer = Writer::new(Point::start(&Cluster::new(ClusterId(1), dir)), 4);
/// let head = writer.slot().expect("the window has room");
/// writer.offer(Pack::default().encode(head, None)?)?;
/// let Some(Action::Put { key, .. }) = writer.poll() else { panic!("the pack is to be put") };
/// assert_eq!(writer.acknowledged(), 0);
/// writer.put_answered(key, PutAnswer::Stored);
/// assert_eq!(writer.acknowledged(), 1); // number 0 is durable
/// # Ok::<(), understudy::ledger::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Writer {
    /// Behind all that was offered.
    point: Point,
    window: usize,
    /// All lower numbers are acknowledged.
    acknowledged: u64,
    /// The numbers from `acknowledged` on.
    flights: VecDeque<Flight>,
    status: Status,
    rules: Rules,
}

/// How a writer is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// It writes.
    Running,
    /// Somebody sealed its directory (rule W6): follow the seal as a reader, and set aside what the history does not
    /// contain.
    Fenced(Place),
    /// It met what should not be; a person has to look.
    Stopped(Error),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Flight {
    object: Object,
    state: Flying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Flying {
    /// To be put, for the first time or again.
    Ready,
    Sent,
    /// Taken, it is said: to be read.
    Doubt,
    Asked,
    /// To be put again after a pause that the driver does not know of yet.
    Pausing(Pause),
    Waiting,
    /// Only without rule W3: the bytes are to be cut anew.
    Recut,
    Confirmed,
}

impl Writer {
    /// A writer whose first object goes to `start.next`, with at most `window` numbers in flight (at least 1).
    pub fn new(start: Point, window: usize) -> Self {
        Self::with_rules(start, window, Rules::ALL)
    }

    #[doc(hidden)]
    pub fn with_rules(start: Point, window: usize, rules: Rules) -> Self {
        let acknowledged = start.next.n;
        let flights = VecDeque::new();
        Self { point: start, window: window.max(1), acknowledged, flights, status: Status::Running, rules }
    }

    /// Hands in the object for the [`slot`](Self::slot).
    ///
    /// # Errors
    /// [`Error::Rule`] W1 if there is no slot or the object is for another one.
    pub fn offer(&mut self, object: Object) -> Result<()> {
        let fits = |head: Head| Head { committed_us: 0, ..*object.head() } == head;
        if !self.slot().is_some_and(fits) {
            return Err(Error::Rule { rule: "W1", what: "the object is not for the next slot" });
        }
        let sum = object.sum();
        let flight = Flight { object, state: Flying::Ready };
        match self.flights.iter_mut().find(|flight| flight.state == Flying::Recut) {
            Some(old) => *old = flight,
            None => {
                self.flights.push_back(flight);
                self.point.pass(sum);
            }
        }
        Ok(())
    }

    /// The next request, if there is one now.
    pub fn poll(&mut self) -> Option<Action> {
        if self.status != Status::Running {
            return None; // W6: nothing more is sent
        }
        for flight in &mut self.flights {
            let key = flight.object.head().place.key();
            let (action, state) = match flight.state {
                Flying::Ready => {
                    let bytes = flight.object.bytes().clone(); // W3: the same at each try
                    (Action::Put { key, bytes, condition: Condition::IfAbsent }, Flying::Sent)
                }
                Flying::Doubt => (Action::Get { key }, Flying::Asked),
                Flying::Pausing(pause) => (Action::Later { key, pause }, Flying::Waiting),
                _ => continue,
            };
            flight.state = state;
            return Some(action);
        }
        None
    }

    /// Takes the answer to a put.
    pub fn put_answered(&mut self, key: Key, answer: PutAnswer) {
        let Some(flight) = self.flight(key) else { return };
        match answer {
            // Also a late answer to an earlier try: any of them confirms (W5).
            PutAnswer::Stored => flight.state = Flying::Confirmed,
            PutAnswer::Taken if flight.state == Flying::Sent => {
                // W4: that the number is taken proves nothing.
                flight.state = Flying::Doubt;
                if !self.rules.w4 {
                    self.confirm(key);
                }
            }
            PutAnswer::Unsettled(why) if flight.state == Flying::Sent => {
                flight.state = Flying::Pausing(match why {
                    Unsettled::Unknown => Pause::Retry,
                    Unsettled::SlowDown => Pause::SlowDown,
                });
            }
            PutAnswer::Refused(Refused::NoBucket) => {
                self.stop(key, "the bucket does not exist");
            }
            PutAnswer::Refused(_) if flight.state == Flying::Sent => {
                flight.state = Flying::Pausing(Pause::Refused);
            }
            _ => {}
        }
        self.acknowledge();
    }

    /// Takes the answer to a get.
    pub fn get_answered(&mut self, key: Key, answer: &GetAnswer) {
        let Some(flight) = self.flight(key).filter(|flight| flight.state == Flying::Asked) else { return };
        match answer {
            GetAnswer::Found(bytes) if bytes == flight.object.bytes() => flight.state = Flying::Confirmed,
            GetAnswer::Found(bytes) => {
                let own = *flight.object.head();
                match Object::read(own.place, bytes.clone()) {
                    Ok(other) if other.head().cluster != own.cluster => {
                        self.stop(key, "another cluster's object")
                    }
                    Ok(other) => match other.head().kind {
                        Kind::Seal { .. } => self.status = Status::Fenced(own.place),
                        Kind::Pack => {
                            self.stop(key, "other bytes of this writer: a memory image that came back")
                        }
                    },
                    Err(Error::Foreign { .. }) => self.stop(key, "an object of another place"),
                    Err(error @ Error::Unsupported { .. }) => self.status = Status::Stopped(error),
                    // Damaged, perhaps on the way: after a pause it is put and read again.
                    Err(_) => flight.state = Flying::Pausing(Pause::Retry),
                }
            }
            // Not settled: the store spoke of a conflict, or the object was deleted. The same put again.
            GetAnswer::NotFound | GetAnswer::Failed => flight.state = Flying::Pausing(Pause::Retry),
        }
        self.acknowledge();
    }

    /// The pause about this object is over.
    pub fn waited(&mut self, key: Key) {
        let again = if self.rules.w3 { Flying::Ready } else { Flying::Recut };
        if let Some(flight) = self.flight(key).filter(|flight| flight.state == Flying::Waiting) {
            flight.state = again;
        }
    }

    /// What the head of the next object must be, but for its commit time; `None` while the window is full (W2) or
    /// the writer does not run. Numbers come in order (W1).
    pub fn slot(&self) -> Option<Head> {
        if self.status != Status::Running {
            return None;
        }
        if let Some(flight) = self.flights.iter().find(|flight| flight.state == Flying::Recut) {
            return Some(Head { committed_us: 0, ..*flight.object.head() });
        }
        let room = self.flights.len() < self.window || !self.rules.w2;
        let Point { cluster, next, before, .. } = self.point;
        room.then_some(Head { cluster, place: next, committed_us: 0, before, kind: Kind::Pack })
    }

    /// The first number of its directory.
    pub fn first(&self) -> u64 {
        self.point.terms.last().map_or(0, |span| span.first)
    }

    /// All numbers of this writer below this one are durable: in the bucket, and in the history for ever (W5).
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether this number of this writer is acknowledged.
    pub fn is_acknowledged(&self, n: u64) -> bool {
        let confirmed =
            |flight: &Flight| flight.object.head().place.n == n && flight.state == Flying::Confirmed;
        n < self.acknowledged || !self.rules.w5 && self.flights.iter().any(confirmed)
    }

    /// The objects that were offered and are not acknowledged.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &Object> {
        self.flights.iter().map(|flight| &flight.object)
    }

    /// How it is.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Where a snapshot of the primary's own tables stands, if they hold what was offered and no more.
    ///
    /// # Errors
    /// [`Error::Rule`] S1 while anything of that is not confirmed, or after the writer stopped.
    pub fn point(&self) -> Result<&Point> {
        if self.flights.is_empty() && self.status == Status::Running || !self.rules.s1 {
            return Ok(&self.point);
        }
        Err(Error::Rule { rule: "S1", what: "the tables hold what is not confirmed" })
    }

    fn flight(&mut self, key: Key) -> Option<&mut Flight> {
        if self.status != Status::Running {
            return None; // W6: nothing more is acknowledged
        }
        let own = |flight: &&mut Flight| flight.object.head().place.key() == key;
        self.flights.iter_mut().find(own).filter(|flight| flight.state != Flying::Confirmed)
    }

    fn confirm(&mut self, key: Key) {
        if let Some(flight) = self.flight(key) {
            flight.state = Flying::Confirmed;
        }
    }

    /// W5: in order, without a gap.
    fn acknowledge(&mut self) {
        while self.flights.front().is_some_and(|flight| flight.state == Flying::Confirmed) {
            self.flights.pop_front();
            self.acknowledged += 1;
        }
    }

    fn stop(&mut self, key: Key, what: &'static str) {
        if let Key::Object(place) = key {
            self.status = Status::Stopped(Error::Foreign { place, what });
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
