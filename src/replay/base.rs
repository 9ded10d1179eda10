use crate::table::Table;
use crate::table::files::read::Loader;
use crate::wal::{Files, Result, TableToken};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The first state of a history whose beginning was purged: the table as the server had applied it.
#[derive(Debug)]
pub(super) struct Base {
    loader: Loader,
    /// The transaction as of which the table stands: as its log says, then as the files do.
    pub(super) seq_txn: u64,
    ready: bool,
}

impl Base {
    /// Nothing is read yet; `seq_txn` is what is expected.
    pub(super) fn new(token: TableToken, seq_txn: u64) -> Self {
        Self { loader: loader(token), seq_txn, ready: false }
    }

    /// True once the table was read.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// To be read again, since other partitions are looked at.
    pub(super) fn forget(&mut self) {
        self.ready = false;
    }

    /// Reads these columns of every partition, since they will be upsert keys.
    pub(super) fn keep(&mut self, columns: &BTreeSet<usize>) {
        self.loader.keep(columns);
        self.forget();
    }

    /// The table, if it has to be taken up: the first time, and after [`forget`](Self::forget).
    pub(super) fn load(
        &mut self,
        files: &dyn Files,
        memory: usize,
        focus: Option<&RangeInclusive<i64>>,
    ) -> Result<Option<Table>> {
        if self.ready {
            return Ok(None);
        }
        let table = self.loader.load(files, memory, focus)?;
        // A running server may have applied more since its log was read.
        self.seq_txn = table.seq_txn;
        self.ready = true;
        Ok(Some(table))
    }
}

#[cfg(feature = "parquet-form")]
fn loader(token: TableToken) -> Loader {
    Loader::new(token).with_form(&crate::columnar::parquet::ParquetForm)
}

#[cfg(not(feature = "parquet-form"))]
fn loader(token: TableToken) -> Loader {
    Loader::new(token)
}
