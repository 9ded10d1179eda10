//! Tables as somebody has applied them: packs in, rows out, by the engine that replays a log anywhere.

use crate::apply::{apply_commits, apply_other, learn_symbol_order};
use crate::ledger::{Key, Mirror, News, Pack, Token};
use crate::replay::History;
use crate::table::{Standing, Table};
use crate::wal::{
    Files, SegmentMetas, SequencerLog, Transaction, TxnRecord, WalColumn, read_transaction_with,
};
use std::collections::BTreeMap;

/// The tables of a node, by directory: cloning shares all rows.
pub(super) type Tables = BTreeMap<String, TableState>;

/// A table as somebody has applied it.
#[derive(Debug, Clone)]
pub(super) struct TableState {
    pub token: Token,
    pub table: Table,
    /// The largest number of a WAL that its log names.
    pub last_wal: u32,
}

/// Applies packs.
#[derive(Debug, Default)]
pub(super) struct Engine {
    mirror: Mirror,
    tables: Tables,
    metas: BTreeMap<String, SegmentMetas>,
    /// Rows are added to tables with upsert keys as to any other one.
    without_dedup: bool,
}

/// A transaction that was applied.
#[derive(Debug)]
pub(super) struct Applied<'a> {
    pub dir: &'a str,
    pub seq_txn: u64,
    pub transaction: &'a Transaction,
    /// The table after it.
    pub table: &'a Table,
}

impl Engine {
    /// With what was applied before. `without_dedup` is a bug, put in on purpose.
    pub(super) fn new(tables: Tables, without_dedup: bool) -> Self {
        let mut mirror = Mirror::default();
        mirror.know_all(tables.values().map(|state| (state.token.clone(), state.table.seq_txn)));
        Self { mirror, tables, metas: BTreeMap::new(), without_dedup }
    }

    /// The tables where they stand.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Applies a pack, and tells of each transaction.
    ///
    /// # Errors
    /// What a person would have to look at: a pack that can't be read, or a table that can't be gone on with.
    pub(super) fn take(
        &mut self,
        key: Key,
        pack: &Pack,
        told: &mut dyn FnMut(&Applied<'_>),
    ) -> Result<(), String> {
        let news = self.mirror.take(key, pack, &BTreeMap::new()).map_err(|error| error.to_string())?;
        for news in news {
            match news {
                News::Transactions { dir, last } => self.advance(pack, &dir, last, told)?,
                News::Dropped { dir } => {
                    self.tables.remove(&dir);
                }
                News::Renamed { dir, to } => {
                    if let Some(state) = self.tables.get_mut(&dir) {
                        state.token.name.clone_from(&to);
                        state.table.name = to;
                    }
                }
                News::Broken { dir, why } => return Err(format!("{dir}: {why}")),
                News::Base { .. } | News::Digests { .. } => {}
            }
        }
        Ok(())
    }

    fn advance(
        &mut self,
        pack: &Pack,
        dir: &str,
        last: u64,
        told: &mut dyn FnMut(&Applied<'_>),
    ) -> Result<(), String> {
        let failed = |error: crate::wal::Error| format!("{dir}: {error}");
        if !self.tables.contains_key(dir) {
            let Some(entry) = pack.tables.iter().find(|entry| entry.token.dir == dir) else {
                return Err(format!("{dir}: a table that no entry of the pack names"));
            };
            let token = entry.token.clone();
            let history = History::read(self.mirror.files(), &token.as_registered(false)).map_err(failed)?;
            let table = history.genesis().map_err(failed)?;
            self.tables.insert(dir.to_owned(), TableState { token, table, last_wal: 0 });
        }
        let Some(state) = self.tables.get_mut(dir) else { return Ok(()) };
        if self.without_dedup {
            let schema = std::sync::Arc::make_mut(&mut state.table.schema);
            schema.columns.iter_mut().for_each(|column| column.upsert_key = false);
        }
        let metas = self.metas.entry(dir.to_owned()).or_default();
        replay(self.mirror.files(), state, last, metas, told)?;
        self.mirror.applied(dir, last);
        Ok(())
    }
}

/// Applies a table's log as it lies in these files, up to this transaction.
///
/// # Errors
/// What reading answers, and that the table can't be gone on with.
pub(super) fn replay(
    files: &dyn Files,
    state: &mut TableState,
    last: u64,
    metas: &mut SegmentMetas,
    told: &mut dyn FnMut(&Applied<'_>),
) -> Result<(), String> {
    let TableState { token, table, last_wal } = state;
    let dir = token.dir.as_str();
    let failed = |error: crate::wal::Error| format!("{dir}: {error}");
    let from = table.seq_txn + 1;
    if from > last {
        return Ok(());
    }
    let log = SequencerLog::open(files, dir).map_err(failed)?;
    for record in log.records(files, from..=last).map_err(failed)? {
        let transaction = read_transaction_with(files, dir, &record, metas).map_err(failed)?;
        if let Some((segment, _)) = record.segment() {
            *last_wal = segment.wal.max(*last_wal);
            if let (Transaction::Rows(commit), Some(meta)) =
                (&transaction, metas.get(segment, record.structure_version))
            {
                learn_symbol_order(table, files, segment.wal, meta, &commit.symbols).map_err(failed)?;
            }
        }
        apply(table, &transaction, &record)?;
        told(&Applied { dir, seq_txn: record.seq_txn, transaction: &transaction, table });
    }
    Ok(())
}

fn apply(table: &mut Table, transaction: &Transaction, record: &TxnRecord) -> Result<(), String> {
    match transaction {
        Transaction::Rows(commit) => drop(apply_commits(table, std::slice::from_ref(commit))),
        other => drop(apply_other(table, other, record)),
    }
    match &table.standing {
        Standing::Exact | Standing::Dropped { .. } => Ok(()),
        Standing::Suspended { seq_txn, reason } | Standing::Diverged { seq_txn, reason, .. } => {
            Err(format!("{}: transaction {seq_txn} can't be applied: {reason}", table.dir))
        }
    }
}

/// The values of a LONG column of a transaction's rows, by the column's name.
pub(super) fn longs(applied: &Applied<'_>, name: &str) -> Vec<i64> {
    let Transaction::Rows(commit) = applied.transaction else { return Vec::new() };
    let columns = &applied.table.schema.columns;
    let Some(index) = columns.iter().position(|column| column.name == name && !column.dropped) else {
        return Vec::new();
    };
    match commit.columns.get(index) {
        Some(Some(WalColumn::Fixed { values, .. })) => {
            values.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
        }
        _ => Vec::new(),
    }
}
