//! Building a column of one part as its plan says.

mod entries;
mod fixed;
mod prefixed;

use super::column::NewColumn;
use super::plan::Run;
use crate::table::null_pattern;
use crate::wal::{ColumnType, Result};
use entries::Entries;
use fixed::fixed;
use prefixed::Prefixed;
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
/// What reading and writing answer; [`Error::Damaged`](crate::wal::Error::Damaged) where existing files contradict themselves.
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

/// Rows of an existing column as they are read: the first of some, and how many.
fn portions(first: u64, rows: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..rows).step_by(OLD_ROWS as usize).map(move |done| (first + done, (rows - done).min(OLD_ROWS)))
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
