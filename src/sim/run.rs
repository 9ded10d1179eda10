//! A run: one event after the other, from the seed to the end.

use super::begin::{Begun, FORK_US, Model, ROW_ID};
use super::book::Book;
use super::bucket::Bucket;
use super::bugs::Bugs;
use super::client::ClientActor;
use super::disk::Disk;
use super::ground::{Due, Ground};
use super::invariant::{Breach, Check, Invariant, Violation};
use super::node::Node;
use super::scenario::{ClientSettings, NodeSettings, Scenario, Scripted};
use super::told::{Happening, What};
use super::workload::TABLES;
use super::{Command, End, Micros, NODES_MAX, Trouble, node, plan};
use crate::node::Role;
use std::sync::Arc;

/// How long a message usually takes, one way.
const TYPICAL_US: Micros = 400;
/// Addresses that clients know beyond the nodes that there are.
const SPARE_HOSTS: u32 = 3;
/// How often the operator looks whether anybody is primary.
const OPERATOR_US: Micros = 1_500_000;
/// How often everything is compared with everything.
const LOOK_US: Micros = 5_000_000;
/// How long after the end somebody may still be on the way: who stands at numbers that are gone looks at the boundary once a
/// minute (rule R2).
const PATIENCE_US: Micros = 75_000_000;
/// Rows are made until this long after faults are over.
const ROWS_UNTIL_US: Micros = 2_000_000;

/// A simulated cluster.
///
/// ```
/// use understudy::sim::{Scenario, Sim};
/// let scenario = Scenario { until_us: 3_000_000, quiet_from_us: 2_000_000, ..Scenario::default() };
/// let mut sim = Sim::new(&scenario, 7);
/// while sim.step() {}
/// assert_eq!(sim.violation(), None);
/// assert!(sim.told().rows.made > 0);
/// ```
#[derive(Debug)]
pub struct Sim {
    pub(super) seed: u64,
    pub(super) scenario: Scenario,
    pub(super) ground: Ground,
    pub(super) nodes: Vec<Node>,
    pub(super) clients: Vec<ClientActor>,
    /// As the nodes and clients are set that come later.
    pub(super) node_settings: NodeSettings,
    pub(super) client_settings: ClientSettings,
    pub(super) plan: Vec<Trouble>,
    pub(super) bugs: Bugs,
    /// Tables of a real history that it began with.
    pub(super) begun: Option<Arc<[Model]>>,
    pub(super) quiet: bool,
    /// In how many looks running the operator has seen no primary.
    pub(super) headless: u32,
    /// The end, which comes later where somebody is not level yet.
    until_us: Micros,
    violation: Option<Violation>,
    over: bool,
}

impl Sim {
    /// The run that this seed makes of a scenario.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        Self::with_bugs(scenario, seed, Bugs::NONE)
    }

    /// A run with a bug that was put in on purpose.
    #[cfg(feature = "planted-bugs")]
    pub fn with_bug(scenario: &Scenario, seed: u64, bug: super::Bug) -> Self {
        Self::with_bugs(scenario, seed, bug.bugs())
    }

    fn with_bugs(scenario: &Scenario, seed: u64, bugs: Bugs) -> Self {
        let scenario = scenario.varied(seed);
        let bucket = Bucket::new(seed, scenario.store);
        let mut ground = Ground::new(seed, bucket, TYPICAL_US);
        // What can't be written is said before, by `Scenario::fault`.
        let begun = scenario.begin.as_ref().and_then(|begin| begin.write().ok());
        if begun.is_some() {
            ground.book = Book::named_by(ROW_ID);
        }
        let (disk, models) = begun.map(|Begun { disk, tables }| (disk, tables)).unzip();
        let mut sim = Self {
            seed,
            ground,
            nodes: Vec::new(),
            clients: Vec::new(),
            node_settings: scenario.node.clone(),
            client_settings: scenario.client.clone(),
            plan: plan::troubles(&scenario, seed),
            bugs,
            begun: models.map(Arc::from),
            quiet: false,
            headless: 0,
            until_us: scenario.until_us,
            violation: None,
            over: false,
            scenario,
        };
        sim.set_out(disk);
        sim
    }

    /// `disk` is what the first node finds.
    fn set_out(&mut self, disk: Option<Disk>) {
        for node in 0..self.scenario.nodes {
            self.new_node(if node == 0 { Role::Primary } else { Role::Replica });
            // Replicas come when there is a cluster to join, a little later or much.
            let wait = if node == 0 { 0 } else { self.ground.chance.between(200_000, 1_000_000) };
            self.ground.after(wait, Due::Start(End::Node(node)));
        }
        if let Some(first) = self.nodes.first_mut() {
            match disk {
                Some(disk) => first.disk = disk,
                None => {
                    let unique = TABLES.get(..self.scenario.client.dedup_tables as usize).unwrap_or(&TABLES);
                    let wall_us = first.now(&self.ground).wall_us;
                    node::create_tables(&mut first.disk, 0, wall_us, &node::unique_tables(unique));
                }
            }
            first.store.kept.wrote = false;
        }
        for client in 0..self.scenario.clients {
            self.new_client();
            let wait = self.ground.chance.between(100_000, 900_000);
            self.ground.after(wait, Due::Start(End::Client(client)));
        }
        for (at, trouble) in self.plan.iter().enumerate() {
            self.ground.agenda.enter(trouble.from_us, Due::Begins(at));
            if trouble.until_us > trouble.from_us {
                self.ground.agenda.enter(trouble.until_us, Due::Ends(at));
            }
        }
        for (at, scripted) in self.scenario.script.iter().enumerate() {
            self.ground.agenda.enter(scripted.at_us, Due::Scripted(at));
        }
        self.ground.agenda.enter(self.scenario.quiet_from_us, Due::Quiet);
        self.ground.agenda.enter(OPERATOR_US, Due::Operator);
        self.ground.agenda.enter(LOOK_US, Due::Look);
    }

    pub(super) fn new_node(&mut self, role: Role) {
        let id = self.nodes.len() as u32;
        self.nodes.push(Node::new(id, self.seed, role, self.node_settings.clone(), self.bugs));
    }

    pub(super) fn new_client(&mut self) {
        let id = self.clients.len() as u32;
        let mut settings = self.client_settings.clone();
        settings.tables = settings.tables.max(1);
        let models = self.begun.clone();
        self.clients.push(ClientActor::new(id, self.seed, settings, models, self.bugs));
        let first = self.ground.chance.between(1_000_000, 1_000_000 + self.client_settings.every_us);
        // The real history ends there.
        let begins =
            if self.begun.is_some() { FORK_US.saturating_sub(self.ground.now + 1_000_000) } else { 0 };
        self.ground.after(begins + first, Due::Rows { client: id });
    }

    /// Does what is due next. False at the end, or behind a violation.
    pub fn step(&mut self) -> bool {
        if self.over {
            return false;
        }
        let next = self.ground.agenda.due().filter(|due| *due <= self.until_us);
        let Some((at, due)) = next.and_then(|_| self.ground.agenda.take()) else {
            self.ground.now = self.until_us;
            let end = self.at_the_end();
            let waits = end.as_ref().is_err_and(|breach| breach.invariant == Invariant::Converges);
            if waits && self.until_us < self.scenario.until_us + PATIENCE_US {
                self.until_us += LOOK_US;
                return true;
            }
            self.over = true;
            self.judge(end);
            return false;
        };
        self.ground.now = at;
        self.ground.step += 1;
        self.ground.trace.word(at);
        self.ground.trace.word(due.kind());
        let done = self.act(due);
        self.judge(done);
        !self.over
    }

    /// Goes on to this time, in microseconds from the start. False if the run has ended before.
    pub fn run_until(&mut self, until_us: Micros) -> bool {
        while !self.over && self.ground.agenda.due().is_some_and(|due| due <= until_us) {
            self.step();
        }
        !self.over
    }

    /// When the next step is due, microseconds from the start.
    pub fn next_us(&self) -> Option<Micros> {
        self.ground.agenda.due().filter(|_| !self.over)
    }

    /// Enters a command into the script, for the first moment behind `after_us` and behind the last step at which nothing else
    /// is due: a run of the scenario as it then is does the same at the same step.
    pub fn enter(&mut self, command: Command, after_us: Micros) -> Scripted {
        let at_us = self.ground.agenda.free_from(after_us.max(self.ground.now).saturating_add(1));
        let scripted = Scripted { at_us, command };
        self.ground.agenda.enter(at_us, Due::Scripted(self.scenario.script.len()));
        self.scenario.script.push(scripted.clone());
        scripted
    }

    /// What did not hold, if anything.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.ground.step
    }

    /// Virtual time, microseconds from the start.
    pub fn now_us(&self) -> Micros {
        self.ground.now
    }

    /// The hash over all that happened so far.
    pub fn trace(&self) -> u64 {
        self.ground.trace.value()
    }

    /// The scenario as the seed has varied it.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The troubles that the seed has drawn.
    pub fn plan(&self) -> &[Trouble] {
        &self.plan
    }

    /// From now on happenings are kept, for [`take_happenings`](Self::take_happenings).
    pub fn listen(&mut self) {
        self.ground.silent = false;
    }

    /// What happened since it was last asked.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.ground.happenings)
    }

    fn judge(&mut self, check: Check) {
        if let Err(Breach { invariant, what }) = check {
            let (step, at_us) = (self.ground.step, self.ground.now);
            self.violation = Some(Violation { invariant, what, step, at_us });
            self.over = true;
        }
    }

    fn act(&mut self, due: Due) -> Check {
        let Self { nodes, clients, ground, .. } = self;
        let nodes_now = nodes.len() as u32;
        // Clients know some addresses more, where nodes may be added.
        let hosts = (nodes_now + SPARE_HOSTS).min(NODES_MAX);
        match due {
            Due::AtBucket { ticket, ask } => ground.at_bucket(ticket, ask),
            Due::Late(ask) => ground.late(ask),
            Due::FromBucket { ticket, .. } => with(nodes, ticket.node, |node| node.take(due, ground)),
            Due::Wake { node, .. } | Due::Done { node, .. } => {
                with(nodes, node, |node| node.take(due, ground))
            }
            Due::AtNode { node, call } if node >= nodes_now => {
                ground.hang_up(node, &call);
                Ok(())
            }
            Due::AtNode { node, .. } => with(nodes, node, |node| node.take(due, ground)),
            Due::AtClient { client, .. } | Due::Filed { client, .. } | Due::ClientWakes { client, .. } => {
                with(clients, client, |client| client.take(due, ground))
            }
            Due::Start(End::Node(node)) => with(nodes, node, |node| node.start(ground)),
            Due::Start(End::Client(client)) => with(clients, client, |client| client.start(hosts, ground)),
            Due::Start(End::Bucket) => Ok(()),
            Due::Torn { node, life } => self.torn(node, life),
            Due::Rows { client } => self.rows(client),
            Due::Begins(at) => self.begins(at),
            Due::Ends(at) => self.ends(at),
            Due::Scripted(at) => match self.scenario.script.get(at).cloned() {
                Some(scripted) => self.do_command(scripted.command),
                None => Ok(()),
            },
            Due::Quiet => self.becomes_quiet(),
            Due::Operator => {
                self.ground.after(OPERATOR_US, Due::Operator);
                self.operator()
            }
            Due::Look => {
                self.ground.after(LOOK_US, Due::Look);
                self.look()
            }
        }
    }

    fn rows(&mut self, client: u32) -> Check {
        if self.ground.now > self.scenario.quiet_from_us + ROWS_UNTIL_US {
            return Ok(());
        }
        self.ground.after(self.client_settings.every_us, Due::Rows { client });
        let ground = &mut self.ground;
        with(&mut self.clients, client, |client| client.make(ground))
    }

    fn torn(&mut self, node: u32, life: u32) -> Check {
        let ground = &mut self.ground;
        with(&mut self.nodes, node, |node| {
            if node.life == life {
                node.kill(false, ground);
                node.start_after(node.settings.restart_us, ground);
            }
            Ok(())
        })
    }

    fn becomes_quiet(&mut self) -> Check {
        self.quiet = true;
        self.ground.tell(End::Bucket, What::Quiet);
        let whole_run = |trouble: &Trouble| trouble.until_us >= self.scenario.until_us;
        let stays: Vec<Trouble> = self.ground.weather.in_force().iter().copied().filter(whole_run).collect();
        self.ground.weather.clear();
        stays.into_iter().for_each(|trouble| self.ground.weather.begins(trouble));
        let ground = &mut self.ground;
        for node in &mut self.nodes {
            node.mend(ground);
            node.comes_back(ground);
        }
        Ok(())
    }
}

/// Does something with one of these, if there is such a one.
pub(super) fn with<T>(all: &mut [T], at: u32, work: impl FnOnce(&mut T) -> Check) -> Check {
    all.get_mut(at as usize).map_or(Ok(()), work)
}
