//! What the log says of each table: how far it was sent, and with which records. All that a restart needs.

use super::hints::Indexed;
use crate::ledger::{Base, Manifest, Object, Token, What};
use crate::native::outcome::{Exit, Failure};
use crate::native::policies::{self, OwnLog};
use crate::wal::{TableKind, TableToken};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Records of each table that are kept to compare with.
const EVIDENCE_MAX: usize = 64;

/// All tables of the log.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// By directory.
    pub(super) tables: BTreeMap<String, Known>,
    /// Objects, for the index.
    pub(super) indexed: Indexed,
    /// The table of storage policies.
    pub(super) policies: OwnLog,
    /// All requests before this one are answered.
    pub(super) requests: u64,
}

/// A table of the log.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// As it is called there.
    pub(super) token: Token,
    /// The last transaction that was sent.
    pub(super) last: u64,
    /// It was told to be dropped.
    pub(super) dropped: bool,
    /// Its last records there.
    pub(super) evidence: Evidence,
}

/// Records as they were sent, up to the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The first one's transaction.
    pub(super) first: u64,
    /// As the sequencer had them.
    pub(super) records: Vec<Bytes>,
}

impl Learned {
    /// Takes the next pack.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) fn pack(&mut self, object: &Object) -> Result<(), Failure> {
        let mut pack = object.pack().map_err(|error| Failure::new(Exit::Damaged, error.to_string()))?;
        let tables: BTreeSet<String> = pack.tables.iter().map(|entry| entry.token.dir.clone()).collect();
        self.indexed.object(object, tables.into_iter().collect());
        for answer in &pack.answers {
            self.requests = self.requests.max(answer.request.saturating_add(1));
        }
        let tables = self.policies.take(object.head().place.key(), std::mem::take(&mut pack.tables));
        for entry in tables {
            let known =
                self.tables.entry(entry.token.dir.clone()).or_insert_with(|| Known::new(&entry.token));
            known.token = entry.token;
            known.take(entry.what);
        }
        Ok(())
    }

    /// Takes a snapshot in place of all that came before.
    pub(super) fn snapshot(&mut self, manifest: &Manifest, bases: Vec<Base>) {
        self.tables.clear();
        let own = manifest.parts.iter().find(|part| part.name == policies::DIR);
        self.policies = OwnLog { base: own.map(|part| part.sum), packs: Vec::new() };
        self.requests = manifest.requests;
        for base in bases {
            let table = base.token();
            if table.dir == policies::DIR {
                continue;
            }
            let token = Token { dir: table.dir, id: table.id, name: table.name, kind: table.kind };
            let known = Known { last: base.seq_txn, ..Known::new(&token) };
            self.tables.insert(token.dir.clone(), known);
        }
    }

    /// Tables that are not dropped, without views.
    pub(super) fn live(&self) -> impl Iterator<Item = &Known> {
        self.tables.values().filter(|known| !known.dropped && known.token.kind != TableKind::View)
    }
}

impl Known {
    /// A table of which the log holds transactions up to `last`.
    pub(super) fn held(table: &TableToken, last: u64) -> Self {
        Self { last, ..Self::new(&super::tables::token_of(table)) }
    }

    fn new(token: &Token) -> Self {
        Self { token: token.clone(), last: 0, dropped: false, evidence: Evidence::default() }
    }

    fn take(&mut self, what: What) {
        match what {
            What::Transactions(run) => {
                self.last = run.last_seq_txn();
                self.evidence = Evidence::of(run.first_seq_txn, run.records);
            }
            What::Created { .. } => (self.last, self.evidence) = (0, Evidence::default()),
            What::Renamed { to } => self.token.name = to,
            What::Dropped => self.dropped = true,
            What::Base { seq_txn, .. } => {
                (self.last, self.dropped, self.evidence) = (seq_txn, false, Evidence::default());
            }
            What::Digests { .. } => {}
        }
    }
}

impl Evidence {
    /// The last ones of these records.
    pub(super) fn of(first: u64, mut records: Vec<Bytes>) -> Self {
        let more = records.len().saturating_sub(EVIDENCE_MAX);
        records.drain(..more);
        Self { first: first + more as u64, records }
    }

    /// The record of a transaction, if it is among them.
    pub(super) fn record(&self, seq_txn: u64) -> Option<Bytes> {
        let index = seq_txn.checked_sub(self.first)?;
        self.records.get(usize::try_from(index).ok()?).cloned()
    }

    /// The first transaction whose record is another one now, as `now` answers it.
    pub(super) fn differs(&self, now: impl Fn(u64) -> Option<Bytes>) -> Option<u64> {
        let differs = |(seq_txn, record): &(u64, &Bytes)| now(*seq_txn).as_ref() != Some(record);
        (self.first..).zip(&self.records).find(differs).map(|(seq_txn, _)| seq_txn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_records_are_kept_and_compared() {
        let record = |n: u64| Bytes::copy_from_slice(&n.to_le_bytes());
        let evidence = Evidence::of(10, (10..210).map(record).collect());
        assert_eq!((evidence.first, evidence.records.len()), (146, EVIDENCE_MAX));
        assert_eq!(evidence.differs(|n| Some(record(n))), None);
        assert_eq!(evidence.differs(|n| Some(record(if n < 150 { n } else { 0 }))), Some(150));
        assert_eq!(evidence.differs(|n| (n < 209).then(|| record(n))), Some(209));
    }
}
