//! The first steps: which cluster this is, and what the node is in it.

use super::turn::{Asked, Turn, pause_after};
use super::{Hinting, Leaving, Machine, Phase};
use crate::ledger::{
    Action, Cluster, ClusterId, Dir, Document, Founded, Founder, GetAnswer, HeadHint, Key, Loaded, Manifest,
    Pause, Point, Reader, Term, WriterId,
};
use crate::node::{Answer, Decision, Held, Now, Reason, Role};

/// How often a hint that can't be read is asked for again. It saves time, no more.
const HINT_TRIES: u32 = 3;

impl Machine {
    pub(super) fn begin(&mut self) {
        if let Some(fault) = self.config.failover.and_then(|failover| failover.fault()) {
            return self.exit(Reason::Refused(fault));
        }
        if self.role == Role::None {
            return self.exit(Reason::Refused("replication.role is none: this node belongs to no cluster"));
        }
        let is_new = self.kept.cluster.is_none() || self.kept.founding;
        if self.role != Role::Primary || !is_new || self.config.migrate {
            // Who has nothing of a cluster yet joins the one that is there, whatever it read before.
            let has_any = self.kept.point.is_some() || self.kept.wrote;
            let known = self.kept.cluster.filter(|_| !self.kept.founding && has_any);
            return self.enter(Phase::Founding(Box::new(Founder::join(known)), Turn::default()));
        }
        let (id, writer) = (ClusterId(self.dice.id()), WriterId(self.dice.id()));
        match Founder::found(Cluster::new(id, Dir { term: Term(1), writer })) {
            Ok(founder) => {
                self.kept.cluster = Some(id);
                self.kept.founding = true;
                self.kept.own.push(writer);
                self.keep();
                self.enter(Phase::Founding(Box::new(founder), Turn::default()));
            }
            Err(error) => self.exit(Reason::Failed(error)),
        }
    }

    pub(super) fn tick_founding(&mut self, now: Now) {
        let Phase::Founding(founder, turn) = &self.phase else { return };
        if turn.is_due(now)
            && let Some(action) = founder.next()
        {
            self.ask_in_turn(Asked::Founder, action);
        }
    }

    pub(super) fn founder_answered(&mut self, answer: Answer, now: Now) {
        let Phase::Founding(founder, _) = &mut self.phase else { return };
        let (founded, pause) = match &answer {
            Answer::Put(answer) => (founder.put_answered(*answer), pause_after(*answer)),
            Answer::Got(answer) => {
                (founder.got(answer), (*answer == GetAnswer::Failed).then_some(Pause::Retry))
            }
        };
        match founded {
            None => self.go_on(pause, now),
            Some(Founded::Mine(cluster)) => {
                self.kept.founding = false;
                self.want = Some(Reason::Founded);
                self.enter(Phase::Opening(Box::new(Point::start(&cluster))));
            }
            Some(Founded::Exists(cluster)) => self.joined(&cluster, now),
            Some(Founded::Refused(error)) => self.exit(Reason::Failed(error)),
        }
    }

    /// The cluster is there.
    fn joined(&mut self, cluster: &Cluster, now: Now) {
        // Founded by this node, in a process that did not live to hear of it.
        let mine = self.kept.founding && self.kept.own.contains(&cluster.directory.writer);
        if !self.kept.wrote && !mine {
            self.kept.own.clear();
        }
        self.kept.founding = false;
        self.kept.cluster = Some(cluster.cluster);
        match self.role {
            Role::Primary if self.kept.wrote || mine => self.want = Some(Reason::Restarted),
            Role::Primary if self.config.migrate => self.want = Some(Reason::Ordered),
            Role::Primary => {
                return self.exit(Reason::Refused(
                    "the bucket has a cluster of which this node is not the primary. Begin as a replica and promote it, \
                     or put an empty file _migrate_primary into the directory",
                ));
            }
            Role::PrimaryCatchupUploads if !self.kept.wrote => return self.exit(Reason::CaughtUp),
            Role::PrimaryCatchupUploads => {
                self.want = Some(Reason::Restarted);
                self.leaving = Some(Leaving::Exit(Reason::CaughtUp));
            }
            // Nothing is lost: what it has of its own goes into the history first, if that still ends with it.
            Role::Replica if self.kept.wrote => {
                self.want = Some(Reason::Restarted);
                self.leaving = Some(Leaving::Demoted);
            }
            Role::Replica | Role::None => {}
        }
        self.out.push_back(Decision::Role { role: self.role, why: Reason::Configured });
        self.keep();
        match self.kept.point.clone().filter(|point| point.cluster == cluster.cluster) {
            Some(point) => self.follow(Reader::with_rules(point, self.rules), now),
            None => self.begin_anew(Point::start(cluster)),
        }
    }

    /// Begins without tables: with the newest snapshot that a hint names, else at the start.
    pub(super) fn begin_anew(&mut self, start: Point) {
        let hinting = Hinting { start, snapshot: None, tries: 0 };
        self.enter(Phase::Hinting(Box::new(hinting), Turn::default()));
    }

    pub(super) fn tick_hinting(&mut self, now: Now) {
        let Phase::Hinting(hinting, turn) = &self.phase else { return };
        if turn.is_due(now) {
            let key = hinting.snapshot.map_or(Key::Head, Key::Snapshot);
            self.ask_in_turn(Asked::Hint, Action::Get { key });
        }
    }

    pub(super) fn hinted(&mut self, answer: &GetAnswer, now: Now) {
        let Phase::Hinting(hinting, _) = &mut self.phase else { return };
        let cluster = hinting.start.cluster;
        let reader = |point: Point| Reader::with_rules(point, self.rules);
        match (answer, hinting.snapshot) {
            (GetAnswer::Failed, _) if hinting.tries < HINT_TRIES => {
                hinting.tries += 1;
                return self.go_on(Some(Pause::Retry), now);
            }
            (GetAnswer::Found(bytes), None) => {
                let hint = HeadHint::read(Key::Head, bytes).ok().filter(|hint| hint.cluster == cluster);
                if let Some(snapshot) = hint.and_then(|hint| hint.snapshot) {
                    hinting.snapshot = Some(snapshot);
                    return self.go_on(None, now);
                }
            }
            (GetAnswer::Found(bytes), Some(n)) => {
                let manifest = Manifest::read(Key::Snapshot(n), bytes).ok();
                if let Some(manifest) = manifest.filter(|it| it.n == n && it.cluster == cluster) {
                    // It reads on behind the snapshot once that is there.
                    let reader = reader(Point::behind(&manifest));
                    self.out.push_back(Decision::Load(Box::new(manifest)));
                    self.follow(reader, now);
                    if let Some(turn) = self.turn() {
                        turn.asked = true;
                    }
                    return;
                }
            }
            _ => {}
        }
        let reader = reader(hinting.start.clone());
        self.follow(reader, now);
    }

    /// A snapshot is there, or can't be had (rule R5).
    pub(super) fn loaded(&mut self, loaded: Loaded, held: Held, now: Now) {
        let Phase::Following(reader, _) = &mut self.phase else { return };
        let was_asked = reader.next().is_none();
        if was_asked {
            reader.loaded(loaded);
        } else if loaded == Loaded::Missing {
            // A hint that led nowhere: all of the log is there, or its boundary names another snapshot.
            **reader = Reader::with_rules(reader.point().start_of(), self.rules);
        }
        let point = reader.point().clone();
        if loaded == Loaded::Done {
            self.handed = point.next.n;
            self.applied = point.next.n;
            self.acks = super::Acks::new(held);
            if self.kept.wrote {
                self.is_prefix(Some(&point));
            }
        }
        self.seen(now);
        self.go_on(None, now);
    }
}
