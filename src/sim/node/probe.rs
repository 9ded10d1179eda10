//! Before a node writes to a bucket, it proves that the bucket keeps what it has when it is told to: the first steps of
//! what `native::bucket::probe` does.

use super::{Asker, Node};
use crate::ledger::{Condition, Dir, GetAnswer, Key, PutAnswer, Term, WriterId};
use crate::sim::Chance;
use crate::sim::bucket::{Ask, Reply};
use crate::sim::ground::Ground;
use crate::sim::invariant::Check;
use bytes::Bytes;

#[derive(Debug)]
pub(super) struct Probe {
    key: Key,
    step: Step,
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Put,
    Read,
    PutOver,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    GoesOn,
    Again,
    Honours,
    Ignores,
}

impl Probe {
    pub(super) fn new(chance: &mut Chance) -> Self {
        let dir = Dir { term: Term(1), writer: WriterId(chance.id()) };
        Self { key: Key::Divergent { dir, k: 0 }, step: Step::Put, asked: false }
    }

    fn next(&self) -> Ask {
        let put = |bytes: &'static [u8]| Ask::Put {
            key: self.key,
            bytes: Bytes::from_static(bytes),
            condition: Condition::IfAbsent,
        };
        match self.step {
            Step::Put => put(b"the first"),
            Step::Read => Ask::Get { key: self.key },
            Step::PutOver => put(b"the second, longer"),
        }
    }

    fn answered(&mut self, reply: &Reply) -> Proof {
        self.asked = false;
        match (self.step, reply) {
            (Step::Put, Reply::Put(PutAnswer::Stored | PutAnswer::Taken)) => self.step = Step::Read,
            (Step::Read, Reply::Get(GetAnswer::Found(bytes))) if *bytes == b"the first"[..] => {
                self.step = Step::PutOver;
            }
            // Taken, and nothing is there: a conflict that settled nothing.
            (Step::Read, Reply::Get(GetAnswer::NotFound)) => self.step = Step::Put,
            (Step::PutOver, Reply::Put(PutAnswer::Taken)) => return Proof::Honours,
            (Step::PutOver, Reply::Put(PutAnswer::Stored)) => return Proof::Ignores,
            _ => return Proof::Again,
        }
        Proof::GoesOn
    }
}

impl Node {
    /// True as long as the proof is not made.
    pub(super) fn is_probing(&mut self, ground: &mut Ground) -> bool {
        let Some(process) = &mut self.process else { return false };
        let Some(probe) = &mut process.probe else { return false };
        if !std::mem::replace(&mut probe.asked, true) {
            let id = ground.ask(self.id, self.life, self.settings.timeout_us, probe.next());
            process.asked.insert(id, Asker::Probe);
        }
        true
    }

    pub(super) fn probed(&mut self, reply: &Reply, ground: &mut Ground) -> Check {
        let Some(probe) = self.process.as_mut().and_then(|process| process.probe.as_mut()) else {
            return Ok(());
        };
        match probe.answered(reply) {
            Proof::GoesOn => {}
            Proof::Again => {
                probe.asked = true;
                self.later(ground, 200_000, super::Job::Again);
            }
            Proof::Honours => {
                if let Some(process) = &mut self.process {
                    process.probe = None;
                }
            }
            Proof::Ignores => {
                self.refused = true;
                return self.ends("the store ignores put-if-absent: nothing is written to it", ground);
            }
        }
        Ok(())
    }

    pub(super) fn probe_again(&mut self) {
        let Some(process) = &mut self.process else { return };
        // Only one that pauses: a request that is out is waited for.
        if process.asked.values().any(|asker| *asker == Asker::Probe) {
            return;
        }
        if let Some(probe) = &mut process.probe {
            probe.asked = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_overwrites_is_found_out_and_a_conflict_is_not_held_against_it() {
        let put = |answer| Reply::Put(answer);
        let found = Reply::Get(GetAnswer::Found(Bytes::from_static(b"the first")));
        let mut probe = Probe::new(&mut Chance::new(1, "test"));
        assert_eq!(probe.answered(&put(PutAnswer::Taken)), Proof::GoesOn);
        assert_eq!(probe.answered(&Reply::Get(GetAnswer::NotFound)), Proof::GoesOn);
        assert!(matches!(probe.next(), Ask::Put { .. }));
        assert_eq!(probe.answered(&put(PutAnswer::Stored)), Proof::GoesOn);
        assert_eq!(probe.answered(&Reply::Get(GetAnswer::Failed)), Proof::Again);
        assert_eq!(probe.answered(&found), Proof::GoesOn);
        assert_eq!(probe.answered(&put(PutAnswer::Taken)), Proof::Honours);
        probe.step = Step::PutOver;
        assert_eq!(probe.answered(&put(PutAnswer::Stored)), Proof::Ignores);
    }
}
