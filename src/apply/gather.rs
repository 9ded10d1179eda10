//! Building chunks of variable-size values from runs of rows: long runs are copied whole.

use super::source::{Prepared, Source};
use crate::table::{
    Chunk,
    chunk::{
        Entry, array_entry, array_span, varchar_data_len, varchar_entry, varchar_offset, varchar_with_offset,
    },
    null_pattern,
};
use crate::wal::{ColumnType, Tag, WalColumn};

/// Appends rows `start .. start + len` of a source's column of variable size to `chunk`.
pub(super) fn append(
    chunk: &mut Chunk,
    ty: ColumnType,
    column: usize,
    source: Source<'_>,
    start: usize,
    len: usize,
) {
    match source {
        Source::Block(block) => {
            append_rows(chunk, ty, block.chunk(column).map(|from| &**from), start, len);
        }
        Source::Commit(prepared) => append_commit(chunk, ty, column, prepared, start, len),
    }
}

/// Appends rows `start .. start + len` of another chunk; without one, nulls.
pub fn append_rows(chunk: &mut Chunk, ty: ColumnType, from: Option<&Chunk>, start: usize, len: usize) {
    match from {
        Some(_) if len == 0 => {}
        Some(from) => append_chunk(chunk, from, start, len),
        None => append_nulls(chunk, ty, len),
    }
}

/// Appends nulls, or the zeros of the types that have none.
pub(super) fn append_nulls(chunk: &mut Chunk, ty: ColumnType, rows: usize) {
    match chunk {
        Chunk::Fixed { values, .. } => {
            let null = null_pattern(ty);
            for _ in 0..rows {
                values.extend_from_slice(null);
            }
        }
        Chunk::Prefixed { aux, data } => {
            let null: &[u8] = if ty.tag() == Tag::String { &[0xff; 4] } else { &[0xff; 8] };
            for _ in 0..rows {
                data.extend_from_slice(null);
                aux.push(data.len() as u64);
            }
        }
        Chunk::Varchar { aux, data } => {
            aux.extend(std::iter::repeat_n(varchar_entry(None, data.len() as u64), rows));
        }
        Chunk::Array { aux, data } => {
            aux.extend(std::iter::repeat_n(array_entry(data.len() as u64, 0), rows));
        }
    }
}

fn append_chunk(to: &mut Chunk, from: &Chunk, start: usize, len: usize) {
    match (to, from) {
        (Chunk::Fixed { values, width }, Chunk::Fixed { values: source, .. }) => {
            let range = start * *width..(start + len) * *width;
            values.extend_from_slice(source.get(range).unwrap_or_default());
        }
        (Chunk::Prefixed { aux, data }, Chunk::Prefixed { aux: source_aux, data: source }) => {
            let Some(offsets) = source_aux.get(start..=start + len) else { return };
            let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { return };
            let Some(bytes) = source.get(first as usize..last as usize) else { return };
            let base = data.len() as u64;
            aux.extend(offsets.iter().skip(1).map(|offset| offset - first + base));
            data.extend_from_slice(bytes);
        }
        (Chunk::Varchar { aux, data }, Chunk::Varchar { aux: source_aux, data: source }) => {
            let entries = source_aux.get(start..start + len).unwrap_or_default();
            append_varchars(aux, data, entries, source, 0);
        }
        (Chunk::Array { aux, data }, Chunk::Array { aux: source_aux, data: source }) => {
            let entries = source_aux.get(start..start + len).unwrap_or_default();
            append_arrays(aux, data, entries, source);
        }
        // A column has one type, so its chunks are of one kind.
        _ => {}
    }
}

/// Copies VARCHAR entries and, in one piece, the data that they own; source offsets count from `base`.
fn append_varchars(aux: &mut Vec<Entry>, data: &mut Vec<u8>, entries: &[Entry], source: &[u8], base: u64) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
    let lo = varchar_offset(first);
    let hi = varchar_offset(last) + varchar_data_len(last) as u64;
    let from = (lo.saturating_sub(base)) as usize;
    let to = (hi.saturating_sub(base)) as usize;
    let shift = (data.len() as u64).wrapping_sub(lo);
    aux.extend(
        entries.iter().map(|entry| varchar_with_offset(*entry, varchar_offset(entry).wrapping_add(shift))),
    );
    data.extend_from_slice(source.get(from..to).unwrap_or_default());
}

fn append_arrays(aux: &mut Vec<Entry>, data: &mut Vec<u8>, entries: &[Entry], source: &[u8]) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
    let (lo, _) = array_span(first);
    let (last_offset, last_size) = array_span(last);
    let shift = (data.len() as u64).wrapping_sub(lo);
    aux.extend(entries.iter().map(|entry| {
        let (offset, size) = array_span(entry);
        array_entry(offset.wrapping_add(shift), size)
    }));
    let range = lo as usize..(last_offset + u64::from(last_size)) as usize;
    data.extend_from_slice(source.get(range).unwrap_or_default());
}

fn append_commit(
    chunk: &mut Chunk,
    ty: ColumnType,
    column: usize,
    from: &Prepared<'_>,
    start: usize,
    len: usize,
) {
    match (chunk, from.commit.columns.get(column)) {
        (
            Chunk::Prefixed { aux, data },
            Some(Some(WalColumn::Var { aux: offsets, data: source, base, .. })),
        ) => {
            let offsets = offsets.get(start * 8..(start + len + 1) * 8).unwrap_or_default();
            append_prefixed(aux, data, offsets.as_chunks::<8>().0, source, *base);
        }
        (
            Chunk::Varchar { aux, data },
            Some(Some(WalColumn::Var { aux: entries, data: source, base, .. })),
        ) => {
            let entries = entries.get(start * 16..(start + len) * 16).unwrap_or_default();
            append_varchars(aux, data, entries.as_chunks::<16>().0, source, *base);
        }
        (Chunk::Array { aux, data }, Some(Some(WalColumn::Var { aux: entries, data: source, base, .. }))) => {
            let entries = entries.get(start * 16..(start + len) * 16).unwrap_or_default();
            for entry in entries.as_chunks::<16>().0 {
                append_wal_array(aux, data, ty, entry, source, *base);
            }
        }
        (chunk, _) => append_nulls(chunk, ty, len),
    }
}

fn append_prefixed(aux: &mut Vec<u64>, data: &mut Vec<u8>, offsets: &[[u8; 8]], source: &[u8], base: u64) {
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return };
    let (lo, hi) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    let from = (lo.saturating_sub(base)) as usize;
    let to = (hi.saturating_sub(base)) as usize;
    let shift = (data.len() as u64).wrapping_sub(lo);
    aux.extend(offsets.iter().skip(1).map(|offset| u64::from_le_bytes(*offset).wrapping_add(shift)));
    data.extend_from_slice(source.get(from..to).unwrap_or_default());
}

/// In a segment the padding between shape and values depends on the file offset; here an entry starts
/// at a multiple of 8, so that its bytes can be copied anywhere.
pub(super) fn append_wal_array(
    aux: &mut Vec<Entry>,
    data: &mut Vec<u8>,
    ty: ColumnType,
    entry: &Entry,
    source: &[u8],
    base: u64,
) {
    let (offset, size) = array_span(entry);
    let at = data.len() as u64;
    if size == 0 {
        aux.push(array_entry(at, 0));
        return;
    }
    let shape = ty.array_dims() as u64 * 4;
    let values = (offset + shape).next_multiple_of(8) - base;
    let end = (offset + u64::from(size)).saturating_sub(base) as usize;
    let start = offset.saturating_sub(base) as usize;
    let dims = source.get(start..start + shape as usize).unwrap_or_default();
    // The segment pads an entry's end to 4 bytes; doubles end there anyway.
    let values = source.get(values as usize..end.max(values as usize)).unwrap_or_default();
    data.extend_from_slice(dims);
    data.resize(data.len().next_multiple_of(8), 0);
    data.extend_from_slice(values);
    aux.push(array_entry(at, (data.len() as u64 - at) as u32));
}
