//! A column's new values, read for a whole batch.

use super::batch::{Batch, SymbolMaps};
use super::upsert::Keys;
use crate::table::{
    Chunk,
    chunk::{
        Entry, array_entry, array_span, varchar_data_len, varchar_entry, varchar_offset, varchar_with_offset,
    },
    null_pattern,
};
use crate::wal::{ColumnType, Files, Result, Stretch, Tag, WalColumn};
use bytes::Bytes;
use std::mem::take;

/// The values that a batch brings for one column, by row number.
#[derive(Debug, Clone, PartialEq)]
pub enum NewColumn {
    /// One value after the other; symbols by the table's keys.
    Fixed {
        /// Bytes per value.
        width: usize,
        /// The values.
        values: Bytes,
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

impl NewColumn {
    /// Reads and validates a column of all commits; where a commit has none, its values are null.
    ///
    /// # Errors
    /// Those of [`Stretch::column`].
    pub fn read(
        files: &dyn Files,
        batch: &Batch,
        maps: &SymbolMaps,
        index: usize,
        ty: ColumnType,
    ) -> Result<Self> {
        match ty.fixed_size() {
            Some(width) => read_fixed(files, batch, maps, index, ty, width),
            None => read_variable(files, batch, index, ty),
        }
    }

    /// The designated timestamp, which the batch has already.
    pub fn designated(batch: &Batch) -> Self {
        let mut values = Vec::with_capacity(batch.rows() * 8);
        for ts in batch.timestamps() {
            values.extend_from_slice(&ts.to_le_bytes());
        }
        Self::Fixed { width: 8, values: values.into() }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Fixed { values, .. } => values.len(),
            Self::Prefixed { offsets, data } => offsets.len() * 8 + data.len(),
            Self::Entries { entries, data } => entries.len() * 16 + data.len(),
        }
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

fn read_fixed(
    files: &dyn Files,
    batch: &Batch,
    maps: &SymbolMaps,
    index: usize,
    ty: ColumnType,
    width: usize,
) -> Result<NewColumn> {
    let with_rows = || batch.stretches().iter().filter(|stretch| stretch.rows() > 0);
    let maps = maps.of(index);
    if maps.is_empty() && with_rows().count() == 1 {
        let whole = with_rows().next().map(|stretch| stretch.column(files, index)).transpose()?.flatten();
        if let Some(WalColumn::Fixed { values, .. }) = whole {
            return Ok(NewColumn::Fixed { width, values });
        }
    }
    let mut values = Vec::with_capacity(batch.rows() * width);
    for stretch in with_rows() {
        match stretch.column(files, index)? {
            Some(WalColumn::Fixed { values: bytes, .. }) => values.extend_from_slice(&bytes),
            _ => {
                for _ in 0..stretch.rows() {
                    values.extend_from_slice(null_pattern(ty));
                }
            }
        }
    }
    for (commit, map) in maps {
        let Some(commit) = batch.commits().get(*commit) else { continue };
        let rows = commit.first_row as usize * 4..(commit.first_row + commit.rows) as usize * 4;
        for key in values.get_mut(rows).unwrap_or_default().as_chunks_mut::<4>().0 {
            *key = map.table_key(i32::from_le_bytes(*key)).to_le_bytes();
        }
    }
    Ok(NewColumn::Fixed { width, values: values.into() })
}

fn read_variable(files: &dyn Files, batch: &Batch, index: usize, ty: ColumnType) -> Result<NewColumn> {
    let mut building = match ty.tag() {
        Tag::String | Tag::Binary => NewColumn::Prefixed { offsets: vec![0], data: Vec::new() },
        _ => NewColumn::Entries { entries: Vec::with_capacity(batch.rows()), data: Vec::new() },
    };
    for stretch in batch.stretches().iter().filter(|stretch| stretch.rows() > 0) {
        append_stretch(&mut building, stretch, files, index, ty)?;
    }
    Ok(building)
}

fn append_stretch(
    to: &mut NewColumn,
    stretch: &Stretch,
    files: &dyn Files,
    index: usize,
    ty: ColumnType,
) -> Result<()> {
    let column = stretch.column(files, index)?;
    match (to, column) {
        (NewColumn::Prefixed { offsets, data }, Some(WalColumn::Var { aux, data: bytes, base, .. })) => {
            let shift = (data.len() as u64).wrapping_sub(base);
            let ends = aux.as_chunks::<8>().0.iter().skip(1);
            offsets.extend(ends.map(|offset| u64::from_le_bytes(*offset).wrapping_add(shift)));
            data.extend_from_slice(&bytes);
        }
        (NewColumn::Prefixed { offsets, data }, _) => {
            let null: &[u8] = if ty.tag() == Tag::String { &[0xff; 4] } else { &[0xff; 8] };
            for _ in 0..stretch.rows() {
                data.extend_from_slice(null);
                offsets.push(data.len() as u64);
            }
        }
        (NewColumn::Entries { entries, data }, Some(WalColumn::Var { aux, data: bytes, base, .. })) => {
            let from = aux.as_chunks::<16>().0;
            if ty.tag() == Tag::Array {
                for entry in from {
                    crate::apply::gather::append_wal_array(entries, data, ty, entry, &bytes, base);
                }
                return Ok(());
            }
            let shift = (data.len() as u64).wrapping_sub(base);
            entries.extend(
                from.iter()
                    .map(|entry| varchar_with_offset(*entry, varchar_offset(entry).wrapping_add(shift))),
            );
            data.extend_from_slice(&bytes);
        }
        (NewColumn::Entries { entries, data }, _) => {
            let null = match ty.tag() {
                Tag::Array => array_entry(data.len() as u64, 0),
                _ => varchar_entry(None, data.len() as u64),
            };
            entries.extend(std::iter::repeat_n(null, stretch.rows() as usize));
        }
        (NewColumn::Fixed { .. }, _) => {}
    }
    Ok(())
}
