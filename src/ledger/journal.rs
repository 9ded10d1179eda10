//! What an instance did, and when: `nodes/{i}/{k}.journal`.
//!
//! An instance writes the numbers in order, one small object whenever there is something to tell, at most one a minute while it
//! is idle. So that a reader need not begin at 0, each 16th begins with all tables, and each 256th sums up those before it.

use super::ClusterId;
use super::json::{Document, FORMAT};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Every so many journal objects one holds a summary of those before it.
pub const JOURNAL_ROLLUP: u64 = 256;

/// One object of an instance's journal.
///
/// ```
/// use understudy::ledger::{ClusterId, Document, Journal, JournalEntry, Note};
/// let mut journal = Journal::new(ClusterId(1), 0, "replica-1", 0);
/// journal.entries.push(JournalEntry { at_us: 5, what: Note::Applied { tables: [("t~1".into(), 7)].into() } });
/// assert_eq!(Journal::read("journal", &journal.to_bytes()?)?, journal);
/// # Ok::<(), understudy::ledger::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The version, 1.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The instance's number.
    pub node: u32,
    /// Its name.
    pub name: String,
    /// Which object of its journal: 0, 1, 2 ...
    pub k: u64,
    /// The instance's clock when the object was written, microseconds since 1970.
    pub written_us: i64,
    /// In each 16th: the last transaction applied of every table before the first entry, by directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BTreeMap<String, u64>>,
    /// In each 16th: what was told before and still holds: the role, errors, tables that are not replicated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<JournalEntry>,
    /// In each 16th: digests and partitions of the entries since the newest summary, of each the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<JournalEntry>,
    /// At each 256th: what the 255 objects before it tell, of progress one entry for each minute; of digests and partitions the
    /// last of each, however long ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<JournalEntry>,
    /// What happened, in order.
    pub entries: Vec<JournalEntry>,
}

/// Something that an instance did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// By the instance's clock, microseconds since 1970.
    pub at_us: i64,
    /// What.
    #[serde(flatten)]
    pub what: Note,
}

/// What an instance did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// It started: its program's version and its role.
    Started {
        /// E.g. `0.1.0`.
        version: String,
        /// As QuestDB names it: `primary`, `replica`.
        role: String,
    },
    /// It ended on purpose.
    Stopped {
        /// Why.
        why: String,
    },
    /// It has another role.
    Role {
        /// As QuestDB names it.
        role: String,
    },
    /// A writer: all numbers up to this one are durable. A reader: it has received all up to this one.
    Reached {
        /// The number.
        n: u64,
        /// Bytes of the objects since the last such entry.
        bytes: u64,
    },
    /// The last transaction applied (of a writer: shipped) of tables that moved, by directory.
    Applied {
        /// Directory and `seqTxn`.
        tables: BTreeMap<String, u64>,
    },
    /// Digests of its own tables.
    Digests {
        /// Directory to `seqTxn` and digest, 32 hex digits.
        tables: BTreeMap<String, (u64, String)>,
    },
    /// A table was taken from a copy.
    Base {
        /// The table's directory.
        table: String,
        /// The transaction that the copy holds.
        seq_txn: u64,
        /// Why.
        why: String,
    },
    /// A snapshot's manifest is in the bucket.
    Snapshot {
        /// The number that it is named after.
        n: u64,
    },
    /// Partitions as they are stored changed: how each stands now. Of those that changed often, only the last is told.
    Partitions {
        /// The table's directory.
        table: String,
        /// The last transaction applied when it was looked.
        seq_txn: u64,
        /// The partitions that changed, oldest first. At most some hundreds are in one object; the others are in those after it.
        partitions: Vec<StoredPartition>,
    },
    /// A table, or with no table the whole instance, can't go on.
    Error {
        /// The table's directory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        table: Option<String>,
        /// What is wrong and what to do.
        text: String,
    },
    /// What was wrong is over.
    Recovered {
        /// The table's directory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        table: Option<String>,
    },
    /// A primary answered an operator's request.
    Answered {
        /// The request's number.
        request: u64,
        /// Whether it is done; else it is refused.
        done: bool,
        /// What became of it, or why it is refused.
        text: String,
    },
    /// A primary: the storage policies of all tables that have one, by directory.
    Policies {
        /// Directory to policy.
        tables: BTreeMap<String, PolicyNote>,
    },
    /// Tables that are not replicated, by directory, with the reason.
    NotReplicated {
        /// Directory to reason.
        tables: BTreeMap<String, String>,
    },
    /// A writer was fenced: somebody else continues the history.
    Fenced {
        /// The number at which its directory was sealed.
        n: u64,
        /// Transactions that it had and the history does not contain, by table: the first and the last one.
        lost: BTreeMap<String, (u64, u64)>,
    },
    /// A storage policy on this instance: what becomes of it, or of a task that it wants.
    PolicyStep {
        /// The table's directory.
        table: String,
        /// The partition as QuestDB names it; none: of the whole table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partition: Option<String>,
        /// `defined`, `status`, `wished`, `queued`, `started`, `done`, `stale`, `cancelled`, `failed`, `given_up`.
        step: String,
        /// `PARQUET_CONVERSION`, `PARQUET_COMMIT`, `NATIVE_CONVERSION`, `REMOTE_UPLOAD`, `DROP_LOCAL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// The policy, what becomes of it, or why a task failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The instance was retired by an operator.
    Removed,
    /// What a later version tells.
    #[serde(other)]
    Unknown,
}

/// How an instance stores one partition of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPartition {
    /// As QuestDB names it: `2026-08-01`, `2026-08-01T05`, `2026-W31`, `default`. Split parts count as one partition.
    pub name: String,
    /// Rows in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: u64,
    /// Bytes of its files as they are stored; of a remote one, of its object. 0 where it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Where and in what form.
    #[serde(default, skip_serializing_if = "PartitionForm::is_native")]
    pub form: PartitionForm,
    /// Its digest, if it is known, 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl StoredPartition {
    /// One that an instance has no longer.
    pub fn dropped(name: String) -> Self {
        Self { name, rows: 0, bytes: 0, form: PartitionForm::Dropped, digest: None }
    }
}

/// In what form an instance stores a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartitionForm {
    /// QuestDB's column files.
    #[default]
    Native,
    /// Column files, from which a Parquet file is being made.
    Converting,
    /// A Parquet file in the table's folder.
    Parquet,
    /// A Parquet file in the object store alone.
    Remote,
    /// This instance has it no longer.
    Dropped,
    /// What a later version stores.
    #[serde(other)]
    Unknown,
}

impl PartitionForm {
    fn is_native(&self) -> bool {
        *self == Self::Native
    }
}

/// As the journal has it: `native`, `parquet`.
impl fmt::Display for PartitionForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Converting => "converting",
            Self::Parquet => "parquet",
            Self::Remote => "remote",
            Self::Dropped => "dropped",
            Self::Unknown => "unknown",
        })
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A table's storage policy, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNote {
    /// As between the parentheses of `STORAGE POLICY(...)`.
    pub policy: String,
    /// `A` active, `D` disabled.
    pub status: String,
    /// The table's TTL, which wins over the policy while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

impl JournalEntry {
    /// Takes this entry into what holds: a newer role takes the place of the older one, an error is over when it is recovered
    /// from. A process that starts tells its errors anew.
    pub fn hold(&self, holds: &mut Vec<Self>) {
        let over = |old: &Note| match (&self.what, old) {
            (Note::Started { .. }, _) | (Note::Role { .. }, Note::Role { .. }) => true,
            (Note::Stopped { .. }, Note::Stopped { .. }) => true,
            (Note::NotReplicated { .. }, Note::NotReplicated { .. }) => true,
            (Note::Policies { .. }, Note::Policies { .. }) => true,
            (
                Note::PolicyStep { table, partition: None, .. },
                Note::PolicyStep { table: old, partition: None, .. },
            ) => table == old,
            (Note::Error { table, .. } | Note::Recovered { table }, Note::Error { table: old, .. }) => {
                table == old
            }
            (Note::Base { table, .. }, Note::Error { table: Some(old), .. }) => table == old,
            _ => false,
        };
        holds.retain(|old| !over(&old.what));
        let lasts = matches!(
            self.what,
            Note::Started { .. }
                | Note::Stopped { .. }
                | Note::Role { .. }
                | Note::NotReplicated { .. }
                | Note::Policies { .. }
                | Note::PolicyStep { partition: None, .. }
                | Note::Error { .. }
                | Note::Fenced { .. }
                | Note::Removed
        );
        if lasts {
            holds.push(self.clone());
        }
    }
}

impl Journal {
    /// An object of the journal with nothing in it yet.
    pub fn new(cluster: ClusterId, node: u32, name: &str, k: u64) -> Self {
        let (format, name) = (FORMAT, name.to_owned());
        Self {
            format,
            cluster,
            node,
            name,
            k,
            written_us: 0,
            state: None,
            holds: Vec::new(),
            recent: Vec::new(),
            summary: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Whether this object begins with all tables.
    pub fn is_full(k: u64) -> bool {
        k.is_multiple_of(16)
    }

    /// Whether this object sums up those before it.
    pub fn is_rollup(k: u64) -> bool {
        k % JOURNAL_ROLLUP == JOURNAL_ROLLUP - 1
    }

    /// The newest object below `end` that sums up those before it.
    pub fn rollup_before(end: u64) -> Option<u64> {
        (end / JOURNAL_ROLLUP * JOURNAL_ROLLUP).checked_sub(1)
    }
}

impl Document for Journal {
    const BYTES_MAX: u64 = 16 << 20;

    fn format(&self) -> u32 {
        self.format
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_hold_until_they_are_over() {
        let error = |table: &str| Note::Error { table: Some(table.into()), text: "x".into() };
        let mut holds = Vec::new();
        let mut tell = |what| {
            JournalEntry { at_us: 0, what }.hold(&mut holds);
            holds.len()
        };
        let started = || Note::Started { version: "1".into(), role: "replica".into() };
        assert_eq!((tell(started()), tell(error("a")), tell(error("b")), tell(error("a"))), (1, 2, 3, 3));
        assert_eq!(tell(Note::Recovered { table: Some("a".into()) }), 2);
        assert_eq!(tell(Note::Base { table: "b".into(), seq_txn: 1, why: String::new() }), 1);
        assert_eq!((tell(error("a")), tell(Note::Reached { n: 1, bytes: 0 }), tell(started())), (2, 2, 1));
    }

    #[test]
    fn a_partition_is_told_in_few_bytes() {
        let day = |name: &str, form| StoredPartition {
            name: name.into(),
            rows: 5,
            bytes: 80,
            form,
            digest: (form == PartitionForm::Remote).then(|| "0".repeat(32)),
        };
        let gone = StoredPartition { rows: 0, bytes: 0, ..day("2026-07-31", PartitionForm::Dropped) };
        let partitions =
            vec![gone, day("2026-08-01", PartitionForm::Native), day("2026-08-02", PartitionForm::Remote)];
        let what = Note::Partitions { table: "t~1".into(), seq_txn: 7, partitions };
        let entry = JournalEntry { at_us: 1, what };
        let text = serde_json::to_string(&entry).unwrap();
        let zeros = "0".repeat(32);
        let expected = format!(
            r#"{{"at_us":1,"what":"partitions","table":"t~1","seq_txn":7,"partitions":[{{"name":"2026-07-31","form":"dropped"}},{{"name":"2026-08-01","rows":5,"bytes":80}},{{"name":"2026-08-02","rows":5,"bytes":80,"form":"remote","digest":"{zeros}"}}]}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<JournalEntry>(&text).unwrap(), entry);
        let later: StoredPartition = serde_json::from_str(r#"{"name":"x","form":"engraved"}"#).unwrap();
        assert_eq!(later.form, PartitionForm::Unknown);
    }

    #[test]
    fn notes_of_later_versions_are_passed_over() {
        let text = r#"{"format":1,"cluster":"00000000000000000000000000000001","node":0,"name":"a","k":3,"written_us":9,
            "entries":[{"at_us":1,"what":"danced","with":["x"]},{"at_us":2,"what":"reached","n":4,"bytes":5}]}"#;
        let journal = Journal::read("x", text.as_bytes()).unwrap();
        assert_eq!(journal.entries[0].what, Note::Unknown);
        assert_eq!(journal.entries[1].what, Note::Reached { n: 4, bytes: 5 });
        assert!(Journal::is_full(0) && Journal::is_full(16) && !Journal::is_full(15));
        assert_eq!(
            [255, 256, 511, 512, 600].map(Journal::rollup_before),
            [None, Some(255), Some(255), Some(511), Some(511)]
        );
        assert!(Journal::is_rollup(255) && Journal::is_rollup(511) && !Journal::is_rollup(256));
    }
}
