//! What the older objects of a journal tell, in few entries.

use super::journal::{Journal, JournalEntry, Note, StoredPartition};
use std::collections::BTreeSet;

/// One entry of a kind for each such stretch of time is kept of what is progress.
const STRETCH_US: i64 = 60_000_000;
/// Partitions that a summary tells of; of more, the ones that have not changed for the longest are left out.
const PARTITIONS_MAX: usize = 32 * 1024;

/// What is told by the objects of a journal since its last summary, and what lasts of those before: the last digest of each
/// table, and how each partition is stored.
///
/// ```
/// use understudy::ledger::{JournalEntry, Note, Summary};
/// let mut summary = Summary::default();
/// for at_us in 0..100 {
///     summary.take(JournalEntry { at_us, what: Note::Reached { n: 7, bytes: 10 } });
/// }
/// assert_eq!(summary.entries(), [JournalEntry { at_us: 0, what: Note::Reached { n: 7, bytes: 1000 } }]);
/// ```
#[derive(Debug, Default)]
pub struct Summary {
    /// Digests and partitions of earlier summaries that nothing newer was told of.
    before: Vec<JournalEntry>,
    since: Vec<JournalEntry>,
}

impl Summary {
    /// Goes on behind the newest object that has a summary.
    pub fn behind(rolled_up: Journal) -> Self {
        let mut summary = Self::default();
        rolled_up.summary.into_iter().filter(lasts).for_each(|entry| summary.take(entry));
        summary.roll();
        rolled_up.entries.into_iter().for_each(|entry| summary.take(entry));
        summary
    }

    /// Takes in an entry, newer than all before.
    pub fn take(&mut self, entry: JournalEntry) {
        match &entry.what {
            Note::Digests { tables } => {
                let known = self.before.iter_mut().chain(&mut self.since);
                known.for_each(|old| forget_digests(old, |dir| tables.contains_key(dir)));
                self.since.push(entry);
            }
            Note::Partitions { table, partitions, .. } => {
                let names: BTreeSet<&str> = partitions.iter().map(|partition| &*partition.name).collect();
                let known = self.before.iter_mut().chain(&mut self.since);
                known.for_each(|old| forget_partitions(old, table, &names));
                self.since.push(entry);
                self.limit();
            }
            // What came of it is told with the partition.
            Note::PolicyStep { partition: Some(_), .. } => return,
            _ if merge(&mut self.since, &entry) => return,
            _ => return self.since.push(entry),
        }
        self.before.retain(says_something);
        self.since.retain(says_something);
    }

    /// What the object that sums up has.
    pub fn entries(&self) -> Vec<JournalEntry> {
        self.before.iter().chain(&self.since).cloned().collect()
    }

    /// What was told of digests and partitions since the last summary.
    pub fn recent(&self) -> Vec<JournalEntry> {
        self.since.iter().filter(|entry| lasts(entry)).cloned().collect()
    }

    /// A summary has been written.
    pub fn roll(&mut self) {
        let since = std::mem::take(&mut self.since);
        self.before.extend(since.into_iter().filter(lasts));
    }

    /// Leaves out partitions until few enough are left.
    fn limit(&mut self) {
        let count = |entry: &JournalEntry| match &entry.what {
            Note::Partitions { partitions, .. } => partitions.len(),
            _ => 0,
        };
        let told: usize = self.before.iter().chain(&self.since).map(count).sum();
        let mut over = told.saturating_sub(PARTITIONS_MAX);
        for entry in self.before.iter_mut().chain(&mut self.since) {
            if let Note::Partitions { partitions, .. } = &mut entry.what {
                let gone = over.min(partitions.len());
                partitions.drain(..gone);
                over -= gone;
            }
        }
    }
}

/// Whether an entry holds until another one of the same kind comes, however late.
fn lasts(entry: &JournalEntry) -> bool {
    matches!(entry.what, Note::Digests { .. } | Note::Partitions { .. })
}

fn forget_digests(old: &mut JournalEntry, is_newer: impl Fn(&str) -> bool) {
    if let Note::Digests { tables } = &mut old.what {
        tables.retain(|dir, _| !is_newer(dir));
    }
}

fn forget_partitions(old: &mut JournalEntry, of: &str, names: &BTreeSet<&str>) {
    if let Note::Partitions { table, partitions, .. } = &mut old.what
        && table == of
    {
        partitions.retain(|StoredPartition { name, .. }| !names.contains(&**name));
    }
}

fn says_something(entry: &JournalEntry) -> bool {
    match &entry.what {
        Note::Digests { tables } => !tables.is_empty(),
        Note::Partitions { partitions, .. } => !partitions.is_empty(),
        _ => true,
    }
}

/// Adds progress to the entry of the same minute, if there is one.
fn merge(entries: &mut [JournalEntry], entry: &JournalEntry) -> bool {
    let stretch = entry.at_us / STRETCH_US;
    let mut same = entries.iter_mut().rev().take_while(|old| old.at_us / STRETCH_US == stretch);
    match &entry.what {
        Note::Applied { tables: newer } => same.any(|old| match &mut old.what {
            Note::Applied { tables } => {
                tables.extend(newer.iter().map(|(dir, seq_txn)| (dir.clone(), *seq_txn)));
                true
            }
            _ => false,
        }),
        Note::Reached { n: newer, bytes: more } => same.any(|old| match &mut old.what {
            Note::Reached { n, bytes } => {
                (*n, *bytes) = (*newer, bytes.saturating_add(*more));
                true
            }
            _ => false,
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{ClusterId, PartitionForm};

    fn partitions(at_us: i64, table: &str, names: &[&str]) -> JournalEntry {
        let partition = |name: &&str| StoredPartition {
            name: (*name).to_owned(),
            rows: at_us as u64,
            bytes: 0,
            form: PartitionForm::Native,
            digest: None,
        };
        let partitions = names.iter().map(partition).collect();
        JournalEntry { at_us, what: Note::Partitions { table: table.to_owned(), seq_txn: 1, partitions } }
    }

    fn digest(at_us: i64, dir: &str) -> JournalEntry {
        let tables = [(dir.to_owned(), (at_us as u64, "0".repeat(32)))].into();
        JournalEntry { at_us, what: Note::Digests { tables } }
    }

    fn applied(at_us: i64, seq_txn: u64) -> JournalEntry {
        JournalEntry { at_us, what: Note::Applied { tables: [("t".to_owned(), seq_txn)].into() } }
    }

    #[test]
    fn the_last_of_digests_and_partitions_is_kept_over_summaries() {
        let mut summary = Summary::default();
        let told = [
            partitions(1, "t", &["a", "b"]),
            digest(2, "t"),
            digest(3, "u"),
            applied(4, 1),
            applied(5, 2),
            partitions(6, "t", &["b"]),
        ];
        told.into_iter().for_each(|entry| summary.take(entry));
        let lasting =
            [partitions(1, "t", &["a"]), digest(2, "t"), digest(3, "u"), partitions(6, "t", &["b"])];
        assert_eq!(summary.recent(), lasting);
        assert_eq!(summary.entries()[3], applied(4, 2));
        let mut rolled_up = Journal::new(ClusterId(1), 0, "a", 255);
        rolled_up.summary = summary.entries();
        rolled_up.entries = vec![applied(7, 9), digest(8, "t")];
        summary.roll();
        rolled_up.entries.clone().into_iter().for_each(|entry| summary.take(entry));
        // Whether it goes on or is taken up again by another process.
        for summary in [summary, Summary::behind(rolled_up)] {
            assert_eq!(summary.recent(), [digest(8, "t")]);
            let expected = [
                partitions(1, "t", &["a"]),
                digest(3, "u"),
                partitions(6, "t", &["b"]),
                applied(7, 9),
                digest(8, "t"),
            ];
            assert_eq!(summary.entries(), expected);
        }
    }

    #[test]
    fn a_summary_tells_of_so_many_partitions() {
        let mut summary = Summary::default();
        let names: Vec<String> = (0..500).map(|n| format!("p{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for table in 0..100 {
            summary.take(partitions(table, &format!("t{table}"), &names));
        }
        let told = summary.entries();
        let count: usize = told
            .iter()
            .map(|entry| match &entry.what {
                Note::Partitions { partitions, .. } => partitions.len(),
                _ => 0,
            })
            .sum();
        assert_eq!(count, PARTITIONS_MAX);
        assert_eq!(told.last(), Some(&partitions(99, "t99", &names)));
    }
}
