//! Columns of STRING and BINARY: offsets in `.i`, each value with its length in front in `.d`.

use super::{AT_ONCE, BUFFER, BuildTarget, OldColumn, Place, append, copy_old, portions, touch};
use crate::apply::backlog::column::copy;
use crate::wal::{ColumnType, Error, Result, Tag};

/// STRING and BINARY under construction.
pub(super) struct Prefixed<'a> {
    target: &'a mut dyn BuildTarget,
    null: &'static [u8],
    end: u64,
    aux: Vec<u8>,
    data: Vec<u8>,
}

impl<'a> Prefixed<'a> {
    pub(super) fn new(target: &'a mut dyn BuildTarget, ty: ColumnType, place: Place<'_>) -> Self {
        let null: &[u8] = if ty.tag() == Tag::String { &[0xff; 4] } else { &[0xff; 8] };
        let mut out =
            Self { target, null, end: place.data_end.unwrap_or(0), aux: Vec::new(), data: Vec::new() };
        if place.data_end.is_none() {
            out.aux.extend_from_slice(&0u64.to_le_bytes());
        }
        out
    }

    /// Values with the offsets of their beginnings, and of the last one's end.
    pub(super) fn rows(&mut self, offsets: Option<&[u64]>, data: &[u8]) -> Result<()> {
        let Some((&[first, ..], &[.., last])) = offsets.map(|offsets| (offsets, offsets)) else {
            return Ok(());
        };
        let shift = self.end.wrapping_sub(first);
        for offset in offsets.unwrap_or_default().iter().skip(1) {
            self.aux.extend_from_slice(&offset.wrapping_add(shift).to_le_bytes());
        }
        self.bytes(data.get(first as usize..last as usize).unwrap_or_default())
    }

    /// Values in some order.
    pub(super) fn sorted(&mut self, order: &[u32], offsets: &[u64], data: &[u8]) -> Result<()> {
        for some in order.chunks(AT_ONCE) {
            let mut spans = [(0, 0); AT_ONCE];
            for (span, &row) in spans.iter_mut().zip(some) {
                let two = offsets.get(row as usize..row as usize + 2);
                *span = two.map_or((0, 0), |two| (two[0] as usize, two[1] as usize));
            }
            touch(spans.iter().take(some.len()).map(|span| span.0), data);
            for (lo, hi) in spans.into_iter().take(some.len()) {
                self.end += (hi - lo) as u64;
                self.aux.extend_from_slice(&self.end.to_le_bytes());
                copy(&mut self.data, data, lo, hi - lo);
            }
            self.spill()?;
        }
        Ok(())
    }

    pub(super) fn old(&mut self, old: &dyn OldColumn, first: u64, rows: u64) -> Result<()> {
        let mut offsets = Vec::new();
        for (first, now) in portions(first, rows) {
            let mut bytes = vec![0; (now as usize + 1) * 8];
            old.aux(first * 8, &mut bytes)?;
            offsets.clear();
            offsets.extend(bytes.as_chunks::<8>().0.iter().map(|offset| u64::from_le_bytes(*offset)));
            if !offsets.is_sorted() {
                return Err(Error::damaged("", first * 8, "offsets that do not decrease", "a smaller one"));
            }
            let lo = offsets.first().copied().unwrap_or(0);
            let hi = offsets.last().copied().unwrap_or(lo);
            let shift = self.end.wrapping_sub(lo);
            for offset in offsets.iter().skip(1) {
                self.aux.extend_from_slice(&offset.wrapping_add(shift).to_le_bytes());
            }
            copy_old(old, lo, hi, &mut self.data, self.target)?;
            self.end += hi - lo;
            self.spill()?;
        }
        Ok(())
    }

    pub(super) fn nulls(&mut self, rows: u64) -> Result<()> {
        for _ in 0..rows {
            self.aux.extend_from_slice(&(self.end + self.null.len() as u64).to_le_bytes());
            self.bytes(self.null)?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.end += bytes.len() as u64;
        append(bytes, &mut self.data, self.target)?;
        self.spill()
    }

    fn spill(&mut self) -> Result<()> {
        if self.aux.len() >= BUFFER || self.data.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.target.data(&self.data)?;
        self.target.aux(&self.aux)?;
        self.data.clear();
        self.aux.clear();
        Ok(())
    }
}
