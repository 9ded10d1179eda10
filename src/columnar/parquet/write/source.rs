use super::{EncodeError, Encoded, PartitionWriter, Plan, Run, runs_of};
use crate::columnar::parquet::{FileRows, ParquetFile};
use crate::table::files::read::AppliedTable;
use crate::table::{Partition, SymbolTable};
use crate::wal::{self, Files};
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// Where the rows of a partition come from.
pub trait RowSource {
    /// Rows of the column at a writer index: together as many as asked for.
    ///
    /// # Errors
    /// What reading them answers.
    fn runs(&self, column: usize, rows: Range<usize>) -> wal::Result<Vec<Run>>;

    /// The dictionary of a SYMBOL column, by writer index, with the server's keys.
    fn symbols(&self, column: usize) -> Option<SymbolTable>;
}

/// A partition in memory.
#[derive(Debug, Clone, Copy)]
pub struct PartitionRows<'a> {
    /// Its rows.
    pub partition: &'a Partition,
    /// By writer index, as [`Table::symbols`](crate::table::Table::symbols) has them.
    pub symbols: &'a [Option<SymbolTable>],
}

impl RowSource for PartitionRows<'_> {
    fn runs(&self, column: usize, rows: Range<usize>) -> wal::Result<Vec<Run>> {
        Ok(runs_of(self.partition, column, rows))
    }

    fn symbols(&self, column: usize) -> Option<SymbolTable> {
        self.symbols.get(column).cloned().flatten()
    }
}

/// Parts of a partition in files, native ones and Parquet files, read as they are needed.
pub struct PartRows<'a> {
    /// Where the bytes come from.
    pub files: &'a (dyn Files + Sync),
    /// The table.
    pub table: &'a AppliedTable,
    /// Indexes in [`Applied::partitions`](crate::wal::Applied::partitions).
    pub parts: Range<usize>,
    /// Dictionaries by writer index.
    pub symbols: &'a [Option<SymbolTable>],
}

impl RowSource for PartRows<'_> {
    fn runs(&self, column: usize, rows: Range<usize>) -> wal::Result<Vec<Run>> {
        let mut runs = Vec::new();
        let mut first = 0;
        let parts =
            self.parts.clone().zip(self.table.applied.partitions.get(self.parts.clone()).unwrap_or_default());
        for (index, part) in parts {
            let here = first..first + part.rows as usize;
            first = here.end;
            let (from, to) = (rows.start.max(here.start), rows.end.min(here.end));
            if from >= to {
                continue;
            }
            let range = (from - here.start) as u64..(to - here.start) as u64;
            if part.parquet {
                let path = self.table.parquet_file(part);
                let file = ParquetFile::open(self.files, &path, part.parquet_len.max(0) as u64)?;
                let (files, schema, symbols) = (self.files, &*self.table.schema, self.symbols);
                let range = range.start as usize..range.end as usize;
                runs.extend(FileRows { files, file: &file, schema, symbols }.runs(column, range)?);
                continue;
            }
            let (absent, chunk) = self.table.read_rows(self.files, index, column, range)?;
            if absent > 0 {
                runs.push(Run::Absent(absent as usize));
            }
            if let Some(chunk) = chunk {
                runs.push(Run::Values { rows: 0..chunk.rows(), chunk: Arc::new(chunk) });
            }
        }
        Ok(runs)
    }

    fn symbols(&self, column: usize) -> Option<SymbolTable> {
        self.symbols.get(column).cloned().flatten()
    }
}

/// Writes a whole file, one column of one row group after the other; answers its length.
///
/// Memory is that of one row group.
///
/// # Errors
/// What reading answers, and why it can't be written.
pub fn encode<W: Write + Send>(plan: &Plan, source: &dyn RowSource, sink: W) -> Result<u64, EncodeError> {
    encode_with(plan, sink, 1, &|tasks| tasks.iter().map(|task| task.run(plan, source)).collect())
}

/// A column of a row group that is to be read and encoded.
#[derive(Debug, Clone)]
pub struct Task {
    /// Rows of the row group.
    pub rows: Range<usize>,
    /// The column's place in [`Plan::fields`].
    pub place: usize,
}

impl Task {
    /// Reads the rows and encodes them.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn run(&self, plan: &Plan, source: &dyn RowSource) -> Result<Encoded, EncodeError> {
        let Some(field) = plan.fields().get(self.place) else {
            return Err(EncodeError::Rows { expected: self.rows.len(), found: 0 });
        };
        let runs = source.runs(field.index, self.rows.clone())?;
        let found = runs.iter().map(Run::rows).sum();
        if found != self.rows.len() {
            return Err(EncodeError::Rows { expected: self.rows.len(), found });
        }
        let symbols = if field.ty.is_symbol() { source.symbols(field.index) } else { None };
        match plan.job(self.place, runs, symbols) {
            Some(job) => job.run(),
            None => Err(EncodeError::Rows { expected: self.rows.len(), found: 0 }),
        }
    }
}

/// Runs tasks and answers all of them, or why one failed.
pub type RunTasks<'a> = dyn Fn(&[Task]) -> Result<Vec<Encoded>, EncodeError> + 'a;

/// As [`encode`], for a driver with threads: `run` answers the tasks that it is given in their order, however it runs
/// them. They are those of `groups` row groups, whose memory is taken at the same time.
///
/// # Errors
/// As [`encode`].
pub fn encode_with<W: Write + Send>(
    plan: &Plan,
    sink: W,
    groups: usize,
    run: &RunTasks<'_>,
) -> Result<u64, EncodeError> {
    let mut writer = PartitionWriter::new(sink, plan.clone())?;
    let all: Vec<Range<usize>> = plan.groups().collect();
    let columns = plan.fields().len();
    for some in all.chunks(groups.max(1)) {
        let tasks: Vec<Task> = some
            .iter()
            .flat_map(|rows| (0..columns).map(|place| Task { rows: rows.clone(), place }))
            .collect();
        let mut encoded = run(&tasks)?.into_iter();
        for _ in some {
            writer.append(encoded.by_ref().take(columns).collect())?;
        }
    }
    writer.finish()
}
