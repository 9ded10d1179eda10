//! Columns whose values are all of one size.

use super::{BUFFER, BuildTarget, OLD_ROWS, Piece, Place, Rows, each_run};
use crate::apply::backlog::plan::Run;
use crate::table::null_pattern;
use crate::wal::{ColumnType, Result};

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

/// Builds a column of values of `N` bytes.
pub(super) fn fixed<const N: usize>(
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
