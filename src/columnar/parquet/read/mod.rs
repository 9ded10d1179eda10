//! Reads Parquet files into QuestDB's own layout: those that QuestDB writes in place of a partition's column files,
//! ours, and those of other tools.
//!
//! The bytes may be anybody's: no length in them is believed before the bytes are there.

mod column;
mod footer;
mod native;
mod page;
mod partition;
mod thrift;
mod values;

pub use column::ColumnReader;
pub use partition::{FileRows, ParquetForm};

use self::footer::{FileColumn, Footer, Layout};
use super::kind::{DESIGNATED, Physical, physical};
use crate::wal::cursor::Gather;
use crate::wal::{ColumnType, Error, Files, Result};
use std::ops::Range;
use std::sync::Arc;

/// A Parquet file whose footer is read.
#[derive(Debug, Clone)]
pub struct ParquetFile {
    path: Arc<str>,
    len: u64,
    footer: Arc<Footer>,
}

impl ParquetFile {
    /// Opens the file at `path`, of `len` bytes; what is behind them is no part of it.
    ///
    /// # Errors
    /// What the files answer, and [`Error::Damaged`] for what is no Parquet file.
    pub fn open(files: &dyn Files, path: &str, len: u64) -> Result<Self> {
        Ok(Self { path: path.into(), len, footer: Arc::new(Footer::read(files, path, len)?) })
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.footer.rows
    }

    /// The first row of each row group, and the end.
    pub fn bounds(&self) -> Vec<u64> {
        let mut bounds = vec![0];
        let mut end = 0;
        for group in &self.footer.groups {
            end += group.rows;
            bounds.push(end);
        }
        bounds
    }

    /// Names of the columns with their field ids, in the file's order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Option<i64>)> {
        self.footer.columns.iter().map(|column| (column.name.as_str(), column.id))
    }

    /// The place of the column with this writer index: by field id, or by `place` where the file has no ids.
    pub fn find(&self, index: usize, place: usize) -> Option<usize> {
        let columns = &self.footer.columns;
        if columns.iter().any(|column| column.id.is_some()) {
            return columns.iter().position(|column| column.id == i64::try_from(index).ok());
        }
        (place < columns.len()).then_some(place)
    }

    /// Whether the column at `place` can be read as this type.
    ///
    /// # Errors
    /// [`Error::Damaged`] for another type, [`Error::Unsupported`] for a layout that no partition has.
    pub fn check_type(&self, place: usize, ty: ColumnType) -> Result<()> {
        self.layout(place, ty).map(drop)
    }

    /// Rows `rows` of the column at `place`, as this type; keys of a SYMBOL are below `symbols`.
    ///
    /// Asks for the bytes of all row groups at once.
    ///
    /// # Errors
    /// What the files answer, and as [`check_type`](Self::check_type).
    pub fn read(
        &self,
        files: &dyn Files,
        place: usize,
        ty: ColumnType,
        symbols: u32,
        rows: Range<u64>,
    ) -> Result<ColumnReader> {
        let (column, kind, optional) = self.layout(place, ty)?;
        let mut gather = Gather::default();
        let mut groups = Vec::new();
        let (mut first, mut skip) = (0, None);
        for group in &self.footer.groups {
            let here = first..first + group.rows;
            first = here.end;
            if here.end <= rows.start || here.start >= rows.end || here.is_empty() {
                continue;
            }
            skip.get_or_insert_with(|| rows.start.saturating_sub(here.start));
            let Some(chunk) = group.chunks.get(column.leaf) else { continue };
            if let Some(bytes) = gather.add(files.read(&self.path, chunk.offset, chunk.len))? {
                groups.push(column::Group {
                    bytes,
                    start: chunk.offset,
                    rows: group.rows,
                    codec: footer::codec(&self.path, chunk)?,
                });
            }
        }
        gather.done()?;
        let mut reader = ColumnReader::new(self.path.clone(), ty, kind, optional, symbols, groups);
        reader.skip(skip.unwrap_or(0))?;
        Ok(reader)
    }

    fn layout(&self, place: usize, ty: ColumnType) -> Result<(&FileColumn, Physical, bool)> {
        let damaged = |expected: String, found: String| Error::damaged(&self.path, self.len, expected, found);
        let Some(column) = self.footer.columns.get(place) else {
            return Err(damaged(format!("column {place}"), format!("{} columns", self.footer.columns.len())));
        };
        let Layout::Flat { kind, optional } = column.layout else {
            let what = format!("column {}: {ty} in a layout of its own can't be read", column.name);
            return Err(Error::Unsupported {
                file: (*self.path).into(),
                offset: self.len,
                what: what.into(),
            });
        };
        if kind != physical(ty) {
            let expected = format!("column {} of {ty} as {:?}", column.name, physical(ty));
            return Err(damaged(expected, format!("{kind:?}")));
        }
        let described = self.footer.questdb.as_ref().and_then(|schema| schema.get(place));
        // A SYMBOL's text stands in the file, whatever its keys are.
        let as_text = ty == ColumnType::VARCHAR;
        if let Some(described) = described
            && described.column_type & i32::MAX & !designated(ty) != ty.code()
            && !(as_text && described.column_type & i32::MAX == ColumnType::SYMBOL.code())
        {
            let expected = format!("column {} of {ty}, code {}", column.name, ty.code());
            return Err(damaged(expected, format!("code {}", described.column_type)));
        }
        if ty.is_symbol() && described.and_then(|described| described.format) != Some(1) {
            let what =
                format!("column {}: a SYMBOL whose keys are not the table's can't be read", column.name);
            return Err(Error::Unsupported {
                file: (*self.path).into(),
                offset: self.len,
                what: what.into(),
            });
        }
        Ok((column, kind, optional))
    }
}

/// The bit that marks the designated timestamp: only in types where it means nothing else.
fn designated(ty: ColumnType) -> i32 {
    if ty.tag() == crate::wal::Tag::Timestamp { DESIGNATED } else { 0 }
}
