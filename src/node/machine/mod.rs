//! The machine: which of the log's machines is in charge, and what comes of it.

mod begin;
mod claim;
mod follow;
mod leave;
#[cfg(test)]
mod tests;
mod turn;
mod write;

use self::turn::{Asked, Turn};
use self::write::Writing;
use super::dice::Dice;
use super::{Acks, Answer, Config, Decision, Event, Kept, Now, Reason, Refusal, Role};
use crate::ledger::{Claimant, Founder, Manifest, Place, Point, Reader, Rules, Term};
use std::collections::{BTreeMap, VecDeque};

/// For how long a reader asks often when something is likely to come.
const BRISK_US: u64 = 30_000_000;

/// A node of a cluster.
///
/// When to poll: after [`new`](Self::new) and after each [`on`](Self::on), until there is no decision; and when the clock
/// reaches [`wakes_at`](Self::wakes_at). Decisions are carried out in the order in which they come.
///
/// ```
/// use understudy::node::{Config, Decision, Kept, Machine, Now, Role};
/// let now = Now { mono_us: 0, wall_us: 0 };
/// let mut machine = Machine::new(Config::new("a", Role::Primary, 7), Kept::default(), now);
/// // What it is about to found is written down before it is put.
/// assert!(matches!(machine.poll(now), Some(Decision::Keep(_))));
/// assert!(matches!(machine.poll(now), Some(Decision::Ask { .. })));
/// assert!(machine.poll(now).is_none());
/// assert!(machine.accepts_writes(now).is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Machine {
    config: Config,
    rules: Rules,
    dice: Dice,
    kept: Kept,
    acks: Acks,
    role: Role,
    phase: Phase,
    out: VecDeque<Decision>,
    asked: BTreeMap<u64, Asked>,
    next_id: u64,
    /// Why to become primary as soon as all is read and applied.
    want: Option<Reason>,
    /// What to do instead of taking writes, once it is primary.
    leaving: Option<Leaving>,
    /// The newest object names this node as the next primary (rule L4).
    handed_over: bool,
    /// Nobody took over from this node until then: it takes its term back (rule L4).
    reclaim_us: Option<u64>,
    /// When something new was seen last (rule L2), by this node's clock.
    seen_us: u64,
    /// When the bucket answered last.
    heard_us: u64,
    /// How long this silence may last.
    wait_us: u64,
    /// When the boundary was looked at last (rule R2).
    looked_us: u64,
    /// The boundary is looked at next.
    look_due: bool,
    /// The last pause before asking again.
    rested_us: u64,
    brisk_until_us: u64,
    level_told: bool,
    /// It was told to end.
    stopping: bool,
    /// Behind the last pack that was handed out to be applied.
    handed: u64,
    /// All below this number is applied.
    applied: u64,
    counts: Counts,
}

#[derive(Debug, Clone)]
enum Phase {
    /// Looking for the cluster.
    Founding(Box<Founder>, Turn),
    /// A new replica looks for a snapshot to begin with.
    Hinting(Box<Hinting>, Turn),
    Following(Box<Reader>, Turn),
    Claiming(Box<Claimant>, Turn),
    /// Its seal is in; what came before is being applied (rule P6).
    Opening(Box<Point>),
    Writing(Box<Writing>),
    /// What the history does not contain is being written down.
    Aside(Box<Reader>, Option<Box<Manifest>>),
    /// The tables are being taken back; with the beginning of the history.
    Rewinding(Box<Point>),
    Over,
}

#[derive(Debug, Clone)]
struct Hinting {
    start: Point,
    snapshot: Option<u64>,
    tries: u32,
}

/// How a primary ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Leaving {
    /// It hands over to this instance and follows it.
    To(String),
    /// It becomes a replica.
    Demoted,
    /// It ends.
    Exit(Reason),
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    promotions: u64,
    fenced: u64,
    self_stops: u64,
}

/// How a node stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its role.
    pub role: Role,
    /// The term that it reads or writes in.
    pub term: Option<Term>,
    /// Where it reads or writes next.
    pub next: Option<Place>,
    /// Of a primary: all below is durable. Of a replica: all below is applied.
    pub confirmed: u64,
    /// Why it takes no writes, if it takes none.
    pub refuses: Option<Refusal>,
    /// It holds all that was in the log when it looked last.
    pub level: bool,
    /// How often it became primary.
    pub promotions: u64,
    /// How often another process continued its history.
    pub fenced: u64,
    /// How often it stopped taking writes by itself (rule L3).
    pub self_stops: u64,
    /// When it confirmed, or saw, something new, by its monotonic clock.
    pub seen_us: u64,
}

impl Machine {
    /// A node that begins with what it remembers.
    pub fn new(config: Config, kept: Kept, now: Now) -> Self {
        Self::with_rules(config, kept, now, Rules::ALL)
    }

    #[doc(hidden)]
    pub fn with_rules(config: Config, kept: Kept, now: Now, rules: Rules) -> Self {
        let next = kept.point.as_ref().map_or(0, |point| point.next.n);
        let mut machine = Self {
            dice: Dice::new(config.seed),
            role: kept.role(config.role),
            acks: Acks::new(kept.held.clone()),
            config,
            rules,
            kept,
            phase: Phase::Over,
            out: VecDeque::new(),
            asked: BTreeMap::new(),
            next_id: 0,
            want: None,
            leaving: None,
            handed_over: false,
            reclaim_us: None,
            seen_us: now.mono_us,
            heard_us: now.mono_us,
            wait_us: 0,
            looked_us: now.mono_us,
            look_due: false,
            rested_us: 0,
            brisk_until_us: 0,
            level_told: false,
            stopping: false,
            handed: next,
            applied: next,
            counts: Counts::default(),
        };
        machine.begin();
        machine
    }

    /// Takes what happened.
    pub fn on(&mut self, event: Event, now: Now) {
        match event {
            Event::Answered { id, answer } => self.answered(id, answer, now),
            Event::Applied { next } => {
                self.applied = self.applied.max(next);
                if self.is_applied() && self.want.is_some() {
                    self.hurry(now);
                }
            }
            Event::Loaded { loaded, held } => self.loaded(loaded, held, now),
            Event::Commits => self.commits(),
            Event::Cut { object, reached, more } => self.cut(object, reached, more, now),
            Event::Nothing => self.nothing(),
            Event::Aside { any } => self.set_aside(any, now),
            Event::Rewound { point, held } => self.rewound(point.map(|point| *point), held, now),
            Event::Promote => self.promote(now),
            Event::HandOver { to } => self.hand_over(to),
            Event::Brisk => {
                self.brisk_until_us = now.mono_us.saturating_add(BRISK_US);
                self.hurry(now);
            }
            Event::Stop => self.stop(),
        }
    }

    /// The next decision, if there is one now.
    pub fn poll(&mut self, now: Now) -> Option<Decision> {
        if self.out.is_empty() {
            self.tick(now);
        }
        self.out.pop_front()
    }

    /// When to poll again if nothing happens, by the monotonic clock.
    pub fn wakes_at(&self) -> Option<u64> {
        match &self.phase {
            Phase::Founding(_, turn)
            | Phase::Hinting(_, turn)
            | Phase::Following(_, turn)
            | Phase::Claiming(_, turn) => turn.resume_us,
            Phase::Writing(writing) => writing.wakes_at(&self.config),
            Phase::Opening(_) | Phase::Aside(..) | Phase::Rewinding(_) | Phase::Over => None,
        }
    }

    /// Whether a write may be taken now. To be asked for each write: a process that was paused finds out here that its time
    /// is over (rule L3), before its timers have run.
    ///
    /// # Errors
    /// Why not.
    pub fn accepts_writes(&self, now: Now) -> std::result::Result<(), Refusal> {
        match &self.phase {
            Phase::Writing(writing) => writing.accepts(&self.config, now),
            Phase::Opening(_) => Err(Refusal::Opening),
            Phase::Aside(..) | Phase::Rewinding(_) => Err(Refusal::Fenced),
            Phase::Over => Err(Refusal::Over),
            _ => Err(if self.kept.wrote { Refusal::Opening } else { Refusal::Replica }),
        }
    }

    /// Until when writes may be taken if nothing more happens, by the monotonic clock; `None` if none may. A driver that takes
    /// writes on other threads compares the clock with this at each of them, as [`accepts_writes`](Self::accepts_writes) does.
    pub fn accepts_until(&self) -> Option<u64> {
        match &self.phase {
            Phase::Writing(writing) => writing.accepts_until(&self.config),
            _ => None,
        }
    }

    /// Which transaction is in which pack.
    pub fn acks(&self) -> &Acks {
        &self.acks
    }

    /// What it remembers over a restart.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// How it behaves; the timers may be changed while it runs.
    pub fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    /// How it stands.
    pub fn told(&self, now: Now) -> Told {
        let next = match &self.phase {
            Phase::Following(reader, _) | Phase::Aside(reader, _) => Some(reader.point().next),
            Phase::Claiming(claimant, _) => Some(claimant.point().next),
            Phase::Opening(point) => Some(point.next),
            Phase::Writing(writing) => Some(writing.next()),
            _ => self.kept.point.as_ref().map(|point| point.next),
        };
        let confirmed = match &self.phase {
            Phase::Writing(writing) => writing.acknowledged(),
            _ => self.applied,
        };
        Told {
            role: self.role,
            term: next.map(|next| next.dir.term),
            next,
            confirmed,
            refuses: self.accepts_writes(now).err(),
            level: self.level_told && self.is_applied(),
            promotions: self.counts.promotions,
            fenced: self.counts.fenced,
            self_stops: self.counts.self_stops,
            seen_us: self.seen_us,
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.out.is_empty()
    }

    fn tick(&mut self, now: Now) {
        if self.stopping && !matches!(self.phase, Phase::Writing(_) | Phase::Over) {
            // It was handing over, or was fenced meanwhile.
            return self.exit(Reason::Stopped);
        }
        match &self.phase {
            Phase::Founding(..) => self.tick_founding(now),
            Phase::Hinting(..) => self.tick_hinting(now),
            Phase::Following(..) => self.tick_following(now),
            Phase::Claiming(..) => self.tick_claiming(now),
            Phase::Opening(_) => self.tick_opening(now),
            Phase::Writing(_) => self.tick_writing(now),
            Phase::Aside(..) | Phase::Rewinding(_) | Phase::Over => {}
        }
    }

    fn answered(&mut self, id: u64, answer: Answer, now: Now) {
        let Some(asked) = self.asked.remove(&id) else { return };
        match (asked, answer) {
            (Asked::Founder, answer) => self.founder_answered(answer, now),
            (Asked::Hint, Answer::Got(answer)) => self.hinted(&answer, now),
            (Asked::Reader, Answer::Got(answer)) => self.reader_answered(&answer, now),
            (Asked::Claimant, answer) => self.claimant_answered(answer, now),
            (Asked::Writer(key), answer) => self.writer_answered(key, answer, now),
            (Asked::Look, Answer::Got(answer)) => self.looked(&answer, now),
            (Asked::Hint | Asked::Reader | Asked::Look, Answer::Put(_)) => {}
        }
    }

    /// Whether all that was handed out is applied.
    fn is_applied(&self) -> bool {
        self.applied >= self.handed
    }

    fn keep(&mut self) {
        self.out.push_back(Decision::Keep(Box::new(self.kept.clone())));
    }

    /// Answers to what was asked before count no more.
    fn enter(&mut self, phase: Phase) {
        self.asked.clear();
        self.phase = phase;
    }

    fn exit(&mut self, why: Reason) {
        if !matches!(self.phase, Phase::Over) {
            self.out.push_back(Decision::Refuse(Refusal::Over));
        }
        self.out.push_back(Decision::Exit(why));
        self.enter(Phase::Over);
    }

    /// Gives the node another role, for as long as the configured one stays.
    fn become_role(&mut self, role: Role, why: Reason) {
        self.kept.given = (role != self.config.role).then_some((role, self.config.role));
        if std::mem::replace(&mut self.role, role) != role {
            self.out.push_back(Decision::Role { role, why });
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        if let Phase::Writing(_) = &self.phase {
            self.leave(Leaving::Exit(Reason::Stopped));
        }
    }
}
