//! Following the history, and waiting for one's turn.

use super::turn::{Asked, Turn};
use super::{Machine, Phase};
use crate::ledger::{Action, Event as Read, GetAnswer, Object, Pause, Place, Point, Reader};
use crate::node::{Decision, Now, Reason, Role};

/// How often the boundary is looked at while nothing comes (rule R2).
const LOOK_EVERY_US: u64 = 60_000_000;
/// Who could not listen for longer than this, beyond the pause that it made, looks at once: what it waits for may have been
/// cleaned meanwhile.
const DEAF_US: u64 = 1_000_000;
/// Yet not more often than this: a store may always be slow.
const LOOK_AGAIN_US: u64 = 5_000_000;
/// A pause of a reader is this part of the time for which nothing has come, beyond `QUIET_US`.
const PART: u64 = 10;
const QUIET_US: u64 = 10_000_000;
/// How often is asked when something is likely to come.
const BRISK_POLL_US: u64 = 100_000;

impl Machine {
    /// Reads the history from where the reader stands.
    pub(super) fn follow(&mut self, reader: Reader, now: Now) {
        self.level_told = false;
        self.enter(Phase::Following(Box::new(reader), Turn::default()));
        self.seen(now);
        self.heard_us = now.mono_us;
    }

    /// Something new: the wait begins anew (rule L2).
    pub(super) fn seen(&mut self, now: Now) {
        self.seen_us = now.mono_us;
        if let Some(failover) = self.config.failover {
            self.wait_us = failover.wait_us().saturating_add(self.dice.below(failover.jitter_us()));
        }
    }

    pub(super) fn tick_following(&mut self, now: Now) {
        let Phase::Following(reader, turn) = &mut self.phase else { return };
        if !turn.is_due(now) {
            return;
        }
        if turn.resume_us.is_some() {
            if self.look_due || now.mono_us.saturating_sub(self.looked_us) >= LOOK_EVERY_US {
                (self.looked_us, self.look_due) = (now.mono_us, false);
                reader.look();
            } else {
                reader.waited();
            }
        }
        match reader.next() {
            Some(action @ Action::Get { .. }) => self.ask_in_turn(Asked::Reader, action),
            // A snapshot is being loaded: `Event::Loaded` wakes it.
            _ => turn.resume_us = None,
        }
    }

    pub(super) fn reader_answered(&mut self, answer: &GetAnswer, now: Now) {
        let Phase::Following(reader, _) = &mut self.phase else { return };
        if *answer == GetAnswer::Failed {
            return self.go_on(Some(Pause::Retry), now);
        }
        let (read, reader) = (reader.got(answer), reader.clone());
        self.go_on(None, now);
        self.heard(now);
        match read {
            None => {}
            Some(Read::Missing) => self.missing(now),
            Some(read) => self.take(read, &reader, now),
        }
    }

    /// The bucket answered. How long it did not, because of a pause of this process or one of the bucket, counts in two ways.
    fn heard(&mut self, now: Now) {
        let deaf = now.mono_us.saturating_sub(self.heard_us);
        let looked = now.mono_us.saturating_sub(self.looked_us);
        if deaf > std::mem::take(&mut self.rested_us).saturating_add(DEAF_US) && looked >= LOOK_AGAIN_US {
            self.look_due = true;
        }
        // Rule L2 counts silence that was listened to.
        if self.config.failover.is_some_and(|failover| deaf > failover.beat_us) {
            self.seen(now);
        }
        self.heard_us = now.mono_us;
    }

    /// Takes what a reader, or the one inside a claimant, has read.
    pub(super) fn take(&mut self, read: Read, reader: &Reader, now: Now) {
        self.heard(now);
        self.seen(now);
        match read {
            Read::Pack(object) => self.pack(object, reader.point()),
            Read::Followed(place) => self.followed(place, reader),
            Read::Load(manifest) if self.kept.wrote => self.lose_sight(reader, manifest),
            Read::Load(manifest) => {
                self.out.push_back(Decision::Load(manifest));
                if let Some(turn) = self.turn() {
                    turn.asked = true;
                }
            }
            Read::Stopped(error) => self.exit(Reason::Failed(error)),
            Read::Missing => {}
        }
    }

    fn pack(&mut self, object: Object, point: &Point) {
        let pack = match object.pack() {
            Ok(pack) => pack,
            Err(error) => return self.exit(Reason::Failed(error)),
        };
        self.level_told = false;
        self.handed_over = pack.handover.as_deref() == Some(self.config.name.as_str());
        self.reclaim_us = None;
        self.acks.read(&pack);
        self.handed = point.next.n;
        let (pack, point) = (Box::new(pack), Box::new(point.clone()));
        self.out.push_back(Decision::Apply { object, pack, point });
    }

    /// A seal was followed.
    fn followed(&mut self, place: Place, reader: &Reader) {
        self.level_told = false;
        self.handed_over = false;
        self.reclaim_us = None;
        self.out.push_back(Decision::Term { point: Box::new(reader.point().clone()) });
        if self.kept.wrote && !self.kept.own.contains(&place.dir.writer) {
            self.overtaken(reader);
        }
    }

    /// All is read.
    fn missing(&mut self, now: Now) {
        if !std::mem::replace(&mut self.level_told, true) {
            self.out.push_back(Decision::Level);
        }
        if let Some(why) = self.turn_to_claim(now)
            && self.is_applied()
        {
            return self.claim(why, now);
        }
        let us = if self.look_due { 0 } else { self.poll_us(now) };
        self.rested_us = us;
        self.rest(us, now);
    }

    /// Why this node shall become the primary now.
    fn turn_to_claim(&mut self, now: Now) -> Option<Reason> {
        let silent = now.mono_us.saturating_sub(self.seen_us);
        if self.want.is_some() {
            return self.want.clone();
        }
        if self.role != Role::Replica {
            return None;
        }
        // Rule L4: without waiting.
        if self.handed_over {
            return Some(Reason::HandedOver);
        }
        if self.reclaim_us.is_some_and(|reclaim| reclaim <= now.mono_us) {
            return Some(Reason::HandOver);
        }
        // Rule L2.
        (self.config.failover.is_some() && silent >= self.wait_us).then_some(Reason::Silence)
    }

    fn poll_us(&self, now: Now) -> u64 {
        let least = self.config.poll_us.max(1_000);
        if self.want.is_some() || self.handed_over || now.mono_us < self.brisk_until_us {
            return least.min(BRISK_POLL_US);
        }
        match self.config.failover {
            Some(failover) => least.min(failover.poll_us()),
            None => {
                let age = now.mono_us.saturating_sub(self.seen_us);
                (age.saturating_sub(QUIET_US) / PART).min(self.config.poll_max_us).max(least)
            }
        }
    }

    pub(super) fn promote(&mut self, now: Now) {
        match &self.phase {
            Phase::Writing(_) | Phase::Opening(_) | Phase::Over => {}
            _ => {
                self.want.get_or_insert(Reason::Ordered);
                self.leaving = None;
                self.hurry(now);
            }
        }
    }
}
