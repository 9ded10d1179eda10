//! What a replica is asked.

use super::super::report::Report;
use super::super::stream::Event;
use super::Replica;
use crate::ledger::{ClusterId, Point};
use crate::native::cluster::now_us;
use crate::native::outcome::Exit;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Has a waiting [`Replica::step`] return.
#[derive(Debug, Clone)]
pub struct Waker {
    pub(super) sender: Sender<Event>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Waker {
    /// Has a step that waits return.
    pub fn wake(&self) {
        // A replica that is gone needs no waking.
        let _ = self.sender.send(Event::Wake);
    }

    /// Ends the step at hand: the block under way is finished, and no other one is begun.
    pub fn stop(&self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        // A replica that is gone needs no waking.
        let _ = self.sender.send(Event::Wake);
    }
}

impl Replica {
    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster.cluster
    }

    /// The instance's number in it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Behind all that is applied.
    pub fn next(&self) -> &Point {
        self.tables.point()
    }

    /// The last transaction of each table that is applied, by directory.
    pub fn applied(&self) -> BTreeMap<String, u64> {
        let dirs = self.tables.workers().iter().map(|worker| worker.token().dir.clone());
        dirs.map(|dir| (dir.clone(), self.tables.applied(&dir))).collect()
    }

    /// Whether all that is in the log is applied, as far as it can be now.
    pub fn is_level(&self) -> bool {
        let done = self.tables.is_settled() || self.tables.waits_for_better_times();
        self.caught_up && self.waiting.is_empty() && self.snapshot.is_none() && self.comparing == 0 && done
    }

    /// What may be wrong, since the last time.
    pub fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// What else people should hear of since the last time.
    pub fn noted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.noted)
    }

    /// Transactions that are applied, and that came.
    pub fn progress(&self) -> (u64, u64) {
        self.tables.progress()
    }

    /// Ends the step at hand, from another thread.
    pub fn waker(&self) -> Waker {
        Waker { sender: self.sender.clone(), stop: self.stop.clone() }
    }

    /// How it stands.
    pub fn report(&self) -> Report {
        let mut tables = self.tables.report();
        tables.iter_mut().for_each(|table| table.policy = self.enforcer.report(&table.directory));
        let going = tables.iter().filter(|table| table.error.is_none());
        let lag_txns = going.map(|table| table.transactions.saturating_sub(table.applied)).sum();
        let waiting: u64 = self.waiting.iter().map(|ready| ready.bytes).sum();
        Report {
            result: tables.iter().fold(Exit::Ok, |worst, table| worst.worse(table.result)),
            next: self.tables.point().next.n,
            level: self.is_level(),
            lag_bytes: self.tables.held() + waiting,
            lag_txns,
            lag: self.lag(),
            tables,
        }
    }

    /// How old the oldest pack is that is not applied.
    pub fn lag(&self) -> Duration {
        let Some((_, committed_us)) = self.ages.front() else { return Duration::ZERO };
        Duration::from_micros(u64::try_from(now_us().saturating_sub(*committed_us)).unwrap_or(0))
    }
}
