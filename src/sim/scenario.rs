//! What is simulated: who takes part, how they are set, what goes wrong. A document in JSON; `docs/simulator.md` has it.

use super::{Begin, CLIENTS_MAX, Chance, Command, Faults, Micros, NODES_MAX, StoreKind};
use serde::{Deserialize, Serialize};

/// The version of the document.
pub const SCENARIO_FORMAT: u32 = 1;
const SECOND: Micros = 1_000_000;

/// A scenario. What a document leaves out is as in [`Scenario::default`].
///
/// ```
/// use understudy::sim::Scenario;
/// let scenario = Scenario::read(r#"{"format": 1, "name": "two replicas", "nodes": 3, "faults": ["kill", "pause"]}"#)?;
/// assert_eq!((scenario.nodes, scenario.clients), (3, 4));
/// assert!(Scenario::read(r#"{"format": 1, "nodes": 0}"#).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// 1.
    pub format: u32,
    /// For people.
    pub name: String,
    /// Nodes at the beginning, at least 1. The first one founds the cluster.
    pub nodes: u32,
    /// Clients at the beginning.
    pub clients: u32,
    /// The seed chooses settings, too: those below are then what it varies.
    pub vary: bool,
    /// Which faults the seed may choose from. None of them happens by itself without this.
    pub faults: Faults,
    /// Somebody looks after the cluster, and makes a primary where there is none for long.
    pub operator: bool,
    /// Until when faults begin; from then on everything is repaired, microseconds.
    pub quiet_from_us: Micros,
    /// The end, microseconds.
    pub until_us: Micros,
    /// The store.
    pub store: StoreKind,
    /// How the nodes are set.
    pub node: NodeSettings,
    /// How the clients are set.
    pub client: ClientSettings,
    /// What is done when, beside what the seed chooses.
    pub script: Vec<Scripted>,
    /// Tables of a real history to begin with: clients write to these from [`FORK_US`](super::FORK_US) on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin: Option<Begin>,
}

/// How nodes are set, and what the simulated machines can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSettings {
    /// Packs in flight (rule W2).
    pub window: u32,
    /// How long commits are collected for a pack, microseconds.
    pub throttle_us: Micros,
    /// How often replicas ask for the next pack, microseconds.
    pub poll_us: Micros,
    /// Automatic failover (rules L1 to L4).
    pub failover: bool,
    /// How often a primary puts a pack at least, microseconds.
    pub beat_us: Micros,
    /// How long a silence may last, microseconds.
    pub patience_us: Micros,
    /// When a primary without a confirmation refuses writes, microseconds.
    pub self_stop_us: Micros,
    /// After how long without an answer a request is given up, microseconds.
    pub timeout_us: Micros,
    /// How often a snapshot is taken, and what it holds deleted; 0 for never. Microseconds.
    pub snapshot_every_us: Micros,
    /// Every commit is on the disk before it is answered (`cairo.commit.mode=sync`), else the kernel writes when it likes.
    pub sync: bool,
    /// The storage policy of all tables, as between the parentheses of `STORAGE POLICY(...)`; empty for none.
    pub policy: String,
    /// A process that has ended is started again after this time, microseconds.
    pub restart_us: Micros,
}

/// How clients are set, and what they send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// Ask for durable acknowledgements.
    pub durable: bool,
    /// Keep what is not acknowledged on disk (store and forward); else in memory, where a kill loses it.
    pub on_disk: bool,
    /// How often a client sends a frame of rows, microseconds.
    pub every_us: Micros,
    /// Rows in a frame.
    pub rows: u32,
    /// Of 1,000 rows this many are late.
    pub late_per_mille: u32,
    /// Tables written to, 1 to 6.
    pub tables: u32,
    /// Of those this many, the first ones, have upsert keys.
    pub dedup_tables: u32,
    /// Frames that are sent before the first of them is answered, 1 to 16.
    pub in_flight: u32,
    /// A server answers OK first and tells later what is durable, as QuestDB's own protocol (QWP) does; else it answers a request
    /// that asks for that once it is, as ILP over HTTP does.
    pub two_step: bool,
}

/// A command at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripted {
    /// When, microseconds from the start.
    pub at_us: Micros,
    /// What.
    #[serde(flatten)]
    pub command: Command,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            format: SCENARIO_FORMAT,
            name: String::new(),
            nodes: 3,
            clients: 4,
            vary: false,
            faults: Faults::NONE,
            operator: true,
            quiet_from_us: 20 * SECOND,
            until_us: 40 * SECOND,
            store: StoreKind::S3,
            node: NodeSettings::default(),
            client: ClientSettings::default(),
            script: Vec::new(),
            begin: None,
        }
    }
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            window: 4,
            throttle_us: 250_000,
            poll_us: 250_000,
            failover: true,
            beat_us: 2 * SECOND,
            patience_us: 5 * SECOND,
            self_stop_us: 4 * SECOND,
            timeout_us: 2 * SECOND,
            snapshot_every_us: 5 * SECOND,
            sync: true,
            policy: String::new(),
            restart_us: 2 * SECOND,
        }
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            durable: true,
            on_disk: true,
            every_us: SECOND,
            rows: 4,
            late_per_mille: 50,
            tables: 3,
            dedup_tables: 2,
            in_flight: 1,
            two_step: false,
        }
    }
}

impl Scenario {
    /// What `understudy simulate` runs: three nodes, four clients, all kinds of fault, settings that the seed chooses.
    pub fn chaos() -> Self {
        Self { name: "chaos".into(), vary: true, faults: Faults::all(), ..Self::default() }
    }

    /// Seeds and their traces, a line each, in a run cut short: natively and in a tab the same.
    #[doc(hidden)]
    pub fn traces() -> String {
        let scenario = Self { quiet_from_us: 8 * SECOND, until_us: 12 * SECOND, ..Self::chaos() };
        let line = |seed| {
            let mut sim = super::Sim::new(&scenario, seed);
            // What has not become level in so short a time is no fault here: only the trace counts.
            while sim.step() {}
            format!("{seed} {:016x}", sim.trace())
        };
        (0..24).map(line).collect::<Vec<_>>().join("\n")
    }

    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, String> {
        let scenario: Self =
            serde_json::from_str(text).map_err(|error| format!("the scenario can't be read: {error}"))?;
        match scenario.fault() {
            None => Ok(scenario),
            Some(fault) => Err(format!("the scenario can't be run: {fault}")),
        }
    }

    /// What is wrong with it, if anything is.
    pub fn fault(&self) -> Option<String> {
        let NodeSettings { window, throttle_us, poll_us, timeout_us, .. } = self.node;
        let hour = 3_600 * SECOND;
        if self.format != SCENARIO_FORMAT {
            return Some(format!("format {}, only {SCENARIO_FORMAT} is known", self.format));
        }
        if !(1..=NODES_MAX).contains(&self.nodes) || self.clients > CLIENTS_MAX {
            return Some(format!("1 to {NODES_MAX} nodes and up to {CLIENTS_MAX} clients are possible"));
        }
        if !(1..=64).contains(&window) {
            return Some("the window is from 1 to 64".into());
        }
        if throttle_us < 1_000 || poll_us < 1_000 || timeout_us < 1_000 || self.client.every_us < 1_000 {
            return Some("throttle_us, poll_us, timeout_us and every_us are at least 1,000".into());
        }
        if self.until_us > 24 * hour || self.quiet_from_us > self.until_us {
            return Some("a run is at most a day, and becomes quiet before its end".into());
        }
        if !(1..=6).contains(&self.client.tables) || !(1..=1_000).contains(&self.client.rows) {
            return Some("clients write to 1 to 6 tables, 1 to 1,000 rows at once".into());
        }
        if !(1..=16).contains(&self.client.in_flight) {
            return Some("in_flight is from 1 to 16".into());
        }
        let begin = self.begin.as_ref()?;
        if !self.node.policy.is_empty() {
            return Some("a storage policy goes by the time of the simulator's own tables".into());
        }
        begin.write().err()
    }

    /// The scenario that this seed makes of it: the same, unless the seed is to vary it.
    pub(super) fn varied(&self, seed: u64) -> Self {
        let mut scenario = self.clone();
        if !self.vary {
            return scenario;
        }
        let chance = &mut Chance::new(seed, "scenario");
        let node = &mut scenario.node;
        scenario.store = *chance.pick(StoreKind::ALL).unwrap_or(&self.store);
        node.window = chance.between(1, 6) as u32;
        node.throttle_us = *chance.pick(&[100_000, 250_000, 500_000]).unwrap_or(&node.throttle_us);
        node.poll_us = *chance.pick(&[150_000, 250_000, 500_000]).unwrap_or(&node.poll_us);
        node.failover = chance.per_mille(600);
        node.sync = chance.per_mille(700);
        if chance.per_mille(300) {
            (node.beat_us, node.self_stop_us, node.patience_us) = (500_000, 1_200_000, 1_500_000);
        }
        node.snapshot_every_us = *chance.pick(&[0, 2 * SECOND, 5 * SECOND]).unwrap_or(&0);
        node.policy = if chance.per_mille(300) { "TO PARQUET 1d".into() } else { String::new() };
        let client = &mut scenario.client;
        client.durable = chance.per_mille(700);
        client.on_disk = chance.per_mille(700);
        client.rows = chance.between(1, 8) as u32;
        client.tables = chance.between(1, 4) as u32;
        client.dedup_tables = chance.between(0, client.tables.into()) as u32;
        client.two_step = chance.per_mille(400);
        client.in_flight = *chance.pick(&[1, 1, 2, 4]).unwrap_or(&1);
        client.late_per_mille = *chance.pick(&[0, 50, 300]).unwrap_or(&0);
        // Few kinds at a time: many at once hide each other.
        scenario.faults = self.faults.iter().filter(|_| chance.per_mille(300)).collect();
        if scenario.faults == Faults::NONE {
            scenario.faults = self.faults;
        }
        if scenario.begin.is_some() {
            scenario.node.policy = String::new();
        }
        scenario
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_read_back_and_tell_what_is_wrong() {
        let mut scenario = Scenario::chaos();
        scenario.script.push(Scripted { at_us: 5, command: Command::Kill { node: 1 } });
        let text = serde_json::to_string(&scenario).unwrap();
        assert_eq!(Scenario::read(&text).unwrap(), scenario);
        for wrong in [
            "",
            "{}{}",
            r#"{"format": 2}"#,
            r#"{"nodes": 99}"#,
            r#"{"unknown": 1}"#,
            r#"{"node": {"window": 0}}"#,
            r#"{"faults": ["nonsense"]}"#,
        ] {
            assert!(Scenario::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_seed_makes_of_it_can_be_run_and_is_the_same_each_time() {
        for seed in 0..200 {
            let varied = Scenario::chaos().varied(seed);
            assert_eq!(varied.fault(), None);
            assert_eq!(varied, Scenario::chaos().varied(seed));
        }
        let plain = Scenario::default();
        assert_eq!(plain.varied(3), plain);
    }
}
