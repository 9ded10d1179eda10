//! Of which rows a part consists once the new ones are in it.

use super::order::Share;
use super::upsert::{Keys, Upsert};
use crate::wal::Result;

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

    /// The timestamps of the rows from `from` on.
    ///
    /// # Errors
    /// What reading them answers.
    fn timestamps(&self, from: u64) -> Result<Vec<i64>>;

    /// The upsert keys besides the timestamp of the rows from `from` on.
    ///
    /// # Errors
    /// What reading them answers.
    fn keys(&self, from: u64) -> Result<Keys>;
}

/// What becomes of one part.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// Where its new rows are among the sorted ones, and which part it is.
    pub share: Share,
    /// All new rows go behind the existing ones: `runs` has the new rows only.
    pub append: bool,
    /// Its rows, in order.
    pub runs: Vec<Run>,
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

/// The new rows of a batch as a plan sees them.
#[derive(Debug, Clone, Copy)]
pub struct NewRows<'a> {
    /// By number.
    pub timestamps: &'a [i64],
    /// Numbers in order; `None` where they are in order as they stand.
    pub order: Option<&'a [u32]>,
    /// With deduplication: the upsert keys besides the timestamp, by number.
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

impl NewRows<'_> {
    /// The number of the row at a position of the order.
    pub(super) fn row(&self, position: usize) -> u32 {
        match self.order {
            Some(order) => order.get(position).copied().unwrap_or(u32::MAX),
            None => position as u32,
        }
    }

    pub(super) fn ts(&self, row: u32) -> i64 {
        self.timestamps.get(row as usize).copied().unwrap_or(i64::MAX)
    }
}

impl Plan {
    /// Plans a part: `old` are its rows, `None` for a new partition.
    ///
    /// # Errors
    /// What reading existing rows answers.
    pub fn new(new: &NewRows<'_>, share: Share, old: Option<(OldPart, &dyn OldRows)>) -> Result<Self> {
        let first = new.ts(new.row(share.from));
        let last = new.ts(new.row(share.to.saturating_sub(1)));
        let behind = |part: &OldPart| first > part.max_ts || first == part.max_ts && new.upsert.is_none();
        match old {
            None => Ok(Self::of_new(new, share, first, last)),
            Some((part, _)) if behind(&part) => {
                let plan = Self::of_new(new, share, first, last);
                Ok(Self {
                    append: true,
                    rows: plan.rows + part.rows,
                    kept: part.rows,
                    min_ts: i64::MAX,
                    ..plan
                })
            }
            Some((part, rows)) => Self::merged(new, share, part, rows, first, last),
        }
    }

    /// Has a part written anew to which rows are only appended: its existing rows get values that they lacked.
    #[must_use]
    pub fn rewritten(mut self) -> Self {
        if self.append {
            let mut runs = vec![Run::old_rows(0, self.kept as u32)];
            runs.append(&mut self.runs);
            (self.runs, self.append) = (runs, false);
        }
        self
    }

    fn of_new(new: &NewRows<'_>, share: Share, min_ts: i64, max_ts: i64) -> Self {
        let mut runs = Runs::default();
        let replaced = match new.upsert {
            Some(keys) => {
                Upsert { new, keys, old_ts: &[], old_keys: None, old_first: 0 }.weave(&mut runs, share)
            }
            None => {
                match new.order {
                    None => runs.push_new(share.from as u32, (share.to - share.from) as u32),
                    Some(order) => {
                        for &row in order.get(share.from..share.to).unwrap_or_default() {
                            runs.push_new(row, 1);
                        }
                    }
                }
                0
            }
        };
        let rows = (share.to - share.from) as u64 - replaced;
        Self { share, append: false, runs: runs.0, rows, min_ts, max_ts, kept: 0, replaced }
    }

    fn merged(
        new: &NewRows<'_>,
        share: Share,
        part: OldPart,
        old: &dyn OldRows,
        first: i64,
        last: i64,
    ) -> Result<Self> {
        let kept = old.lower_bound(first)?.min(part.rows);
        let timestamps = old.timestamps(kept)?;
        let mut runs = Runs::default();
        runs.push_old(0, kept as u32);
        let replaced = match new.upsert {
            Some(keys) => {
                let old_keys = old.keys(kept)?;
                let upsert = Upsert {
                    new,
                    keys,
                    old_ts: &timestamps,
                    old_keys: Some(&old_keys),
                    old_first: kept as u32,
                };
                upsert.weave(&mut runs, share)
            }
            None => {
                weave(&mut runs, new, share, &timestamps, kept as u32);
                0
            }
        };
        let min_ts =
            if kept > 0 { i64::MAX } else { first.min(timestamps.first().copied().unwrap_or(i64::MAX)) };
        let rows = part.rows + (share.to - share.from) as u64 - replaced;
        let max_ts = last.max(part.max_ts);
        Ok(Self { share, append: false, runs: runs.0, rows, min_ts, max_ts, kept, replaced })
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

/// Weaves new rows into existing ones: existing rows come before new ones of the same timestamp.
fn weave(runs: &mut Runs, new: &NewRows<'_>, share: Share, old: &[i64], old_first: u32) {
    let mut at = 0;
    for position in share.from..share.to {
        let row = new.row(position);
        let ts = new.ts(row);
        let until = gallop(at, old, |old| old <= ts);
        runs.push_old(old_first + at as u32, (until - at) as u32);
        at = until;
        runs.push_new(row, 1);
    }
    runs.push_old(old_first + at as u32, (old.len() - at) as u32);
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
