//! One side's table.

use crate::columnar::parquet::ParquetForm;
use crate::native::source::Source;
use crate::table::files::read::AppliedTable;
use crate::table::{Partition, Side, Table};
use crate::wal::{Applied, Error, Result, TableToken};
use std::ops::Range;
use std::thread;
use std::time::Duration;

/// A server that changes a table's schema needs this long between its files, many times over.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSES: u32 = 50;

/// A table as of one transaction, without its rows.
pub(super) struct Half<'a> {
    source: &'a Source,
    pub(super) applied: AppliedTable,
    /// Schema and dictionaries.
    pub(super) table: Table,
}

impl<'a> Half<'a> {
    pub(super) fn open(source: &'a Source, token: &TableToken) -> Result<Self> {
        let mut pauses = 0;
        let applied = loop {
            match source.drive(|files| Ok(AppliedTable::read(files, token)?.with_form(&ParquetForm))) {
                Err(Error::Io { .. }) if pauses < PAUSES => {
                    pauses += 1;
                    thread::sleep(PAUSE);
                }
                done => break done?,
            }
        };
        let symbols = source.drive(|files| applied.symbols(files))?;
        let table = applied.without_rows(symbols);
        Ok(Self { source, applied, table })
    }

    /// True if the table has changed since it was opened.
    pub(super) fn moved(&self) -> Result<bool> {
        let now = self.source.drive(|files| Applied::read(files, &self.table.dir))?;
        Ok(now.txn != self.applied.applied.txn)
    }

    pub(super) fn read(&self, floor: i64, parts: Option<Range<usize>>) -> Result<Partition> {
        let Some(parts) = parts else { return Ok(Partition { floor, ..Partition::default() }) };
        self.source.drive(|files| self.applied.read_parts(files, floor, parts.clone()))
    }

    pub(super) fn side<'s>(&'s self, partition: &'s Partition) -> Side<'s> {
        Side { schema: &self.table.schema, symbols: &self.table.symbols, partition }
    }
}
