//! What the machine is told, and what it answers.

use super::StoragePolicy;
use crate::wal::PartitionBy;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A table as it is now, whole: at the start, and whenever a driver likes.
    Table(TableSeen),
    /// Some partitions of a known table have changed.
    Partitions(PartitionsSeen),
    /// The table is gone, and its policy with it.
    TableGone {
        /// The table's directory.
        table: String,
    },
    /// The table's policy is this one now. It may come before the table.
    Policy {
        /// The table's directory.
        table: String,
        /// `None` if there is none any more.
        policy: Option<StoragePolicy>,
    },
    /// `ALTER TABLE CONVERT PARTITION` in the log: applies at once, with or without a policy.
    Wish {
        /// The table's directory.
        table: String,
        /// The partition's first timestamp.
        floor: i64,
        /// To Parquet, else to native.
        parquet: bool,
    },
    /// A task has ended.
    Ended {
        /// Its number.
        task: u64,
        /// How.
        outcome: Outcome,
    },
    /// The process was started anew with a state that had been kept: no task is running. Every table as it is now is to
    /// follow before time is let pass; nothing is begun before that.
    Restarted,
}

/// A table as an instance has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSeen {
    /// Its directory, e.g. `trades~12`.
    pub table: String,
    /// Unit of partitions.
    pub partition_by: PartitionBy,
    /// Whether its timestamps count nanoseconds, else microseconds.
    pub nanos: bool,
    /// As `_meta` stores it; 0 is none.
    pub ttl: i32,
    /// The newest timestamp.
    pub newest: Option<i64>,
    /// All partitions, split ones as one.
    pub partitions: Vec<PartitionSeen>,
}

/// What changed in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionsSeen {
    /// Its directory.
    pub table: String,
    /// As `_meta` stores it; 0 is none.
    pub ttl: i32,
    /// The newest timestamp.
    pub newest: Option<i64>,
    /// New ones, and those that are not as they were.
    pub changed: Vec<PartitionSeen>,
    /// First timestamps of those that are gone.
    pub gone: Vec<i64>,
}

/// A partition as an instance has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionSeen {
    /// Its first possible timestamp.
    pub floor: i64,
    /// Rows.
    pub rows: u64,
    /// Bytes on this instance.
    pub bytes: u64,
    /// What it consists of here.
    pub form: Form,
    /// Changes with the rows and the columns, and never comes back. A change of form alone leaves it as it is.
    pub version: u64,
    /// The version that is in the bucket for certain.
    pub remote: Option<u64>,
    /// What is here came late to a partition that is otherwise in the bucket only.
    pub partial: bool,
}

/// What a partition consists of on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// QuestDB's column files.
    Native,
    /// A Parquet file.
    Parquet,
    /// Nothing; it is read from the bucket.
    Remote,
    /// Nothing, and it is not read at all.
    Dropped,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskKind {
    /// Write the Parquet file beside the native partition; nobody sees it yet.
    ParquetConversion,
    /// Publish that file in the place of the native partition.
    ParquetCommit,
    /// Write the native partition, and publish it in the place of the Parquet file.
    NativeConversion,
    /// Put the partition's Parquet file into the bucket, merged with what is there already if the partition is partial.
    RemoteUpload,
    /// Remove the partition from this instance.
    DropLocal,
}

/// A piece of work for a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Unique as long as the machine's state is kept.
    pub id: u64,
    /// What to do.
    pub kind: TaskKind,
    /// The table's directory.
    pub table: String,
    /// The partition's first timestamp.
    pub floor: i64,
    /// The version that is to be worked on; with another one the task ends as [`Outcome::Stale`].
    pub version: u64,
    /// 1 for the first try.
    pub attempt: u32,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Done,
    /// The partition had another version; nothing was published.
    Stale,
    /// Nothing was published, for a reason that a person can read.
    Failed(String),
    /// Nothing was published, and nothing would be by another try, for a reason that a person can read: given up at once.
    Refused(String),
    /// The machine took it back, or did not let it publish.
    Cancelled,
}

/// What a driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Give this to a worker. It ends with [`Event::Ended`], whatever happens.
    Run(Task),
    /// Not wanted any more: stop, throw away what was written, and tell that it ended.
    Cancel {
        /// The task's number.
        task: u64,
    },
    /// Tell the operator: it will not be tried again until the partition or the policy changes.
    GiveUp {
        /// The table's directory.
        table: String,
        /// The partition's first timestamp.
        floor: i64,
        /// What could not be done.
        kind: TaskKind,
        /// Why not, the last time.
        reason: String,
    },
    /// For the instance's journal.
    Record(Transition),
}

/// A change of the machine's mind, or of the world by its doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// By the instance's clock, microseconds since 1970.
    pub at_us: i64,
    /// The table's directory.
    pub table: String,
    /// The partition's first timestamp; of the whole table if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<i64>,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What a [`Transition`] tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// The table has this policy now.
    Defined {
        /// Its stages as SQL; none: it has none any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stages: Option<String>,
        /// What becomes of it.
        status: PolicyStatus,
    },
    /// A TTL came or went.
    Status {
        /// What becomes of the policy.
        status: PolicyStatus,
    },
    /// A statement asked for a form.
    Wished {
        /// Parquet, else native.
        parquet: bool,
        /// It is the last partition, and stays as it is until there is a later one.
        waits: bool,
    },
    /// A task waits for a worker.
    Queued {
        /// Of this kind.
        kind: TaskKind,
    },
    /// A worker has it.
    Started {
        /// The task's number.
        task: u64,
        /// Its kind.
        kind: TaskKind,
        /// The version that it works on.
        version: u64,
        /// 1 for the first try.
        attempt: u32,
    },
    /// It is done.
    Done {
        /// The task's number.
        task: u64,
        /// Its kind.
        kind: TaskKind,
    },
    /// It is to be done again, as rows came meanwhile.
    Stale {
        /// The task's number.
        task: u64,
        /// Its kind.
        kind: TaskKind,
    },
    /// It was taken back.
    Cancelled {
        /// The task's number.
        task: u64,
        /// Its kind.
        kind: TaskKind,
    },
    /// It failed, and will be tried again.
    Failed {
        /// The task's number.
        task: u64,
        /// Its kind.
        kind: TaskKind,
        /// 1 for the first try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// It will not be tried again until the partition or the policy changes.
    GivenUp {
        /// What could not be done.
        kind: TaskKind,
        /// Why.
        reason: String,
    },
}

/// Whether a table's policy is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyStatus {
    /// There is none.
    None,
    /// It is.
    Active,
    /// By DISABLE STORAGE POLICY.
    Disabled,
    /// The table has a TTL, which wins.
    SuspendedByTtl,
    /// This instance has no workers for policies.
    Off,
}
