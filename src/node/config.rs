//! What a node is told to be, and what it remembers over a restart.

use super::{Held, Role};
use crate::ledger::{ClusterId, Point, WINDOW, WriterId};

/// How a node is to behave. All times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name in the cluster.
    pub name: String,
    /// `replication.role`.
    pub role: Role,
    /// An operator has put `_migrate_primary` into the directory: become primary, whoever was it.
    pub migrate: bool,
    /// Packs in flight (rule W2).
    pub window: usize,
    /// After a pack, commits are collected this long.
    pub throttle_us: u64,
    /// How often a reader that is level asks for the next object.
    pub poll_us: u64,
    /// The same at most, when nothing has come for long.
    pub poll_max_us: u64,
    /// Automatic failover, if it is on.
    pub failover: Option<Failover>,
    /// 128 random bits, new for each start of a process (rule P1); the simulator gives what makes a run repeatable.
    pub seed: u128,
}

/// The timers of automatic failover (rules L1 to L3), microseconds.
///
/// With the default ones a cluster heals within 7 s after its primary was killed: at most patience and jitter
/// (5.5 s) until the first standby claims, and a handful of requests until it serves.
///
/// ```
/// use understudy::node::Failover;
/// let failover = Failover::default();
/// assert!(failover.self_stop_us < failover.patience_us && failover.beat_us * 2 < failover.patience_us);
/// assert!(failover.patience_us + failover.jitter_us() + failover.poll_us() < 6_000_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failover {
    /// L1: a primary puts a pack at least this often.
    pub beat_us: u64,
    /// L2: a standby that has seen nothing new for this long claims.
    pub patience_us: u64,
    /// L3: a primary without a confirmation for this long refuses writes.
    pub self_stop_us: u64,
    /// Standbys of rank 0 claim first; each rank waits half the patience longer.
    pub rank: u32,
}

impl Default for Failover {
    fn default() -> Self {
        Self { beat_us: 2_000_000, patience_us: 5_000_000, self_stop_us: 4_000_000, rank: 0 }
    }
}

impl Failover {
    /// The most that chance adds to the patience.
    pub fn jitter_us(&self) -> u64 {
        self.patience_us / 10
    }

    /// How long a standby waits, without the jitter.
    pub fn wait_us(&self) -> u64 {
        let more = (self.patience_us / 2).saturating_mul(self.rank.into());
        self.patience_us.saturating_add(more)
    }

    /// How often a standby asks at least.
    pub fn poll_us(&self) -> u64 {
        (self.beat_us / 8).max(1_000)
    }

    /// What is wrong with the timers, if anything is.
    pub fn fault(&self) -> Option<&'static str> {
        if self.beat_us == 0 {
            return Some("the beat must be longer than nothing");
        }
        if self.self_stop_us >= self.patience_us {
            return Some("the self-stop time must be shorter than the patience");
        }
        (self.beat_us >= self.self_stop_us).then_some("the beat must be shorter than the self-stop time")
    }
}

impl Config {
    /// A node of this name and role with QuestDB's defaults, and no automatic failover.
    pub fn new(name: &str, role: Role, seed: u128) -> Self {
        Self {
            name: name.to_owned(),
            role,
            migrate: false,
            window: WINDOW,
            throttle_us: 1_000_000,
            poll_us: 1_000_000,
            poll_max_us: 10_000_000,
            failover: None,
            seed,
        }
    }
}

/// What a node remembers over a restart. Of a primary it is written before it takes a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The cluster whose data it has.
    pub cluster: Option<ClusterId>,
    /// The node is founding that cluster and does not know yet whether it was the first.
    pub founding: bool,
    /// All before this point is in its tables.
    pub point: Option<Point>,
    /// What of each table the history before the point holds. Of a replica that is what its tables hold.
    pub held: Held,
    /// It was a primary since its tables were last a prefix of the history: they may hold what the history does not.
    pub wrote: bool,
    /// The writers that it was or tried to be since then.
    pub own: Vec<WriterId>,
    /// The role that it was given while it ran, and the configured one at that time: it counts as long as that stays.
    pub given: Option<(Role, Role)>,
}

impl Kept {
    /// The role in which the node begins.
    pub fn role(&self, configured: Role) -> Role {
        match self.given {
            Some((given, then)) if then == configured => given,
            _ => configured,
        }
    }
}
