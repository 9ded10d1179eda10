use super::ParquetFile;
use crate::columnar::parquet::{RowSource, Run};
use crate::table::files::read::{PartFile, PartitionForm, WantedColumn};
use crate::table::{Chunk, SymbolTable};
use crate::wal::cursor::Gather;
use crate::wal::{Error, Files, Result};
use std::ops::Range;
use std::sync::Arc;

/// Reads partitions that are Parquet files.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParquetForm;

impl PartitionForm for ParquetForm {
    fn read(
        &self,
        files: &dyn Files,
        file: &PartFile<'_>,
        columns: &[WantedColumn],
        cuts: &[usize],
    ) -> Result<Vec<Option<Vec<Chunk>>>> {
        let parquet = open(files, file)?;
        let mut gather = Gather::default();
        let mut all = Vec::with_capacity(columns.len());
        for column in columns {
            let Some(place) = place(&parquet, column)? else {
                all.push(None);
                continue;
            };
            let reader = parquet.read(files, place, column.ty, column.symbols, 0..file.rows);
            let Some(mut reader) = gather.add(reader)? else { continue };
            let starts = std::iter::once(&0).chain(cuts);
            let lengths = starts.zip(cuts).map(|(from, to)| to.saturating_sub(*from));
            all.push(Some(lengths.map(|rows| reader.next(rows)).collect::<Result<Vec<_>>>()?));
        }
        gather.done()?;
        Ok(all)
    }

    fn check(&self, files: &dyn Files, file: &PartFile<'_>, columns: &[WantedColumn]) -> Result<()> {
        let parquet = open(files, file)?;
        for column in columns {
            if let Some(place) = place(&parquet, column)? {
                parquet.check_type(place, column.ty)?;
            }
        }
        Ok(())
    }
}

fn open(files: &dyn Files, file: &PartFile<'_>) -> Result<ParquetFile> {
    let parquet = ParquetFile::open(files, file.path, file.len)?;
    if parquet.rows() != file.rows {
        let expected = format_args!("{} rows, as in _txn", file.rows);
        return Err(Error::damaged(file.path, file.len, expected, parquet.rows()));
    }
    Ok(parquet)
}

fn place(parquet: &ParquetFile, column: &WantedColumn) -> Result<Option<usize>> {
    match parquet.find(column.index, column.place) {
        None if !column.may_be_absent => {
            let expected = format_args!("a column with field id {}", column.index);
            Err(Error::damaged(parquet.path(), 0, expected, "none"))
        }
        found => Ok(found),
    }
}

/// The rows of a Parquet file, as they are needed to write another one.
pub struct FileRows<'a> {
    /// Where the bytes come from.
    pub files: &'a dyn Files,
    /// The file.
    pub file: &'a ParquetFile,
    /// The table's columns.
    pub schema: &'a crate::table::Schema,
    /// Dictionaries by writer index.
    pub symbols: &'a [Option<SymbolTable>],
}

impl RowSource for FileRows<'_> {
    fn runs(&self, column: usize, rows: Range<usize>) -> Result<Vec<Run>> {
        let place = self.schema.live().position(|(index, _)| index == column);
        let found = place.and_then(|place| self.file.find(column, place));
        let (Some(place), Some(definition)) = (found, self.schema.columns.get(column)) else {
            return Ok(vec![Run::Absent(rows.len())]);
        };
        let symbols = self.symbols.get(column).and_then(|symbols| symbols.as_ref());
        let count = symbols.map_or(0, |symbols| symbols.len() as u32);
        let range = rows.start as u64..rows.end as u64;
        let chunk = self.file.read(self.files, place, definition.ty, count, range)?.next(rows.len())?;
        Ok(vec![Run::Values { rows: 0..chunk.rows(), chunk: Arc::new(chunk) }])
    }

    fn symbols(&self, column: usize) -> Option<SymbolTable> {
        self.symbols.get(column).cloned().flatten()
    }
}
