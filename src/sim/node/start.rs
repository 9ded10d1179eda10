//! How a process begins and how it ends.

use super::local::{cut_damage, is_sound, remove_tables, roll_forward};
use super::probe::Probe;
use super::{Job, Node, Policies, Process, Store, Upkeep};
use crate::node::{Config, Failover, Kept, Machine, Reason, Role};
use crate::sim::Fault;
use crate::sim::Micros;
use crate::sim::applied::{Engine, Tables};
use crate::sim::ground::{Due, Ground};
use crate::sim::invariant::{Check, Invariant, breach};
use crate::sim::scenario::NodeSettings;
use crate::sim::told::What;
use crate::wal::SequencerLog;
use std::collections::{BTreeMap, VecDeque};

impl Node {
    /// Starts a process, unless there is one.
    pub(in crate::sim) fn start(&mut self, ground: &mut Ground) -> Check {
        if self.process.is_some() || self.held_down || self.refused {
            return Ok(());
        }
        self.life += 1;
        self.paused = false;
        ground.tell(self.end(), What::Started);
        let mut tables = self.store.tables.clone();
        // Its own log, or one that was there before the cluster.
        if self.store.kept.wrote || self.store.kept.cluster.is_none() {
            cut_damage(&mut self.disk, ground.now, &tables, &self.store.kept.held);
            let read = roll_forward(&self.disk, &mut tables);
            match read.and_then(|()| is_sound(&self.disk, &tables, &self.store.kept.held)) {
                Ok(()) => self.store.tables = tables.clone(),
                Err(why) if self.disk.fails_reads => return self.ends(why, ground),
                // Without `sync` a loss of power can leave what no writer can go on with. Somebody gives the machine an
                // empty disk: it was never told that anything of that was safe.
                Err(_) => {
                    tables.clear();
                    self.begin_anew(ground.now);
                }
            }
        }
        let now = self.now(ground);
        let (config, kept) = (self.config(), self.store.kept.clone());
        ground.watch.writes_with(config.window as u64);
        let engine = Engine::new(tables, self.bugs.without_dedup);
        self.process = Some(Process {
            machine: Machine::with_rules(config, kept, now, self.bugs.rules),
            probe: Some(Probe::new(&mut self.chance)),
            engine,
            writer: None,
            outgoing: VecDeque::new(),
            own: BTreeMap::new(),
            lines: BTreeMap::new(),
            calls: VecDeque::new(),
            busy: None,
            durable: Vec::new(),
            asked: BTreeMap::new(),
            wake: None,
            cut: None,
            offered: BTreeMap::new(),
            confirmed: 0,
            upkeep: Upkeep::default(),
            loading: None,
            policies: Policies::new(&self.settings.policy, now.wall_us),
            rewound: 0,
            writes: false,
        });
        if self.settings.snapshot_every_us > 0 {
            let wait =
                self.chance.between(self.settings.snapshot_every_us / 2, self.settings.snapshot_every_us);
            self.later(ground, wait, Job::Upkeep);
        }
        if !self.settings.policy.is_empty() {
            self.later(ground, 1_000_000, Job::Policies);
        }
        self.comes_back(ground);
        self.run(ground)
    }

    fn config(&mut self) -> Config {
        let NodeSettings { window, throttle_us, poll_us, beat_us, patience_us, self_stop_us, .. } =
            self.settings;
        let failover = Failover { beat_us, patience_us, self_stop_us, rank: self.id.saturating_sub(1) % 3 };
        Config {
            window: window as usize,
            throttle_us,
            poll_us,
            poll_max_us: 4 * poll_us,
            failover: self.settings.failover.then_some(failover),
            ..Config::new(&Self::name(self.id), self.role, self.chance.id())
        }
    }

    /// The process is killed. With `power`, the machine's power is gone, too.
    pub(in crate::sim) fn kill(&mut self, power: bool, ground: &mut Ground) {
        if power {
            let lost = self.disk.lose_power(ground.now, &mut self.chance);
            ground.trace.word(lost);
            self.lose_tables();
        } else {
            self.disk.kill(ground.now, &mut self.chance);
        }
        self.over("killed", ground);
    }

    /// Applied tables go back to a state that is not ahead of what is left of the node's own log.
    fn lose_tables(&mut self) {
        let log = |dir: &str| SequencerLog::open(&self.disk, dir).map_or(0, |log| log.max_txn);
        let ahead = |tables: &Tables| tables.iter().any(|(dir, state)| state.table.seq_txn > log(dir));
        if self.settings.sync || !self.store.kept.wrote || !ahead(&self.store.tables) {
            return;
        }
        let before = self.store.earlier.iter().rev().find(|tables| !ahead(tables)).cloned();
        self.store.tables = before.unwrap_or_default();
    }

    /// Somebody gives the machine an empty disk.
    pub(super) fn begin_anew(&mut self, now: Micros) {
        remove_tables(&mut self.disk, now);
        let cluster = self.store.kept.cluster;
        self.store = Store { kept: Kept { cluster, ..Kept::default() }, ..Store::default() };
        self.role = Role::Replica;
    }

    /// A process that nobody ends starts again, as a supervisor has it.
    pub(in crate::sim) fn start_after(&self, wait: Micros, ground: &mut Ground) {
        ground.after(wait, Due::Start(self.end()));
    }

    /// The process has ended by itself.
    pub(super) fn ends(&mut self, why: impl std::fmt::Display, ground: &mut Ground) -> Check {
        self.disk.kill(ground.now, &mut self.chance);
        self.over(&why.to_string(), ground);
        self.start_after(self.settings.restart_us, ground);
        Ok(())
    }

    /// The machine has nothing more to do.
    pub(super) fn exits(&mut self, reason: &Reason, ground: &mut Ground) -> Check {
        let why = match reason {
            Reason::Failed(error) => {
                let excuse = [Fault::DamagedBody, Fault::IgnoredCondition];
                // A replica may come, or have asked, before there is a cluster: it is started again.
                let founded = self.store.kept.cluster.is_some();
                if founded && !excuse.iter().any(|fault| ground.has_seen(*fault)) {
                    let what = format_args!("{} stopped: {error}", self.end());
                    return breach(Invariant::NobodyStops, what);
                }
                format!("failed: {error}")
            }
            Reason::Refused(why) => {
                // What an operator does then.
                self.role = Role::Replica;
                self.store.kept.given = None;
                (*why).to_owned()
            }
            other => format!("{other:?}"),
        };
        self.ends(why, ground)
    }

    fn over(&mut self, why: &str, ground: &mut Ground) {
        self.life += 1;
        self.paused = false;
        // A request that is lost ends its connection: those behind it on the same one must not arrive.
        for due in std::mem::take(&mut self.waiting) {
            if let Due::AtNode { call, .. } = due {
                ground.hang_up(self.id, &call);
            }
        }
        let Some(process) = self.process.take() else { return };
        self.catching_up.ends();
        ground.tell(self.end(), What::Stopped { why: why.to_owned() });
        let busy = process.busy.map(|batch| batch.call);
        let durable = process.durable.into_iter().map(|(call, _)| call);
        for call in process.calls.into_iter().chain(busy).chain(durable) {
            ground.hang_up(self.id, &call);
        }
    }

    /// The disk is as it was some time ago.
    pub(in crate::sim) fn put_back(&mut self, ground: &mut Ground) {
        let Some(old) = self.old_disk.take() else { return };
        self.kill(false, ground);
        let (disk, store) = *old;
        // What a client keeps on its own disk is not on this one; a node that never had data has none.
        (self.disk, self.store) = (disk, store);
        if self.store.kept == Kept::default() && ground.truth.point().is_some() {
            self.role = Role::Replica;
        }
    }
}
