use crate::policy::{Change, PolicyError, Settings, StoragePolicy, TableFacts, parse_list};
use serde::{Deserialize, Serialize};

/// Instances at most.
const INSTANCES_MAX: usize = 16;
/// Shortest interval of checks, microseconds.
const CHECK_MIN_US: i64 = 1_000_000;

/// What happens in a lab. Times are on its clock, microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabSettings {
    /// In order of time.
    pub policy: Vec<PolicyStep>,
    /// Who holds the table.
    pub instances: Vec<InstanceSettings>,
}

/// A statement about the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStep {
    /// When it comes in the log; from the start if that is later.
    pub at_us: i64,
    /// What it says.
    pub change: PolicyChange,
}

/// What a statement about the policy says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum PolicyChange {
    /// `SET STORAGE POLICY(stages)`.
    Set {
        /// E.g. `TO PARQUET 3d, DROP LOCAL 1M`.
        stages: String,
    },
    /// `DROP STORAGE POLICY`.
    Drop,
    /// `ENABLE STORAGE POLICY`.
    Enable,
    /// `DISABLE STORAGE POLICY`.
    Disable,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSettings {
    /// Its name.
    pub name: String,
    /// `storage.policy.check.interval`, microseconds.
    pub check_interval_us: i64,
    /// `storage.policy.worker.count`.
    pub workers: u32,
    /// Bytes of a native partition that a worker converts in a second.
    pub convert_bytes_per_s: u64,
    /// Bytes that it puts into the bucket in a second.
    pub upload_bytes_per_s: u64,
    /// How much its clock is ahead, microseconds.
    pub skew_us: i64,
    /// From when to when it does nothing, in order, apart from each other.
    pub pauses: Vec<(i64, i64)>,
}

impl PolicyChange {
    /// The policy after it.
    ///
    /// # Errors
    /// What the parser and the table's partitions refuse.
    pub fn applied(
        &self,
        current: Option<&StoragePolicy>,
        table: &TableFacts,
    ) -> Result<Option<StoragePolicy>, PolicyError> {
        let change = match self {
            Self::Set { stages } => Change::Set(parse_list(stages)?),
            Self::Drop => Change::Drop,
            Self::Enable => Change::Enable { position: 0 },
            Self::Disable => Change::Disable { position: 0 },
        };
        change.applied(current, table)
    }
}

impl InstanceSettings {
    pub(super) fn machine(&self) -> Settings {
        Settings {
            check_interval_us: self.check_interval_us.max(CHECK_MIN_US),
            worker_count: self.workers,
            ..Settings::default()
        }
    }

    /// When it stops and goes on, in turns.
    pub(super) fn edge(&self, index: usize) -> Option<i64> {
        let (from, to) = *self.pauses.get(index / 2)?;
        Some(if index.is_multiple_of(2) { from } else { to.max(from) })
    }
}

impl LabSettings {
    /// In the order and within the limits that a lab keeps to.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.policy.sort_by_key(|step| step.at_us);
        self.instances.truncate(INSTANCES_MAX);
        for instance in &mut self.instances {
            instance.pauses.sort_unstable();
        }
        self
    }
}
