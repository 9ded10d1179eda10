//! Of which rows a part consists once the new ones are in it.

use super::old_window::OldWindow;
use super::order::sort_rows;
use super::upsert::Keys;
use crate::wal::Result;
use std::ops::Range;

/// Neighbouring rows, of the part as it was or of the batch.
///
/// ```
/// use understudy::apply::backlog::Run;
///
/// let run = Run::new_rows(7, 3);
/// assert_eq!((run.is_old(), run.start(), run.len()), (false, 7, 3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    start: u32,
    /// The highest bit tells an existing row.
    len: u32,
}

/// A part of the table as it is: a partition, or what a partition was split into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldPart {
    /// First timestamp that belongs here.
    pub floor: i64,
    /// Number of rows, at least one.
    pub rows: u64,
    /// Largest timestamp.
    pub max_ts: i64,
}

/// The rows of an existing part, as far as a plan must look at them.
pub trait OldRows {
    /// Number of rows whose timestamp is below `ts`.
    ///
    /// # Errors
    /// What reading them answers.
    fn lower_bound(&self, ts: i64) -> Result<u64>;

    /// The timestamps of some rows.
    ///
    /// # Errors
    /// What reading them answers.
    fn timestamps(&self, rows: Range<u64>) -> Result<Vec<i64>>;

    /// The upsert keys besides the timestamp of some rows.
    ///
    /// # Errors
    /// What reading them answers.
    fn keys(&self, rows: Range<u64>) -> Result<Keys>;
}

/// What becomes of one part. New rows are numbered by their positions in its share.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// All new rows go behind the existing ones: `sequence` has the new rows only.
    pub append: bool,
    /// Its rows, in order.
    pub sequence: Sequence,
    /// Number of rows then.
    pub rows: u64,
    /// Smallest timestamp then.
    pub min_ts: i64,
    /// Largest timestamp then.
    pub max_ts: i64,
    /// Existing rows in front that stay as they are: they need not be looked at.
    pub kept: u64,
    /// Rows replaced by deduplication, existing or new.
    pub replaced: u64,
}

/// Of which rows something consists, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sequence {
    /// All new rows as they came; this is how many.
    AsTheyCame(u32),
    /// New rows in this order.
    Sorted(Vec<u32>),
    /// New rows and existing ones.
    Woven(Vec<Run>),
}

/// The new rows of a share as a plan sees them.
#[derive(Debug, Clone, Copy)]
pub struct NewRows<'a> {
    /// By position in the share.
    pub timestamps: &'a [i64],
    /// With deduplication: the upsert keys besides the timestamp, likewise.
    pub upsert: Option<&'a Keys>,
}

impl Run {
    const OLD: u32 = 1 << 31;

    /// Rows of the batch.
    pub fn new_rows(start: u32, len: u32) -> Self {
        Self { start, len: len & !Self::OLD }
    }

    /// Rows that the part has.
    pub fn old_rows(start: u32, len: u32) -> Self {
        Self { start, len: len | Self::OLD }
    }

    /// Whether the part had them.
    pub fn is_old(self) -> bool {
        self.len & Self::OLD != 0
    }

    /// Number of the first row.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Number of rows.
    pub fn len(self) -> usize {
        (self.len & !Self::OLD) as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl Plan {
    /// Plans a part: `old` are its rows, `None` for a new partition.
    ///
    /// # Errors
    /// What reading existing rows answers.
    pub fn new(new: &NewRows<'_>, old: Option<(OldPart, &dyn OldRows)>) -> Result<Self> {
        let order = sort_rows(new.timestamps);
        let sorted = Sorted { timestamps: new.timestamps, order: order.as_deref() };
        let new_rows = sorted.len();
        let (first, last) = (sorted.ts(0), sorted.ts(new_rows.saturating_sub(1)));
        let behind = |part: &OldPart| first > part.max_ts || first == part.max_ts && new.upsert.is_none();
        let merged = old.filter(|(part, _)| !behind(part));
        let mut weaving = match merged {
            Some((part, rows)) => {
                let kept = rows.lower_bound(first)?.min(part.rows);
                Weaving::new(OldWindow::new(rows, kept, part.rows, new.upsert.is_some()))
            }
            None => Weaving::new(OldWindow::none()),
        };
        let kept = weaving.old.next();
        let replaced = match (new.upsert, merged) {
            (Some(keys), _) => weaving.upsert(&sorted, keys)?,
            (None, Some(_)) => weaving.merge(&sorted)?,
            (None, None) => 0,
        };
        let sequence = match (new.upsert, merged, order) {
            (None, None, Some(order)) => Sequence::Sorted(order),
            (None, None, None) => Sequence::AsTheyCame(new_rows as u32),
            _ => weaving.finish(new_rows),
        };
        let part = old.map(|(part, _)| part);
        Ok(Self {
            append: part.is_some() && merged.is_none(),
            sequence,
            rows: new_rows as u64 - replaced + part.map_or(0, |part| part.rows),
            // A part whose first rows stay has its smallest timestamp already.
            min_ts: if part.is_some() && (merged.is_none() || kept > 0) { i64::MAX } else { first },
            max_ts: part.map_or(last, |part| last.max(part.max_ts)),
            kept: if merged.is_some() { kept } else { part.map_or(0, |part| part.rows) },
            replaced,
        })
    }

    /// Has a part written anew to which rows are only appended: its existing rows get values that they lacked.
    #[must_use]
    pub fn rewritten(mut self) -> Self {
        if self.append {
            let mut runs = vec![Run::old_rows(0, self.kept as u32)];
            match &self.sequence {
                Sequence::AsTheyCame(rows) => runs.push(Run::new_rows(0, *rows)),
                Sequence::Sorted(order) => runs.extend(order.iter().map(|&row| Run::new_rows(row, 1))),
                Sequence::Woven(woven) => runs.extend(woven),
            }
            (self.sequence, self.append) = (Sequence::Woven(runs), false);
        }
        self
    }

    /// Whether it gets its new rows as they came, and nothing else is written.
    pub fn is_one_run(&self) -> bool {
        matches!(self.sequence, Sequence::AsTheyCame(_))
    }
}

impl Sequence {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::AsTheyCame(rows) => *rows as usize,
            Self::Sorted(order) => order.len(),
            Self::Woven(runs) => runs.iter().map(|run| run.len()).sum(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// New rows in order.
pub(super) struct Sorted<'a> {
    pub(super) timestamps: &'a [i64],
    pub(super) order: Option<&'a [u32]>,
}

impl Sorted<'_> {
    pub(super) fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// The number of the row at a position.
    pub(super) fn row(&self, position: usize) -> u32 {
        match self.order {
            Some(order) => order.get(position).copied().unwrap_or(u32::MAX),
            None => position as u32,
        }
    }

    pub(super) fn ts(&self, position: usize) -> i64 {
        self.timestamps.get(self.row(position) as usize).copied().unwrap_or(i64::MAX)
    }
}

/// Existing rows and new ones on their way into one sequence.
pub(super) struct Weaving<'a> {
    pub(super) runs: Runs,
    pub(super) old: OldWindow<'a>,
}

impl<'a> Weaving<'a> {
    fn new(old: OldWindow<'a>) -> Self {
        let mut runs = Runs::default();
        runs.push_old(0, old.next() as u32);
        Self { runs, old }
    }

    /// Existing rows come before new ones of the same timestamp. Nothing is ever replaced.
    fn merge(&mut self, new: &Sorted<'_>) -> Result<u64> {
        for position in 0..new.len() {
            let ts = new.ts(position);
            self.old.reach(ts)?;
            let before = self.old.take(|old| old <= ts);
            self.runs.push_old(before.start, before.len() as u32);
            self.runs.push_new(new.row(position), 1);
        }
        Ok(0)
    }

    fn finish(mut self, new_rows: usize) -> Sequence {
        let rest = self.old.rest();
        self.runs.push_old(rest.start, rest.len() as u32);
        match self.runs.0.as_slice() {
            [run] if !run.is_old() && run.start() == 0 && run.len() == new_rows => {
                Sequence::AsTheyCame(new_rows as u32)
            }
            _ => Sequence::Woven(self.runs.0),
        }
    }
}

/// Runs under construction: a row behind the last one makes that run longer.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<Run>);

impl Runs {
    pub(super) fn push_new(&mut self, start: u32, len: u32) {
        self.push(Run::new_rows(start, len));
    }

    pub(super) fn push_old(&mut self, start: u32, len: u32) {
        self.push(Run::old_rows(start, len));
    }

    fn push(&mut self, run: Run) {
        if run.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.is_old() == run.is_old() && last.start() + last.len() == run.start() => {
                last.len += run.len() as u32;
            }
            _ => self.0.push(run),
        }
    }
}

/// First position from `start` on for whose timestamp `wanted` is false; the answer is mostly near.
pub(super) fn gallop(start: usize, timestamps: &[i64], wanted: impl Fn(i64) -> bool) -> usize {
    let holds = |at: usize| timestamps.get(at).is_some_and(|&ts| wanted(ts));
    if !holds(start) {
        return start;
    }
    let (mut lo, mut step) = (start, 1);
    while holds(lo + step) {
        lo += step;
        step *= 2;
    }
    let mut hi = (lo + step).min(timestamps.len());
    lo += 1;
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if holds(middle) {
            lo = middle + 1;
        } else {
            hi = middle;
        }
    }
    lo
}
