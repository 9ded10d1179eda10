//! What storage policies do on a node.

use crate::native::replica::PolicyCounts;
use crate::policy::TaskKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `understudy_storage_policy_*`. Clones are handles to the same values.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    tasks: Family<TaskLabels, Counter>,
    partitions: Family<FormLabel, Gauge>,
    running: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabels {
    task: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FormLabel {
    form: &'static str,
}

impl Policy {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Tasks of storage policies that have ended, by what came of them";
        registry.register("storage_policy_tasks", help, self.tasks.clone());
        let help = "Partitions of tables with a storage policy, by the form in which they are stored here";
        registry.register("storage_policy_partitions", help, self.partitions.clone());
        let help = "Tasks of storage policies that are running";
        registry.register("storage_policy_running", help, self.running.clone());
    }

    /// Tasks since the process began, by kind, and how many are running.
    pub fn set(&self, counts: impl Iterator<Item = (TaskKind, PolicyCounts)>, running: usize) {
        for (kind, counts) in counts {
            let all = [("done", counts.done), ("failed", counts.failed), ("given_up", counts.given_up)];
            for (outcome, count) in all {
                let counter = self.tasks.get_or_create(&TaskLabels { task: kind.to_string(), outcome });
                counter.inc_by(count.saturating_sub(counter.get()));
            }
        }
        self.running.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// Partitions that are native, Parquet, in the bucket alone, and dropped.
    pub fn forms(&self, counts: [usize; 4]) {
        for (form, count) in ["native", "parquet", "remote", "dropped"].into_iter().zip(counts) {
            let gauge = self.partitions.get_or_create(&FormLabel { form });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
