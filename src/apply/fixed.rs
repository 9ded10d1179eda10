//! Building chunks of fixed-size values from runs: what most columns are, so the loop that counts.
//!
//! Values are arrays of a width known to the compiler. A short run is then a few moves instead of calls
//! to copy memory: rows that come shuffled, or one by one, are all short runs.

use super::plan::{Run, runs_rows};
use super::source::{Source, Sources, SymbolMap};
use crate::table::{Chunk, null_pattern};
use crate::wal::{ColumnType, WalColumn};

/// Runs of fewer rows than this, on average, are copied value by value.
const SHORT: usize = 32;

/// Appends the values of a column in these runs to `values`.
pub(super) fn append(
    values: &mut Vec<u8>,
    ty: ColumnType,
    column: usize,
    runs: &[Run],
    sources: &Sources<'_>,
) {
    match null_pattern(ty).len() {
        1 => append_as::<1>(values, ty, column, runs, sources),
        2 => append_as::<2>(values, ty, column, runs, sources),
        4 => append_as::<4>(values, ty, column, runs, sources),
        8 => append_as::<8>(values, ty, column, runs, sources),
        16 => append_as::<16>(values, ty, column, runs, sources),
        _ => append_as::<32>(values, ty, column, runs, sources),
    }
}

/// Where a source has a column's values.
#[derive(Clone, Copy)]
enum Rows<'a, const N: usize> {
    Stored(&'a [[u8; N]]),
    /// Timestamps, each with a row id behind it.
    Designated(&'a [[u8; 16]]),
    /// Symbol keys of a writer.
    Keys(&'a [[u8; N]], &'a SymbolMap),
    Absent,
}

fn append_as<const N: usize>(
    values: &mut Vec<u8>,
    ty: ColumnType,
    column: usize,
    runs: &[Run],
    sources: &Sources<'_>,
) {
    let null: [u8; N] = null_pattern(ty).try_into().unwrap_or([0; N]);
    let rows = runs_rows(runs);
    values.reserve(rows * N);
    if rows >= runs.len() * SHORT {
        for run in runs {
            rows_of(sources, run.source as usize, column).extend(values, run, null);
        }
        return;
    }
    // Looking a commit's column up costs as much as a short run: with many runs it is done once.
    let commits: Vec<Rows<'_, N>> = match runs.len() > sources.commits.len() {
        true => {
            (0..sources.commits.len()).map(|i| rows_of(sources, sources.blocks.len() + i, column)).collect()
        }
        false => Vec::new(),
    };
    let mut last = (usize::MAX, Rows::Absent);
    let begun = values.len();
    values.resize(begun + rows * N, 0);
    let (mut to, _) = values.get_mut(begun..).unwrap_or_default().as_chunks_mut::<N>();
    for run in runs {
        let source = run.source as usize;
        let known = source.checked_sub(sources.blocks.len()).and_then(|commit| commits.get(commit));
        let rows = match known {
            Some(rows) => *rows,
            None if last.0 == source => last.1,
            None => {
                last = (source, rows_of(sources, source, column));
                last.1
            }
        };
        let Some((now, later)) = to.split_at_mut_checked(run.len as usize) else { return };
        rows.copy(now, run.start as usize, null);
        to = later;
    }
}

fn rows_of<'a, const N: usize>(sources: &Sources<'a>, source: usize, column: usize) -> Rows<'a, N> {
    match sources.get(source as u32) {
        Some(Source::Block(block)) => match block.chunk(column).map(|chunk| &**chunk) {
            Some(Chunk::Fixed { values, .. }) => Rows::Stored(values.as_chunks().0),
            _ => Rows::Absent,
        },
        Some(Source::Commit(prepared)) => match prepared.commit.columns.get(column) {
            Some(Some(WalColumn::Designated(bytes))) => Rows::Designated(bytes.as_chunks().0),
            Some(Some(WalColumn::Fixed { values, .. })) => match prepared.symbols.get(column) {
                Some(Some(map)) => Rows::Keys(values.as_chunks().0, map),
                _ => Rows::Stored(values.as_chunks().0),
            },
            _ => Rows::Absent,
        },
        None => Rows::Absent,
    }
}

impl<const N: usize> Rows<'_, N> {
    /// Appends the rows of a long run.
    fn extend(self, values: &mut Vec<u8>, run: &Run, null: [u8; N]) {
        let rows = run.start as usize..(run.start + run.len) as usize;
        match self {
            Rows::Stored(from) => values.extend_from_slice(from.get(rows).unwrap_or_default().as_flattened()),
            Rows::Designated(from) => {
                for row in from.get(rows).unwrap_or_default() {
                    values.extend_from_slice(row.first_chunk().unwrap_or(&null));
                }
            }
            Rows::Keys(from, map) => {
                for key in from.get(rows).unwrap_or_default() {
                    values.extend_from_slice(&table_key(key, map, null));
                }
            }
            Rows::Absent => rows.for_each(|_| values.extend_from_slice(&null)),
        }
    }

    /// Fills `to` with the rows from `start` on; what is missing is null.
    fn copy(self, to: &mut [[u8; N]], start: usize, null: [u8; N]) {
        let range = start..start + to.len();
        match self {
            Rows::Stored(from) => match from.get(range) {
                Some(from) if from.len() > SHORT => to.copy_from_slice(from),
                // Few: moves cost less than a call.
                Some(from) => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
                None => to.fill(null),
            },
            Rows::Designated(from) => {
                for (to, from) in to.iter_mut().zip(from.get(range).unwrap_or_default()) {
                    *to = from.first_chunk().copied().unwrap_or(null);
                }
            }
            Rows::Keys(from, map) => {
                for (to, from) in to.iter_mut().zip(from.get(range).unwrap_or_default()) {
                    *to = table_key(from, map, null);
                }
            }
            Rows::Absent => to.fill(null),
        }
    }
}

fn table_key<const N: usize>(key: &[u8; N], map: &SymbolMap, null: [u8; N]) -> [u8; N] {
    let key = key.first_chunk().map_or(i32::MIN, |key| i32::from_le_bytes(*key));
    map.table_key(key).to_le_bytes().first_chunk().copied().unwrap_or(null)
}
