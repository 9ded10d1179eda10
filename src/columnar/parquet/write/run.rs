use crate::table::chunk::{array_span, varchar_data_len, varchar_offset};
use crate::table::{Chunk, Partition};
use std::ops::Range;
use std::sync::Arc;

/// Neighbouring rows of a column.
#[derive(Debug, Clone)]
pub enum Run {
    /// So many rows from before the column was added.
    Absent(usize),
    /// Rows of a chunk.
    Values {
        /// Shared with whoever holds the rows.
        chunk: Arc<Chunk>,
        /// Which of them.
        rows: Range<usize>,
    },
}

impl Run {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Absent(rows) => *rows,
            Self::Values { rows, .. } => rows.len(),
        }
    }

    /// The first `count` rows, and the others.
    pub(super) fn split(self, count: usize) -> (Self, Self) {
        match self {
            Self::Absent(rows) => (Self::Absent(count.min(rows)), Self::Absent(rows.saturating_sub(count))),
            Self::Values { chunk, rows } => {
                let middle = rows.start.saturating_add(count).min(rows.end);
                let first = Self::Values { chunk: chunk.clone(), rows: rows.start..middle };
                (first, Self::Values { chunk, rows: middle..rows.end })
            }
        }
    }

    /// Bytes of values of any length; 0 for other types.
    pub(super) fn data_len(&self) -> usize {
        match self {
            Self::Values { rows, .. } => {
                self.offset(rows.end).saturating_sub(self.offset(rows.start)) as usize
            }
            Self::Absent(_) => 0,
        }
    }

    /// How many rows, from the first on, have at most so many bytes of values of any length.
    pub(super) fn rows_within(&self, bytes: usize) -> usize {
        let Self::Values { rows, .. } = self else { return self.rows() };
        let end = self.offset(rows.start).saturating_add(bytes as u64);
        if self.offset(rows.end) <= end {
            return rows.len();
        }
        let (mut low, mut high) = (rows.start, rows.end);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.offset(middle) <= end {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low - rows.start
    }

    /// Where in the data of its chunk a row begins.
    fn offset(&self, row: usize) -> u64 {
        let Self::Values { chunk, .. } = self else { return 0 };
        match &**chunk {
            Chunk::Fixed { .. } => 0,
            Chunk::Prefixed { aux, .. } => aux.get(row).or(aux.last()).copied().unwrap_or(0),
            Chunk::Varchar { aux, .. } => match (aux.get(row), aux.last()) {
                (Some(entry), _) => varchar_offset(entry),
                (None, Some(last)) => varchar_offset(last) + varchar_data_len(last) as u64,
                (None, None) => 0,
            },
            Chunk::Array { aux, .. } => match (aux.get(row), aux.last().map(array_span)) {
                (Some(entry), _) => array_span(entry).0,
                (None, Some((offset, size))) => offset + u64::from(size),
                (None, None) => 0,
            },
        }
    }
}

/// Rows of the column at a writer index, of a partition in memory.
pub fn runs_of(partition: &Partition, column: usize, rows: Range<usize>) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut first = 0;
    for block in &partition.blocks {
        let (from, to) = (rows.start.max(first), rows.end.min(first + block.rows));
        if from < to {
            runs.push(match block.chunk(column) {
                Some(chunk) => Run::Values { chunk: chunk.clone(), rows: from - first..to - first },
                None => Run::Absent(to - from),
            });
        }
        first += block.rows;
    }
    runs
}
