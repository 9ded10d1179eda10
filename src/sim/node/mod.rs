//! A node: the real machine with its tables, its own log and its disk, on virtual time.
//!
//! What is real: [`crate::node::Machine`] and the machines of the log in it, [`crate::node::write`], the engine, packs. What
//! is made up: how long things take, and that applied tables lie on the disk as values which are published whole.

mod catching_up;
mod drive;
mod local;
mod policies;
mod probe;
mod serve;
mod snapshots;
mod start;

use self::catching_up::CatchingUp;
pub(super) use self::local::{NewTable, create_tables, unique_tables};
use self::policies::Policies;
use self::probe::Probe;
use self::snapshots::{Loading, Upkeep};
use super::applied::{Engine, Tables};
use super::bugs::Bugs;
use super::call::Call;
use super::clock::Clock;
use super::disk::Disk;
use super::ground::{Due, Ground};
use super::invariant::Check;
use super::scenario::NodeSettings;
use super::{Chance, End, Micros};
use crate::ledger::{Divergent, Head, Point, Sum, TableEntry};
use crate::node::{Event, Held, Kept, Machine, Now, Role, write};
use std::collections::{BTreeMap, VecDeque};

/// States of applied tables that are remembered for a loss of power.
const EARLIER_MAX: usize = 48;
/// How long applying a pack takes at least, and each row of it.
const APPLY_US: (Micros, Micros) = (150, 2);

/// A machine with its disk, and the process that runs on it.
#[derive(Debug)]
pub(super) struct Node {
    pub id: u32,
    /// Counts its processes: what belongs to an earlier one is not listened to.
    pub life: u32,
    pub clock: Clock,
    pub disk: Disk,
    pub store: Store,
    pub process: Option<Process>,
    /// It stands still; what arrives waits.
    pub paused: bool,
    waiting: Vec<Due>,
    /// It is to stay down until somebody starts it.
    pub held_down: bool,
    /// It refused this bucket for good.
    pub refused: bool,
    pub role: Role,
    pub settings: NodeSettings,
    /// The next write is to be hit by a kill.
    pub tear_next: bool,
    /// Writes take longer by this.
    pub slow_disk_us: Micros,
    pub aside_rows: u64,
    pub old_disk: Option<Box<(Disk, Store)>>,
    pub catching_up: CatchingUp,
    chance: Chance,
    bugs: Bugs,
}

/// What lasts beside the files: published whole, as `_txn` and a renamed file are.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    pub kept: Kept,
    /// The applied tables.
    pub tables: Tables,
    /// Where a replica's tables stand, if it has said so since they were last taken back.
    published: Option<(Point, Held)>,
    /// What was set aside.
    pub reports: Vec<Divergent>,
    /// Without `sync`: applied tables that a loss of power may bring back, the newest last.
    earlier: VecDeque<Tables>,
}

/// What a running process knows.
#[derive(Debug)]
pub(super) struct Process {
    pub machine: Machine,
    probe: Option<Probe>,
    pub engine: Engine,
    /// Its own tables, while it may write.
    writer: Option<write::Tables>,
    /// Commits that no pack has.
    pub outgoing: VecDeque<TableEntry>,
    /// Rows of own transactions that are not known to be in the history.
    own: BTreeMap<(String, u64), Vec<i64>>,
    /// The connection of each client, by the client's life and number. One to an earlier process is over.
    lines: BTreeMap<u32, (u32, u64)>,
    /// Requests that wait for the disk.
    calls: VecDeque<Call>,
    /// A commit is being written.
    busy: Option<Batch>,
    /// Requests that wait until their transactions are durable.
    durable: Vec<(Call, Vec<(String, u64)>)>,
    asked: BTreeMap<u64, Asker>,
    wake: Option<Micros>,
    /// A pack is to be cut as soon as the disk has what is being written.
    cut: Option<(Head, bool, Option<String>)>,
    /// Packs handed in and not confirmed, with the transactions in them.
    pub offered: BTreeMap<u64, (Sum, Vec<(String, u64)>)>,
    confirmed: u64,
    upkeep: Upkeep,
    loading: Option<Loading>,
    policies: Policies,
    /// How often the tables were taken back.
    rewound: u32,
    pub writes: bool,
}

/// A commit on its way to the disk.
#[derive(Debug)]
struct Batch {
    call: Call,
    durable: bool,
    refused: Option<String>,
    entries: Vec<TableEntry>,
    commits: Vec<(String, u64)>,
    rows: u64,
}

/// Who in a process waits for an answer of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// The machine, by the request's id; of a put of a pack with its number.
    Machine {
        id: u64,
        number: Option<u64>,
    },
    Probe,
    Loading,
    Upkeep,
}

/// Work of a process that is done.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// A pack is applied; how often the tables had been taken back when that was begun.
    Applied { point: Box<Point>, rewound: u32 },
    /// A commit is on the disk.
    Committed,
    /// What the history does not hold is written down.
    Aside { any: bool },
    /// The tables are taken back.
    Rewound,
    /// It is time to look after snapshots.
    Upkeep,
    /// Something that failed is to be tried again.
    Again,
    /// It is time to look after storage policies.
    Policies,
}

impl Node {
    pub(super) fn new(id: u32, seed: u64, role: Role, settings: NodeSettings, bugs: Bugs) -> Self {
        let mut chance = Chance::new(seed ^ u64::from(id) << 40, "node");
        // Nobody's clock is right.
        let offset_us = chance.between(0, 400_000) as i64 - 200_000;
        Self {
            id,
            life: 0,
            clock: Clock::new(offset_us),
            disk: Disk::default(),
            store: Store::default(),
            process: None,
            paused: false,
            waiting: Vec::new(),
            held_down: false,
            refused: false,
            role,
            settings,
            tear_next: false,
            slow_disk_us: 0,
            aside_rows: 0,
            old_disk: None,
            catching_up: CatchingUp::default(),
            chance,
            bugs,
        }
    }

    /// Its name in the cluster.
    pub(super) fn name(id: u32) -> String {
        format!("node{id}")
    }

    pub(super) fn end(&self) -> End {
        End::Node(self.id)
    }

    pub(super) fn now(&self, ground: &Ground) -> Now {
        Now { mono_us: self.clock.monotonic(ground.now), wall_us: self.clock.wall_us(ground.now) }
    }

    /// It is primary, or about to be, as far as it knows itself.
    pub(super) fn is_primary(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.writes)
    }

    /// An operator wants something of it.
    pub(super) fn order(&mut self, event: Event, ground: &mut Ground) -> Check {
        let ready = self.process.as_ref().is_some_and(|process| process.probe.is_none());
        if self.paused || !ready {
            return Ok(());
        }
        self.tell(event, ground);
        self.run(ground)
    }

    /// The number of the first object that it has not applied, as far as it has said.
    pub(super) fn applied(&self) -> u64 {
        self.store.kept.point.as_ref().map_or(0, |point| point.next.n)
    }

    /// Nothing is wrong with the machine any more: the disk, the clock, whether it runs.
    pub(super) fn mend(&mut self, ground: &mut Ground) {
        (self.disk.full, self.disk.fails_reads) = (false, false);
        (self.slow_disk_us, self.tear_next, self.old_disk) = (0, false, None);
        self.clock.drift(ground.now, 0);
        if self.paused {
            self.resume(ground);
        }
        self.start_after(0, ground);
    }

    /// Its settings have changed: those that count at once are taken up.
    pub(super) fn take_intervals(&mut self) {
        let NodeSettings { poll_us, throttle_us, .. } = self.settings;
        if let Some(process) = &mut self.process {
            let config = process.machine.config();
            (config.poll_us, config.poll_max_us, config.throttle_us) = (poll_us, 4 * poll_us, throttle_us);
        }
    }

    /// Something arrives for it.
    pub(super) fn take(&mut self, due: Due, ground: &mut Ground) -> Check {
        if self.paused {
            self.waiting.push(due);
            return Ok(());
        }
        match due {
            Due::AtNode { call, .. } => self.called(call, ground)?,
            Due::FromBucket { ticket, reply } if ticket.life == self.life => {
                self.answered(ticket.id, reply, ground)?;
            }
            Due::Wake { life, .. } if life == self.life => {
                if let Some(process) = &mut self.process
                    && process.wake.is_some_and(|at| at <= ground.now)
                {
                    process.wake = None;
                }
            }
            Due::Done { life, job, .. } if life == self.life => self.done(job, ground)?,
            _ => return Ok(()),
        }
        self.run(ground)?;
        self.is_level_again(ground);
        Ok(())
    }

    /// It stands still from now on.
    pub(super) fn pause(&mut self) {
        // Connections to a process that has ended are refused by the machine.
        self.paused = self.process.is_some();
    }

    /// It goes on; what arrived meanwhile arrives now.
    pub(super) fn resume(&mut self, ground: &mut Ground) {
        self.paused = false;
        for due in std::mem::take(&mut self.waiting) {
            ground.after(0, due);
        }
        let (node, life) = (self.id, self.life);
        self.comes_back(ground);
        if let Some(process) = &mut self.process {
            process.wake = Some(ground.now);
            ground.after(0, Due::Wake { node, life });
        }
    }

    /// Tells this process of its own later.
    fn later(&self, ground: &mut Ground, wait: Micros, job: Job) {
        ground.after(wait, Due::Done { node: self.id, life: self.life, job });
    }
}
