//! The primary: packs on their way, the beat, and when it takes no writes.

use super::turn::Asked;
use super::{Leaving, Machine, Phase};
use crate::ledger::{Action, GetAnswer, Head, Key, Object, Place, Point, Reader, Rules, Status, Writer};
use crate::node::{Answer, Config, Decision, Now, Reason, Refusal};
use std::collections::BTreeMap;

/// How often a primary that has nothing to write looks whether its next number is taken: whether it was fenced.
const LOOK_EVERY_US: u64 = 10_000_000;
/// How often what it remembers is written while packs are confirmed.
const KEEP_EVERY_US: u64 = 1_000_000;

#[derive(Debug, Clone)]
pub(super) struct Writing {
    writer: Writer,
    /// Behind all that is confirmed.
    confirmed: Point,
    /// A pack is being made.
    cutting: Option<Cutting>,
    /// There are commits that no pack has.
    commits: bool,
    /// Something stands where the next pack goes: a pack finds out what (rule W4).
    occupied: bool,
    /// The last pack was full, and there are commits that were made before it.
    full: bool,
    /// When the last pack was handed in.
    offered_us: Option<u64>,
    /// When the last confirmation came, or writing began.
    confirmed_us: u64,
    looked_us: u64,
    kept_us: u64,
    kept_n: u64,
    /// It takes no writes until something is confirmed (rule L3).
    self_stopped: bool,
    pub(super) leaving: Option<Leaving>,
    /// All commits are in packs, and no more are made.
    drained: bool,
    /// The last pack, which hands over, was handed in.
    last_offered: bool,
    pauses: BTreeMap<Key, u64>,
    tries: BTreeMap<Key, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cutting {
    Commits,
    HandOver,
}

impl Writing {
    pub(super) fn new(point: Point, config: &Config, rules: Rules, now: Now) -> Self {
        Self {
            writer: Writer::with_rules(point.clone(), config.window, rules),
            kept_n: point.next.n,
            confirmed: point,
            cutting: None,
            // A former process may have left some.
            commits: true,
            occupied: false,
            full: false,
            offered_us: None,
            confirmed_us: now.mono_us,
            looked_us: now.mono_us,
            kept_us: now.mono_us,
            self_stopped: false,
            leaving: None,
            drained: false,
            last_offered: false,
            pauses: BTreeMap::new(),
            tries: BTreeMap::new(),
        }
    }

    /// Where the next pack goes.
    pub(super) fn next(&self) -> Place {
        let unacknowledged = self.writer.unacknowledged().count() as u64;
        Place { n: self.confirmed.next.n.saturating_add(unacknowledged), ..self.confirmed.next }
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.writer.acknowledged()
    }

    /// Rule L3 as of now, whether its timer has run or not.
    pub(super) fn accepts(&self, config: &Config, now: Now) -> std::result::Result<(), Refusal> {
        if self.leaving.is_some() {
            return Err(Refusal::Leaving);
        }
        if self.self_stopped || self.is_overdue(config, now) { Err(Refusal::SelfStop) } else { Ok(()) }
    }

    pub(super) fn accepts_until(&self, config: &Config) -> Option<u64> {
        let open = self.leaving.is_none() && !self.self_stopped;
        let until = config
            .failover
            .map_or(u64::MAX, |failover| self.confirmed_us.saturating_add(failover.self_stop_us));
        open.then_some(until)
    }

    fn is_overdue(&self, config: &Config, now: Now) -> bool {
        let since = now.mono_us.saturating_sub(self.confirmed_us);
        config.failover.is_some_and(|failover| since >= failover.self_stop_us)
    }

    fn is_idle(&self) -> bool {
        self.writer.unacknowledged().next().is_none()
    }

    /// What to make a pack of now, if anything: whether one is needed, and whom it hands over to.
    fn to_cut(&self, config: &Config, now: Now) -> Option<(Head, Cutting, bool)> {
        let head = self.writer.slot().filter(|_| self.cutting.is_none() && !self.last_offered)?;
        let since = self.offered_us.map(|offered| now.mono_us.saturating_sub(offered));
        match &self.leaving {
            // Rule L4: the last pack goes when all others are confirmed.
            Some(Leaving::To(_)) if self.drained => self.is_idle().then_some((head, Cutting::HandOver, true)),
            Some(_) if self.drained => None,
            Some(_) => Some((head, Cutting::Commits, false)),
            None if self.occupied && self.is_idle() => Some((head, Cutting::Commits, true)),
            None if self.commits && (self.full || since.is_none_or(|since| since >= config.throttle_us)) => {
                Some((head, Cutting::Commits, false))
            }
            // Rule L1: the beat.
            None if self.is_idle() => {
                let beat = config.failover?.beat_us;
                since.is_none_or(|since| since >= beat).then_some((head, Cutting::Commits, true))
            }
            None => None,
        }
    }

    /// When something is due if nothing happens.
    pub(super) fn wakes_at(&self, config: &Config) -> Option<u64> {
        let mut due: Vec<u64> = self.pauses.values().copied().collect();
        let offered = self.offered_us.unwrap_or(0);
        let free = self.cutting.is_none() && self.writer.slot().is_some() && self.leaving.is_none();
        if free && self.commits {
            due.push(offered.saturating_add(if self.full { 0 } else { config.throttle_us }));
        }
        match config.failover {
            Some(failover) => {
                if free && self.is_idle() {
                    due.push(offered.saturating_add(failover.beat_us));
                }
                if !self.self_stopped && self.leaving.is_none() {
                    due.push(self.confirmed_us.saturating_add(failover.self_stop_us));
                }
            }
            None => due.push(self.looked_us.saturating_add(LOOK_EVERY_US)),
        }
        if self.confirmed.next.n != self.kept_n {
            due.push(self.kept_us.saturating_add(KEEP_EVERY_US));
        }
        due.into_iter().min()
    }
}

impl Machine {
    pub(super) fn tick_writing(&mut self, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        let due = |(key, at): (&Key, &u64)| (*at <= now.mono_us).then_some(*key);
        let over: Vec<Key> = writing.pauses.iter().filter_map(due).collect();
        for key in over {
            writing.pauses.remove(&key);
            writing.writer.waited(key);
        }
        self.send(now);
        self.settle(now);
        let Phase::Writing(writing) = &mut self.phase else { return };
        if writing.leaving.is_none() && !writing.self_stopped && writing.is_overdue(&self.config, now) {
            writing.self_stopped = true;
            self.counts.self_stops += 1;
            self.out.push_back(Decision::Refuse(Refusal::SelfStop));
        }
        self.keep_place(now);
        self.cut_next(now);
        self.look(now);
        self.end_leaving(now);
    }

    /// Sends what the writer asks for.
    fn send(&mut self, now: Now) {
        loop {
            let Phase::Writing(writing) = &mut self.phase else { return };
            match writing.writer.poll() {
                None => return,
                Some(Action::Later { key, pause }) => {
                    let tries = writing.tries.entry(key).or_default();
                    *tries += 1;
                    let tries = *tries - 1;
                    let us = self.pause_us(pause, tries);
                    if let Phase::Writing(writing) = &mut self.phase {
                        writing.pauses.insert(key, now.mono_us.saturating_add(us));
                    }
                }
                Some(action @ (Action::Put { key, .. } | Action::Get { key })) => {
                    self.ask(Asked::Writer(key), action);
                }
                Some(Action::Delete { .. }) => {}
            }
        }
    }

    pub(super) fn writer_answered(&mut self, key: Key, answer: Answer, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        match answer {
            Answer::Put(answer) => writing.writer.put_answered(key, answer),
            Answer::Got(answer) => writing.writer.get_answered(key, &answer),
        }
        self.settle(now);
    }

    /// What came of the answers: packs confirmed, fenced, stopped.
    fn settle(&mut self, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        match writing.writer.status() {
            Status::Running => {}
            Status::Fenced(place) => {
                let (place, confirmed) = (*place, writing.confirmed.clone());
                return self.fenced(place, confirmed, now);
            }
            Status::Stopped(error) => {
                let error = error.clone();
                return self.exit(Reason::Failed(error));
            }
        }
        let below = writing.writer.acknowledged();
        if below == writing.confirmed.next.n {
            return;
        }
        for sum in self.acks.acknowledge(below) {
            writing.confirmed.pass(sum);
        }
        writing.tries.retain(|key, _| !matches!(key, Key::Object(place) if place.n < below));
        writing.confirmed_us = now.mono_us;
        self.seen_us = now.mono_us;
        let resumes = std::mem::take(&mut writing.self_stopped);
        self.out.push_back(Decision::Acknowledge { below });
        if resumes {
            self.out.push_back(Decision::Resume);
        }
    }

    fn keep_place(&mut self, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        let n = writing.confirmed.next.n;
        if n == writing.kept_n || now.mono_us.saturating_sub(writing.kept_us) < KEEP_EVERY_US {
            return;
        }
        (writing.kept_n, writing.kept_us) = (n, now.mono_us);
        self.kept.point = Some(writing.confirmed.clone());
        self.kept.held = self.acks.held().clone();
        self.keep();
    }

    fn cut_next(&mut self, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        let Some((head, cutting, needed)) = writing.to_cut(&self.config, now) else { return };
        writing.cutting = Some(cutting);
        writing.commits = false;
        writing.occupied = false;
        let handover = match (&writing.leaving, cutting) {
            (Some(Leaving::To(name)), Cutting::HandOver) => Some(name.clone()),
            _ => None,
        };
        self.out.push_back(Decision::Cut { head, needed, handover });
    }

    pub(super) fn commits(&mut self) {
        if let Phase::Writing(writing) = &mut self.phase {
            writing.commits = true;
        }
    }

    pub(super) fn cut(&mut self, object: Object, reached: Vec<(String, u64)>, more: bool, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        let Some(cutting) = writing.cutting.take() else { return };
        let (n, sum) = (object.head().place.n, object.sum());
        if let Err(error) = writing.writer.offer(object) {
            return self.exit(Reason::Failed(error));
        }
        writing.commits |= more;
        writing.full = more;
        writing.drained = writing.leaving.is_some() && !writing.commits;
        writing.last_offered = cutting == Cutting::HandOver;
        writing.offered_us = Some(now.mono_us);
        writing.looked_us = now.mono_us;
        self.acks.handed_in(n, sum, reached);
    }

    pub(super) fn nothing(&mut self) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        (writing.cutting, writing.full) = (None, false);
        writing.drained = writing.leaving.is_some() && !writing.commits;
    }

    /// Asks whether somebody has sealed the directory meanwhile, which a put would tell.
    fn look(&mut self, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        let since = now.mono_us.saturating_sub(writing.looked_us);
        if self.config.failover.is_none() && since >= LOOK_EVERY_US {
            writing.looked_us = now.mono_us;
            if writing.is_idle() {
                let key = writing.confirmed.next.key();
                self.ask(Asked::Look, Action::Get { key });
            }
        }
    }

    pub(super) fn looked(&mut self, answer: &GetAnswer, _now: Now) {
        if let (Phase::Writing(writing), GetAnswer::Found(_)) = (&mut self.phase, answer) {
            writing.occupied = true;
        }
    }

    pub(super) fn hand_over(&mut self, to: String) {
        if to != self.config.name {
            self.leave(Leaving::To(to));
        }
    }

    /// Takes no more writes; the rest goes into the history first.
    pub(super) fn leave(&mut self, leaving: Leaving) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        if writing.leaving.is_some() {
            return;
        }
        writing.leaving = Some(leaving);
        writing.drained = false;
        self.out.push_back(Decision::Refuse(Refusal::Leaving));
    }

    fn end_leaving(&mut self, now: Now) {
        let Phase::Writing(writing) = &mut self.phase else { return };
        let done = writing.drained && writing.is_idle() && writing.cutting.is_none();
        let Some(leaving) = writing.leaving.clone().filter(|_| done) else { return };
        if matches!(leaving, Leaving::To(_)) && !writing.last_offered {
            return;
        }
        let confirmed = writing.confirmed.clone();
        self.kept.point = Some(confirmed.clone());
        self.kept.held = self.acks.held().clone();
        match leaving {
            Leaving::Exit(why) => {
                self.keep();
                self.exit(why);
            }
            Leaving::To(_) | Leaving::Demoted => {
                // Its tables are the history now.
                (self.handed, self.applied) = (confirmed.next.n, confirmed.next.n);
                self.is_prefix(Some(&confirmed));
                self.follow(Reader::with_rules(confirmed, self.rules), now);
                if matches!(leaving, Leaving::To(_)) {
                    self.wait_for_successor(now);
                }
            }
        }
    }
}
