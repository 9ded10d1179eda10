//! How a cluster is, from its bucket alone.

use super::blobs::get_document;
use super::end::{LogEnd, head_at, log_end, size_of};
use super::nodes::{journal_end, nodes};
use super::now_us;
use crate::ledger::{Cluster, Journal, JournalEntry, Key, Note, PartitionForm, PolicyNote};
use crate::native::bucket::Bucket;
use crate::native::outcome::Failure;
use std::collections::BTreeMap;

/// Objects whose lengths are asked for one by one to tell a lag in bytes; beyond, it is not told.
const SIZES_MAX: u64 = 256;

/// A cluster's state, looked at again and again with few requests.
#[derive(Debug)]
pub struct Survey {
    bucket: Bucket,
    /// The cluster.
    pub cluster: Cluster,
    /// Where its log ends.
    pub end: LogEnd,
    /// Its instances, by number.
    pub nodes: Vec<NodeState>,
}

/// An instance, as its journal tells.
#[derive(Debug, Clone, Default)]
pub struct NodeState {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// `shipper`, `replica`.
    pub kind: String,
    /// When it wrote last, by its clock; 0 if it never did.
    pub heard_us: i64,
    /// The number that it has received, or that is durable.
    pub reached: u64,
    /// Whether it told such a number at all.
    pub has_reached: bool,
    /// The last transaction applied or shipped, by the table's directory.
    pub tables: BTreeMap<String, u64>,
    /// The newest digest, by the table's directory: `seqTxn` and digest.
    pub digests: BTreeMap<String, (u64, String)>,
    /// How it stores partitions, by the table's directory and their names; without those that it has dropped.
    pub forms: BTreeMap<String, BTreeMap<String, PartitionForm>>,
    /// What was told and still holds: roles, errors, what is not replicated.
    pub holds: Vec<JournalEntry>,
    /// The first object of its journal that was not there.
    next: u64,
}

impl NodeState {
    /// Its role as QuestDB names it.
    pub fn role(&self) -> &str {
        let role = self.holds.iter().rev().find_map(|entry| match &entry.what {
            Note::Started { role, .. } | Note::Role { role } => Some(role.as_str()),
            _ => None,
        });
        role.unwrap_or("unknown")
    }

    /// Whether an operator has retired it.
    pub fn is_removed(&self) -> bool {
        self.holds.iter().any(|entry| entry.what == Note::Removed)
    }

    /// Whether it ended on purpose.
    pub fn is_stopped(&self) -> bool {
        self.holds.iter().any(|entry| matches!(entry.what, Note::Stopped { .. }))
    }

    /// Whether another writer has taken its place.
    pub fn is_fenced(&self) -> bool {
        self.holds.iter().any(|entry| matches!(entry.what, Note::Fenced { .. }))
    }

    /// What it can't do: the table's directory, if it is about one, and what is wrong.
    pub fn errors(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.holds.iter().filter_map(|entry| match &entry.what {
            Note::Error { table, text } => Some((table.as_deref(), text.as_str())),
            _ => None,
        })
    }

    /// Of a primary: the storage policies that there are, by directory.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &PolicyNote)> {
        let tables = self.holds.iter().filter_map(|entry| match &entry.what {
            Note::Policies { tables } => Some(tables),
            _ => None,
        });
        tables.flatten().map(|(table, policy)| (table.as_str(), policy))
    }

    /// What becomes of tables' storage policies there: by directory.
    pub fn standings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.holds.iter().filter_map(|entry| match &entry.what {
            Note::PolicyStep { table, partition: None, text: Some(text), .. } => {
                Some((table.as_str(), text.as_str()))
            }
            _ => None,
        })
    }

    /// Tables that it does not replicate, with the reason.
    pub fn not_replicated(&self) -> impl Iterator<Item = (&str, &str)> {
        let tables = self.holds.iter().filter_map(|entry| match &entry.what {
            Note::NotReplicated { tables } => Some(tables),
            _ => None,
        });
        tables.flatten().map(|(table, why)| (table.as_str(), why.as_str()))
    }

    fn take(&mut self, journal: Journal) {
        self.heard_us = self.heard_us.max(journal.written_us);
        if let Some(state) = journal.state {
            self.tables = state;
            // It tells all that still holds.
            self.holds.clear();
        }
        let told = [&journal.summary, &journal.holds, &journal.recent, &journal.entries];
        for entry in told.into_iter().flatten() {
            entry.hold(&mut self.holds);
            match &entry.what {
                Note::Applied { tables } => {
                    self.tables.extend(tables.iter().map(|(dir, seq_txn)| (dir.clone(), *seq_txn)));
                }
                Note::Base { table, seq_txn, .. } => {
                    self.tables.insert(table.clone(), *seq_txn);
                }
                Note::Partitions { table, partitions, .. } => {
                    let forms = self.forms.entry(table.clone()).or_default();
                    forms.extend(partitions.iter().map(|stored| (stored.name.clone(), stored.form)));
                    forms.retain(|_, form| *form != PartitionForm::Dropped);
                }
                Note::Reached { n, .. } => (self.reached, self.has_reached) = (*n, true),
                Note::Digests { tables } => {
                    self.digests.extend(tables.iter().map(|(dir, digest)| (dir.clone(), digest.clone())));
                }
                _ => {}
            }
        }
    }
}

impl Survey {
    /// Looks at a cluster for the first time.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn new(bucket: Bucket, cluster: Cluster) -> Result<Self, Failure> {
        let end = log_end(&bucket, &cluster).await?;
        let mut survey = Self { bucket, cluster, end, nodes: Vec::new() };
        survey.look_at_nodes().await?;
        Ok(survey)
    }

    /// Looks again.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn look(&mut self) -> Result<(), Failure> {
        self.end = log_end(&self.bucket, &self.cluster).await?;
        self.look_at_nodes().await
    }

    /// How far an instance is behind the log, in objects, bytes (where that is known) and microseconds.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn lag(&self, node: &NodeState) -> Result<(u64, Option<u64>, i64), Failure> {
        let next = if node.has_reached { node.reached + 1 } else { 0 };
        let end = self.end.last.map_or(0, |last| last.n + 1);
        let objects = end.saturating_sub(next);
        if objects == 0 {
            return Ok((0, Some(0), 0));
        }
        let mut bytes = (objects <= SIZES_MAX).then_some(0);
        if let Some(sum) = &mut bytes {
            for place in (next..end).filter_map(|n| self.end.place(n)) {
                *sum += size_of(&self.bucket, place).await?.unwrap_or(0);
            }
        }
        let first = match self.end.place(next) {
            Some(place) => head_at(&self.bucket, place).await?,
            None => None,
        };
        let since = first.map_or(0, |(_, committed_us)| (now_us() - committed_us).max(0));
        Ok((objects, bytes, since))
    }

    async fn look_at_nodes(&mut self) -> Result<(), Failure> {
        for (number, node) in nodes(&self.bucket).await?.into_iter().enumerate() {
            if self.nodes.len() <= number {
                let number = number as u32;
                self.nodes.push(NodeState {
                    number,
                    name: node.name,
                    kind: node.kind,
                    ..NodeState::default()
                });
            }
        }
        for node in &mut self.nodes {
            let end = journal_end(&self.bucket, node.number, node.next).await?;
            // The newest object that begins with all tables tells all that was before it, but digests from before the summary.
            let full = end.saturating_sub(1) / 16 * 16;
            let summary = Journal::rollup_before(end).filter(|k| (node.next..full).contains(k));
            for k in summary.into_iter().chain(node.next.max(full)..end) {
                let key = Key::Journal { node: node.number, k };
                if let Some(journal) = get_document::<Journal>(&self.bucket, key).await? {
                    node.take(journal);
                }
            }
            node.next = end;
        }
        Ok(())
    }
}
