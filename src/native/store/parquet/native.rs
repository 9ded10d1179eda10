//! A partition in Parquet form back into column files.

use super::super::disk::Open;
use super::super::table::{FileTable, Garbage};
use super::column_files::ColumnFiles;
use super::reader::PartFile;
use super::tops::Tops;
use crate::table::files::{BitmapWriter, PartitionEntry, column_file};
use crate::table::{Calendar, Chunk};
use crate::wal::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;

/// A part that is being put back.
struct PuttingBack<'a> {
    table: &'a FileTable,
    entry: PartitionEntry,
    file: PartFile<'a>,
    /// The folder that it gets.
    folder: String,
    tops: Tops,
}

impl FileTable {
    /// Puts a partition's parts in Parquet form back into column files, and publishes that; answers whether there were any.
    ///
    /// # Errors
    /// What reading and writing answer: a file that is gone or damaged leaves all as it is.
    pub fn to_native(&mut self, floor: i64) -> Result<bool> {
        let any = self.put_back_parts(self.parts_of(floor))?;
        if any {
            self.stub_partitions();
            self.republish()?;
        }
        Ok(any)
    }

    /// Puts all partitions back that are in Parquet form, one after the other.
    pub(in super::super) fn all_to_native(&mut self) -> Result<()> {
        let floors: Vec<i64> = self.table.partitions.keys().copied().collect();
        floors.into_iter().try_for_each(|floor| self.to_native(floor).map(drop))
    }

    /// Puts those partitions back that some of these timestamps belong to.
    pub(in super::super) fn rows_to_native(&mut self, timestamps: &[i64]) -> Result<()> {
        let calendar = self.table.calendar();
        let parquet = self.txn.partitions.iter().filter(|part| part.parquet);
        let mut floors: Vec<i64> = parquet.map(|part| calendar.floor(part.ts)).collect();
        floors.dedup();
        let Some(end) = floors.last().map(|&last| calendar.ceiling(last)) else { return Ok(()) };
        let late = |mut late: BTreeSet<i64>, ts: &i64| {
            late.insert(calendar.floor(*ts));
            late
        };
        let late = timestamps.par_iter().filter(|ts| **ts < end).fold(BTreeSet::new, late);
        let late = late.reduce(BTreeSet::new, |a, b| &a | &b);
        floors.retain(|floor| late.contains(floor));
        floors.into_iter().try_for_each(|floor| self.to_native(floor).map(drop))
    }

    /// Puts those of these partitions back in which columns begin below the first row: read from the file, that would not be seen.
    pub(in super::super) fn topped_to_native(&mut self, floors: &[i64]) -> Result<()> {
        for &floor in floors {
            let mut topped = false;
            for entry in self.txn.partitions.get(self.parts_of(floor)).unwrap_or_default() {
                topped |= entry.parquet && Tops::are_in(&*self.disk, &self.folder(entry.ts, entry.name_txn))?;
            }
            if topped {
                self.to_native(floor)?;
            }
        }
        Ok(())
    }

    fn put_back_parts(&mut self, parts: Range<usize>) -> Result<bool> {
        let mut any = false;
        for index in parts {
            let Some(entry) = self.txn.partitions.get(index).copied().filter(|entry| entry.parquet) else {
                continue;
            };
            let old = self.folder(entry.ts, entry.name_txn);
            let new = PartitionEntry { name_txn: self.name_txn(), parquet: false, parquet_len: -1, ..entry };
            let folder = self.folder(new.ts, new.name_txn);
            let tops = self.write_native(entry, &old, folder)?;
            if let Some(place) = self.txn.partitions.get_mut(index) {
                *place = new;
            }
            self.garbage.push(Garbage::Folder(old));
            self.versions.remove_partition(new.ts);
            for (column, top) in tops {
                if self.versions.top(new.ts, column, u64::MAX) != Some(top) {
                    self.versions.set(new.ts, column, self.versions.default_name_txn(column), top);
                }
            }
            self.txn.partition_table_version += 1;
            self.versions_changed = true;
            any = true;
        }
        Ok(any)
    }

    /// Writes a part's column files into a folder; answers the tops of the columns that it has.
    fn write_native(&self, entry: PartitionEntry, old: &str, folder: String) -> Result<Vec<(usize, u64)>> {
        let len = u64::try_from(entry.parquet_len).unwrap_or(0);
        let file = PartFile::open(&*self.disk, &self.table.schema, old, len)?;
        file.expect_rows(entry.rows)?;
        let tops = Tops::load(&*self.disk, old, len)?;
        self.disk.remove_dir(&folder)?;
        self.disk.create_dir(&folder)?;
        let putting = PuttingBack { table: self, entry, file, folder, tops };
        let columns: Vec<usize> = self.table.schema.live().map(|(index, _)| index).collect();
        let written: Vec<Option<(usize, u64)>> = columns
            .into_par_iter()
            .with_max_len(1)
            .map(|index| Ok(putting.column(index)?.map(|top| (index, top))))
            .collect::<Result<_>>()?;
        if self.syncs() {
            self.disk.sync_dir(&putting.folder)?;
            self.disk.sync_dir(&self.token.dir)?;
        }
        Ok(written.into_iter().flatten().collect())
    }
}

impl PuttingBack<'_> {
    /// Writes a column's files; answers its top, or `None` where the part does not have the column.
    fn column(&self, index: usize) -> Result<Option<u64>> {
        let table = self.table;
        let Some(column) = table.table.schema.columns.get(index) else { return Ok(None) };
        let later = table.versions.added_at(index).is_some_and(|added| added > self.entry.ts);
        let absent = self.tops.absent.contains(&index) || !self.file.has(index);
        if absent && later {
            return Ok(None);
        }
        let name_txn = table.versions.default_name_txn(index);
        let path =
            |extension: &str| [&*self.folder, "/", &column_file(&column.name, extension, name_txn)].concat();
        let rows = self.entry.rows;
        let top = if absent { rows } else { self.tops.tops.get(&index).copied().unwrap_or(0).min(rows) };
        let mut files = ColumnFiles::create(&*table.disk, column.ty, path)?;
        let indexed = column.indexed && column.ty.is_symbol();
        let mut keys: Vec<i32> = Vec::new();
        let mut last = i64::MIN;
        let symbols = table.table.dictionary(index).map_or(0, |symbols| symbols.len() as u32);
        self.file.each(index, symbols, top..rows, |chunk| {
            if index == table.table.schema.timestamp {
                last = self.check_times(chunk, last)?;
            }
            if indexed && let Chunk::Fixed { values, .. } = chunk {
                keys.extend(values.as_chunks::<4>().0.iter().map(|key| i32::from_le_bytes(*key)));
            }
            files.append(chunk)
        })?;
        let sync = table.syncs();
        let mut bytes = files.finish(sync)?;
        if indexed {
            let capacity =
                table.meta.columns.get(index).map_or(256, |column| column.index_block_capacity.max(2));
            let (k, v) = BitmapWriter::build(&keys, top, capacity as u32);
            for (extension, content) in [("v", v), ("k", k)] {
                let file = table.disk.open(&path(extension), Open::New)?;
                file.write_at(0, &content)?;
                if sync {
                    file.sync()?;
                }
                bytes += content.len() as u64;
            }
        }
        table.written.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        Ok(Some(top))
    }

    /// Timestamps don't decrease, and belong into the part: all that follows relies on it.
    fn check_times(&self, chunk: &Chunk, before: i64) -> Result<i64> {
        let Chunk::Fixed { values, .. } = chunk else { return Ok(before) };
        let calendar: Calendar = self.table.table.calendar();
        let (floor, end) = (self.entry.ts, calendar.ceiling(self.entry.ts));
        let mut last = before.max(floor);
        for word in values.as_chunks::<8>().0 {
            let ts = i64::from_le_bytes(*word);
            if ts < last || ts >= end {
                let expected = format_args!("timestamps that don't decrease, from {floor} to below {end}");
                return Err(Error::damaged(self.file.path(), 0, expected, format_args!("{ts} after {last}")));
            }
            last = ts;
        }
        Ok(last)
    }
}
