//! PARQUET_COMMIT: a converted file becomes the partition. And partitions that are dropped here alone.

use super::super::table::{FileTable, Garbage};
use super::BESIDE;
use super::convert::{Converted, MadeOf, index_beside};
use crate::columnar::parquet::Options as ParquetOptions;
use crate::table::files::PARQUET_FILE;
use crate::table::files::{PartitionEntry, column_file};
use crate::wal::Result;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is the partition now.
    Published,
    /// The table has gone on, and the file is gone: why.
    Stale(&'static str),
    /// The table's partitions have to stay native, and the file is gone: [`why`](crate::table::Schema::stays_native).
    Refused(&'static str),
}

/// What became of a partition that was to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It had so many rows.
    Gone(u64),
    /// There was none.
    Absent,
    /// It is the last one, which stays.
    Active,
}

impl FileTable {
    /// Makes a converted file the partition, if the partition is still what the file was made from.
    ///
    /// # Errors
    /// What writing answers. The table is then to be opened anew; it is as before, or as after.
    pub fn commit_conversion(&mut self, converted: Converted) -> Result<Committed> {
        if let Some(why) = self.table.schema.stays_native() {
            self.disk.remove_dir(&converted.folder)?;
            return Ok(Committed::Refused(why));
        }
        if let Some(why) = self.outdated(&converted)? {
            self.disk.remove_dir(&converted.folder)?;
            return Ok(Committed::Stale(why));
        }
        let floor = converted.made_of.floor;
        let name_txn = self.name_txn();
        let folder = self.folder(floor, name_txn);
        self.disk.remove_dir(&folder)?;
        self.disk.create_dir(&folder)?;
        let beside = |name: &str| [&*converted.folder, "/", name].concat();
        let here = |name: &str| [&*folder, "/", name].concat();
        for &column in &converted.made_of.indexed {
            for extension in ["v", "k"] {
                let suffix = self.versions.default_name_txn(column);
                let name = column_file(self.column_name(column), extension, suffix);
                self.disk.rename(&index_beside(&converted.folder, column, extension), &here(&name))?;
            }
        }
        for name in converted.tops_file.into_iter().chain([PARQUET_FILE]) {
            self.disk.rename(&beside(name), &here(name))?;
        }
        if self.syncs() {
            self.disk.sync_dir(&folder)?;
            self.disk.sync_dir(&self.token.dir)?;
        }
        self.garbage.push(Garbage::Folder(converted.folder.clone()));
        self.replace_parts(
            &converted.made_of,
            PartitionEntry {
                ts: floor,
                rows: converted.rows(),
                name_txn,
                squash_count: 0,
                parquet: true,
                read_only: false,
                parquet_len: converted.bytes as i64,
            },
        );
        self.begin_at_first_row(floor);
        let symbol = |index: &usize| self.table.schema.columns.get(*index).is_some_and(|c| c.ty.is_symbol());
        self.nulls.extend(converted.tops.columns().filter(symbol));
        self.extend_dictionaries()?;
        self.stub_partitions();
        self.republish()?;
        Ok(Committed::Published)
    }

    /// Removes the file of a conversion that is not wanted any more.
    ///
    /// # Errors
    /// What removing answers.
    pub fn discard_conversion(&self, converted: Converted) -> Result<()> {
        self.disk.remove_dir(&converted.folder)
    }

    /// Writes a partition as a Parquet file and publishes it; `None` where there is no native partition of this first timestamp.
    ///
    /// # Errors
    /// What reading and writing answer.
    pub fn to_parquet(&mut self, floor: i64, options: &ParquetOptions) -> Result<Option<Committed>> {
        if let Some(why) = self.table.schema.stays_native() {
            return Ok(Some(Committed::Refused(why)));
        }
        let Some(conversion) = self.begin_conversion(floor, options) else { return Ok(None) };
        let converted = conversion.run(&|_| ())?;
        self.commit_conversion(converted).map(Some)
    }

    /// Drops a partition in this directory alone: nothing of it is in the log, and rows that come for it make a new one.
    ///
    /// # Errors
    /// What reading and writing answer.
    pub fn drop_partition(&mut self, floor: i64) -> Result<Dropped> {
        let Some(rows) = self.table.partitions.get(&floor).map(|partition| partition.rows as u64) else {
            return Ok(Dropped::Absent);
        };
        if self.table.partitions.last_key_value().is_some_and(|(last, _)| *last == floor) {
            return Ok(Dropped::Active);
        }
        self.table.partitions.remove(&floor);
        // The form that the server holds it in stays known: it decides where the server suspends.
        let server = self.parquet.clone();
        self.drop_missing()?;
        self.parquet = server;
        self.stub_partitions();
        self.republish()?;
        Ok(Dropped::Gone(rows))
    }

    /// Removes what conversions left that were never committed. To be called once, when no conversion can be under way.
    ///
    /// # Errors
    /// What removing answers.
    pub fn sweep_conversions(&self) -> Result<()> {
        for name in self.disk.list(&self.token.dir)?.unwrap_or_default() {
            if name.starts_with(BESIDE) {
                self.disk.remove_dir(&[&*self.token.dir, "/", &name].concat())?;
            }
        }
        Ok(())
    }

    /// Rows of a partition, and the bytes of its files.
    ///
    /// # Errors
    /// What looking for them answers.
    pub fn partition_size(&self, floor: i64) -> Result<(u64, u64)> {
        let (mut rows, mut bytes) = (0, 0);
        for index in self.parts_of(floor) {
            let Some(files) = self.part_files(index) else { continue };
            rows += files.rows;
            for name in self.disk.list(&files.folder)?.unwrap_or_default() {
                bytes += self.disk.len(&[&*files.folder, "/", &name].concat())?.unwrap_or(0);
            }
        }
        Ok((rows, bytes))
    }

    /// Why a file does not count any more.
    fn outdated(&self, converted: &Converted) -> Result<Option<&'static str>> {
        let Some(now) = self.made_of(converted.made_of.floor) else {
            return Ok(Some("the partition is gone"));
        };
        let then = &converted.made_of;
        if now.structure_version != then.structure_version || now.indexed != then.indexed {
            return Ok(Some("the columns have changed"));
        }
        if now != *then {
            return Ok(Some("the partition has other rows"));
        }
        let there = self.disk.len(&[&*converted.folder, "/", PARQUET_FILE].concat())?;
        Ok((there != Some(converted.bytes)).then_some("the file is gone"))
    }

    /// Enters a part in the place of all those that a partition has had.
    fn replace_parts(&mut self, old: &MadeOf, entry: PartitionEntry) {
        let at = self.parts_of(old.floor).start;
        let mut newest = None;
        for part in &old.parts {
            if at < self.txn.partitions.len() {
                self.txn.partitions.remove(at);
                newest = self.newest.remove(at);
            }
            self.versions.remove_partition(part.entry.ts);
            self.garbage.push(Garbage::Folder(part.folder.clone()));
        }
        self.txn.partitions.insert(at, entry);
        self.newest.insert(at, newest);
        self.txn.partition_table_version += 1;
        self.versions_changed = true;
    }

    /// Notes that all columns of a partition begin at its first row. The file has nulls for rows from before a column was added, and where
    /// QuestDB puts it back to native it writes them, whatever the tops were.
    fn begin_at_first_row(&mut self, ts: i64) {
        let live: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        for index in live {
            if self.versions.top(ts, index, u64::MAX) != Some(0) {
                self.versions.set(ts, index, self.versions.default_name_txn(index), 0);
            }
        }
    }
}
