//! Why a partition is as it is, and when what comes next is due.

use super::partition::{Partition, Step, Table};
use super::{Form, Machine, PolicyStatus, Task, TaskKind, Ttl};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a partition, for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What it consists of.
    pub form: Form,
    /// Why nothing else is done right now.
    pub because: Because,
    /// What comes next, if anything.
    pub next: Option<Next>,
}

/// The stages of a table's policy as moments, in the table's unit: a partition that ends up to there is old enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// For TO PARQUET.
    pub to_parquet: Option<i64>,
    /// For TO REMOTE.
    pub to_remote: Option<i64>,
    /// For DROP LOCAL.
    pub drop_local: Option<i64>,
}

/// What comes next for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The first task of it.
    pub kind: TaskKind,
    /// The earliest time by the instance's clock, microseconds since 1970: a check or a retry. `None`: it depends on newer
    /// rows alone.
    pub at_us: Option<i64>,
    /// It also takes a row at least that new, in the table's unit, as there is none yet.
    pub newest_needed: Option<i64>,
}

/// Why nothing else is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// It is the last partition.
    Active,
    /// There is no policy, or it is not in force.
    Policy {
        /// What becomes of it.
        status: PolicyStatus,
    },
    /// It is not old enough for the next stage.
    Young,
    /// The next check will find it.
    Due,
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Running {
        /// What it does.
        task: Task,
        /// It was taken back, and has yet to end.
        cancelled: bool,
    },
    /// It failed, and waits to be tried again.
    Retry {
        /// Tries so far.
        tries: u32,
        /// Why it failed.
        reason: String,
    },
    /// It was given up until the partition or the policy changes.
    GivenUp {
        /// What.
        kind: TaskKind,
        /// Tries.
        tries: u32,
        /// Why it failed.
        reason: String,
    },
    /// No stage is left for it.
    Settled,
}

impl Machine {
    /// Why a partition is as it is; `None` if it is not known.
    pub fn why(&self, now_us: i64, table: &str, floor: i64) -> Option<Why> {
        let table = self.tables.get(table)?;
        let partition = table.partitions.get(&floor)?;
        let form = partition.seen.form;
        if let Some(running) = partition.running.and_then(|id| self.running.get(&id)) {
            let because = Because::Running { task: running.task.clone(), cancelled: running.cancelled };
            return Some(Why { form, because, next: None });
        }
        let steps = table.steps(floor, now_us, &self.settings);
        if let Some(step) = steps.iter().copied().find(|step| !partition.gave_up(*step)) {
            let at_us = Some(partition.due.unwrap_or(self.next_check).max(now_us));
            let next = Next { kind: step.kind(), at_us, newest_needed: None };
            return Some(Why { form, because: waiting(partition, step, now_us), next: Some(next) });
        }
        let next = self.next_stage(now_us, table, partition);
        if let Some((step, tries)) = steps.first().and_then(|step| Some((step, partition.tries.get(step)?))) {
            let (tries, reason) = (tries.count, tries.reason.clone());
            return Some(Why { form, because: Because::GivenUp { kind: step.kind(), tries, reason }, next });
        }
        let status = table.status(&self.settings);
        let because = if table.is_last(floor) && partition.is_local() {
            Because::Active
        } else if status != PolicyStatus::Active && partition.is_local() {
            Because::Policy { status }
        } else if next.is_some() {
            Because::Young
        } else {
            Because::Settled
        };
        Some(Why { form, because, next })
    }

    /// Up to which moments partitions are old enough for the stages of the table's policy, whether or not it is in force.
    ///
    /// `None` without a policy or rows. The moments move with the clock and the newest timestamp.
    pub fn lines(&self, now_us: i64, table: &str) -> Option<Lines> {
        let table = self.tables.get(table)?;
        let policy = table.policy?;
        let reference = table.reference(now_us, &self.settings)?;
        let line = |ttl: Option<Ttl>| ttl.map(|ttl| table.calendar().expiry_line(reference, ttl.stored()));
        Some(Lines {
            to_parquet: line(policy.to_parquet),
            to_remote: line(policy.to_remote),
            drop_local: line(policy.drop_local),
        })
    }

    /// The stage that the partition will be old enough for next.
    fn next_stage(&self, now: i64, table: &Table, partition: &Partition) -> Option<Next> {
        let seen = &partition.seen;
        let active = table.status(&self.settings) == PolicyStatus::Active;
        if !active || !partition.is_local() || table.is_last(seen.floor) {
            return None;
        }
        let policy = table.policy?;
        let parquet = policy.to_parquet.filter(|_| seen.form == Form::Native && !seen.partial);
        let remote = policy.to_remote.filter(|_| seen.remote != Some(seen.version));
        let stages = [(Step::Parquet, parquet), (Step::Upload, remote), (Step::Drop, policy.drop_local)];
        let ceiling = table.calendar().ceiling(seen.floor);
        let (moment, step) = stages
            .into_iter()
            .filter_map(|(step, ttl)| Some((table.calendar().expires_at(ceiling, ttl?.stored()), step)))
            .filter(|(_, step)| !partition.gave_up(*step))
            .min_by_key(|(moment, _)| *moment)?;
        let newest_needed = Some(moment).filter(|moment| table.newest.is_none_or(|newest| newest < *moment));
        let at_us = self.settings.use_wall_clock.then(|| self.check_at(table.in_micros(moment).max(now)));
        Some(Next { kind: step.kind(), at_us, newest_needed })
    }

    /// The first check at or after a moment.
    fn check_at(&self, moment: i64) -> i64 {
        let interval = self.settings.check_interval_us.max(1);
        let behind = moment.saturating_sub(self.next_check).max(0);
        let checks = behind / interval + i64::from(behind % interval != 0);
        self.next_check.saturating_add(checks.saturating_mul(interval))
    }
}

fn waiting(partition: &Partition, step: Step, now: i64) -> Because {
    let tries = partition.tries.get(&step).filter(|tries| !tries.reason.is_empty());
    match (partition.due, tries) {
        (Some(due), Some(tries)) if due > now => {
            Because::Retry { tries: tries.count, reason: tries.reason.clone() }
        }
        (Some(_), _) => Because::Queued,
        (None, _) => Because::Due,
    }
}

/// One sentence, without a full stop.
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("the last partition is never touched"),
            Self::Policy { status } => f.write_str(match status {
                PolicyStatus::None => "the table has no storage policy",
                PolicyStatus::Active => "the storage policy is active",
                PolicyStatus::Disabled => "the storage policy is disabled",
                PolicyStatus::SuspendedByTtl => "the table has a TTL, which suspends the storage policy",
                PolicyStatus::Off => "storage.policy.worker.count is 0 on this instance",
            }),
            Self::Young => f.write_str("not old enough for the next stage"),
            Self::Due => f.write_str("the next check will find it"),
            Self::Queued => f.write_str("waits for a worker"),
            Self::Running { task, cancelled: false } => write!(f, "{}, try {}", task.kind, task.attempt),
            Self::Running { task, cancelled: true } => write!(f, "{}, taken back", task.kind),
            Self::Retry { tries, reason } => write!(f, "failed {tries} times, will be tried again: {reason}"),
            Self::GivenUp { kind, tries, reason } => {
                let tries = if *tries == 1 { "one try".to_owned() } else { format!("{tries} tries") };
                write!(
                    f,
                    "{kind} was given up after {tries}, until the partition or the policy changes: {reason}"
                )
            }
            Self::Settled => f.write_str("no stage is left for it"),
        }
    }
}

/// The task's name as QuestDB writes such names: `PARQUET_CONVERSION`.
impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ParquetConversion => "PARQUET_CONVERSION",
            Self::ParquetCommit => "PARQUET_COMMIT",
            Self::NativeConversion => "NATIVE_CONVERSION",
            Self::RemoteUpload => "REMOTE_UPLOAD",
            Self::DropLocal => "DROP_LOCAL",
        })
    }
}
