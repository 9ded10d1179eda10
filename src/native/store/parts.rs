//! The rows of an existing part, read from its files.

use super::disk::{Disk, DiskFile, Open};
use crate::apply::backlog::{KeyColumn, Keys, OldColumn, OldRows};
use crate::table::files::column_file;
use crate::table::{
    Chunk, Schema,
    chunk::{array_entry, array_span, varchar_data_len, varchar_entry, varchar_offset, varchar_with_offset},
    null_pattern,
};
use crate::wal::{ColumnType, Error, Result, Tag};
use std::cell::RefCell;
use std::ops::Range;

/// The files of one column in one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnPlace {
    /// Suffix of the files, -1 for none.
    pub(super) name_txn: i64,
    /// Rows in front that have no values; `None` where the part does not have the column.
    pub(super) top: Option<u64>,
}

/// A part of a table in its folder.
#[derive(Debug, Clone)]
pub(super) struct PartFiles<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) schema: &'a Schema,
    /// The part's folder, from the database on.
    pub(super) folder: String,
    pub(super) rows: u64,
    /// Length of its file, where it is in Parquet form.
    pub(super) parquet: Option<u64>,
    /// By writer index.
    pub(super) columns: Vec<ColumnPlace>,
}

impl<'a> PartFiles<'a> {
    /// The path of a column's file.
    pub(super) fn path(&self, column: usize, extension: &str) -> String {
        let name = self.schema.columns.get(column).map_or("", |definition| &definition.name);
        let name_txn = self.columns.get(column).map_or(-1, |place| place.name_txn);
        [&*self.folder, "/", &column_file(name, extension, name_txn)].concat()
    }

    /// Rows in front without values; all rows where the part does not have the column.
    pub(super) fn top(&self, column: usize) -> u64 {
        self.columns.get(column).and_then(|place| place.top).unwrap_or(self.rows).min(self.rows)
    }

    /// The designated timestamp of a row.
    pub(super) fn timestamp(&self, row: u64) -> Result<Option<i64>> {
        if row >= self.rows {
            return Ok(None);
        }
        if let Some(len) = self.parquet {
            return super::parquet::timestamp(self, len, row).map(Some);
        }
        let path = self.path(self.schema.timestamp, "d");
        let mut bytes = [0; 8];
        self.disk.open(&path, Open::Read)?.read_exact_at(&path, row * 8, &mut bytes)?;
        Ok(Some(i64::from_le_bytes(bytes)))
    }

    /// The column's files; `None` where the part has no values of it.
    pub(super) fn column(&self, column: usize, ty: ColumnType) -> Result<Option<OldFiles>> {
        if self.top(column) >= self.rows {
            return Ok(None);
        }
        let data_path = self.path(column, "d");
        let data = self.disk.open(&data_path, Open::Read)?;
        let aux = match ty.fixed_size() {
            Some(_) => None,
            None => {
                let path = self.path(column, "i");
                Some(Ahead::new(self.disk.open(&path, Open::Read)?, path))
            }
        };
        Ok(Some(OldFiles { data: Ahead::new(data, data_path), aux }))
    }

    /// The end of the values of the first `rows` rows in the `.d` file of a column of variable size.
    pub(super) fn data_end(&self, column: usize, ty: ColumnType) -> Result<u64> {
        let values = self.rows.saturating_sub(self.top(column));
        if values == 0 {
            return Ok(0);
        }
        let path = self.path(column, "i");
        let file = self.disk.open(&path, Open::Read)?;
        if matches!(ty.tag(), Tag::String | Tag::Binary) {
            let mut end = [0; 8];
            file.read_exact_at(&path, values * 8, &mut end)?;
            return Ok(u64::from_le_bytes(end));
        }
        let mut entry = [0; 16];
        file.read_exact_at(&path, (values - 1) * 16, &mut entry)?;
        if ty.tag() == Tag::Array {
            let (offset, size) = array_span(&entry);
            return Ok(offset + u64::from(size));
        }
        Ok(varchar_offset(&entry) + varchar_data_len(&entry) as u64)
    }

    /// The values of a column in some rows; `None` where none of them has one.
    pub(super) fn chunk(&self, column: usize, rows: Range<u64>) -> Result<Option<Chunk>> {
        let Some(ty) = self.schema.columns.get(column).map(|definition| definition.ty) else {
            return Ok(None);
        };
        let top = self.top(column);
        let Some(files) = self.column(column, ty)?.filter(|_| rows.end > top && rows.start < rows.end) else {
            return Ok(None);
        };
        let nulls = top.saturating_sub(rows.start) as usize;
        let first = rows.start.max(top) - top;
        let count = (rows.end - top - first) as usize;
        let Some(width) = ty.fixed_size() else { return variable(ty, &files, nulls, first, count).map(Some) };
        let mut values = null_pattern(ty).repeat(nulls);
        let begun = values.len();
        values.resize(begun + count * width, 0);
        files.data(first * width as u64, values.get_mut(begun..).unwrap_or_default())?;
        Ok(Some(Chunk::Fixed { width, values }))
    }
}

fn variable(ty: ColumnType, files: &OldFiles, nulls: usize, first: u64, count: usize) -> Result<Chunk> {
    if matches!(ty.tag(), Tag::String | Tag::Binary) {
        let mut bytes = vec![0; (count + 1) * 8];
        files.aux(first * 8, &mut bytes)?;
        let offsets: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|o| u64::from_le_bytes(*o)).collect();
        let (lo, hi) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
        if !offsets.is_sorted() {
            return Err(files.damaged("offsets that do not decrease", "a smaller one"));
        }
        let null: &[u8] = if ty.tag() == Tag::String { &[0xff; 4] } else { &[0xff; 8] };
        let mut data = null.repeat(nulls);
        let mut aux: Vec<u64> = (0..=nulls).map(|row| (row * null.len()) as u64).collect();
        let shift = (data.len() as u64).wrapping_sub(lo);
        aux.extend(offsets.iter().skip(1).map(|offset| offset.wrapping_add(shift)));
        files.append_data(lo, hi, &mut data)?;
        return Ok(Chunk::Prefixed { aux, data });
    }
    let mut entries = vec![[0u8; 16]; count];
    files.aux(first * 16, entries.as_flattened_mut())?;
    let array = ty.tag() == Tag::Array;
    let span = |entry: &[u8; 16]| match array {
        true => {
            let (offset, size) = array_span(entry);
            (offset, u64::from(size))
        }
        false => (varchar_offset(entry), varchar_data_len(entry) as u64),
    };
    let lo = entries.first().map_or(0, |entry| span(entry).0);
    let mut hi = lo;
    for entry in &entries {
        let (offset, len) = span(entry);
        if offset != hi {
            return Err(files.damaged("values in order, without gaps", "another offset"));
        }
        hi = offset + len;
    }
    let mut data = Vec::new();
    files.append_data(lo, hi, &mut data)?;
    let null = if array { array_entry(0, 0) } else { varchar_entry(None, 0) };
    let mut aux = vec![null; nulls];
    aux.extend(entries.iter().map(|entry| match array {
        true => array_entry(span(entry).0 - lo, array_span(entry).1),
        false => varchar_with_offset(*entry, span(entry).0 - lo),
    }));
    Ok(if array { Chunk::Array { aux, data } } else { Chunk::Varchar { aux, data } })
}

impl OldRows for PartFiles<'_> {
    fn lower_bound(&self, ts: i64) -> Result<u64> {
        let path = self.path(self.schema.timestamp, "d");
        let file = self.disk.open(&path, Open::Read)?;
        let (mut lo, mut hi) = (0, self.rows);
        while lo < hi {
            let middle = lo + (hi - lo) / 2;
            let mut value = [0; 8];
            file.read_exact_at(&path, middle * 8, &mut value)?;
            if i64::from_le_bytes(value) < ts { lo = middle + 1 } else { hi = middle }
        }
        Ok(lo)
    }

    fn timestamps(&self, rows: Range<u64>) -> Result<Vec<i64>> {
        let path = self.path(self.schema.timestamp, "d");
        let file = self.disk.open(&path, Open::Read)?;
        let count = rows.end.min(self.rows).saturating_sub(rows.start) as usize;
        let mut words = vec![[0u8; 8]; count];
        file.read_exact_at(&path, rows.start * 8, words.as_flattened_mut())?;
        let out: Vec<i64> = words.iter().map(|ts| i64::from_le_bytes(*ts)).collect();
        if !out.is_sorted() {
            return Err(Error::damaged(
                &path,
                rows.start * 8,
                "timestamps that do not decrease",
                "an earlier one",
            ));
        }
        Ok(out)
    }

    fn keys(&self, rows: Range<u64>) -> Result<Keys> {
        let mut chunks = Vec::new();
        for column in self.schema.extra_keys() {
            let Some(definition) = self.schema.columns.get(column) else { continue };
            chunks.push((definition.ty, self.chunk(column, rows.clone())?));
        }
        let columns: Vec<_> =
            chunks.iter().map(|(ty, chunk)| (*ty, KeyColumn::Old(chunk.as_ref()))).collect();
        Ok(Keys::of(&columns, rows.end.saturating_sub(rows.start) as usize))
    }
}

/// A column's open files.
#[derive(Debug)]
pub(super) struct OldFiles {
    data: Ahead,
    aux: Option<Ahead>,
}

impl OldFiles {
    fn damaged(&self, expected: &str, found: &str) -> Error {
        let path = self.aux.as_ref().map_or(&*self.data.path, |aux| &*aux.path);
        Error::damaged(path, 0, expected, found)
    }

    fn append_data(&self, lo: u64, hi: u64, to: &mut Vec<u8>) -> Result<()> {
        let len = self.data.file.len()?;
        if hi > len || hi < lo {
            return Err(Error::Short { file: (&*self.data.path).into(), len, wanted: hi });
        }
        let begun = to.len();
        to.resize(begun + (hi - lo) as usize, 0);
        self.data(lo, to.get_mut(begun..).unwrap_or_default())
    }
}

impl OldColumn for OldFiles {
    fn aux(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.aux.as_ref().unwrap_or(&self.data).read(offset, into)
    }

    fn data(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.data.read(offset, into)
    }
}

/// A file that is read from front to back, in pieces that may be small.
#[derive(Debug)]
struct Ahead {
    file: Box<dyn DiskFile>,
    path: String,
    buffer: RefCell<(u64, Vec<u8>)>,
}

/// Bytes that are read ahead.
const AHEAD: usize = 128 * 1024;

impl Ahead {
    fn new(file: Box<dyn DiskFile>, path: String) -> Self {
        Self { file, path, buffer: RefCell::default() }
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        if into.len() >= AHEAD {
            return self.file.read_exact_at(&self.path, offset, into);
        }
        let mut buffer = self.buffer.borrow_mut();
        let held = |buffer: &(u64, Vec<u8>)| {
            let at = offset.checked_sub(buffer.0).and_then(|at| usize::try_from(at).ok())?;
            Some(at..at.checked_add(into.len())?).filter(|range| range.end <= buffer.1.len())
        };
        let range = match held(&buffer) {
            Some(range) => range,
            None => {
                buffer.0 = offset;
                buffer.1.resize(AHEAD, 0);
                let got = self.file.read_at(offset, &mut buffer.1)?;
                buffer.1.truncate(got);
                let wanted = offset.saturating_add(into.len() as u64);
                held(&buffer).ok_or_else(|| Error::Short {
                    file: (&*self.path).into(),
                    len: offset + got as u64,
                    wanted,
                })?
            }
        };
        into.copy_from_slice(buffer.1.get(range).unwrap_or_default());
        Ok(())
    }
}
