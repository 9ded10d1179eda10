//! Runs of a column's values, in QuestDB's own byte layout.

use super::{SymbolTable, Value, value_of};
use crate::wal::{ColumnType, Tag};

/// A run of one column's values in QuestDB's own byte layout.
///
/// Variable-size columns are an `(aux, data)` pair as in QuestDB's files, offsets counting from the
/// start of this chunk's `data`:
/// * STRING and BINARY: `aux` holds rows + 1 offsets of 8 bytes, `data` length-prefixed values;
/// * VARCHAR: `aux` holds 16 bytes per row, `data` what is not inlined there;
/// * ARRAY: `aux` holds 16 bytes per row, `data` dimension lengths, padding to 8, values. Each entry
///   starts at a multiple of 8, so an entry's bytes do not depend on where it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// `rows * width` bytes.
    Fixed {
        /// Bytes per value.
        width: usize,
        /// The values.
        values: Vec<u8>,
    },
    /// STRING and BINARY.
    Prefixed {
        /// Offsets, rows + 1.
        aux: Vec<u64>,
        /// Values.
        data: Vec<u8>,
    },
    /// VARCHAR.
    Varchar {
        /// One entry per row.
        aux: Vec<Entry>,
        /// What is not inlined.
        data: Vec<u8>,
    },
    /// ARRAY.
    Array {
        /// One entry per row.
        aux: Vec<Entry>,
        /// Values.
        data: Vec<u8>,
    },
}

/// An `aux` entry of VARCHAR or ARRAY as it stands in QuestDB's files.
pub type Entry = [u8; 16];

/// Bytes of the inlined VARCHAR value, at most.
pub const VARCHAR_INLINE_MAX: usize = 9;
/// First byte of the `aux` entry of a null VARCHAR.
const VARCHAR_NULL: u8 = 4;

impl Chunk {
    /// An empty chunk for a column of this type.
    pub fn new(ty: ColumnType) -> Self {
        match (ty.fixed_size(), ty.tag()) {
            (Some(width), _) => Self::Fixed { width, values: Vec::new() },
            (None, Tag::String | Tag::Binary) => Self::Prefixed { aux: vec![0], data: Vec::new() },
            (None, Tag::Varchar) => Self::Varchar { aux: Vec::new(), data: Vec::new() },
            (None, _) => Self::Array { aux: Vec::new(), data: Vec::new() },
        }
    }

    /// Makes room for `rows` values in all.
    pub fn reserve(&mut self, rows: usize) {
        let more = rows.saturating_sub(self.rows());
        match self {
            Self::Fixed { width, values } => values.reserve(more * *width),
            Self::Prefixed { aux, .. } => aux.reserve(more),
            Self::Varchar { aux, .. } | Self::Array { aux, .. } => aux.reserve(more),
        }
    }

    /// Number of values.
    pub fn rows(&self) -> usize {
        match self {
            Self::Fixed { width, values } => values.len() / width,
            Self::Prefixed { aux, .. } => aux.len().saturating_sub(1),
            Self::Varchar { aux, .. } | Self::Array { aux, .. } => aux.len(),
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Fixed { values, .. } => values.capacity(),
            Self::Prefixed { aux, data } => aux.capacity() * 8 + data.capacity(),
            Self::Varchar { aux, data } | Self::Array { aux, data } => aux.capacity() * 16 + data.capacity(),
        }
    }

    /// The value of a row; null beyond the end. SYMBOL keys are looked up in `symbols`.
    pub fn value<'a>(&'a self, row: usize, ty: ColumnType, symbols: Option<&'a SymbolTable>) -> Value<'a> {
        match self {
            Self::Fixed { width, values } => match values.get(row * width..(row + 1) * width) {
                Some(bytes) => value_of(ty, bytes, symbols),
                None => Value::Null,
            },
            Self::Prefixed { aux, data } => prefixed_value(ty, aux, data, row).unwrap_or(Value::Null),
            Self::Varchar { aux, data } => varchar(aux, data, row).map_or(Value::Null, Value::Utf8),
            Self::Array { aux, data } => array_value(ty, aux, data, row).unwrap_or(Value::Null),
        }
    }

    /// The value of a row of a fixed-size column as an `i64` (widths 8 and up: the low word).
    pub fn long(&self, row: usize) -> i64 {
        let Self::Fixed { width, values } = self else { return i64::MIN };
        let at = row * width;
        match values.get(at..at + 8) {
            Some(bytes) => i64::from_le_bytes(bytes.try_into().unwrap_or_default()),
            None => i64::MIN,
        }
    }

    /// The bytes of a row of a fixed-size column.
    pub fn fixed(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Fixed { width, values } => values.get(row * width..(row + 1) * width),
            _ => None,
        }
    }
}

/// The same VARCHAR entry with another data offset (48 bits).
pub fn varchar_with_offset(entry: Entry, offset: u64) -> Entry {
    let [a, b, c, d, e, f, _, _] = offset.to_le_bytes();
    let mut moved = entry;
    moved[10..].copy_from_slice(&[a, b, c, d, e, f]);
    moved
}

/// The data offset in a VARCHAR entry.
pub fn varchar_offset(entry: &Entry) -> u64 {
    let [.., a, b, c, d, e, f] = *entry;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Bytes of data that a VARCHAR entry owns: none if inlined or null.
pub fn varchar_data_len(entry: &Entry) -> usize {
    let head = varchar_head(entry);
    if head & 5 != 0 { 0 } else { (head >> 4) as usize }
}

fn varchar_head(entry: &Entry) -> u32 {
    let [a, b, c, d, ..] = *entry;
    u32::from_le_bytes([a, b, c, d])
}

/// The aux entry of a value; the caller puts values longer than [`VARCHAR_INLINE_MAX`] at `offset`.
pub fn varchar_entry(value: Option<&[u8]>, offset: u64) -> Entry {
    let mut entry = [0u8; 16];
    let Some(bytes) = value else {
        entry[0] = VARCHAR_NULL;
        return varchar_with_offset(entry, offset);
    };
    let ascii = if bytes.is_ascii() { 2 } else { 0 };
    if bytes.len() <= VARCHAR_INLINE_MAX {
        entry[0] = (bytes.len() as u8) << 4 | ascii | 1;
        entry[1..=bytes.len()].copy_from_slice(bytes);
    } else {
        entry[..4].copy_from_slice(&((bytes.len() as u32) << 4 | u32::from(ascii)).to_le_bytes());
        entry[4..10].copy_from_slice(&bytes[..6]);
    }
    varchar_with_offset(entry, offset)
}

/// An ARRAY's aux entry: offset in the low 48 bits of the first word, then the size.
pub fn array_entry(offset: u64, size: u32) -> Entry {
    let mut entry = [0u8; 16];
    entry[..6].copy_from_slice(&offset.to_le_bytes()[..6]);
    entry[8..12].copy_from_slice(&size.to_le_bytes());
    entry
}

/// Offset and size in an ARRAY's aux entry; size 0 is null.
pub fn array_span(entry: &Entry) -> (u64, u32) {
    let [a, b, c, d, e, f, _, _, g, h, i, j, ..] = *entry;
    (u64::from_le_bytes([a, b, c, d, e, f, 0, 0]), u32::from_le_bytes([g, h, i, j]))
}

fn prefixed_value<'a>(ty: ColumnType, aux: &[u64], data: &'a [u8], row: usize) -> Option<Value<'a>> {
    let entry = data.get(*aux.get(row)? as usize..*aux.get(row + 1)? as usize)?;
    if ty.tag() == Tag::String {
        let (len, units) = entry.split_first_chunk::<4>()?;
        return Some(if i32::from_le_bytes(*len) < 0 { Value::Null } else { Value::Utf16(units) });
    }
    let (len, bytes) = entry.split_first_chunk::<8>()?;
    Some(if i64::from_le_bytes(*len) < 0 { Value::Null } else { Value::Binary(bytes) })
}

/// The bytes of a VARCHAR; `None` is null.
pub fn varchar<'a>(aux: &'a [Entry], data: &'a [u8], row: usize) -> Option<&'a [u8]> {
    let entry = aux.get(row)?;
    let head = varchar_head(entry);
    if head & 4 != 0 {
        return None;
    }
    if head & 1 != 0 {
        return entry.get(1..1 + (head as u8 >> 4) as usize);
    }
    let offset = varchar_offset(entry) as usize;
    data.get(offset..offset.checked_add((head >> 4) as usize)?)
}

fn array_value<'a>(ty: ColumnType, aux: &[Entry], data: &'a [u8], row: usize) -> Option<Value<'a>> {
    let (offset, size) = array_span(aux.get(row)?);
    if size == 0 {
        return Some(Value::Null);
    }
    let entry = data.get(offset as usize..(offset as usize).checked_add(size as usize)?)?;
    let shape = ty.array_dims() * 4;
    Some(Value::Array { dims: entry.get(..shape)?, values: entry.get(shape.next_multiple_of(8)..)? })
}
