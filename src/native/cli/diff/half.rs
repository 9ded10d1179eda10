//! One side's table.

use crate::columnar::parquet::ParquetForm;
use crate::native::remote::{AwayReader, Store};
use crate::native::source::Source;
use crate::table::files::read::AppliedTable;
use crate::table::{Partition, Side, Table};
use crate::wal::{Applied, Error, Result, TableToken};
use std::collections::BTreeMap;
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
    away: AwayReader,
    store: Option<Store>,
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
        let away = source.drive(|files| AwayReader::of(files, &applied))?;
        let store = source.directory().map(Store::beside);
        Ok(Self { source, applied, table, away, store })
    }

    /// True if the table has changed since it was opened.
    pub(super) fn moved(&self) -> Result<bool> {
        let now = self.source.drive(|files| Applied::read(files, &self.table.dir))?;
        Ok(now.txn != self.applied.applied.txn)
    }

    /// Partitions by first timestamp, those that the bucket has in place of the directory too, with their parts here.
    pub(super) fn partitions(&self) -> BTreeMap<i64, Option<Range<usize>>> {
        let mut all: BTreeMap<i64, Option<Range<usize>>> =
            self.away.remote().map(|floor| (floor, None)).collect();
        all.extend(self.applied.partitions().into_iter().map(|(floor, parts)| (floor, Some(parts))));
        all
    }

    /// Rows, those that the bucket has in place of the directory too.
    pub(super) fn rows(&self) -> u64 {
        self.applied.applied.rows + self.away.rows()
    }

    pub(super) fn read(&mut self, floor: i64, parts: Option<Range<usize>>) -> Result<Partition> {
        let Self { source, applied, table, away, store } = self;
        let own = || match parts.clone() {
            Some(parts) => source.drive(|files| applied.read_parts(files, floor, parts.clone())),
            None => Ok(Partition { floor, ..Partition::default() }),
        };
        match store {
            Some(store) => away.read(applied, table, floor, parts.clone(), store, own),
            None => own(),
        }
    }

    pub(super) fn side<'s>(&'s self, partition: &'s Partition) -> Side<'s> {
        Side { schema: &self.table.schema, symbols: &self.table.symbols, partition }
    }
}
