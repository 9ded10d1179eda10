//! Commits on their way: which transaction is in which pack, and what the history holds of each table.

use crate::ledger::{Pack, Sum, What};
use std::collections::{BTreeMap, VecDeque};

/// The last transaction of each table that the history holds, by the table's directory.
pub type Held = BTreeMap<String, u64>;

/// Follows transactions from a commit to its pack, and from there to the history.
///
/// A commit is *taken* (`OK`) once it is in the node's own log, and *durable* once the pack that holds it is acknowledged
/// (rule W5).
///
/// ```
/// use understudy::ledger::Sum;
/// use understudy::node::Acks;
/// let mut acks = Acks::default();
/// acks.handed_in(7, Sum::ZERO, vec![("t~1".into(), 3)]);
/// assert!(!acks.is_durable("t~1", 3));
/// acks.acknowledge(8);
/// assert!(acks.is_durable("t~1", 3) && !acks.is_durable("t~1", 4));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Acks {
    held: Held,
    flying: VecDeque<Flying>,
}

/// A pack that is not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Flying {
    n: u64,
    sum: Sum,
    /// Tables with the last transaction that it holds.
    reached: Vec<(String, u64)>,
}

impl Acks {
    /// With what the history holds already.
    pub fn new(held: Held) -> Self {
        Self { held, flying: VecDeque::new() }
    }

    /// Pack `n` was handed in; it holds these tables up to these transactions.
    pub fn handed_in(&mut self, n: u64, sum: Sum, reached: Vec<(String, u64)>) {
        self.flying.push_back(Flying { n, sum, reached });
    }

    /// All packs below this number are in the history; answers their hashes, in order.
    pub fn acknowledge(&mut self, below: u64) -> Vec<Sum> {
        let mut sums = Vec::new();
        while let Some(first) = self.flying.pop_front_if(|first| first.n < below) {
            for (dir, last) in first.reached {
                self.reach(dir, last);
            }
            sums.push(first.sum);
        }
        sums
    }

    /// A pack of the history was read.
    pub fn read(&mut self, pack: &Pack) {
        for entry in &pack.tables {
            let dir = &entry.token.dir;
            match &entry.what {
                What::Transactions(run) => self.reach(dir.clone(), run.last_seq_txn()),
                What::Base { seq_txn, .. } => self.reach(dir.clone(), *seq_txn),
                What::Created { .. } => self.reach(dir.clone(), 0),
                What::Dropped => {
                    self.held.remove(dir);
                }
                What::Renamed { .. } | What::Digests { .. } => {}
            }
        }
    }

    /// Lets go of what was handed in and never acknowledged.
    pub fn forget_flying(&mut self) {
        self.flying.clear();
    }

    /// Whether this transaction is in the history for good.
    pub fn is_durable(&self, dir: &str, seq_txn: u64) -> bool {
        self.held.get(dir).is_some_and(|held| *held >= seq_txn)
    }

    /// What the history holds, as far as this node knows.
    pub fn held(&self) -> &Held {
        &self.held
    }

    fn reach(&mut self, dir: String, seq_txn: u64) {
        let held = self.held.entry(dir).or_default();
        *held = seq_txn.max(*held);
    }
}

/// The tables of a pack with the last transaction that it holds of each: what [`Event::Cut`](super::Event::Cut) tells.
pub fn reached(pack: &Pack) -> Vec<(String, u64)> {
    let mut acks = Acks::default();
    acks.read(pack);
    acks.held.into_iter().collect()
}
