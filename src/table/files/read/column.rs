//! The values of one column in a part of a partition.

use crate::table::Chunk;
use crate::table::chunk::{
    Entry, array_entry, array_span, varchar_data_len, varchar_offset, varchar_with_offset,
};
use crate::wal::check::{self, Aux};
use crate::wal::{ColumnType, Error, Files, Result, Tag};
use bytes::Bytes;
use std::ops::Range;

/// A column's files, read and checked.
pub(super) struct Values {
    ty: ColumnType,
    /// Fixed-size values, or what `.i` holds of the others.
    fixed: Bytes,
    /// What `.d` holds of variable-size values, from `start` on.
    data: Bytes,
    start: u64,
}

/// Where a column's files are.
pub(super) struct Paths {
    /// `.d`
    pub(super) data: String,
    /// `.i`
    pub(super) aux: String,
}

impl Values {
    /// Reads values `rows`; symbol keys are below `symbols`.
    pub(super) fn read(
        files: &dyn Files,
        paths: &Paths,
        ty: ColumnType,
        rows: Range<u64>,
        symbols: u32,
    ) -> Result<Self> {
        if let Some(width) = ty.fixed_size() {
            let at = rows.start.saturating_mul(width as u64);
            let len = (rows.end - rows.start).saturating_mul(width as u64);
            let fixed = files.read(&paths.data, at, len)?;
            if ty.is_symbol() {
                check_keys(&paths.data, at, &fixed, symbols)?;
            }
            return Ok(Self { ty, fixed, data: Bytes::new(), start: 0 });
        }
        let prefixed = matches!(ty.tag(), Tag::String | Tag::Binary);
        let (width, more) = if prefixed { (8, 1) } else { (16, 0) };
        let at = rows.start.saturating_mul(width);
        let len = (rows.end - rows.start).saturating_add(more).saturating_mul(width);
        let fixed = files.read(&paths.aux, at, len)?;
        let (start, end) = check::data_range(ty, &paths.aux, at, &fixed)?;
        let data = if start == end { Bytes::new() } else { files.read(&paths.data, start, end - start)? };
        let aux = Aux { file: &paths.aux, offset: at, bytes: &fixed };
        let values = Aux { file: &paths.data, offset: start, bytes: &data };
        match ty.tag() {
            Tag::String => check::strings(&aux, &values)?,
            Tag::Binary => check::binaries(&aux, &values)?,
            Tag::Varchar => check::varchars(&aux, &values)?,
            _ if start.is_multiple_of(8) => check::arrays(&aux, &values, ty.array_dims())?,
            _ => return Err(Error::damaged(&paths.aux, 0, "an array at a multiple of 8 bytes", start)),
        }
        Ok(Self { ty, fixed, data, start })
    }

    /// All values; those that are as long as each other, and those of any length, are not copied.
    pub(super) fn into_chunk(mut self) -> Chunk {
        if let Some(width) = self.ty.fixed_size() {
            return Chunk::Fixed { width, values: self.fixed.into() };
        }
        let rows = match self.ty.tag() {
            Tag::String | Tag::Binary => (self.fixed.len() / 8).saturating_sub(1),
            _ => self.fixed.len() / 16,
        };
        let whole = std::mem::take(&mut self.data);
        let mut chunk = self.chunk(0..rows);
        match &mut chunk {
            Chunk::Prefixed { data, .. } | Chunk::Varchar { data, .. } | Chunk::Array { data, .. } => {
                *data = whole.into()
            }
            Chunk::Fixed { .. } => {}
        }
        chunk
    }

    /// The values of these rows.
    pub(super) fn chunk(&self, rows: Range<usize>) -> Chunk {
        if let Some(width) = self.ty.fixed_size() {
            let bytes = self.fixed.get(rows.start * width..rows.end * width).unwrap_or_default();
            return Chunk::Fixed { width, values: bytes.to_vec() };
        }
        match self.ty.tag() {
            Tag::String | Tag::Binary => {
                let offsets = self.fixed.as_chunks::<8>().0.get(rows.start..=rows.end).unwrap_or_default();
                let mut aux: Vec<u64> = offsets.iter().map(|word| u64::from_le_bytes(*word)).collect();
                let (first, end) = (aux.first().copied().unwrap_or(0), aux.last().copied().unwrap_or(0));
                aux.iter_mut().for_each(|offset| *offset = offset.saturating_sub(first));
                Chunk::Prefixed { aux, data: self.data(first, end) }
            }
            Tag::Varchar => {
                let entries = self.entries(rows);
                let end_of = |entry: &Entry| varchar_offset(entry) + varchar_data_len(entry) as u64;
                let (first, end) =
                    (entries.first().map_or(0, varchar_offset), entries.last().map_or(0, end_of));
                let moved =
                    |entry: &Entry| varchar_with_offset(*entry, varchar_offset(entry).saturating_sub(first));
                Chunk::Varchar { aux: entries.iter().map(moved).collect(), data: self.data(first, end) }
            }
            _ => {
                let entries = self.entries(rows);
                let end_of = |entry: &Entry| array_span(entry).0 + u64::from(array_span(entry).1);
                let first = entries.first().map_or(0, |entry| array_span(entry).0);
                let end = entries.last().map_or(0, end_of);
                let moved = |entry: &Entry| {
                    let (offset, size) = array_span(entry);
                    array_entry(offset.saturating_sub(first), size)
                };
                Chunk::Array { aux: entries.iter().map(moved).collect(), data: self.data(first, end) }
            }
        }
    }

    fn entries(&self, rows: Range<usize>) -> &[Entry] {
        self.fixed.as_chunks().0.get(rows).unwrap_or_default()
    }

    /// Bytes of `.d` between two offsets in the file.
    fn data(&self, from: u64, to: u64) -> Vec<u8> {
        let at = |offset: u64| offset.saturating_sub(self.start) as usize;
        self.data.get(at(from)..at(to)).unwrap_or_default().to_vec()
    }
}

/// Keys are null or in the dictionary.
fn check_keys(file: &str, offset: u64, bytes: &[u8], symbols: u32) -> Result<()> {
    let bad = |key: &[u8; 4]| {
        let key = i32::from_le_bytes(*key);
        key != i32::MIN && u32::try_from(key).map_or(true, |key| key >= symbols)
    };
    let keys = bytes.as_chunks::<4>().0;
    // Without a branch per key where all are right.
    if !keys.iter().fold(false, |any, key| any | bad(key)) {
        return Ok(());
    }
    match keys.iter().position(bad) {
        Some(row) => {
            let key = keys.get(row).map_or(0, |key| i32::from_le_bytes(*key));
            let expected = format_args!("a symbol key below {symbols}, or null");
            Err(Error::damaged(file, offset + row as u64 * 4, expected, key))
        }
        None => Ok(()),
    }
}
