use super::{EncodeError, PartitionWriter, Plan, Run, runs_of};
use crate::table::{Partition, SymbolTable};
use crate::wal;
use std::io::Write;
use std::ops::Range;

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

/// Writes a whole file, one column of one row group after the other; answers its length.
///
/// Memory is that of one row group. A driver with threads does the same with [`Plan::job`]s at the same time.
///
/// # Errors
/// What reading answers, and why it can't be written.
pub fn encode<W: Write + Send>(plan: &Plan, source: &dyn RowSource, sink: W) -> Result<u64, EncodeError> {
    let mut writer = PartitionWriter::new(sink, plan.clone())?;
    for group in plan.groups() {
        let mut columns = Vec::with_capacity(plan.fields().len());
        for (place, field) in plan.fields().iter().enumerate() {
            let runs = source.runs(field.index, group.clone())?;
            let symbols = if field.ty.is_symbol() { source.symbols(field.index) } else { None };
            if let Some(job) = plan.job(place, runs, symbols) {
                columns.push(job.run()?);
            }
        }
        writer.append(columns)?;
    }
    writer.finish()
}
