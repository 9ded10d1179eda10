//! Transactions that are neither plain rows nor changes of structure.

use super::table::{FileTable, Garbage};
use crate::apply::{Touch, apply_commits, apply_other, learn_symbol_order};
use crate::table::files::BitmapWriter;
use crate::table::{Partition, Standing};
use crate::wal::{
    Commit, Event, Files, Result, SegmentMetas, SqlEvent, Transaction, Ttl, TxnRecord, read_transaction_with,
};
use std::sync::Arc;

/// The command code of an UPDATE in the log.
const UPDATE: i32 = 3;

impl FileTable {
    /// Applies and publishes a single transaction of any kind but a structural change.
    ///
    /// # Errors
    /// What reading the log or writing files answers.
    pub fn apply_single(
        &mut self,
        log: &dyn Files,
        log_dir: &str,
        record: &TxnRecord,
        metas: &mut SegmentMetas,
    ) -> Result<()> {
        match read_transaction_with(log, log_dir, record, metas)? {
            Transaction::Rows(commit) => {
                if let Some((segment, _)) = record.segment()
                    && let Some(meta) = metas.get(segment, record.structure_version)
                {
                    learn_symbol_order(&mut self.table, log, segment.wal, meta, &commit.symbols)?;
                }
                self.apply_commit(&commit, record)
            }
            Transaction::Event(Event::Sql(sql)) => self.apply_statement(&sql, record),
            Transaction::Event(Event::Truncate) => {
                self.truncate();
                self.publish(std::slice::from_ref(record))
            }
            Transaction::Drop => {
                self.table.standing = Standing::Dropped { seq_txn: record.seq_txn };
                self.keep()
            }
            _ => self.publish(std::slice::from_ref(record)),
        }
    }

    /// Applies a commit that replaces a range.
    fn apply_commit(&mut self, commit: &Commit, record: &TxnRecord) -> Result<()> {
        let calendar = self.table.calendar();
        let (mut lo, mut hi) = commit.replace.unwrap_or((commit.min_ts, commit.max_ts));
        if commit.rows > 0 {
            (lo, hi) = (lo.min(commit.min_ts), hi.max(commit.max_ts));
        }
        let floors: Vec<i64> =
            self.table.partitions.range(calendar.floor(lo)..=hi).map(|(&floor, _)| floor).collect();
        self.topped_to_native(&floors)?;
        self.bring(&floors)?;
        if commit.replace.is_some() {
            self.miss(record.seq_txn, commit.replace);
        }
        let effect = apply_commits(&mut self.table, std::slice::from_ref(commit));
        self.nulls.extend(commit.symbols.iter().filter(|diff| diff.has_null).map(|diff| diff.column));
        self.extend_dictionaries()?;
        self.scale_dictionaries()?;
        self.store_touched(effect.partitions.iter().map(|(&floor, effect)| (floor, effect.touch)))?;
        self.publish(std::slice::from_ref(record))
    }

    fn apply_statement(&mut self, sql: &SqlEvent, record: &TxnRecord) -> Result<()> {
        if sql.command == UPDATE {
            self.miss(record.seq_txn, None);
            self.update(sql, record)?;
            if matches!(self.table.standing, Standing::Suspended { .. }) {
                self.keep()?;
                return self.collect_garbage();
            }
            self.extend_dictionaries()?;
            self.scale_dictionaries()?;
            return self.publish(std::slice::from_ref(record));
        }
        if words(&sql.sql).1.windows(2).any(|pair| pair == ["add", "index"]) {
            // Before anything of the statement is in memory: this publishes.
            self.all_to_native()?;
        }
        let before = self.table.schema.clone();
        let transaction = Transaction::Event(Event::Sql(sql.clone()));
        let shown = self.show_away();
        let rewrite = apply_other(&mut self.table, &transaction, record);
        if matches!(self.table.standing, Standing::Suspended { .. }) {
            self.stub_partitions();
            return self.keep();
        }
        let partitions = self.table.partitions.iter();
        self.parquet =
            partitions.filter(|(_, partition)| partition.parquet).map(|(&floor, _)| floor).collect();
        self.hide_away(shown);
        if self.table.schema.ttl != before.ttl {
            self.meta.ttl = match self.table.schema.ttl {
                0 => Ttl::None,
                hours @ 1.. => Ttl::Hours(hours as u32),
                months => Ttl::Months(months.unsigned_abs()),
            };
            self.meta_changed = true;
        }
        self.store_touched(rewrite.effect.partitions.iter().map(|(&floor, effect)| (floor, effect.touch)))?;
        self.extend_dictionaries()?;
        self.apply_setting(&sql.sql)?;
        self.publish(std::slice::from_ref(record))
    }

    /// Brings partitions into memory.
    pub(super) fn bring(&mut self, floors: &[i64]) -> Result<()> {
        for &floor in floors {
            let mut partition = self.load_partition(floor)?;
            partition.parquet = self.parquet.contains(&floor);
            self.table.partitions.insert(floor, Arc::new(partition));
        }
        Ok(())
    }

    /// Writes what changed in memory, and lets all rows go again.
    pub(super) fn store_touched(&mut self, touched: impl Iterator<Item = (i64, Touch)>) -> Result<()> {
        let touched: Vec<(i64, Touch)> = touched.collect();
        for (floor, touch) in touched {
            if touch == Touch::None {
                continue;
            }
            let Some(partition) = self.table.partitions.get(&floor).cloned() else { continue };
            if !partition.let_go {
                let partition: &Partition = &partition;
                self.store_partition(partition)?;
            }
        }
        self.drop_missing()?;
        self.stub_partitions();
        Ok(())
    }

    fn truncate(&mut self) {
        for part in std::mem::take(&mut self.txn.partitions) {
            let folder = self.folder(part.ts, part.name_txn);
            self.garbage.push(Garbage::Folder(folder));
        }
        self.newest.clear();
        self.parquet.clear();
        self.away = Arc::default();
        self.versions.truncate();
        self.versions_changed = true;
        (self.txn.min_ts, self.txn.max_ts) = (i64::MAX, i64::MIN);
        self.txn.data_version += 1;
        self.txn.truncate_version += 1;
        self.txn.partition_table_version += 1;
        self.stub_partitions();
    }

    /// Carries out what a statement says of indexes, caches, capacities and parameters; anything else of this kind
    /// changes nothing that a query sees.
    fn apply_setting(&mut self, sql: &str) -> Result<()> {
        let (words, lower) = words(sql);
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        if let Some(at) = lower.windows(2).position(|pair| pair == ["set", "param"]) {
            for pair in lower.get(at + 2..).unwrap_or_default().chunks(2) {
                self.set_parameter(pair);
            }
            return Ok(());
        }
        let Some(at) = lower.windows(2).position(|pair| pair == ["alter", "column"]) else { return Ok(()) };
        let (Some(name), Some(rest)) = (words.get(at + 2), lower.get(at + 3..)) else { return Ok(()) };
        let Some(index) = self.table.schema.find(name).map(|(index, _)| index) else { return Ok(()) };
        match rest {
            ["add", "index", settings @ ..] => {
                let capacity = match settings {
                    ["capacity", number, ..] => number.parse::<u32>().ok(),
                    _ => None,
                };
                self.add_index(index, capacity)
            }
            ["drop", "index", ..] => {
                self.set_indexed(index, false);
                Ok(())
            }
            ["symbol", "capacity", number, ..] => match number.parse::<u32>() {
                Ok(capacity) if self.dictionaries.get(index).is_some_and(Option::is_some) => {
                    self.rebuild_dictionary(index, capacity.clamp(2, 1 << 30).next_power_of_two())
                }
                _ => Ok(()),
            },
            ["cache", ..] | ["nocache", ..] => self.set_cached(index, rest.first() == Some(&"cache")),
            _ => Ok(()),
        }
    }

    /// Whether QuestDB caches a column's symbols: it looks at the dictionary's own word, too.
    fn set_cached(&mut self, index: usize, cached: bool) -> Result<()> {
        if let Some(column) = self.meta.columns.get_mut(index) {
            column.symbol_cache = cached;
            self.meta_changed = true;
        }
        let Some(Some(dictionary)) = self.dictionaries.get(index) else { return Ok(()) };
        self.write(&[dictionary.set_cached(cached)], self.syncs())
    }

    fn set_parameter(&mut self, pair: &[&str]) {
        match pair {
            ["maxuncommittedrows", value] => {
                if let Ok(rows) = value.parse() {
                    self.meta.max_uncommitted_rows = rows;
                    self.meta_changed = true;
                }
            }
            ["o3maxlag", value] => {
                if let Some(micros) = micros(value) {
                    self.meta.o3_max_lag = micros;
                    self.meta_changed = true;
                }
            }
            _ => {}
        }
    }

    fn set_indexed(&mut self, index: usize, indexed: bool) {
        if let Some(column) = Arc::make_mut(&mut self.table.schema).columns.get_mut(index) {
            column.indexed = indexed;
        }
        if let Some(column) = self.meta.columns.get_mut(index) {
            column.indexed = indexed;
            self.meta_changed = true;
        }
        if !indexed {
            for part in 0..self.txn.partitions.len() {
                let Some(files) = self.part_files(part) else { continue };
                let paths = ["k", "v"].map(|extension| files.path(index, extension));
                self.garbage.extend(paths.map(Garbage::File));
            }
        }
    }

    fn add_index(&mut self, index: usize, capacity: Option<u32>) -> Result<()> {
        let symbol = self.table.schema.columns.get(index).is_some_and(|column| column.ty.is_symbol());
        if !symbol {
            return Ok(());
        }
        if let (Some(capacity), Some(column)) = (capacity, self.meta.columns.get_mut(index)) {
            column.index_block_capacity = capacity.clamp(2, 1 << 24).next_power_of_two() as i32;
        }
        let capacity = self.meta.columns.get(index).map_or(256, |column| column.index_block_capacity.max(2));
        for part in 0..self.txn.partitions.len() {
            let Some(files) = self.part_files(part) else { continue };
            if files.columns.get(index).is_none_or(|place| place.top.is_none()) {
                continue;
            }
            let top = files.top(index);
            let keys: Vec<i32> = match files.chunk(index, top..files.rows)? {
                Some(crate::table::Chunk::Fixed { values, .. }) => {
                    values.as_chunks::<4>().0.iter().map(|key| i32::from_le_bytes(*key)).collect()
                }
                _ => Vec::new(),
            };
            let (k, v) = BitmapWriter::build(&keys, top, capacity as u32);
            for (extension, bytes) in [("v", v), ("k", k)] {
                let file = self.disk.open(&files.path(index, extension), super::disk::Open::New)?;
                file.write_at(0, &bytes)?;
                if self.syncs() {
                    file.sync()?;
                }
            }
        }
        self.set_indexed(index, true);
        Ok(())
    }
}

/// The words of a statement, as they are and in lower case.
fn words(sql: &str) -> (Vec<String>, Vec<String>) {
    let words: Vec<String> = sql
        .replace(['=', ','], " ")
        .split_whitespace()
        .map(|word| word.trim_matches('"').to_owned())
        .collect();
    let lower = words.iter().map(|word| word.trim_end_matches(';').to_lowercase()).collect();
    (words, lower)
}

/// `500us`, `10ms`, `1s`, `5m`, `2h`, `1d` in microseconds.
fn micros(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}
