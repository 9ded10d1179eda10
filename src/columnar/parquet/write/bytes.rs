//! Values of any length.

use super::levels::Levels;
use super::{EncodeError, Run};
use crate::columnar::parquet::delta;
use crate::table::Chunk;
use crate::table::chunk::{array_span, varchar};
use crate::wal::{ColumnType, Tag};
use foldhash::fast::FixedState;
use std::borrow::Cow;
use std::collections::HashMap;

/// Values that are looked at to tell whether they repeat.
const SAMPLE: usize = 16 * 1024;

/// The values of some rows, those that there are.
pub(super) struct Values<'a> {
    pub(super) levels: Levels,
    slices: Slices<'a>,
}

enum Slices<'a> {
    Borrowed(Vec<&'a [u8]>),
    /// Converted: all bytes, and where each value ends.
    Owned(Vec<u8>, Vec<usize>),
}

impl<'a> Values<'a> {
    /// Of a column of STRING, VARCHAR, BINARY or ARRAY.
    pub(super) fn gather(ty: ColumnType, runs: &'a [Run]) -> Result<Self, EncodeError> {
        let mut levels = Levels::default();
        let rows = runs.iter().map(Run::rows).sum();
        if ty.tag() == Tag::String {
            let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows));
            for_each(true, runs, &mut levels, |units| {
                narrow(units, &mut bytes)?;
                ends.push(bytes.len());
                Some(())
            })?;
            return Ok(Self { levels, slices: Slices::Owned(bytes, ends) });
        }
        let mut slices = Vec::with_capacity(rows);
        for_each(false, runs, &mut levels, |value| {
            slices.push(value);
            Some(())
        })?;
        Ok(Self { levels, slices: Slices::Borrowed(slices) })
    }

    /// One by one.
    pub(super) fn slices(&self) -> Cow<'_, [&[u8]]> {
        match &self.slices {
            Slices::Borrowed(slices) => Cow::Borrowed(slices),
            Slices::Owned(bytes, ends) => {
                let starts = std::iter::once(&0).chain(ends);
                starts.zip(ends).map(|(from, to)| bytes.get(*from..*to).unwrap_or_default()).collect()
            }
        }
    }
}

/// Calls `each` for every value; it answers `None` for one that is not text.
fn for_each<'a>(
    string: bool,
    runs: &'a [Run],
    levels: &mut Levels,
    mut each: impl FnMut(&'a [u8]) -> Option<()>,
) -> Result<(), EncodeError> {
    for run in runs {
        let (chunk, rows) = match run {
            Run::Absent(rows) => {
                levels.push_all(false, *rows);
                continue;
            }
            Run::Values { chunk, rows } => (&**chunk, rows.clone()),
        };
        for row in rows {
            let value = match chunk {
                Chunk::Varchar { aux, data } => varchar(aux, data, row),
                Chunk::Prefixed { aux, data } => prefixed(string, aux, data, row),
                Chunk::Array { aux, data } => aux.get(row).and_then(|entry| {
                    let (offset, size) = array_span(entry);
                    let offset = offset as usize;
                    data.get(offset..offset.checked_add(size as usize)?).filter(|bytes| !bytes.is_empty())
                }),
                Chunk::Fixed { .. } => None,
            };
            levels.push(value.is_some());
            if let Some(value) = value
                && each(value).is_none()
            {
                return Err(EncodeError::NotText);
            }
        }
    }
    Ok(())
}

/// What stands behind the length: units of a STRING, bytes of a BINARY.
fn prefixed<'a>(string: bool, aux: &[u64], data: &'a [u8], row: usize) -> Option<&'a [u8]> {
    let entry = data.get(*aux.get(row)? as usize..*aux.get(row + 1)? as usize)?;
    if string {
        let (len, units) = entry.split_first_chunk::<4>()?;
        return (i32::from_le_bytes(*len) >= 0).then_some(units);
    }
    let (len, bytes) = entry.split_first_chunk::<8>()?;
    (i64::from_le_bytes(*len) >= 0).then_some(bytes)
}

/// UTF-16LE as UTF-8; `None` if it is not text.
fn narrow(units: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let units = units.as_chunks::<2>().0;
    if units.iter().fold(0, |any, [low, high]| any | *high | low & 0x80) == 0 {
        out.extend(units.iter().map(|[low, _]| *low));
        return Some(());
    }
    for character in char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))) {
        out.extend_from_slice(character.ok()?.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(())
}

/// Lengths of 4 bytes before the values.
pub(super) fn plain(values: &[&[u8]], out: &mut Vec<u8>) {
    out.reserve(values.iter().map(|value| value.len() + 4).sum());
    for value in values {
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(value);
    }
}

/// All lengths, then all bytes.
pub(super) fn delta_length(values: &[&[u8]], out: &mut Vec<u8>) {
    let lengths: Vec<i64> = values.iter().map(|value| value.len() as i64).collect();
    delta::encode(&lengths, true, out);
    out.reserve(values.iter().map(|value| value.len()).sum());
    values.iter().for_each(|value| out.extend_from_slice(value));
}

/// Different values in order of first use.
#[derive(Default)]
pub(super) struct Dictionary<'a> {
    keys: HashMap<&'a [u8], u32, FixedState>,
    pub(super) values: Vec<&'a [u8]>,
}

impl<'a> Dictionary<'a> {
    /// The value's key.
    pub(super) fn key(&mut self, value: &'a [u8]) -> u32 {
        let next = self.values.len() as u32;
        let key = *self.keys.entry(value).or_insert(next);
        if key == next {
            self.values.push(value);
        }
        key
    }
}

/// Whether a dictionary is worth it: going by the first values, most are not unique.
pub(super) fn repeat(values: &[&[u8]], all: usize) -> bool {
    let sample = values.get(..SAMPLE).unwrap_or(values);
    let mut seen = Dictionary::default();
    for value in sample {
        seen.key(value);
    }
    let (taken, twice) = (sample.len() as f64, (sample.len() - seen.values.len()) as f64);
    // Of `kinds` equally frequent kinds of values so many are met twice; and of all values so many are different.
    let kinds = taken * taken / (2.0 * twice.max(0.5));
    let different = kinds * (1.0 - (-(all as f64) / kinds).exp());
    let different = if sample.len() >= all { seen.values.len() as f64 } else { different };
    different < 0.8 * all as f64
}
