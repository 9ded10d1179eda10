use super::{ATTEMPTS, AppliedTable, PartitionForm, part, read_dictionary};
use crate::table::{Partition, SymbolTable, Table};
use crate::wal::cursor::Gather;
use crate::wal::ordered::sorted;
use crate::wal::{Applied, Error, Files, Result, TableToken};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Partitions to ask for while one has to be waited for.
const AHEAD: usize = 8;

/// Reads an applied table step by step: goes on where it was after [`Error::Pending`], and keeps to a budget.
#[derive(Debug, Clone)]
pub struct Loader {
    token: TableToken,
    table: Option<AppliedTable>,
    /// By writer index, as far as they are read.
    symbols: BTreeMap<usize, SymbolTable>,
    /// By floor, as far as they are read.
    partitions: BTreeMap<i64, Arc<Partition>>,
    /// Columns that are read of every partition.
    kept: BTreeSet<usize>,
    form: Option<&'static dyn PartitionForm>,
}

impl Loader {
    /// Of this table; nothing is read yet.
    pub fn new(token: TableToken) -> Self {
        Self {
            token,
            table: None,
            symbols: BTreeMap::new(),
            partitions: BTreeMap::new(),
            kept: BTreeSet::new(),
            form: None,
        }
    }

    /// The same, for a reader of partitions in Parquet form.
    pub fn with_form(self, form: &'static dyn PartitionForm) -> Self {
        Self { form: Some(form), ..self }
    }

    /// Reads these columns of every partition from now on, since they will be upsert keys.
    pub fn keep(&mut self, columns: &BTreeSet<usize>) {
        self.kept.clone_from(columns);
        self.partitions.retain(|_, partition| !partition.let_go);
    }

    /// The table as of one commit.
    ///
    /// Partitions whose floor is in `focus` are read first, then the newest, each whole until they hold `memory`
    /// bytes; of the others only designated timestamps and upsert keys are read (they are
    /// [let go](Partition::let_go)). Called again with another `focus`, it reads what is missing of the same state.
    ///
    /// # Errors
    /// What the files answer, as long as `_txn` hasn't moved meanwhile; [`Error::Io`] if it moves faster than its
    /// files can be read; [`Error::Unsupported`] for a partition in Parquet form, if there is no reader of it.
    pub fn load(
        &mut self,
        files: &dyn Files,
        memory: usize,
        focus: Option<&RangeInclusive<i64>>,
    ) -> Result<Table> {
        for _ in 0..ATTEMPTS {
            let loaded = self.load_once(files, memory, focus);
            if loaded.as_ref().is_err_and(Error::is_pending) {
                return loaded;
            }
            // Without errors the state is whole, whether or not there is a newer one, unless rows went.
            let moved = self.moved(files)?;
            match moved {
                None => return loaded,
                Some(now) if loaded.is_ok() && self.still_there(&now) => return loaded,
                Some(now) => self.forget_changed(&now),
            }
        }
        Err(Error::Io {
            file: format!("{}/_txn", self.token.dir).into(),
            message: "changes faster than the table can be read".into(),
        })
    }

    /// What the files say of the table, once that is read.
    pub fn applied(&self) -> Option<&AppliedTable> {
        self.table.as_ref()
    }

    fn load_once(
        &mut self,
        files: &dyn Files,
        memory: usize,
        focus: Option<&RangeInclusive<i64>>,
    ) -> Result<Table> {
        if self.table.is_none() {
            self.table = Some(AppliedTable { form: self.form, ..AppliedTable::read(files, &self.token)? });
        }
        let Some(table) = &self.table else { return Err(Error::Pending) };
        let mut gather = Gather::default();
        for (index, column) in table.schema.columns.iter().enumerate() {
            let wanted = !column.dropped && column.ty.is_symbol() && !self.symbols.contains_key(&index);
            if wanted && let Some(symbols) = gather.add(read_dictionary(files, table, index))? {
                self.symbols.insert(index, symbols);
            }
        }
        let mut order = table.partitions();
        // Stable, so of equal rank the newest come first.
        order.reverse();
        let later = |floor: i64| !focus.is_some_and(|focus| focus.contains(&floor));
        let order = sorted(order, |a, b| later(a.0).cmp(&later(b.0)));
        let mut held = 0usize;
        let mut waiting = 0;
        for (floor, parts) in order {
            let whole = held < memory;
            let known = self.partitions.get(&floor);
            if known.is_none_or(|known| known.let_go == whole) {
                let schema = &table.schema;
                let key = |index: usize| schema.columns.get(index).is_some_and(|column| column.upsert_key);
                let wanted = |index: usize| {
                    whole || index == schema.timestamp || key(index) || self.kept.contains(&index)
                };
                match gather.add(part::read(files, table, floor, parts, &wanted))? {
                    Some(mut partition) => {
                        partition.let_go = !whole;
                        self.partitions.insert(floor, Arc::new(partition));
                    }
                    None => waiting += 1,
                }
            }
            held += self.partitions.get(&floor).map_or(0, |partition| partition.memory());
            if waiting >= AHEAD {
                break;
            }
        }
        gather.done()?;
        Ok(self.finish(table))
    }

    fn finish(&self, applied: &AppliedTable) -> Table {
        let mut table = applied.empty();
        for (index, symbols) in &self.symbols {
            if let Some(place) = table.symbols.get_mut(*index) {
                *place = Some(symbols.clone());
            }
        }
        table.partitions = self
            .partitions
            .iter()
            .filter(|(_, partition)| partition.rows > 0)
            .map(|(&floor, p)| (floor, p.clone()))
            .collect();
        table
    }

    /// `_txn` if it has moved since it was read, or was never read.
    fn moved(&self, files: &dyn Files) -> Result<Option<Applied>> {
        let Some(table) = &self.table else { return Ok(None) };
        let now = Applied::read(files, &self.token.dir)?;
        Ok((now.txn != table.applied.txn).then_some(now))
    }

    /// True if all that was read is still what a later `_txn` counts, with more behind it.
    fn still_there(&self, now: &Applied) -> bool {
        let Some(table) = &self.table else { return false };
        let before = &table.applied;
        let parts = before.partitions.iter().all(|part| {
            let same = now.partitions.iter().find(|now| now.ts == part.ts);
            same.is_some_and(|now| now.name_txn == part.name_txn && now.rows >= part.rows)
        });
        parts
            && now.column_version == before.column_version
            && now.truncate_version == before.truncate_version
    }

    /// Keeps the partitions that a later `_txn` counts just as they were read.
    fn forget_changed(&mut self, now: &Applied) {
        let Some(table) = self.table.take() else { return };
        self.symbols.clear();
        let before = &table.applied;
        let same = now.column_version == before.column_version
            && now.truncate_version == before.truncate_version
            && now.metadata_version == before.metadata_version;
        if !same {
            self.partitions.clear();
            return;
        }
        for (floor, parts) in table.partitions() {
            let parts = before.partitions.get(parts).unwrap_or_default();
            let still = |part: &crate::wal::AppliedPartition| now.partitions.contains(part);
            let calendar = crate::table::Calendar::new(table.schema.partition_by, table.schema.nanos());
            let count = now.partitions.iter().filter(|part| calendar.floor(part.ts) == floor).count();
            if count != parts.len() || !parts.iter().all(still) {
                self.partitions.remove(&floor);
            }
        }
    }
}
