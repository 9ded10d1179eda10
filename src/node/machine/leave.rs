//! No longer the primary: fenced, or by its own will; and back to a prefix of the history.

use super::{Machine, Phase};
use crate::ledger::{Manifest, Place, Point, Reader};
use crate::node::{Acks, Decision, Held, Now, Reason, Refusal, Role};

/// How long a primary that has handed over waits for the seal of its successor, before it takes its term back.
const RECLAIM_US: u64 = 10_000_000;

impl Machine {
    /// W6: another process has sealed this node's directory. It reads on behind what is confirmed, to see what of its own
    /// the history has.
    pub(super) fn fenced(&mut self, _place: Place, confirmed: Point, now: Now) {
        self.counts.fenced += 1;
        self.out.push_back(Decision::Refuse(Refusal::Fenced));
        self.acks.forget_flying();
        (self.handed, self.applied) = (confirmed.next.n, confirmed.next.n);
        if self.role == Role::Primary {
            self.become_role(Role::Replica, Reason::Fenced);
        }
        self.want = None;
        self.follow(Reader::with_rules(confirmed, self.rules), now);
    }

    /// The history goes on in a directory that is not this node's: what it holds of this node's own is known now.
    pub(super) fn overtaken(&mut self, reader: &Reader) {
        self.set_aside_from(reader, None);
    }

    /// The numbers from here on may be gone, so what the history holds of this node's own can't be told any more.
    pub(super) fn lose_sight(&mut self, reader: &Reader, manifest: Box<Manifest>) {
        self.set_aside_from(reader, Some(manifest));
    }

    fn set_aside_from(&mut self, reader: &Reader, load: Option<Box<Manifest>>) {
        self.want = None;
        self.leaving = None;
        if self.role == Role::Primary {
            self.become_role(Role::Replica, Reason::Fenced);
        }
        let point = reader.point();
        let sealed = point.last().unwrap_or(point.next);
        self.out.push_back(Decision::SetAside { sealed, held: self.acks.held().clone() });
        self.enter(Phase::Aside(Box::new(reader.clone()), load));
    }

    /// What the history does not contain is written down.
    pub(super) fn set_aside(&mut self, any: bool, now: Now) {
        let Phase::Aside(reader, load) = &mut self.phase else { return };
        let (reader, load) = ((**reader).clone(), load.take());
        if self.role == Role::PrimaryCatchupUploads {
            return self.exit(Reason::Fenced);
        }
        if let Some(manifest) = load {
            // It replaces the tables, so nothing of its own stays.
            self.out.push_back(Decision::Load(manifest));
            self.follow(reader, now);
            if let Some(turn) = self.turn() {
                turn.asked = true;
            }
        } else if any {
            let (point, held) = (Box::new(reader.point().clone()), self.acks.held().clone());
            let start = point.start_of();
            self.out.push_back(Decision::Rewind { point, held });
            self.enter(Phase::Rewinding(Box::new(start)));
        } else {
            self.is_prefix(Some(reader.point()));
            self.follow(reader, now);
        }
    }

    pub(super) fn rewound(&mut self, point: Option<Point>, held: Held, now: Now) {
        let Phase::Rewinding(start) = &self.phase else { return };
        let Some(point) = point else {
            let start = start.clone();
            self.acks = Acks::default();
            (self.handed, self.applied) = (0, 0);
            self.is_prefix(None);
            return self.begin_anew(*start);
        };
        self.acks = Acks::new(held);
        (self.handed, self.applied) = (point.next.n, point.next.n);
        self.is_prefix(Some(&point));
        self.follow(Reader::with_rules(point, self.rules), now);
    }

    /// The tables are those of the history before this point: a replica from here on.
    pub(super) fn is_prefix(&mut self, point: Option<&Point>) {
        self.kept.wrote = false;
        self.kept.own.clear();
        self.kept.point = point.cloned();
        self.kept.held = self.acks.held().clone();
        self.become_role(Role::Replica, Reason::HandOver);
        self.keep();
    }

    /// L4, the other side: it expects the seal of its successor.
    pub(super) fn wait_for_successor(&mut self, now: Now) {
        let patience = self.config.failover.map_or(RECLAIM_US, |failover| failover.wait_us());
        self.reclaim_us = Some(now.mono_us.saturating_add(patience.max(RECLAIM_US / 4)));
        self.brisk_until_us = now.mono_us.saturating_add(super::BRISK_US);
    }
}
