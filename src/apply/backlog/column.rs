//! A column's new values, read for a whole batch.

use super::batch::{Batch, SymbolMaps, Window};
use super::share::Members;
use super::upsert::Keys;
use crate::table::{
    Chunk,
    chunk::{
        Entry, array_entry, array_span, varchar_data_len, varchar_entry, varchar_offset, varchar_with_offset,
    },
    null_pattern,
};
use crate::wal::{ColumnBytes, ColumnType, Files, Result, Stretch, Tag};
use std::mem::take;
use std::ops::Range;

/// Values that a batch brings for one column.
#[derive(Debug, Clone, PartialEq)]
pub enum NewColumn {
    /// One value after the other; symbols by the table's keys.
    Fixed {
        /// Bytes per value.
        width: usize,
        /// The values.
        values: Vec<u8>,
    },
    /// STRING and BINARY: where each value begins in `data`, and where the last one ends.
    Prefixed {
        /// Rows + 1 offsets.
        offsets: Vec<u64>,
        /// Values with their lengths in front, in order of row.
        data: Vec<u8>,
    },
    /// VARCHAR and ARRAY: entries as in QuestDB's files, their offsets counting in `data`.
    Entries {
        /// One per row.
        entries: Vec<Entry>,
        /// What the entries own, in order of row.
        data: Vec<u8>,
    },
}

/// Reads a column's new values, a window of a batch at a time, into the same memory.
#[derive(Debug)]
pub struct ColumnReader<'a> {
    batch: &'a Batch,
    maps: &'a SymbolMaps,
    index: usize,
    ty: ColumnType,
    designated: bool,
    column: NewColumn,
    bytes: ColumnBytes,
}

impl NewColumn {
    /// A column without values.
    pub fn empty(ty: ColumnType) -> Self {
        match (ty.fixed_size(), ty.tag()) {
            (Some(width), _) => Self::Fixed { width, values: Vec::new() },
            (None, Tag::String | Tag::Binary) => Self::Prefixed { offsets: vec![0], data: Vec::new() },
            _ => Self::Entries { entries: Vec::new(), data: Vec::new() },
        }
    }

    /// Number of values.
    pub fn rows(&self) -> usize {
        match self {
            Self::Fixed { width, values } => values.len() / width,
            Self::Prefixed { offsets, .. } => offsets.len().saturating_sub(1),
            Self::Entries { entries, .. } => entries.len(),
        }
    }

    /// Forgets its values, not its memory.
    pub fn clear(&mut self) {
        match self {
            Self::Fixed { values, .. } => values.clear(),
            Self::Prefixed { offsets, data } => {
                offsets.truncate(1);
                data.clear();
            }
            Self::Entries { entries, data } => {
                entries.clear();
                data.clear();
            }
        }
    }

    /// Appends some values of another column of the same type: those of some members, whose numbers count from
    /// `first` in `from`.
    pub fn append(
        &mut self,
        ty: ColumnType,
        from: &Self,
        members: &Members,
        some: Range<usize>,
        first: usize,
    ) {
        match members {
            Members::Range(range) => {
                let start = (range.start as usize + some.start).saturating_sub(first);
                self.append_range(ty, from, start..start + some.len());
            }
            Members::List(list) => {
                let rows = list.get(some).unwrap_or_default();
                match (&mut *self, from) {
                    (Self::Fixed { width, values }, Self::Fixed { values: from, .. }) => match width {
                        1 => pick::<1>(values, from, rows, first),
                        2 => pick::<2>(values, from, rows, first),
                        4 => pick::<4>(values, from, rows, first),
                        8 => pick::<8>(values, from, rows, first),
                        16 => pick::<16>(values, from, rows, first),
                        _ => pick::<32>(values, from, rows, first),
                    },
                    (Self::Prefixed { offsets, data }, Self::Prefixed { offsets: from, data: bytes }) => {
                        for &row in rows {
                            let row = (row as usize).saturating_sub(first);
                            let Some([lo, hi]) = from.get(row..row + 2) else { continue };
                            copy(data, bytes, *lo as usize, (hi - lo) as usize);
                            offsets.push(data.len() as u64);
                        }
                    }
                    (Self::Entries { entries, data }, Self::Entries { entries: from, data: bytes }) => {
                        let array = ty.tag() == Tag::Array;
                        for &row in rows {
                            let Some(entry) = from.get((row as usize).saturating_sub(first)) else {
                                continue;
                            };
                            let (lo, len) = entry_span(array, entry);
                            entries.push(moved_entry(array, entry, (data.len() as u64).wrapping_sub(lo)));
                            copy(data, bytes, lo as usize, len as usize);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Lets the first values go; the others keep their order and get new numbers.
    pub fn drop_front(&mut self, ty: ColumnType, rows: usize) {
        match self {
            Self::Fixed { width, values } => drop(values.drain(..(rows * *width).min(values.len()))),
            Self::Prefixed { offsets, data } => {
                offsets.drain(..rows.min(offsets.len().saturating_sub(1)));
                let first = offsets.first().copied().unwrap_or(0);
                offsets.iter_mut().for_each(|offset| *offset -= first);
                data.drain(..(first as usize).min(data.len()));
            }
            Self::Entries { entries, data } => {
                let array = ty.tag() == Tag::Array;
                entries.drain(..rows.min(entries.len()));
                let first = entries.first().map_or(data.len() as u64, |entry| entry_span(array, entry).0);
                let shift = 0u64.wrapping_sub(first);
                entries.iter_mut().for_each(|entry| *entry = moved_entry(array, entry, shift));
                data.drain(..(first as usize).min(data.len()));
            }
        }
    }

    fn append_range(&mut self, ty: ColumnType, from: &Self, rows: Range<usize>) {
        match (self, from) {
            (Self::Fixed { width, values }, Self::Fixed { values: from, .. }) => {
                values
                    .extend_from_slice(from.get(rows.start * *width..rows.end * *width).unwrap_or_default());
            }
            (Self::Prefixed { offsets, data }, Self::Prefixed { offsets: from, data: bytes }) => {
                let Some(from @ [first, .., last]) = from.get(rows.start..=rows.end) else { return };
                let shift = (data.len() as u64).wrapping_sub(*first);
                offsets.extend(from.iter().skip(1).map(|offset| offset.wrapping_add(shift)));
                data.extend_from_slice(bytes.get(*first as usize..*last as usize).unwrap_or_default());
            }
            (Self::Entries { entries, data }, Self::Entries { entries: from, data: bytes }) => {
                let from = from.get(rows).unwrap_or_default();
                let (Some(first), Some(last)) = (from.first(), from.last()) else { return };
                let array = ty.tag() == Tag::Array;
                let (lo, _) = entry_span(array, first);
                let (last, len) = entry_span(array, last);
                let shift = (data.len() as u64).wrapping_sub(lo);
                entries.extend(from.iter().map(|entry| moved_entry(array, entry, shift)));
                data.extend_from_slice(bytes.get(lo as usize..(last + len) as usize).unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Appends the values of some rows, which count from `first` in `from`.
fn pick<const N: usize>(values: &mut Vec<u8>, from: &[u8], rows: &[u32], first: usize) {
    let (from, _) = from.as_chunks::<N>();
    let begun = values.len();
    values.resize(begun + rows.len() * N, 0);
    let (to, _) = values.get_mut(begun..).unwrap_or_default().as_chunks_mut::<N>();
    for (to, &row) in to.iter_mut().zip(rows) {
        if let Some(value) = from.get((row as usize).wrapping_sub(first)) {
            *to = *value;
        }
    }
}

impl<'a> ColumnReader<'a> {
    /// For the column at a writer index.
    pub fn new(
        batch: &'a Batch,
        maps: &'a SymbolMaps,
        index: usize,
        ty: ColumnType,
        designated: bool,
    ) -> Self {
        let (column, bytes) = (NewColumn::empty(ty), ColumnBytes::default());
        Self { batch, maps, index, ty, designated, column, bytes }
    }

    /// Reads and validates the values of a window; where a commit has none, they are null. Rows are numbered from the
    /// window's first.
    ///
    /// # Errors
    /// Those of [`Stretch::append_column`].
    pub fn read(&mut self, files: &dyn Files, window: &Window) -> Result<&NewColumn> {
        self.column.clear();
        if self.designated {
            if let NewColumn::Fixed { values, .. } = &mut self.column {
                let timestamps = self.batch.timestamps().get(window.rows.clone()).unwrap_or_default();
                values.resize(timestamps.len() * 8, 0);
                for (to, ts) in values.as_chunks_mut::<8>().0.iter_mut().zip(timestamps) {
                    *to = ts.to_le_bytes();
                }
            }
            return Ok(&self.column);
        }
        for stretch in self.batch.stretches(window) {
            self.append_stretch(files, stretch)?;
        }
        self.map_symbols(window);
        Ok(&self.column)
    }

    /// Reads all values.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_whole(mut self, files: &dyn Files) -> Result<NewColumn> {
        self.read(files, &self.batch.whole())?;
        Ok(self.column)
    }

    fn append_stretch(&mut self, files: &dyn Files, stretch: &Stretch) -> Result<()> {
        let (ty, index, rows) = (self.ty, self.index, stretch.rows() as usize);
        match &mut self.column {
            NewColumn::Fixed { values, .. } => {
                self.bytes.data = take(values);
                let there = stretch.append_column(files, index, &mut self.bytes)?;
                *values = take(&mut self.bytes.data);
                if !there {
                    let null = null_pattern(ty);
                    (0..rows).for_each(|_| values.extend_from_slice(null));
                }
            }
            NewColumn::Prefixed { offsets, data } => {
                let begun = data.len() as u64;
                self.bytes.data = take(data);
                let there = stretch.append_column(files, index, &mut self.bytes)?;
                *data = take(&mut self.bytes.data);
                if there {
                    let shift = begun.wrapping_sub(self.bytes.base);
                    let ends = self.bytes.entries.as_chunks::<8>().0.iter().skip(1);
                    offsets.extend(ends.map(|offset| u64::from_le_bytes(*offset).wrapping_add(shift)));
                } else {
                    let null: &[u8] = if ty.tag() == Tag::String { &[0xff; 4] } else { &[0xff; 8] };
                    for _ in 0..rows {
                        data.extend_from_slice(null);
                        offsets.push(data.len() as u64);
                    }
                }
            }
            NewColumn::Entries { entries, data } if ty.tag() == Tag::Array => {
                self.bytes.data.clear();
                if stretch.append_column(files, index, &mut self.bytes)? {
                    for entry in self.bytes.entries.as_chunks::<16>().0 {
                        let ColumnBytes { data: bytes, base, .. } = &self.bytes;
                        crate::apply::gather::append_wal_array(entries, data, ty, entry, bytes, *base);
                    }
                } else {
                    entries.extend(std::iter::repeat_n(array_entry(data.len() as u64, 0), rows));
                }
            }
            NewColumn::Entries { entries, data } => {
                let begun = data.len() as u64;
                self.bytes.data = take(data);
                let there = stretch.append_column(files, index, &mut self.bytes)?;
                *data = take(&mut self.bytes.data);
                if there {
                    let shift = begun.wrapping_sub(self.bytes.base);
                    let from = self.bytes.entries.as_chunks::<16>().0.iter();
                    entries.extend(from.map(|entry| moved_entry(false, entry, shift)));
                } else {
                    entries.extend(std::iter::repeat_n(varchar_entry(None, begun), rows));
                }
            }
        }
        Ok(())
    }

    /// Has the commits' keys become the table's.
    fn map_symbols(&mut self, window: &Window) {
        let NewColumn::Fixed { values, .. } = &mut self.column else { return };
        let maps = self.maps.of(self.index);
        let from = maps.partition_point(|(commit, _)| *commit < window.commits.start);
        let to = maps.partition_point(|(commit, _)| *commit < window.commits.end);
        for (commit, map) in maps.get(from..to).unwrap_or_default() {
            let Some(commit) = self.batch.commits().get(*commit) else { continue };
            let first = commit.first_row as usize - window.rows.start;
            let rows = first * 4..(first + commit.rows as usize) * 4;
            for key in values.get_mut(rows).unwrap_or_default().as_chunks_mut::<4>().0 {
                *key = map.table_key(i32::from_le_bytes(*key)).to_le_bytes();
            }
        }
    }
}

/// Appends bytes of `from`. Short ones are copied as a block of fixed length, which is a matter of two instructions, and
/// cut.
pub(super) fn copy(to: &mut Vec<u8>, from: &[u8], lo: usize, len: usize) {
    let begun = to.len();
    if let (true, Some(block)) = (len <= 16, from.get(lo..).and_then(|rest| rest.first_chunk::<16>())) {
        to.extend_from_slice(block);
        to.truncate(begun + len);
    } else {
        to.extend_from_slice(from.get(lo..lo + len).unwrap_or_default());
    }
}

/// Offset and length of what an entry of VARCHAR or ARRAY owns.
pub(super) fn entry_span(array: bool, entry: &Entry) -> (u64, u64) {
    match array {
        true => {
            let (offset, size) = array_span(entry);
            (offset, u64::from(size))
        }
        false => (varchar_offset(entry), varchar_data_len(entry) as u64),
    }
}

/// The entry of the same value elsewhere.
pub(super) fn moved_entry(array: bool, entry: &Entry, shift: u64) -> Entry {
    match array {
        true => {
            let (offset, size) = array_span(entry);
            array_entry(offset.wrapping_add(shift), size)
        }
        false => varchar_with_offset(*entry, varchar_offset(entry).wrapping_add(shift)),
    }
}

impl Keys {
    /// The upsert keys of the rows of several columns, all with the same number of rows.
    ///
    /// `columns` are types with what [`KeyColumn`] has of them.
    pub fn of(columns: &[(ColumnType, KeyColumn<'_>)], rows: usize) -> Self {
        let widths: Option<usize> = columns.iter().map(|(ty, _)| ty.fixed_size()).sum();
        match widths {
            Some(0) => Self::None,
            Some(width) if width <= 8 => {
                let mut words = vec![0u64; rows];
                for (ty, column) in columns {
                    let bits = ty.fixed_size().unwrap_or(0) * 8;
                    for (row, word) in words.iter_mut().enumerate() {
                        *word = word.unbounded_shl(bits as u32) | column.word(*ty, row);
                    }
                }
                Self::Words(words)
            }
            _ => {
                let mut all = Vec::with_capacity(rows);
                let mut key = Vec::new();
                for row in 0..rows {
                    for (ty, column) in columns {
                        column.push(*ty, row, &mut key);
                    }
                    all.push(take(&mut key).into_boxed_slice());
                }
                Self::Bytes(all)
            }
        }
    }
}

/// Values of an upsert key: new ones, or those of an existing part.
#[derive(Debug, Clone, Copy)]
pub enum KeyColumn<'a> {
    /// Of a batch.
    New(&'a NewColumn),
    /// Of an existing part; `None` where the part does not have the column.
    Old(Option<&'a Chunk>),
}

impl KeyColumn<'_> {
    fn fixed(&self, ty: ColumnType, row: usize) -> &[u8] {
        let null = null_pattern(ty);
        let bytes = match self {
            Self::New(NewColumn::Fixed { width, values }) => values.get(row * width..(row + 1) * width),
            Self::Old(Some(chunk)) => chunk.fixed(row),
            _ => None,
        };
        let bytes = bytes.unwrap_or(null);
        // All NaN are one value; apart from that floats are equal by their bits (-0.0 is not 0.0).
        let nan = match ty.tag() {
            Tag::Double => bytes.try_into().is_ok_and(|bytes| f64::from_le_bytes(bytes).is_nan()),
            Tag::Float => bytes.try_into().is_ok_and(|bytes| f32::from_le_bytes(bytes).is_nan()),
            _ => false,
        };
        if nan { null } else { bytes }
    }

    fn word(&self, ty: ColumnType, row: usize) -> u64 {
        let mut word = [0; 8];
        let bytes = self.fixed(ty, row);
        if let Some(to) = word.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        u64::from_le_bytes(word)
    }

    /// Fixed sizes as they are; others with their length in front, a null as a length that no value has.
    fn push(&self, ty: ColumnType, row: usize, key: &mut Vec<u8>) {
        if ty.fixed_size().is_some() {
            return key.extend_from_slice(self.fixed(ty, row));
        }
        let one;
        let (chunk, row) = match self {
            Self::Old(Some(chunk)) => (*chunk, row),
            Self::Old(None) => return key.extend_from_slice(&u64::MAX.to_le_bytes()),
            Self::New(column) => {
                one = column.one(ty, row);
                (&one, 0)
            }
        };
        use crate::table::Value;
        let parts: [&[u8]; 2] = match chunk.value(row, ty, None) {
            Value::Utf8(bytes) | Value::Utf16(bytes) | Value::Binary(bytes) => [bytes, &[]],
            Value::Array { dims, values } => [dims, values],
            _ => return key.extend_from_slice(&u64::MAX.to_le_bytes()),
        };
        for part in parts {
            key.extend_from_slice(&(part.len() as u64).to_le_bytes());
            key.extend_from_slice(part);
        }
    }
}

impl NewColumn {
    /// A value by itself.
    fn one(&self, ty: ColumnType, row: usize) -> Chunk {
        match self {
            Self::Fixed { width, values } => Chunk::Fixed {
                width: *width,
                values: values.get(row * width..(row + 1) * width).unwrap_or_default().to_vec(),
            },
            Self::Prefixed { offsets, data } => {
                let at = |row: usize| offsets.get(row).map_or(0, |&offset| offset as usize);
                let data = data.get(at(row)..at(row + 1)).unwrap_or_default().to_vec();
                Chunk::Prefixed { aux: vec![0, data.len() as u64], data }
            }
            Self::Entries { entries, data } => {
                let entry = entries.get(row).copied().unwrap_or([0; 16]);
                if ty.tag() == Tag::Array {
                    let (offset, size) = array_span(&entry);
                    let data = data.get(offset as usize..offset as usize + size as usize).unwrap_or_default();
                    return Chunk::Array { aux: vec![array_entry(0, size)], data: data.to_vec() };
                }
                let offset = varchar_offset(&entry) as usize;
                let data = data.get(offset..offset + varchar_data_len(&entry)).unwrap_or_default();
                Chunk::Varchar { aux: vec![varchar_with_offset(entry, 0)], data: data.to_vec() }
            }
        }
    }
}
