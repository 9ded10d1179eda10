//! What is known of tables and partitions, and which step is wanted next.

use super::{Form, PartitionSeen, PolicyStatus, Settings, StoragePolicy, TaskKind, Ttl};
use crate::table::calendar::Calendar;
use crate::wal::PartitionBy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change of a partition's state, in one or more tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Step {
    Drop,
    Native,
    Parquet,
    Upload,
}

impl Step {
    /// What its tasks have in common.
    pub(super) fn of(kind: TaskKind) -> Self {
        match kind {
            TaskKind::ParquetConversion | TaskKind::ParquetCommit => Self::Parquet,
            TaskKind::NativeConversion => Self::Native,
            TaskKind::RemoteUpload => Self::Upload,
            TaskKind::DropLocal => Self::Drop,
        }
    }

    /// Its first task.
    pub(super) fn kind(self) -> TaskKind {
        match self {
            Self::Parquet => TaskKind::ParquetConversion,
            Self::Native => TaskKind::NativeConversion,
            Self::Upload => TaskKind::RemoteUpload,
            Self::Drop => TaskKind::DropLocal,
        }
    }
}

/// How often a step was begun since the partition or the policy changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Tries {
    pub count: u32,
    /// Of the last failure.
    pub reason: String,
    pub given_up: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Partition {
    pub seen: PartitionSeen,
    /// The form that a statement asked for: Parquet for good, native once.
    pub wish: Option<bool>,
    pub tries: BTreeMap<Step, Tries>,
    /// When it is to be looked at, if it is in the queue.
    pub due: Option<i64>,
    /// The task that works on it.
    pub running: Option<u64>,
    /// The version of which a Parquet file is ready to be published.
    pub converted: Option<u64>,
}

impl Partition {
    pub(super) fn new(seen: PartitionSeen) -> Self {
        Self { seen, wish: None, tries: BTreeMap::new(), due: None, running: None, converted: None }
    }

    /// Whether there is something of it on this instance.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.seen.form, Form::Native | Form::Parquet)
    }

    pub(super) fn gave_up(&self, step: Step) -> bool {
        self.tries.get(&step).is_some_and(|tries| tries.given_up)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub partition_by: PartitionBy,
    pub nanos: bool,
    pub ttl: i32,
    pub newest: Option<i64>,
    pub policy: Option<StoragePolicy>,
    /// Whether a statement may be waiting for one of its partitions.
    pub wished: bool,
    /// By first timestamp.
    pub partitions: BTreeMap<i64, Partition>,
}

impl Table {
    /// One of which nothing is known yet.
    pub(super) fn unknown() -> Self {
        Self {
            partition_by: PartitionBy::NotApplicable,
            nanos: false,
            ttl: 0,
            newest: None,
            policy: None,
            wished: false,
            partitions: BTreeMap::new(),
        }
    }

    pub(super) fn calendar(&self) -> Calendar {
        Calendar::new(self.partition_by, self.nanos)
    }

    /// Microseconds in the table's unit.
    pub(super) fn in_unit(&self, micros: i64) -> i64 {
        if self.nanos { micros.saturating_mul(1_000) } else { micros }
    }

    /// The table's unit in microseconds, rounded up.
    pub(super) fn in_micros(&self, ts: i64) -> i64 {
        if self.nanos { ts.div_euclid(1_000) + i64::from(ts.rem_euclid(1_000) != 0) } else { ts }
    }

    pub(super) fn status(&self, settings: &Settings) -> PolicyStatus {
        match self.policy {
            None => PolicyStatus::None,
            Some(policy) if !policy.active => PolicyStatus::Disabled,
            Some(_) if self.ttl != 0 && settings.rules.ttl => PolicyStatus::SuspendedByTtl,
            Some(_) if settings.worker_count == 0 => PolicyStatus::Off,
            Some(_) => PolicyStatus::Active,
        }
    }

    /// Whether time alone may bring something to do.
    pub(super) fn is_concerned(&self, settings: &Settings) -> bool {
        self.wished || self.status(settings) == PolicyStatus::Active
    }

    /// The last partition: rows are expected there.
    pub(super) fn is_last(&self, floor: i64) -> bool {
        let present = |partition: &&Partition| partition.seen.form != Form::Dropped;
        self.partitions.values().rfind(present).is_some_and(|last| last.seen.floor == floor)
    }

    /// What ages are counted up to: the newest timestamp, at most the clock.
    pub(super) fn reference(&self, now_us: i64, settings: &Settings) -> Option<i64> {
        let newest = self.newest?;
        let capped = settings.use_wall_clock && settings.rules.cap;
        Some(if capped { newest.min(self.in_unit(now_us)) } else { newest })
    }

    /// Whether the partition is older than that.
    pub(super) fn outlived(&self, floor: i64, ttl: Option<Ttl>, now_us: i64, settings: &Settings) -> bool {
        let (Some(ttl), Some(reference)) = (ttl, self.reference(now_us, settings)) else { return false };
        let ceiling = self.calendar().ceiling(floor);
        let past = ceiling <= reference || !settings.rules.future;
        past && self.calendar().expired(ceiling, reference, ttl.stored())
    }

    /// The steps that are wanted of a partition, the first that can be taken first.
    pub(super) fn steps(&self, floor: i64, now_us: i64, settings: &Settings) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(partition) = self.partitions.get(&floor).filter(|partition| partition.is_local()) else {
            return steps;
        };
        if self.is_last(floor) && settings.rules.active {
            return steps;
        }
        let seen = &partition.seen;
        // A part is not converted: the whole is made of it and of what the bucket has.
        let can_become =
            |form: Form| !seen.partial && seen.form != form && matches!(form, Form::Native | Form::Parquet);
        let active = self.status(settings) == PolicyStatus::Active;
        let policy = self.policy.filter(|_| active);
        if policy.is_some_and(|policy| self.outlived(floor, policy.drop_local, now_us, settings)) {
            let upload = policy.is_some_and(|policy| policy.to_remote.is_some());
            let first = upload && settings.rules.upload_first && !uploaded(seen, settings);
            steps.push(if first { Step::Upload } else { Step::Drop });
            return steps;
        }
        match partition.wish {
            Some(true) if can_become(Form::Parquet) => steps.push(Step::Parquet),
            Some(false) if can_become(Form::Native) => steps.push(Step::Native),
            _ => {}
        }
        if let Some(policy) = policy {
            let outlived = |ttl| self.outlived(floor, ttl, now_us, settings);
            if steps.is_empty() && can_become(Form::Parquet) && outlived(policy.to_parquet) {
                steps.push(Step::Parquet);
            }
            if !uploaded(seen, settings) && outlived(policy.to_remote) {
                steps.push(Step::Upload);
            }
        }
        steps
    }

    /// The first step that is wanted and was not given up.
    pub(super) fn next_step(&self, floor: i64, now_us: i64, settings: &Settings) -> Option<Step> {
        let partition = self.partitions.get(&floor)?;
        self.steps(floor, now_us, settings).into_iter().find(|step| !partition.gave_up(*step))
    }
}

/// Whether the bucket has the partition as it is.
fn uploaded(seen: &PartitionSeen, settings: &Settings) -> bool {
    if settings.rules.merged { seen.remote == Some(seen.version) } else { seen.remote.is_some() }
}
