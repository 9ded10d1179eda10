//! The file of a part in Parquet form, by the table's columns.

use super::super::disk::{Disk, DiskReader};
use super::super::parts::PartFiles;
use crate::columnar::parquet::ParquetFile;
use crate::table::files::PARQUET_FILE;
use crate::table::{Chunk, Schema};
use crate::wal::{Error, Result};
use std::ops::Range;

/// Rows of a column that are decoded at a time.
const STEP: u64 = 64 * 1024;

/// A part's Parquet file, its footer read.
pub(super) struct PartFile<'a> {
    disk: &'a dyn Disk,
    schema: &'a Schema,
    file: ParquetFile,
}

impl<'a> PartFile<'a> {
    /// Opens the one of `len` bytes in a part's folder.
    pub(super) fn open(disk: &'a dyn Disk, schema: &'a Schema, folder: &str, len: u64) -> Result<Self> {
        let path = [folder, "/", PARQUET_FILE].concat();
        Ok(Self { disk, schema, file: ParquetFile::open(&DiskReader(disk), &path, len)? })
    }

    pub(super) fn path(&self) -> &str {
        self.file.path()
    }

    /// # Errors
    /// [`Error::Damaged`] unless it has so many rows.
    pub(super) fn expect_rows(&self, rows: u64) -> Result<()> {
        if self.file.rows() == rows {
            return Ok(());
        }
        let expected = format_args!("{rows} rows, as _txn says");
        Err(Error::damaged(self.path(), 0, expected, self.file.rows()))
    }

    /// Whether it has the column at a writer index.
    pub(super) fn has(&self, column: usize) -> bool {
        self.place(column).is_some()
    }

    /// Hands out the values of a column in some rows, in their order, a row group in memory at a time. Keys of a SYMBOL are below
    /// `symbols`.
    pub(super) fn each(
        &self,
        column: usize,
        symbols: u32,
        rows: Range<u64>,
        mut take: impl FnMut(&Chunk) -> Result<()>,
    ) -> Result<()> {
        let (Some(place), Some(definition)) = (self.place(column), self.schema.columns.get(column)) else {
            return Ok(());
        };
        let bounds = self.file.bounds();
        for group in bounds.iter().zip(bounds.iter().skip(1)) {
            let here = rows.start.max(*group.0)..rows.end.min(*group.1);
            if here.is_empty() {
                continue;
            }
            let mut left = here.end - here.start;
            let mut reader = self.file.read(&DiskReader(self.disk), place, definition.ty, symbols, here)?;
            while left > 0 {
                let now = left.min(STEP);
                take(&reader.next(now as usize)?)?;
                left -= now;
            }
        }
        Ok(())
    }

    fn place(&self, column: usize) -> Option<usize> {
        let position = self.schema.order.iter().position(|index| *index == column)?;
        self.file.find(column, position)
    }
}

/// The designated timestamp of a row of a part in Parquet form, whose file has `len` bytes.
pub(in super::super) fn timestamp(files: &PartFiles<'_>, len: u64, row: u64) -> Result<i64> {
    let file = PartFile::open(files.disk, files.schema, &files.folder, len)?;
    file.expect_rows(files.rows)?;
    let mut found = i64::MIN;
    file.each(files.schema.timestamp, 0, row..row + 1, |chunk| {
        found = chunk.long(0);
        Ok(())
    })?;
    Ok(found)
}
