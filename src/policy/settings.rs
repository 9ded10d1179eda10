//! How often, how many at a time, how stubbornly.

use super::Rules;
use serde::{Deserialize, Serialize};

/// The settings of an instance; the defaults are QuestDB's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `storage.policy.check.interval`, microseconds.
    pub check_interval_us: i64,
    /// `storage.policy.retry.interval`, microseconds.
    pub retry_interval_us: i64,
    /// `storage.policy.max.reschedule.count`: after the first try, so many more.
    pub max_reschedule_count: u32,
    /// `storage.policy.worker.count`: tasks at a time; 0 turns policies off.
    pub worker_count: u32,
    /// `cairo.ttl.use.wall.clock`: the clock caps the newest timestamp.
    pub use_wall_clock: bool,
    /// All of them but in tests.
    #[doc(hidden)]
    #[serde(skip)]
    pub rules: Rules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            check_interval_us: 300_000_000,
            retry_interval_us: 60_000_000,
            max_reschedule_count: 20,
            worker_count: 4,
            use_wall_clock: true,
            rules: Rules::ALL,
        }
    }
}

impl Settings {
    /// The most often that a step of a partition is begun while nothing about it changes.
    pub(super) fn tries_max(&self) -> u32 {
        self.max_reschedule_count.saturating_add(1)
    }
}
