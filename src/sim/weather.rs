//! Which faults are in force now, and for whom.

use super::{Chance, End, Ends, Fault, Micros};
use serde::{Deserialize, Serialize};

/// A fault with its time and reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What it is.
    pub fault: Fault,
    /// Whom it hits.
    pub ends: Ends,
    /// From when, microseconds from the start.
    pub from_us: Micros,
    /// Until when; of what happens at one moment the same.
    pub until_us: Micros,
    /// How much: of 1,000 messages or requests this many, or microseconds, or what the fault counts in.
    pub strength: u64,
}

/// The faults that are in force.
#[derive(Debug, Default)]
pub(super) struct Weather {
    now: Vec<Trouble>,
}

impl Weather {
    /// None in force.
    #[cfg(test)]
    pub(super) const CLEAR: Self = Self { now: Vec::new() };

    pub(super) fn begins(&mut self, trouble: Trouble) {
        self.now.push(trouble);
    }

    /// Takes the first equal one away.
    pub(super) fn ends(&mut self, trouble: &Trouble) {
        if let Some(at) = self.now.iter().position(|other| other == trouble) {
            self.now.remove(at);
        }
    }

    pub(super) fn clear(&mut self) {
        self.now.clear();
    }

    pub(super) fn in_force(&self) -> &[Trouble] {
        &self.now
    }

    /// How strong this fault is for this end; `None` if it does not have it.
    pub(super) fn at(&self, fault: Fault, end: End) -> Option<u64> {
        let hit = |trouble: &&Trouble| trouble.fault == fault && trouble.ends.has(end);
        self.now.iter().filter(hit).map(|trouble| trouble.strength).max()
    }

    /// The same, if it has either of two ends.
    pub(super) fn between(&self, fault: Fault, from: End, to: End) -> Option<u64> {
        if self.now.is_empty() {
            return None;
        }
        self.at(fault, from).max(self.at(fault, to))
    }

    /// Whether one is inside of what this fault cuts off, and the other outside.
    pub(super) fn divides(&self, fault: Fault, from: End, to: End) -> bool {
        let cut =
            |trouble: &Trouble| trouble.fault == fault && trouble.ends.has(from) != trouble.ends.has(to);
        self.now.iter().any(cut)
    }

    /// Whether this fault, whose strength counts of 1,000, strikes now.
    pub(super) fn strikes(&self, fault: Fault, end: End, chance: &mut Chance) -> bool {
        !self.now.is_empty() && self.at(fault, end).is_some_and(|strength| chance.per_mille(strength))
    }
}
