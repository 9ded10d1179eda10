//! Whose turn it is: one request at a time, and pauses.

use super::{Machine, Phase};
use crate::ledger::{Action, Key, Pause, PutAnswer, Unsettled};
use crate::node::{Decision, Now};

/// The shortest and the longest pause before a request that settled nothing is sent again.
const PAUSE_US: (u64, u64) = (100_000, 10_000_000);

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Founder,
    Hint,
    Reader,
    Claimant,
    Writer(Key),
    /// A primary that has nothing to write looks whether its next number is taken.
    Look,
}

/// One that asks for one thing at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) asked: bool,
    /// Not before then.
    pub(super) resume_us: Option<u64>,
    pub(super) tries: u32,
}

impl Turn {
    /// Whether something may be asked now.
    pub(super) fn is_due(&self, now: Now) -> bool {
        !self.asked && self.resume_us.is_none_or(|resume| resume <= now.mono_us)
    }
}

impl Machine {
    /// Sends a request.
    pub(super) fn ask(&mut self, who: Asked, action: Action) {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id, who);
        self.out.push_back(Decision::Ask { id, action });
    }

    pub(super) fn turn(&mut self) -> Option<&mut Turn> {
        match &mut self.phase {
            Phase::Founding(_, turn)
            | Phase::Hinting(_, turn)
            | Phase::Following(_, turn)
            | Phase::Claiming(_, turn) => Some(turn),
            _ => None,
        }
    }

    /// The next request of the one whose turn it is.
    pub(super) fn ask_in_turn(&mut self, who: Asked, action: Action) {
        if let Some(turn) = self.turn() {
            (turn.asked, turn.resume_us) = (true, None);
        }
        self.ask(who, action);
    }

    /// It goes on at once; a request that is out is waited for.
    pub(super) fn hurry(&mut self, now: Now) {
        if let Some(turn) = self.turn()
            && turn.resume_us.is_some()
        {
            turn.resume_us = Some(now.mono_us);
        }
    }

    /// It goes on after this long.
    pub(super) fn rest(&mut self, us: u64, now: Now) {
        if let Some(turn) = self.turn() {
            (turn.asked, turn.resume_us) = (false, Some(now.mono_us.saturating_add(us)));
        }
    }

    /// It goes on at once, or after a pause if nothing came of it.
    pub(super) fn go_on(&mut self, pause: Option<Pause>, now: Now) {
        let tries = match (self.turn(), pause) {
            (None, _) => return,
            (Some(turn), None) => {
                *turn = Turn::default();
                return;
            }
            (Some(turn), Some(_)) => {
                turn.tries += 1;
                turn.tries - 1
            }
        };
        let us = self.pause_us(pause.unwrap_or(Pause::Retry), tries);
        self.rest(us, now);
    }

    /// Pauses that grow while nothing gets better; longer where the store asks for less or says no. With jitter.
    pub(super) fn pause_us(&mut self, why: Pause, tries: u32) -> u64 {
        let least = match why {
            Pause::Retry | Pause::Poll => PAUSE_US.0,
            Pause::SlowDown | Pause::Refused => PAUSE_US.0 * 10,
        };
        let pause = (least << tries.min(10)).min(PAUSE_US.1);
        pause / 2 + self.dice.below(pause / 2)
    }
}

/// The pause after a put that was not stored.
pub(super) fn pause_after(answer: PutAnswer) -> Option<Pause> {
    match answer {
        PutAnswer::Stored | PutAnswer::Taken => None,
        PutAnswer::Unsettled(Unsettled::SlowDown) => Some(Pause::SlowDown),
        PutAnswer::Unsettled(Unsettled::Unknown) => Some(Pause::Retry),
        PutAnswer::Refused(_) => Some(Pause::Refused),
    }
}
