//! Becoming primary: read to the end, seal it, and be sure that it was the end.

use super::horizon::Look;
use super::{
    Action, Condition, Dir, Error, Event, GetAnswer, Head, Key, Kind, Object, Point, PutAnswer, Reader,
    Refused, Rules, WriterId,
};

/// One attempt to become primary.
///
/// Drive it like a [`Reader`]: [`next`](Self::next), then [`got`](Self::got) or [`put_answered`](Self::put_answered),
/// with a pause after every put that was not stored and every get that failed. All that it reads is to be applied
/// before the node serves as primary (P6): the events come before [`Progress::Won`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claimant {
    reader: Reader,
    writer: WriterId,
    committed_us: i64,
    /// It has sent a seal: if another one's is there first, it lost.
    tried: bool,
    phase: Phase,
}

/// How an attempt goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something was read, as by a [`Reader`]; [`Event::Load`] is answered through [`Claimant::reader`].
    Read(Event),
    /// This node is primary: give this to a [`Writer`](super::Writer). Its state is exactly the history before it.
    Won(Box<Point>),
    /// The seal may stand on a number that was deleted. The attempt is over: go on as a reader
    /// ([`Claimant::into_reader`]), then try with a new writer id.
    GaveUp,
    /// Another claimant was first. Follow it.
    StoodDown,
    /// What is there is not what should be; a person has to look.
    Stopped(Error),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Reading up to the first missing number.
    Follow,
    /// The seal is to be put, or has been and is not settled (P3).
    Seal(Object),
    /// The number is taken, it is said: to be read.
    Doubt(Object),
    /// Nothing was there: perhaps it was deleted. Look, then put again.
    Again(Object, Look),
    /// The seal is in. Look whether that was the end (P4).
    Verify(Object, Look),
    Over,
}

impl Claimant {
    /// An attempt that begins where `reader` stands. `writer` is 128 random bits that were never used before (P1),
    /// `committed_us` this machine's time for the seal.
    pub fn new(mut reader: Reader, writer: WriterId, committed_us: i64) -> Self {
        reader.waited();
        Self { reader, writer, committed_us, tried: false, phase: Phase::Follow }
    }

    /// An attempt of a reader that has just found nothing at its place ([`Event::Missing`]): the seal goes there at once.
    pub fn at_end(reader: Reader, writer: WriterId, committed_us: i64) -> Self {
        let mut claimant = Self::new(reader, writer, committed_us);
        // At the last possible term there is nothing to seal, and it is over.
        claimant.seal();
        claimant
    }

    /// Takes the answer to the put of the seal.
    pub fn put_answered(&mut self, answer: PutAnswer) -> Option<Progress> {
        let Phase::Seal(seal) = &self.phase else { return None };
        let seal = seal.clone();
        match answer {
            PutAnswer::Stored => self.is_in(seal),
            PutAnswer::Taken => {
                self.phase = Phase::Doubt(seal);
                None
            }
            PutAnswer::Unsettled(_) if !self.rules().p3 => self.is_in(seal),
            PutAnswer::Refused(Refused::NoBucket) => {
                self.phase = Phase::Over;
                let place = seal.head().place;
                Some(Progress::Stopped(Error::Foreign { place, what: "the bucket does not exist" }))
            }
            // P3: nothing is settled; the same bytes again, and nothing else.
            PutAnswer::Unsettled(_) | PutAnswer::Refused(_) => None,
        }
    }

    /// Takes the answer to a get.
    pub fn got(&mut self, answer: &GetAnswer) -> Option<Progress> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Follow => {
                self.phase = Phase::Follow;
                self.follow(answer)
            }
            Phase::Doubt(seal) => match answer {
                GetAnswer::Found(bytes) if bytes == seal.bytes() => self.is_in(seal),
                GetAnswer::Found(_) if self.rules().p5 => {
                    // P5: read it as any reader does, then seal the next missing number.
                    self.phase = Phase::Follow;
                    self.follow(answer)
                }
                GetAnswer::Found(_) => {
                    self.reader.step_over();
                    self.seal()
                }
                GetAnswer::NotFound => {
                    self.phase = Phase::Again(seal, Look::new());
                    None
                }
                GetAnswer::Failed => {
                    self.phase = Phase::Doubt(seal);
                    None
                }
            },
            Phase::Again(seal, look) => self.look(seal, look, answer, false),
            Phase::Verify(seal, look) => self.look(seal, look, answer, true),
            other @ (Phase::Seal(_) | Phase::Over) => {
                self.phase = other;
                None
            }
        }
    }

    /// The next request; `None` when the attempt is over, or while the reader waits for a snapshot.
    pub fn next(&self) -> Option<Action> {
        match &self.phase {
            Phase::Follow => self.reader.next(),
            Phase::Seal(seal) => {
                let (key, bytes) = (seal.head().place.key(), seal.bytes().clone());
                Some(Action::Put { key, bytes, condition: Condition::IfAbsent })
            }
            Phase::Doubt(seal) => Some(Action::Get { key: seal.head().place.key() }),
            Phase::Again(_, look) | Phase::Verify(_, look) => {
                Some(Action::Get { key: Key::Clean(self.reader.horizon.probe(look)) })
            }
            Phase::Over => None,
        }
    }

    /// The reader inside, to say that a snapshot was loaded.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Where its reader stands.
    pub fn point(&self) -> &Point {
        self.reader.point()
    }

    /// Goes back to reading; for the end of an attempt.
    pub fn into_reader(self) -> Reader {
        self.reader
    }

    fn rules(&self) -> Rules {
        self.reader.rules
    }

    fn follow(&mut self, answer: &GetAnswer) -> Option<Progress> {
        match self.reader.got(answer)? {
            Event::Missing => {
                // What is read next is what the seal's put finds there.
                self.reader.waited();
                self.seal()
            }
            Event::Followed(_) if self.tried => {
                self.phase = Phase::Over;
                Some(Progress::StoodDown)
            }
            Event::Stopped(error) => {
                self.phase = Phase::Over;
                Some(Progress::Stopped(error))
            }
            event => Some(Progress::Read(event)),
        }
    }

    /// P2: seals the lowest missing number, found by reading every one before it.
    fn seal(&mut self) -> Option<Progress> {
        let Point { cluster, next, before, .. } = *self.reader.point();
        let place = if self.rules().p2 { next } else { next.next() };
        let Some(term) = place.dir.term.next() else {
            self.phase = Phase::Over;
            return Some(Progress::Stopped(Error::Foreign { place, what: "the last possible term" }));
        };
        let kind = Kind::Seal { next: Dir { term, writer: self.writer } };
        let head = Head { cluster, place, committed_us: self.committed_us, before, kind };
        self.tried = true;
        self.phase = Phase::Seal(Object::bare(head, None));
        None
    }

    fn is_in(&mut self, seal: Object) -> Option<Progress> {
        if self.rules().p4 {
            self.phase = Phase::Verify(seal, Look::new());
            return None;
        }
        self.won(&seal)
    }

    fn look(&mut self, seal: Object, mut look: Look, answer: &GetAnswer, is_in: bool) -> Option<Progress> {
        let cluster = self.reader.point().cluster;
        match self.reader.horizon.take(&mut look, cluster, answer) {
            Err(error) => Some(Progress::Stopped(error)),
            Ok(false) => {
                self.phase = if is_in { Phase::Verify(seal, look) } else { Phase::Again(seal, look) };
                None
            }
            // P4: the number may have been deleted before the seal got in.
            Ok(true) if self.reader.horizon.boundary() > seal.head().place.n => Some(Progress::GaveUp),
            Ok(true) if is_in => self.won(&seal),
            Ok(true) => {
                self.phase = Phase::Seal(seal);
                None
            }
        }
    }

    fn won(&mut self, seal: &Object) -> Option<Progress> {
        self.phase = Phase::Over;
        let Kind::Seal { next } = seal.head().kind else { return None };
        let mut point = self.reader.point().clone();
        point.next = seal.head().place;
        point.follow(next, seal.sum());
        Some(Progress::Won(Box::new(point)))
    }
}

#[cfg(test)]
#[path = "claimant_tests.rs"]
mod tests;
