//! Cleaning: raise the boundary to what a snapshot holds, then delete what lies below it.

use super::horizon::{Horizon, Look};
use super::{
    Action, Boundary, Condition, Document, Error, GetAnswer, Key, Manifest, Place, PutAnswer, Result, Rules,
    Span,
};
use bytes::Bytes;

/// One round of cleaning. Anybody may run it, also two at a time.
///
/// Drive it by [`next`](Self::next) and the three answers; it is over when `next` answers `None`. Wait after a put that
/// was not stored, and after a get or delete that failed.
///
/// ```
/// use understudy::ledger::*;
/// # let dir = Dir { term: Term(1), writer: WriterId(5) };
/// # let mut point = Point::start(&Cluster::new(ClusterId(1), dir));
/// # let head = Writer::new(point.clone(), 1).slot().expect("there is room");
/// # let pack = Pack::default().encode(head, None)?;
/// # let mut reader = Reader::new(point);
/// # reader.got(&GetAnswer::NotFound);
/// # reader.got(&GetAnswer::Found(pack.bytes().clone()));
/// // The reader has applied number 0, and a snapshot of that is in the bucket.
/// let manifest = reader.point().manifest(Vec::new(), None)?;
/// let mut cleaner = Cleaner::new(&manifest, 1, 0, 0)?;
/// assert_eq!(cleaner.next(), Some(Action::Get { key: Key::Clean(0) }));
/// cleaner.got(&GetAnswer::NotFound)?;
/// assert!(matches!(cleaner.next(), Some(Action::Put { key: Key::Clean(0), .. })));
/// cleaner.put_answered(PutAnswer::Stored);
/// assert_eq!(cleaner.next(), Some(Action::Delete { key: head.place.key() }));
/// cleaner.deleted();
/// assert_eq!(cleaner.next(), None);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cleaner {
    record: Boundary,
    bytes: Bytes,
    terms: Vec<Span>,
    stragglers: u64,
    horizon: Horizon,
    phase: Phase,
    /// The lowest number to delete.
    from: u64,
    /// The next place to delete: a term, and a number in its directory.
    at: (usize, u64),
    rules: Rules,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Look(Look),
    Put,
    Doubt,
    Delete,
    Done,
}

impl Cleaner {
    /// Raises the boundary to `to` and deletes the numbers `from .. to`, which are in the history of a snapshot that
    /// has been verified, and up to `stragglers` numbers above each seal. Now and then `from` should be 0: a late
    /// duplicate may have put a deleted pack back (C4).
    ///
    /// # Errors
    /// [`Error::Rule`] C1 if the snapshot does not reach `to`.
    pub fn new(manifest: &Manifest, to: u64, from: u64, stragglers: u64) -> Result<Self> {
        Self::with_rules(manifest, to, from, stragglers, Rules::ALL)
    }

    #[doc(hidden)]
    pub fn with_rules(
        manifest: &Manifest,
        to: u64,
        from: u64,
        stragglers: u64,
        rules: Rules,
    ) -> Result<Self> {
        if to > manifest.place().n && rules.c1 {
            return Err(Error::Rule { rule: "C1", what: "the snapshot does not reach the boundary" });
        }
        let record = Boundary::new(manifest.cluster, to, manifest.n);
        let bytes = record.to_bytes()?;
        let terms = manifest.terms.clone();
        let phase = if rules.c2 { Phase::Look(Look::new()) } else { Phase::Delete };
        let mut cleaner = Self {
            record,
            bytes,
            terms,
            stragglers,
            horizon: Horizon::default(),
            phase,
            from,
            at: (0, from),
            rules,
        };
        cleaner.settle_place();
        Ok(cleaner)
    }

    /// Takes the answer to the put of the boundary record.
    pub fn put_answered(&mut self, answer: PutAnswer) {
        if self.phase == Phase::Put {
            match answer {
                PutAnswer::Stored => self.recorded(),
                PutAnswer::Taken => self.phase = Phase::Doubt, // as W4: proves nothing
                PutAnswer::Unsettled(_) | PutAnswer::Refused(_) => {}
            }
        }
    }

    /// Takes the answer to a get.
    ///
    /// # Errors
    /// [`Error::Damaged`] of a boundary record that makes no sense; the round is over.
    pub fn got(&mut self, answer: &GetAnswer) -> Result<()> {
        match (&mut self.phase, answer) {
            (Phase::Look(look), _) => match self.horizon.take(look, self.record.cluster, answer) {
                Ok(false) => {}
                // Somebody has raised it as far already: all that is left is to delete.
                Ok(true) if self.horizon.boundary() >= self.record.boundary => self.recorded(),
                Ok(true) => self.phase = Phase::Put,
                Err(error) => {
                    self.phase = Phase::Done;
                    return Err(error);
                }
            },
            (Phase::Doubt, GetAnswer::Found(bytes)) if *bytes == self.bytes => self.recorded(),
            // C2: another's record is there: read it, start over.
            (Phase::Doubt, GetAnswer::Found(_)) => self.phase = Phase::Look(Look::new()),
            (Phase::Doubt, GetAnswer::NotFound) => self.phase = Phase::Put,
            _ => {}
        }
        Ok(())
    }

    /// What was to be deleted is gone.
    pub fn deleted(&mut self) {
        if self.phase == Phase::Delete {
            self.at.1 = self.at.1.saturating_add(1);
            self.settle_place();
        }
    }

    /// The next request; `None` when the round is over.
    pub fn next(&self) -> Option<Action> {
        let key = Key::Clean(self.horizon.next());
        match &self.phase {
            Phase::Look(look) => Some(Action::Get { key: Key::Clean(self.horizon.probe(look)) }),
            Phase::Put => {
                Some(Action::Put { key, bytes: self.bytes.clone(), condition: Condition::IfAbsent })
            }
            Phase::Doubt => Some(Action::Get { key }),
            Phase::Delete => self.place().map(|place| Action::Delete { key: place.key() }),
            Phase::Done => None,
        }
    }

    /// C2: the boundary is in, so deleting may begin. Without that rule it is at its end.
    fn recorded(&mut self) {
        self.phase = if self.rules.c2 && self.place().is_some() { Phase::Delete } else { Phase::Done };
    }

    fn place(&self) -> Option<Place> {
        let span = self.terms.get(self.at.0)?;
        Some(Place { dir: span.directory, n: self.at.1 })
    }

    /// Moves on to the next place that holds, or held, a pack below the boundary: not a seal (C3).
    fn settle_place(&mut self) {
        while let Some(span) = self.terms.get(self.at.0) {
            let end = match span.seal {
                Some(seal) => {
                    seal.saturating_add(1).saturating_add(self.stragglers).min(self.record.boundary)
                }
                None => self.record.boundary,
            };
            self.at.1 = self.at.1.max(span.first);
            if span.seal == Some(self.at.1) && self.rules.c3 {
                self.at.1 += 1;
            }
            if self.at.1 < end {
                return;
            }
            // Above its seal a term's numbers are the next term's too.
            self.at = (self.at.0 + 1, self.from);
        }
        if self.phase == Phase::Delete {
            self.phase = if self.rules.c2 { Phase::Done } else { Phase::Look(Look::new()) };
        }
    }
}

#[cfg(test)]
#[path = "cleaner_tests.rs"]
mod tests;
