//! How long a node takes to be level again: from the moment at which it could read the history again until it has what the
//! history had then.

use super::Node;
use crate::sim::Micros;
use crate::sim::ground::Ground;

/// What a node has to catch up with, and how long that took.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sim) struct CatchingUp {
    /// Since when, and the length of the history then.
    behind: Option<(Micros, u64)>,
    /// How long it took the last time.
    pub took_us: Micros,
}

impl CatchingUp {
    /// How long it has been at it; 0 if it has nothing to catch up with.
    pub(in crate::sim) fn for_us(&self, now: Micros) -> Micros {
        self.behind.map_or(0, |(since, _)| now.saturating_sub(since))
    }

    /// Its process has ended.
    pub(super) fn ends(&mut self) {
        self.behind = None;
    }
}

impl Node {
    /// It has started, goes on, or is no longer cut off.
    pub(in crate::sim) fn comes_back(&mut self, ground: &Ground) {
        let end = ground.truth.len();
        let lacks = self.process.is_some() && self.reads_from(ground) < end;
        self.catching_up.behind = lacks.then_some((ground.now, end));
    }

    /// To be asked whenever it may have got further.
    pub(super) fn is_level_again(&mut self, ground: &Ground) {
        let Some((since, end)) = self.catching_up.behind else { return };
        if self.reads_from(ground) >= end {
            self.catching_up = CatchingUp { behind: None, took_us: ground.now - since };
        }
    }

    /// The number of the first object that it has not applied; of a primary, that is not confirmed. 0 without a process.
    fn reads_from(&self, ground: &Ground) -> u64 {
        let now = self.now(ground);
        self.process.as_ref().map_or(0, |process| process.machine.told(now).confirmed)
    }
}
