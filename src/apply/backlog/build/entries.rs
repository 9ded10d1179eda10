//! Columns of VARCHAR and ARRAY: entries of 16 bytes in `.i` that say where in `.d` a value is.

use super::{AT_ONCE, BUFFER, BuildTarget, OldColumn, Place, append, copy_old, portions, touch};
use crate::apply::backlog::column::{copy, entry_span, moved_entry};
use crate::table::chunk::{Entry, array_entry, varchar_entry};
use crate::wal::{ColumnType, Error, Result, Tag};

/// VARCHAR and ARRAY under construction.
pub(super) struct Entries<'a> {
    target: &'a mut dyn BuildTarget,
    array: bool,
    end: u64,
    aux: Vec<Entry>,
    data: Vec<u8>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(target: &'a mut dyn BuildTarget, ty: ColumnType, place: Place<'_>) -> Self {
        let (array, end) = (ty.tag() == Tag::Array, place.data_end.unwrap_or(0));
        Self { target, array, end, aux: Vec::new(), data: Vec::new() }
    }

    fn span(&self, entry: &Entry) -> (u64, u64) {
        entry_span(self.array, entry)
    }

    fn moved(&self, entry: &Entry, shift: u64) -> Entry {
        moved_entry(self.array, entry, shift)
    }

    /// Entries whose data lies in one piece.
    pub(super) fn rows(&mut self, entries: &[Entry], data: &[u8]) -> Result<()> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let (lo, _) = self.span(first);
        let (last_offset, last_len) = self.span(last);
        let shift = self.end.wrapping_sub(lo);
        for entry in entries {
            let moved = self.moved(entry, shift);
            self.aux.push(moved);
        }
        let bytes = data.get(lo as usize..(last_offset + last_len) as usize).unwrap_or_default();
        self.end += bytes.len() as u64;
        append(bytes, &mut self.data, self.target)?;
        self.spill()
    }

    /// Values in some order.
    pub(super) fn sorted(&mut self, order: &[u32], entries: &[Entry], data: &[u8]) -> Result<()> {
        for some in order.chunks(AT_ONCE) {
            let mut picked = [[0; 16]; AT_ONCE];
            for (entry, &row) in picked.iter_mut().zip(some) {
                *entry = entries.get(row as usize).copied().unwrap_or_default();
            }
            let picked = picked.get(..some.len()).unwrap_or_default();
            touch(picked.iter().map(|entry| self.span(entry).0 as usize), data);
            for entry in picked {
                let (lo, len) = self.span(entry);
                self.aux.push(self.moved(entry, self.end.wrapping_sub(lo)));
                copy(&mut self.data, data, lo as usize, len as usize);
                self.end += len;
            }
            self.spill()?;
        }
        Ok(())
    }

    pub(super) fn old(&mut self, old: &dyn OldColumn, first: u64, rows: u64) -> Result<()> {
        let mut entries: Vec<Entry> = Vec::new();
        for (first, now) in portions(first, rows) {
            entries.resize(now as usize, [0; 16]);
            old.aux(first * 16, entries.as_flattened_mut())?;
            let (lo, _) = entries.first().map_or((0, 0), |entry| self.span(entry));
            let mut hi = lo;
            for entry in &entries {
                let (offset, len) = self.span(entry);
                if offset != hi {
                    return Err(Error::damaged(
                        "",
                        first * 16,
                        format_args!("values in order, at {hi}"),
                        offset,
                    ));
                }
                hi = offset + len;
            }
            let shift = self.end.wrapping_sub(lo);
            for entry in &entries {
                let moved = self.moved(entry, shift);
                self.aux.push(moved);
            }
            copy_old(old, lo, hi, &mut self.data, self.target)?;
            self.end += hi - lo;
            self.spill()?;
        }
        Ok(())
    }

    pub(super) fn nulls(&mut self, rows: u64) -> Result<()> {
        let null = if self.array { array_entry(self.end, 0) } else { varchar_entry(None, self.end) };
        for _ in 0..rows {
            self.aux.push(null);
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        if self.aux.len() * 16 >= BUFFER || self.data.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.target.data(&self.data)?;
        self.target.aux(self.aux.as_flattened())?;
        self.data.clear();
        self.aux.clear();
        Ok(())
    }
}
