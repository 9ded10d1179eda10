//! Becoming the primary.

use super::turn::{Asked, Turn, pause_after};
use super::write::Writing;
use super::{Machine, Phase};
use crate::ledger::{Action, Claimant, Event as Read, GetAnswer, Pause, Point, Progress, Reader, WriterId};
use crate::node::{Answer, Decision, Now, Reason, Refusal, Role};

impl Machine {
    /// Begins an attempt: the reader has just found nothing at its place.
    pub(super) fn claim(&mut self, why: Reason, now: Now) {
        let Phase::Following(reader, _) = &self.phase else { return };
        let reader = (**reader).clone();
        // P1: new for each attempt. Written down first, so that a process that dies here knows its own seal again.
        let writer = WriterId(self.dice.id());
        if !self.kept.wrote {
            self.kept.own.clear();
        }
        self.kept.own.push(writer);
        self.keep();
        self.want = Some(why);
        let claimant = Claimant::at_end(reader, writer, now.wall_us);
        self.enter(Phase::Claiming(Box::new(claimant), Turn::default()));
    }

    pub(super) fn tick_claiming(&mut self, now: Now) {
        let Phase::Claiming(claimant, turn) = &mut self.phase else { return };
        if !turn.is_due(now) {
            return;
        }
        match claimant.next() {
            Some(Action::Later { .. }) => {
                claimant.reader().waited();
                self.go_on(Some(Pause::Retry), now);
            }
            Some(action) => self.ask_in_turn(Asked::Claimant, action),
            None => turn.resume_us = None,
        }
    }

    pub(super) fn claimant_answered(&mut self, answer: Answer, now: Now) {
        let Phase::Claiming(claimant, _) = &mut self.phase else { return };
        let (progress, pause) = match &answer {
            Answer::Put(answer) => (claimant.put_answered(*answer), pause_after(*answer)),
            Answer::Got(answer) => {
                (claimant.got(answer), (*answer == GetAnswer::Failed).then_some(Pause::Retry))
            }
        };
        self.go_on(pause, now);
        match progress {
            None => {}
            Some(Progress::Won(point)) => self.enter(Phase::Opening(point)),
            Some(Progress::Stopped(error)) => self.exit(Reason::Failed(error)),
            Some(Progress::GaveUp) => {
                self.abandon(now);
                self.go_on(Some(Pause::Retry), now);
            }
            Some(Progress::StoodDown) => {
                let reader = self.abandon(now);
                self.want = None;
                if let Some(reader) = reader {
                    self.take(Read::Followed(reader.point().next), &reader, now);
                }
            }
            Some(Progress::Read(read)) => self.claimant_read(read, now),
        }
    }

    /// The claimant has read on (rule P5).
    fn claimant_read(&mut self, read: Read, now: Now) {
        let Phase::Claiming(claimant, _) = &mut self.phase else { return };
        let goes_on = matches!(read, Read::Pack(_)) && self.want != Some(Reason::Silence);
        if goes_on {
            let reader = claimant.reader().clone();
            return self.take(read, &reader, now);
        }
        // The primary lives, another one was first, or the numbers from here on are gone.
        let reader = self.abandon(now);
        if matches!(read, Read::Followed(_)) {
            self.want = None;
        }
        if let Some(reader) = reader {
            self.take(read, &reader, now);
        }
    }

    /// Ends an attempt: a reader again. Its seal may still be on its way, which rules P4 and R4 are for.
    fn abandon(&mut self, now: Now) -> Option<Box<Reader>> {
        let Phase::Claiming(claimant, _) = &self.phase else { return None };
        let reader = Box::new((**claimant).clone().into_reader());
        if self.want == Some(Reason::Silence) {
            self.want = None;
        }
        self.follow((*reader).clone(), now);
        Some(reader)
    }

    pub(super) fn tick_opening(&mut self, now: Now) {
        // P6: all that came before is applied first.
        if !self.is_applied() {
            return;
        }
        let Phase::Opening(point) = &self.phase else { return };
        let point = point.clone();
        let why = self.want.take().unwrap_or(Reason::Configured);
        self.open(*point, why, now);
    }

    fn open(&mut self, point: Point, why: Reason, now: Now) {
        let writes = self.leaving.is_none();
        let role = if writes { Role::Primary } else { self.role };
        self.kept.wrote = true;
        self.kept.own = vec![point.next.dir.writer];
        self.kept.point = Some(point.clone());
        self.kept.held = self.acks.held().clone();
        self.handed_over = false;
        self.reclaim_us = None;
        self.counts.promotions += 1;
        let was = self.role;
        self.become_role(role, why.clone());
        if was == role && writes {
            self.out.push_back(Decision::Role { role, why });
        }
        self.keep();
        let writing = Writing::new(point.clone(), &self.config, self.rules, now);
        self.enter(Phase::Writing(Box::new(writing)));
        let held = self.acks.held().clone();
        self.out.push_back(Decision::Open { point: Box::new(point), held, writes });
        self.seen_us = now.mono_us;
        if let (Some(leaving), Phase::Writing(writing)) = (self.leaving.take(), &mut self.phase) {
            writing.leaving = Some(leaving);
            self.out.push_back(Decision::Refuse(Refusal::Leaving));
        }
    }
}
