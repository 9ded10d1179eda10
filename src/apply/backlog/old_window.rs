//! The existing rows of a part, looked at from front to back, some at a time.

use super::plan::{OldRows, gallop};
use super::upsert::Keys;
use crate::wal::{Error, Result};
use std::ops::Range;

/// Rows that are read at a time.
const ROWS: u64 = 64 * 1024;

/// Timestamps, and upsert keys, of the existing rows around the place that a plan is at.
pub(super) struct OldWindow<'a> {
    rows: Option<&'a dyn OldRows>,
    with_keys: bool,
    /// Number of the first row held.
    first: u64,
    /// Position in what is held of the first row that is not taken.
    at: usize,
    timestamps: Vec<i64>,
    keys: Option<Keys>,
    /// Number of rows there are.
    end: u64,
}

impl<'a> OldWindow<'a> {
    /// The rows from number `from` up to `end`.
    pub(super) fn new(rows: &'a dyn OldRows, from: u64, end: u64, with_keys: bool) -> Self {
        Self { rows: Some(rows), with_keys, first: from, at: 0, timestamps: Vec::new(), keys: None, end }
    }

    /// No rows.
    pub(super) fn none() -> Self {
        Self { rows: None, with_keys: false, first: 0, at: 0, timestamps: Vec::new(), keys: None, end: 0 }
    }

    /// Number of the first row that is not taken.
    pub(super) fn next(&self) -> u64 {
        self.first + self.at as u64
    }

    /// Has all rows at hand that are not taken and whose timestamp is not above `ts`.
    pub(super) fn reach(&mut self, ts: i64) -> Result<()> {
        while self.timestamps.last().is_none_or(|&last| last <= ts) {
            let from = self.first + self.timestamps.len() as u64;
            let Some(rows) = self.rows.filter(|_| from < self.end) else { return Ok(()) };
            let more = from..self.end.min(from + ROWS);
            // What was taken is not needed any more.
            self.timestamps.drain(..self.at);
            let held = self.timestamps.len() as u64;
            self.first = from - held;
            self.at = 0;
            let read = rows.timestamps(more.clone())?;
            if read.len() as u64 != more.end - more.start || self.timestamps.last() > read.first() {
                return Err(Error::damaged(
                    "",
                    from * 8,
                    "timestamps that do not decrease",
                    "an earlier one",
                ));
            }
            self.timestamps.extend(read);
            if self.with_keys {
                self.keys = Some(rows.keys(self.first..more.end)?);
            }
        }
        Ok(())
    }

    /// Takes the rows at hand from the next one on for as long as `wanted` holds; answers their numbers.
    pub(super) fn take(&mut self, wanted: impl Fn(i64) -> bool) -> Range<u32> {
        let until = gallop(self.at, &self.timestamps, wanted);
        let taken = self.first as u32 + self.at as u32..self.first as u32 + until as u32;
        self.at = until;
        taken
    }

    /// Takes all rows that are left.
    pub(super) fn rest(&mut self) -> Range<u32> {
        let next = self.next() as u32;
        next..next.max(self.end as u32)
    }

    /// The keys of a row at hand.
    pub(super) fn key(&self, row: u32) -> Option<(&Keys, u32)> {
        Some((self.keys.as_ref()?, row.checked_sub(self.first as u32)?))
    }
}
