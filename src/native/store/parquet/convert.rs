//! PARQUET_CONVERSION: a partition's Parquet file and indexes, written beside the table's partitions.

use super::super::disk::{Disk, Open};
use super::super::parts::{ColumnPlace, PartFiles};
use super::super::table::FileTable;
use super::BESIDE;
use super::tops::Tops;
use crate::apply::append_rows;
use crate::columnar::parquet::Options as ParquetOptions;
use crate::table::files::PARQUET_FILE;
use crate::table::files::{BitmapWriter, PartitionEntry};
use crate::table::{Chunk, Schema, SymbolTable};
use crate::wal::{PartitionBy, Result, TableMeta};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A partition that is to be written as a Parquet file, with all that this takes: the table can go on meanwhile.
#[derive(Debug)]
pub struct Conversion {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) schema: Arc<Schema>,
    pub(super) meta: TableMeta,
    /// By writer index, as they were: later rows add to them, and change nothing.
    pub(super) symbols: Vec<Option<SymbolTable>>,
    pub(super) made_of: MadeOf,
    /// The table's name.
    pub(super) name: String,
    pub(super) options: ParquetOptions,
    /// Where it is written.
    pub(super) folder: String,
}

/// What a file is made of: it counts as long as the table has just that.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MadeOf {
    pub(super) floor: i64,
    pub(super) parts: Vec<Part>,
    pub(super) structure_version: i64,
    /// Writer indexes of the columns with an index.
    pub(super) indexed: BTreeSet<usize>,
}

/// A part of a partition, as the table had it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) entry: PartitionEntry,
    pub(super) folder: String,
    pub(super) columns: Vec<ColumnPlace>,
}

/// A conversion that is done, and waits to be committed. Its files go when the table is next recovered, should it never be.
#[derive(Debug)]
pub struct Converted {
    pub(super) made_of: MadeOf,
    pub(super) folder: String,
    /// Name of the file of tops, if there is one.
    pub(super) tops_file: Option<&'static str>,
    pub(super) tops: Tops,
    rows: u64,
    pub(super) bytes: u64,
}

impl Converted {
    /// First timestamp of the partition.
    pub fn floor(&self) -> i64 {
        self.made_of.floor
    }

    /// The file, from the database's directory on, until it is committed or discarded.
    pub fn path(&self) -> String {
        [&*self.folder, "/", PARQUET_FILE].concat()
    }

    /// Number of rows in the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The version of the table's columns that the file has.
    pub fn structure_version(&self) -> i64 {
        self.made_of.structure_version
    }
}

impl FileTable {
    /// Takes what writing a partition as a Parquet file needs; `None` where there is no such partition, or no part of it is
    /// native. `floor` is the partition's first timestamp.
    pub fn begin_conversion(&self, floor: i64, options: &ParquetOptions) -> Option<Conversion> {
        let made_of = self.made_of(floor).filter(|_| self.table.schema.partition_by != PartitionBy::None)?;
        if made_of.parts.iter().any(|part| part.entry.parquet || part.entry.read_only) {
            return None;
        }
        Some(Conversion {
            disk: self.disk.clone(),
            schema: self.table.schema.clone(),
            meta: self.meta.clone(),
            symbols: self.table.symbols.clone(),
            made_of,
            name: self.token.name.clone(),
            options: options.clone(),
            folder: self.folder_beside(floor),
        })
    }

    /// What a file of the partition would be made of now.
    pub(super) fn made_of(&self, floor: i64) -> Option<MadeOf> {
        let parts: Vec<Part> = self
            .parts_of(floor)
            .filter_map(|index| {
                let files = self.part_files(index)?;
                let entry = *self.txn.partitions.get(index)?;
                Some(Part { entry, folder: files.folder, columns: files.columns })
            })
            .collect();
        let indexed = self.table.schema.live().filter(|(_, column)| column.indexed && column.ty.is_symbol());
        (!parts.is_empty()).then(|| MadeOf {
            floor,
            parts,
            structure_version: self.table.schema.version,
            indexed: indexed.map(|(index, _)| index).collect(),
        })
    }

    /// The places of a partition's parts in the list of parts.
    pub(super) fn parts_of(&self, floor: i64) -> Range<usize> {
        let calendar = self.table.calendar();
        let first = self.txn.partitions.partition_point(|part| part.ts < floor);
        let rest = self.txn.partitions.iter().skip(first);
        first..first + rest.take_while(|part| calendar.floor(part.ts) == floor).count()
    }

    fn folder_beside(&self, floor: i64) -> String {
        let name = self.folder(floor, -1);
        let name = name.rsplit('/').next().unwrap_or_default();
        [&*self.token.dir, "/", BESIDE, name].concat()
    }
}

impl Conversion {
    /// First timestamp of the partition.
    pub fn floor(&self) -> i64 {
        self.made_of.floor
    }

    /// Number of rows in the partition.
    pub fn rows(&self) -> u64 {
        self.made_of.parts.iter().map(|part| part.entry.rows).sum()
    }

    /// Number of values in the partition, nulls included.
    pub fn values(&self) -> u64 {
        self.rows() * self.schema.live().count() as u64
    }

    /// Writes the file, its columns on the threads of the present pool, some row groups in memory at a time. `progress` hears how
    /// many more values are done. What it wrote is gone if it fails.
    ///
    /// # Errors
    /// What reading the partition or writing the file answers; [`Error::Absent`](crate::wal::Error::Absent) also where the partition was
    /// rewritten or removed meanwhile.
    pub fn run(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Converted> {
        let done = self.try_run(progress);
        if done.is_err() {
            // What can't be removed now is found when the table is opened next.
            let _ = self.disk.remove_dir(&self.folder);
        }
        done
    }

    fn try_run(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Converted> {
        self.disk.remove_dir(&self.folder)?;
        self.disk.create_dir(&self.folder)?;
        let bytes = self.encode(&[&*self.folder, "/", PARQUET_FILE].concat(), progress)?;
        for &index in &self.made_of.indexed {
            self.write_index(index)?;
        }
        let tops = self.tops(bytes);
        let tops_file = tops.store(&*self.disk, &self.folder)?;
        self.disk.sync_dir(&self.folder)?;
        let (made_of, folder) = (self.made_of.clone(), self.folder.clone());
        Ok(Converted { made_of, folder, tops_file, tops, rows: self.rows(), bytes })
    }

    /// The values of a column in some rows of the partition, over all its parts; `None` where they are all null.
    pub(super) fn chunk(&self, column: usize, rows: Range<u64>) -> Result<Option<Chunk>> {
        let Some(ty) = self.schema.columns.get(column).map(|definition| definition.ty) else {
            return Ok(None);
        };
        let mut pieces = Vec::new();
        let mut first = 0;
        for part in &self.made_of.parts {
            let end = first + part.entry.rows;
            let here = rows.start.max(first)..rows.end.min(end);
            if here.start < here.end {
                let count = (here.end - here.start) as usize;
                let files = self.files(part);
                pieces.push((files.chunk(column, here.start - first..here.end - first)?, count));
            }
            first = end;
        }
        if pieces.iter().all(|(piece, _)| piece.is_none()) {
            return Ok(None);
        }
        if pieces.len() == 1 {
            return Ok(pieces.pop().and_then(|(piece, _)| piece));
        }
        let mut whole = Chunk::new(ty);
        for (piece, count) in &pieces {
            append_rows(&mut whole, ty, piece.as_ref(), 0, *count);
        }
        Ok(Some(whole))
    }

    fn files<'a>(&'a self, part: &Part) -> PartFiles<'a> {
        PartFiles {
            disk: &*self.disk,
            schema: &self.schema,
            folder: part.folder.clone(),
            rows: part.entry.rows,
            parquet: None,
            columns: part.columns.clone(),
        }
    }

    /// Writes a column's index over all rows, those without values included: they are nulls in the file.
    fn write_index(&self, column: usize) -> Result<()> {
        let mut keys: Vec<i32> = Vec::new();
        for part in &self.made_of.parts {
            let rows = part.entry.rows as usize;
            match self.files(part).chunk(column, 0..part.entry.rows)? {
                Some(Chunk::Fixed { values, .. }) => {
                    keys.extend(values.as_chunks::<4>().0.iter().map(|key| i32::from_le_bytes(*key)));
                }
                _ => keys.extend(std::iter::repeat_n(i32::MIN, rows)),
            }
        }
        let capacity = self.meta.columns.get(column).map_or(256, |column| column.index_block_capacity.max(2));
        let (k, v) = BitmapWriter::build(&keys, 0, capacity as u32);
        for (extension, bytes) in [("v", v), ("k", k)] {
            let path = index_beside(&self.folder, column, extension);
            let file = self.disk.open(&path, Open::New)?;
            file.write_at(0, &bytes)?;
            file.sync()?;
        }
        Ok(())
    }

    /// Where the columns begin, in a file of `bytes`.
    fn tops(&self, bytes: u64) -> Tops {
        let mut tops = Tops { bytes, ..Tops::default() };
        for (index, _) in self.schema.live() {
            let here = |part: &Part| part.columns.get(index).and_then(|place| place.top);
            if self.made_of.parts.iter().all(|part| here(part).is_none()) {
                tops.absent.insert(index);
                continue;
            }
            let mut top = 0;
            for part in &self.made_of.parts {
                let rows = here(part).unwrap_or(part.entry.rows);
                top += rows;
                if rows < part.entry.rows {
                    break;
                }
            }
            if top > 0 {
                tops.tops.insert(index, top);
            }
        }
        tops
    }
}

/// An index file that waits to be committed.
pub(super) fn index_beside(folder: &str, column: usize, extension: &str) -> String {
    format!("{folder}/{column}.{extension}")
}
