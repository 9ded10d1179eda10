//! Applying what is not rows: structural changes, TRUNCATE, statements, the drop of the table.

use super::change::apply_change;
use super::effect::Effect;
use super::{remove, statement};
use crate::table::{Standing, Table};
use crate::wal::{Event, Transaction, TxnRecord};

/// An [`Effect`] with its price.
#[derive(Debug, Default)]
pub struct Rewrite {
    /// What happened.
    pub effect: Effect,
    /// Rows rewritten.
    pub work: usize,
}

/// Applies one transaction that is not rows.
///
/// It never fails: what the server would suspend the table for suspends it here, and what can't be
/// executed exactly makes it diverge; [`Table::standing`] says so. A suspended table stays at the
/// transaction before.
pub fn apply_other(table: &mut Table, transaction: &Transaction, record: &TxnRecord) -> Rewrite {
    let before = table.seq_txn;
    table.seq_txn = record.seq_txn;
    let mut rewrite = Rewrite::default();
    match transaction {
        Transaction::Change(change) => match apply_change(table, change) {
            Ok(effect) => {
                rewrite.work = if effect.partitions.is_empty() { 0 } else { table.rows() };
                rewrite.effect = effect;
            }
            Err(error) => suspend(table, before, record, error.to_string()),
        },
        Transaction::Drop => {
            rewrite.effect = remove::truncate(table);
            table.standing = Standing::Dropped { seq_txn: record.seq_txn };
        }
        Transaction::Event(Event::Truncate) => rewrite.effect = remove::truncate(table),
        Transaction::Event(Event::Sql(sql)) => match statement::execute(table, sql, record) {
            Ok(done) => rewrite = done,
            Err(reason) => suspend(table, before, record, reason.into()),
        },
        // A view's own events change no row.
        _ => {}
    }
    rewrite
}

fn suspend(table: &mut Table, before: u64, record: &TxnRecord, reason: String) {
    table.seq_txn = before;
    table.standing = Standing::Suspended { seq_txn: record.seq_txn, reason };
}
