//! Building a column of one part as its plan says.

use super::column::{NewColumn, copy, entry_span, moved_entry};
use super::plan::Run;
use crate::table::{
    chunk::{Entry, array_entry, varchar_entry},
    null_pattern,
};
use crate::wal::{ColumnType, Error, Result, Tag};
use std::ops::Range;

/// A column of the part as it is.
pub trait OldColumn {
    /// Fills `into` from the column's `.i` file.
    ///
    /// # Errors
    /// What reading answers.
    fn aux(&self, offset: u64, into: &mut [u8]) -> Result<()>;

    /// Fills `into` from the column's `.d` file.
    ///
    /// # Errors
    /// What reading answers.
    fn data(&self, offset: u64, into: &mut [u8]) -> Result<()>;
}

/// Where the bytes of the part's new files go, one after the other.
pub trait BuildTarget {
    /// Appends to the `.i` file.
    ///
    /// # Errors
    /// What writing answers.
    fn aux(&mut self, bytes: &[u8]) -> Result<()>;

    /// Appends to the `.d` file.
    ///
    /// # Errors
    /// What writing answers.
    fn data(&mut self, bytes: &[u8]) -> Result<()>;
}

/// How a column of one part is built.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The existing column with its top, the number of rows in front that it has no values of; `None` where the
    /// part does not have it.
    pub old: Option<(&'a dyn OldColumn, u64)>,
    /// Number of rows in front that get no values: the new top.
    pub top: u64,
    /// Length of the `.d` file where values are appended to existing files of variable size; `None` for new files.
    pub data_end: Option<u64>,
}

/// Rows that a column of one part consists of.
#[derive(Debug, Clone)]
pub enum Rows<'a> {
    /// New rows: those of a range.
    Range(Range<usize>),
    /// New rows in this order.
    Sorted(&'a [u32]),
    /// New rows and existing ones.
    Woven(&'a [Run]),
}

impl Rows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Sorted(order) => order.len(),
            Self::Woven(runs) => runs.iter().map(|run| run.len()).sum(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Builds a column of these rows.
///
/// # Errors
/// What reading and writing answer; [`Error::Damaged`] where existing files contradict themselves.
pub fn build(
    ty: ColumnType,
    rows: Rows<'_>,
    new: &NewColumn,
    place: Place<'_>,
    target: &mut dyn BuildTarget,
) -> Result<()> {
    match new {
        NewColumn::Fixed { values, .. } => match null_pattern(ty).len() {
            1 => fixed::<1>(ty, rows, values, place, target),
            2 => fixed::<2>(ty, rows, values, place, target),
            4 => fixed::<4>(ty, rows, values, place, target),
            8 => fixed::<8>(ty, rows, values, place, target),
            16 => fixed::<16>(ty, rows, values, place, target),
            _ => fixed::<32>(ty, rows, values, place, target),
        },
        NewColumn::Prefixed { offsets, data } => {
            let mut out = Prefixed::new(target, ty, place);
            match rows {
                Rows::Range(range) => out.rows(offsets.get(range.start..=range.end), data)?,
                Rows::Sorted(order) => out.sorted(order, offsets, data)?,
                Rows::Woven(runs) => each_run(runs, place, |piece| match piece {
                    Piece::New(run) => out.rows(offsets.get(run.start()..=run.start() + run.len()), data),
                    Piece::Old(old, first, rows) => out.old(old, first, rows),
                    Piece::Null(rows) => out.nulls(rows),
                })?,
            }
            out.flush()
        }
        NewColumn::Entries { entries, data } => {
            let mut out = Entries::new(target, ty, place);
            match rows {
                Rows::Range(range) => out.rows(entries.get(range).unwrap_or_default(), data)?,
                Rows::Sorted(order) => out.sorted(order, entries, data)?,
                Rows::Woven(runs) => each_run(runs, place, |piece| match piece {
                    Piece::New(run) => {
                        out.rows(entries.get(run.start()..run.start() + run.len()).unwrap_or_default(), data)
                    }
                    Piece::Old(old, first, rows) => out.old(old, first, rows),
                    Piece::Null(rows) => out.nulls(rows),
                })?,
            }
            out.flush()
        }
    }
}

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;
/// Rows of an existing column that are read at a time.
const OLD_ROWS: u64 = 16 * 1024;

/// A run as a column sees it.
enum Piece<'a> {
    New(Run),
    /// Values of the existing files, counted behind the top.
    Old(&'a dyn OldColumn, u64, u64),
    Null(u64),
}

/// Goes through the runs behind the new top.
fn each_run<'a>(runs: &[Run], place: Place<'a>, mut each: impl FnMut(Piece<'a>) -> Result<()>) -> Result<()> {
    let mut skip = place.top;
    for run in runs {
        let (mut start, mut len) = (run.start() as u64, run.len() as u64);
        let skipped = skip.min(len);
        skip -= skipped;
        start += skipped;
        len -= skipped;
        if len == 0 {
            continue;
        }
        if !run.is_old() {
            each(Piece::New(Run::new_rows(start as u32, len as u32)))?;
            continue;
        }
        let Some((old, top)) = place.old else {
            each(Piece::Null(len))?;
            continue;
        };
        let nulls = top.saturating_sub(start).min(len);
        if nulls > 0 {
            each(Piece::Null(nulls))?;
        }
        if len > nulls {
            each(Piece::Old(old, start + nulls - top, len - nulls))?;
        }
    }
    Ok(())
}

/// Existing values, read ahead: a plan takes them in order.
struct Window<const N: usize> {
    first: u64,
    values: Vec<[u8; N]>,
}

impl<const N: usize> Window<N> {
    /// Up to `rows` values from `first` on, at least one.
    fn get(
        &mut self,
        first: u64,
        rows: u64,
        ahead: u64,
        read: impl Fn(u64, &mut [u8]) -> Result<()>,
    ) -> Result<&[[u8; N]]> {
        let end = self.first + self.values.len() as u64;
        if first < self.first || first >= end {
            let count = rows.max(ahead.min(OLD_ROWS)).min(OLD_ROWS);
            self.values.resize(count as usize, [0; N]);
            read(first * N as u64, self.values.as_flattened_mut())?;
            self.first = first;
        }
        let from = (first - self.first) as usize;
        let to = (from + rows as usize).min(self.values.len());
        Ok(self.values.get(from..to).unwrap_or_default())
    }
}

fn fixed<const N: usize>(
    ty: ColumnType,
    rows: Rows<'_>,
    values: &[u8],
    place: Place<'_>,
    target: &mut dyn BuildTarget,
) -> Result<()> {
    let null: [u8; N] = null_pattern(ty).try_into().unwrap_or([0; N]);
    let (values, _) = values.as_chunks::<N>();
    match rows {
        Rows::Range(range) => target.data(values.get(range).unwrap_or_default().as_flattened()),
        Rows::Sorted(order) => {
            let mut buffer = vec![null; order.len().min(BUFFER / N)];
            for some in order.chunks(buffer.len().max(1)) {
                let buffer = buffer.get_mut(..some.len()).unwrap_or_default();
                for (to, &row) in buffer.iter_mut().zip(some) {
                    *to = values.get(row as usize).copied().unwrap_or(null);
                }
                target.data(buffer.as_flattened())?;
            }
            Ok(())
        }
        Rows::Woven(runs) => woven(null, runs, values, place, target),
    }
}

fn woven<const N: usize>(
    null: [u8; N],
    runs: &[Run],
    values: &[[u8; N]],
    place: Place<'_>,
    target: &mut dyn BuildTarget,
) -> Result<()> {
    let mut buffer: Vec<[u8; N]> = Vec::with_capacity(BUFFER / N + 1);
    let mut window = Window::<N> { first: 0, values: Vec::new() };
    // Values that are still to come from the existing files: how far reading ahead may go.
    let ahead = old_values(runs, place);
    each_run(runs, place, |piece| {
        match piece {
            Piece::New(run) => {
                let rows = values.get(run.start()..run.start() + run.len()).unwrap_or_default();
                if let [one] = rows {
                    buffer.push(*one);
                } else if rows.len() * N >= BUFFER {
                    target.data(buffer.as_flattened())?;
                    buffer.clear();
                    target.data(rows.as_flattened())?;
                } else {
                    buffer.extend_from_slice(rows);
                }
            }
            Piece::Old(old, mut first, mut rows) => {
                // Many at once need no reading ahead.
                while rows as usize * N >= BUFFER {
                    let now = BUFFER / N;
                    target.data(buffer.as_flattened())?;
                    buffer.resize(now, null);
                    old.data(first * N as u64, buffer.as_flattened_mut())?;
                    first += now as u64;
                    rows -= now as u64;
                    target.data(buffer.as_flattened())?;
                    buffer.clear();
                }
                while rows > 0 {
                    let bound = ahead.saturating_sub(first);
                    let got = window.get(first, rows.min(OLD_ROWS), bound, |at, into| old.data(at, into))?;
                    buffer.extend_from_slice(got);
                    first += got.len() as u64;
                    rows -= got.len() as u64;
                }
            }
            Piece::Null(rows) => {
                for _ in 0..rows {
                    buffer.push(null);
                    if buffer.len() * N >= BUFFER {
                        target.data(buffer.as_flattened())?;
                        buffer.clear();
                    }
                }
            }
        }
        if buffer.len() * N >= BUFFER {
            target.data(buffer.as_flattened())?;
            buffer.clear();
        }
        Ok(())
    })?;
    target.data(buffer.as_flattened())
}

/// Number of the value after the last one that the runs take from the existing files.
fn old_values(runs: &[Run], place: Place<'_>) -> u64 {
    let Some((_, top)) = place.old else { return 0 };
    let last = runs.iter().rev().find(|run| run.is_old());
    last.map_or(0, |run| (run.start() + run.len()) as u64).saturating_sub(top)
}

/// STRING and BINARY under construction.
struct Prefixed<'a> {
    target: &'a mut dyn BuildTarget,
    null: &'static [u8],
    end: u64,
    aux: Vec<u8>,
    data: Vec<u8>,
}

impl<'a> Prefixed<'a> {
    fn new(target: &'a mut dyn BuildTarget, ty: ColumnType, place: Place<'_>) -> Self {
        let null: &[u8] = if ty.tag() == Tag::String { &[0xff; 4] } else { &[0xff; 8] };
        let mut out =
            Self { target, null, end: place.data_end.unwrap_or(0), aux: Vec::new(), data: Vec::new() };
        if place.data_end.is_none() {
            out.aux.extend_from_slice(&0u64.to_le_bytes());
        }
        out
    }

    /// Values with the offsets of their beginnings, and of the last one's end.
    fn rows(&mut self, offsets: Option<&[u64]>, data: &[u8]) -> Result<()> {
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
    fn sorted(&mut self, order: &[u32], offsets: &[u64], data: &[u8]) -> Result<()> {
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

    fn old(&mut self, old: &dyn OldColumn, mut first: u64, mut rows: u64) -> Result<()> {
        let mut offsets = Vec::new();
        while rows > 0 {
            let now = rows.min(OLD_ROWS);
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
            first += now;
            rows -= now;
            self.spill()?;
        }
        Ok(())
    }

    fn nulls(&mut self, rows: u64) -> Result<()> {
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

    fn flush(&mut self) -> Result<()> {
        self.target.data(&self.data)?;
        self.target.aux(&self.aux)?;
        self.data.clear();
        self.aux.clear();
        Ok(())
    }
}

/// VARCHAR and ARRAY under construction.
struct Entries<'a> {
    target: &'a mut dyn BuildTarget,
    array: bool,
    end: u64,
    aux: Vec<Entry>,
    data: Vec<u8>,
}

impl<'a> Entries<'a> {
    fn new(target: &'a mut dyn BuildTarget, ty: ColumnType, place: Place<'_>) -> Self {
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
    fn rows(&mut self, entries: &[Entry], data: &[u8]) -> Result<()> {
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
    fn sorted(&mut self, order: &[u32], entries: &[Entry], data: &[u8]) -> Result<()> {
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

    fn old(&mut self, old: &dyn OldColumn, mut first: u64, mut rows: u64) -> Result<()> {
        let mut entries: Vec<Entry> = Vec::new();
        while rows > 0 {
            let now = rows.min(OLD_ROWS);
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
            first += now;
            rows -= now;
            self.spill()?;
        }
        Ok(())
    }

    fn nulls(&mut self, rows: u64) -> Result<()> {
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

    fn flush(&mut self) -> Result<()> {
        self.target.data(&self.data)?;
        self.target.aux(self.aux.as_flattened())?;
        self.data.clear();
        self.aux.clear();
        Ok(())
    }
}

/// Values that are looked up together: the processor then waits for memory once, not for one after the other.
const AT_ONCE: usize = 64;

/// Has the processor fetch what is at these places.
fn touch(places: impl Iterator<Item = usize>, data: &[u8]) {
    std::hint::black_box(places.fold(0, |sum, at| sum ^ data.get(at).copied().unwrap_or(0)));
}

/// Puts bytes behind what is in `data`, or straight on where they are many.
fn append(bytes: &[u8], data: &mut Vec<u8>, target: &mut dyn BuildTarget) -> Result<()> {
    if bytes.len() < BUFFER {
        data.extend_from_slice(bytes);
        return Ok(());
    }
    target.data(data)?;
    data.clear();
    target.data(bytes)
}

/// Copies bytes `lo .. hi` of the existing `.d` file behind what is in `data`, or straight on where they are many.
fn copy_old(
    old: &dyn OldColumn,
    mut lo: u64,
    hi: u64,
    data: &mut Vec<u8>,
    target: &mut dyn BuildTarget,
) -> Result<()> {
    while lo < hi {
        let now = (hi - lo).min(BUFFER as u64) as usize;
        let begun = data.len();
        data.resize(begun + now, 0);
        old.data(lo, data.get_mut(begun..).unwrap_or_default())?;
        lo += now as u64;
        if data.len() >= BUFFER {
            target.data(data)?;
            data.clear();
        }
    }
    Ok(())
}
