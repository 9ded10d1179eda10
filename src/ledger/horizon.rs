//! Looking at the boundary: which numbers may be gone.

use super::{Boundary, ClusterId, Document, Error, GetAnswer, Key, Result};

/// What is known of the boundary records. They are put in order and never deleted, and their boundary never falls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Horizon {
    /// All records below this number are there.
    known: u64,
    newest: Option<Boundary>,
}

/// One look: it ends with a 404 got during the look, right behind the newest record. So what the look finds was true
/// after it began, which R4 and P4 need.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Look {
    /// How far to jump: 1, 1, 2, 4 ... as long as records are found. Mostly there is one new record, or none.
    step: u64,
    /// The lowest number found missing in this look.
    missing: Option<u64>,
}

impl Look {
    pub(super) fn new() -> Self {
        Self { step: 0, missing: None }
    }
}

impl Horizon {
    /// The boundary: all packs with lower numbers may be gone.
    pub(super) fn boundary(&self) -> u64 {
        self.newest.as_ref().map_or(0, |record| record.boundary)
    }

    /// The newest record with its number.
    pub(super) fn newest(&self) -> Option<(u64, &Boundary)> {
        self.newest.as_ref().map(|record| (self.known.saturating_sub(1), record))
    }

    /// The number that the next record gets.
    pub(super) fn next(&self) -> u64 {
        self.known
    }

    /// Which record to ask for.
    pub(super) fn probe(&self, look: &Look) -> u64 {
        match look.missing {
            None => self.known.saturating_add(look.step.saturating_sub(1)),
            Some(missing) => self.known + missing.saturating_sub(self.known + 1) / 2,
        }
    }

    /// Takes the answer to the [`probe`](Self::probe); true at the end of the look.
    pub(super) fn take(&mut self, look: &mut Look, cluster: ClusterId, answer: &GetAnswer) -> Result<bool> {
        let k = self.probe(look);
        match answer {
            GetAnswer::Failed => return Ok(false),
            GetAnswer::NotFound => look.missing = Some(k),
            GetAnswer::Found(bytes) => {
                let record = Boundary::read(Key::Clean(k), bytes)?;
                if record.cluster != cluster {
                    return Err(Error::damaged(
                        Key::Clean(k),
                        0,
                        format_args!("cluster {cluster}"),
                        record.cluster,
                    ));
                }
                if record.boundary < self.boundary() {
                    let least = format_args!("a boundary of at least {}", self.boundary()).to_string();
                    return Err(Error::damaged(Key::Clean(k), 0, least, record.boundary));
                }
                self.newest = Some(record);
                self.known = k.saturating_add(1);
                look.step = look.step.saturating_mul(2).max(1);
            }
        }
        Ok(look.missing == Some(self.known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at `there` records from `known`; answers how many requests that took.
    fn look(horizon: &mut Horizon, there: u64) -> u32 {
        let mut look = Look::new();
        for requests in 1.. {
            let k = horizon.probe(&look);
            let answer = if k < there {
                GetAnswer::Found(Boundary::new(ClusterId(1), k + 10, 0).to_bytes().unwrap())
            } else {
                GetAnswer::NotFound
            };
            if horizon.take(&mut look, ClusterId(1), &answer).unwrap() {
                return requests;
            }
        }
        unreachable!()
    }

    #[test]
    fn a_newcomer_gallops_and_everybody_finds_the_newest() {
        for there in 0..200 {
            let mut horizon = Horizon::default();
            let requests = look(&mut horizon, there);
            assert_eq!(horizon.next(), there);
            assert_eq!(horizon.boundary(), if there == 0 { 0 } else { there + 9 });
            assert!(requests <= 2 + 2 * (64 - there.leading_zeros()), "{there}: {requests}");
            assert_eq!(look(&mut horizon, there), 1, "in steady state one request");
        }
    }

    #[test]
    fn records_of_others_and_falling_boundaries_are_errors() {
        let found =
            |cluster, b| GetAnswer::Found(Boundary::new(ClusterId(cluster), b, 0).to_bytes().unwrap());
        let mut horizon = Horizon::default();
        let mut look = Look::new();
        assert!(horizon.take(&mut look, ClusterId(1), &found(2, 5)).is_err());
        assert_eq!(horizon.take(&mut look, ClusterId(1), &found(1, 5)), Ok(false));
        assert!(horizon.take(&mut look, ClusterId(1), &found(1, 4)).is_err());
        assert!(horizon.take(&mut look, ClusterId(1), &GetAnswer::Found("x".into())).is_err());
        assert_eq!(horizon.take(&mut look, ClusterId(1), &GetAnswer::Failed), Ok(false));
    }
}
