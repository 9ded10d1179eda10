//! The log, as it arrives by the lab's clock.

use crate::apply::Touch;
use crate::replay::{History, Player, PlayerOptions};
use crate::table::{Schema, Table};
use crate::wal::{Files, Result, Transaction, TxnRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table that goes on with its log.
#[derive(Debug)]
pub(super) struct Feed {
    player: Player,
    from: u64,
    /// The next transaction, and when it arrives.
    next: Option<(i64, Transaction)>,
    /// Why the log can't be read on.
    pub(super) stopped: Option<String>,
    /// Of each partition, the transaction that changed it last.
    pub(super) versions: BTreeMap<i64, u64>,
    pub(super) now_us: i64,
}

/// A transaction that was applied.
pub(super) struct Arrived {
    pub(super) seq_txn: u64,
    pub(super) transaction: Transaction,
    /// Partitions that are not as they were, or gone.
    pub(super) touched: Vec<i64>,
    /// Its place in the log.
    pub(super) record: Option<TxnRecord>,
    /// The table before it, without rows.
    pub(super) before: Table,
}

impl Feed {
    pub(super) fn new(history: History, from: u64, options: PlayerOptions) -> Result<Self> {
        let player = Player::with_options(history, options)?;
        Ok(Self { player, from, next: None, stopped: None, versions: BTreeMap::new(), now_us: 0 })
    }

    pub(super) fn table(&self) -> &Table {
        self.player.table()
    }

    pub(super) fn history(&self) -> &History {
        self.player.history()
    }

    /// Goes to where the lab begins, and says when that is. To be called again after [`Error::Pending`](crate::wal::Error::Pending).
    pub(super) fn begin(&mut self, files: &dyn Files) -> Result<i64> {
        (self.next, self.stopped) = (None, None);
        self.player.seek(files, self.from)?;
        let table = self.player.table();
        let start = table.max_ts().map(|ts| micros(&table.schema, ts));
        self.versions = table.partitions.keys().map(|floor| (*floor, table.seq_txn)).collect();
        self.now_us = start.unwrap_or(i64::MIN);
        // Before the first rows there is no time in which anything could arrive.
        while self.peek(files)? == Some(i64::MIN) {
            self.take(files)?;
        }
        self.now_us = start.or(self.next_at()).unwrap_or(self.history().log.created_us);
        Ok(self.now_us)
    }

    /// When the next transaction arrives.
    pub(super) fn peek(&mut self, files: &dyn Files) -> Result<Option<i64>> {
        if self.next.is_none() && self.stopped.is_none() {
            match self.player.peek(files) {
                Ok(Some(transaction)) => {
                    let at = match &transaction {
                        Transaction::Rows(commit) if commit.rows > 0 => {
                            micros(&self.player.table().schema, commit.max_ts).max(self.now_us)
                        }
                        _ => self.now_us,
                    };
                    self.next = Some((at, transaction));
                }
                Ok(None) => {}
                Err(error) if error.is_pending() => return Err(error),
                Err(error) => self.stopped = Some(error.to_string()),
            }
        }
        Ok(self.next_at())
    }

    /// The same, as far as it was read.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.next.as_ref().map(|(at, _)| *at)
    }

    /// Applies it.
    pub(super) fn take(&mut self, files: &dyn Files) -> Result<Option<Arrived>> {
        // Without rows, so that blocks that nobody else holds are changed in place.
        let before = rowless(self.player.table());
        let seq_txn = before.seq_txn + 1;
        if let Err(error) = self.player.seek(files, seq_txn) {
            if !error.is_pending() {
                (self.stopped, self.next) = (Some(error.to_string()), None);
            }
            return if error.is_pending() { Err(error) } else { Ok(None) };
        }
        let Some((at, transaction)) = self.next.take() else { return Ok(None) };
        self.now_us = self.now_us.max(at);
        let table = self.player.table();
        if table.seq_txn != seq_txn {
            self.stopped = Some(format!("the server suspends the table at transaction {seq_txn}"));
            return Ok(None);
        }
        let touched = self.touched(&before.schema);
        for floor in &touched {
            if self.player.table().partitions.contains_key(floor) {
                self.versions.insert(*floor, seq_txn);
            } else {
                self.versions.remove(floor);
            }
        }
        let record = self.history().record(seq_txn).copied();
        Ok(Some(Arrived { seq_txn, transaction, touched, record, before }))
    }

    fn touched(&self, before: &Arc<Schema>) -> Vec<i64> {
        let table = self.player.table();
        let (here, known) = (table.partitions.keys(), self.versions.keys());
        let changed = match self.player.effect() {
            Some(effect) if before.version == table.schema.version => {
                let touched = effect.partitions.iter().filter(|(_, effect)| effect.touch != Touch::None);
                let gone = known.filter(|floor| !table.partitions.contains_key(floor));
                touched.map(|(floor, _)| *floor).chain(gone.copied()).collect::<Vec<_>>()
            }
            // A change of columns is a change of every partition.
            _ => here.chain(known).copied().collect(),
        };
        let unique: std::collections::BTreeSet<i64> = changed.into_iter().collect();
        unique.into_iter().collect()
    }
}

fn rowless(table: &Table) -> Table {
    Table {
        name: table.name.clone(),
        dir: table.dir.clone(),
        seq_txn: table.seq_txn,
        schema: table.schema.clone(),
        symbols: table.symbols.clone(),
        partitions: BTreeMap::new(),
        standing: table.standing.clone(),
    }
}

/// A timestamp in the table's unit as microseconds.
pub(super) fn micros(schema: &Schema, ts: i64) -> i64 {
    if schema.nanos() { ts.div_euclid(1_000) } else { ts }
}
