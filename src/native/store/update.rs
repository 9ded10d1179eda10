//! UPDATE: some partitions at a time, so that a table larger than memory can be updated.

use super::table::{FileTable, Garbage};
use crate::apply::{Touch, apply_other};
use crate::table::files::{ColumnVersions, TxnState};
use crate::table::{Standing, Table};
use crate::wal::{Event, Result, SqlEvent, Transaction, TxnRecord};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rows that are brought into memory at a time, at most; a partition of more is brought whole.
pub(super) const ROWS: u64 = 512 * 1024;

/// What an UPDATE that can't be carried out to its end leaves as it was.
struct Before {
    table: Table,
    txn: TxnState,
    versions: ColumnVersions,
    versions_changed: bool,
    newest: Vec<Option<i64>>,
    nulls: BTreeSet<usize>,
    garbage: Vec<Garbage>,
}

impl FileTable {
    /// Writes the partitions that an UPDATE changes; nothing is published. The standing tells whether it could.
    pub(super) fn update(&mut self, sql: &SqlEvent, record: &TxnRecord) -> Result<()> {
        let floors: Vec<i64> = self.table.partitions.keys().copied().collect();
        self.topped_to_native(&floors)?;
        let before = self.before();
        // Outlived partitions go in the end, as the server looks at the whole table then.
        let ttl = std::mem::take(&mut Arc::make_mut(&mut self.table.schema).ttl);
        let transaction = Transaction::Event(Event::Sql(sql.clone()));
        let mut any = false;
        for floors in self.portions() {
            let all = std::mem::take(&mut self.table.partitions);
            self.bring(&floors)?;
            let rewrite = apply_other(&mut self.table, &transaction, record);
            if self.table.standing != before.table.standing {
                self.put_back(before);
                return Ok(());
            }
            for (floor, partition) in all {
                self.table.partitions.entry(floor).or_insert(partition);
            }
            any |= rewrite.effect.partitions.values().any(|effect| effect.touch != Touch::None);
            self.store_touched(
                rewrite.effect.partitions.iter().map(|(&floor, effect)| (floor, effect.touch)),
            )?;
        }
        Arc::make_mut(&mut self.table.schema).ttl = ttl;
        if any { self.evict(std::slice::from_ref(record)) } else { Ok(()) }
    }

    /// The partitions' first timestamps, as many as are brought together; at least one portion, if an empty one.
    fn portions(&self) -> Vec<Vec<i64>> {
        let mut portions: Vec<Vec<i64>> = vec![Vec::new()];
        let mut rows = 0;
        for (&floor, partition) in &self.table.partitions {
            let here = partition.rows as u64;
            let last = portions.last_mut().filter(|floors| floors.is_empty() || rows + here <= self.portion);
            match last {
                Some(floors) => floors.push(floor),
                None => {
                    portions.push(vec![floor]);
                    rows = 0;
                }
            }
            rows += here;
        }
        portions
    }

    fn before(&self) -> Before {
        Before {
            table: self.table.clone(),
            txn: self.txn.clone(),
            versions: self.versions.clone(),
            versions_changed: self.versions_changed,
            newest: self.newest.clone(),
            nulls: self.nulls.clone(),
            garbage: self.garbage.clone(),
        }
    }

    /// Forgets what was built, and keeps only how the table stands now.
    fn put_back(&mut self, before: Before) {
        let standing: Standing = std::mem::take(&mut self.table.standing);
        let kept: BTreeSet<String> =
            before.txn.partitions.iter().map(|part| self.folder(part.ts, part.name_txn)).collect();
        let built = self.txn.partitions.iter().map(|part| self.folder(part.ts, part.name_txn));
        let built: Vec<Garbage> =
            built.filter(|folder| !kept.contains(folder)).map(Garbage::Folder).collect();
        let Before { table, txn, versions, versions_changed, newest, nulls, garbage } = before;
        self.table = table;
        self.table.standing = standing;
        (self.txn, self.newest, self.nulls) = (txn, newest, nulls);
        (self.versions, self.versions_changed) = (versions, versions_changed);
        self.garbage = garbage;
        self.garbage.extend(built);
    }
}
