//! Reading a table as it was applied, by the server or by us: `_txn`, `_cv`, `_meta`, dictionaries and
//! partitions become a [`Table`].
//!
//! The files may be a running server's. What `_txn` counts doesn't change under its name: rows are appended
//! behind, and what is rewritten gets a new name. So a state stays readable until its files are removed, and
//! then `_txn` has moved: [`Loader`] starts again with what changed.

mod column;
mod form;
mod load;
mod part;
mod schema;

pub use form::{PartFile, PartitionForm, WantedColumn};
pub use load::Loader;
pub(crate) use schema::schema_of;

use super::{ColumnVersions, meta_of_txn};
use crate::table::{Chunk, Partition, Schema, SymbolTable, Table};
use crate::wal::cursor::Gather;
use crate::wal::{Applied, AppliedPartition, Error, Files, PartitionBy, Result, TableMeta, TableToken};
use std::ops::Range;
use std::sync::Arc;

/// Times that files which change under the reader are read again.
const ATTEMPTS: u32 = 16;
/// Longest `_cv` that is read.
const MAX_VERSIONS: u64 = 256 << 20;

/// What an applied table's own files say of it, all as of one commit.
#[derive(Debug, Clone)]
pub struct AppliedTable {
    /// The table.
    pub token: TableToken,
    /// `_txn`.
    pub applied: Applied,
    /// `_cv`.
    pub versions: ColumnVersions,
    /// `_meta`, as a schema.
    pub schema: Arc<Schema>,
    /// Reads partitions in Parquet form; without it they are [`Error::Unsupported`].
    pub form: Option<&'static dyn PartitionForm>,
}

impl AppliedTable {
    /// Reads `_txn`, `_cv` and `_meta`. Asks for all of them before it answers [`Error::Pending`].
    ///
    /// # Errors
    /// [`Error::Io`] if they don't agree with each other, as while the server changes them: to be tried again.
    pub fn read(files: &dyn Files, token: &TableToken) -> Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::read_once(files, token) {
                Ok(Some(table)) => return Ok(table),
                Ok(None) => {}
                Err(Error::Pending) => return Err(Error::Pending),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::Io {
            file: format!("{}/_txn", token.dir).into(),
            message: "does not agree with _meta and _cv beside it, or changes faster than it can be read"
                .into(),
        }))
    }

    /// The same, for a reader of partitions in Parquet form.
    pub fn with_form(self, form: &'static dyn PartitionForm) -> Self {
        Self { form: Some(form), ..self }
    }

    fn read_once(files: &dyn Files, token: &TableToken) -> Result<Option<Self>> {
        let dir = &token.dir;
        let versions_file = format!("{dir}/_cv");
        let mut gather = Gather::default();
        let applied = gather.add(Applied::read(files, dir))?;
        let meta = gather.add(TableMeta::applied(files, dir))?;
        let todo = gather.add(match files.len(&format!("{dir}/_todo_")) {
            Err(Error::Absent { .. }) => Ok(0),
            other => other,
        })?;
        let versions = gather.add(files.read_all(&versions_file, MAX_VERSIONS))?;
        let (Some(applied), Some(_), Some(_), Some(versions)) = (applied, meta, todo, versions) else {
            return Err(Error::Pending);
        };
        let Some(meta) = meta_of_txn(files, dir, applied.txn, applied.metadata_version.into())? else {
            return Ok(None);
        };
        let versions = ColumnVersions::decode_at(&versions_file, &versions, applied.column_version)?;
        if Applied::read(files, dir)?.txn != applied.txn {
            return Ok(None);
        }
        let schema = Arc::new(schema_of(dir, &meta, &applied)?);
        let mut table = Self { token: token.clone(), applied, versions, schema, form: None };
        table.add_only_partition();
        Ok(Some(table))
    }

    /// A table without partitions lists none, but its rows are in one folder all the same.
    fn add_only_partition(&mut self) {
        let unpartitioned = self.schema.partition_by == PartitionBy::None;
        if unpartitioned && self.applied.partitions.is_empty() && self.applied.rows > 0 {
            let (rows, name_txn, parquet_len) = (self.applied.rows, -1, -1);
            let (squash_count, parquet, read_only) = (0, false, false);
            let only =
                AppliedPartition { ts: 0, rows, name_txn, squash_count, parquet, read_only, parquet_len };
            self.applied.partitions.push(only);
        }
    }

    /// The partitions by floor, each with the indexes of its parts in [`Applied::partitions`].
    pub fn partitions(&self) -> Vec<(i64, Range<usize>)> {
        let calendar = crate::table::Calendar::new(self.schema.partition_by, self.schema.nanos());
        let mut found: Vec<(i64, Range<usize>)> = Vec::new();
        for (index, part) in self.applied.partitions.iter().enumerate() {
            let floor = calendar.floor(part.ts);
            match found.last_mut() {
                Some((last, parts)) if *last == floor => parts.end = index + 1,
                _ => found.push((floor, index..index + 1)),
            }
        }
        found
    }

    /// Number of symbols of a live SYMBOL column; 0 for other columns.
    pub fn symbol_count(&self, column: usize) -> u32 {
        let live =
            |index: &usize| self.schema.columns.get(*index).is_some_and(|c| !c.dropped && c.ty.is_symbol());
        if !live(&column) {
            return 0;
        }
        let place = (0..column).filter(live).count();
        self.applied.symbol_counts.get(place).copied().unwrap_or(0)
    }

    /// The dictionaries by writer index, as [`Table::symbols`] has them.
    ///
    /// # Errors
    /// What the files answer; [`Error::Pending`] once all were asked for.
    pub fn symbols(&self, files: &dyn Files) -> Result<Vec<Option<SymbolTable>>> {
        let mut gather = Gather::default();
        let mut symbols = Vec::new();
        for (index, column) in self.schema.columns.iter().enumerate() {
            symbols.push(match (column.ty.is_symbol(), column.dropped) {
                (true, false) => gather.add(read_dictionary(files, self, index))?,
                (true, true) => Some(SymbolTable::default()),
                _ => None,
            });
        }
        gather.done()?;
        Ok(symbols)
    }

    /// Reads a partition: its floor and parts as [`partitions`](Self::partitions) has them, all columns.
    ///
    /// # Errors
    /// As [`read_partition`].
    pub fn read_parts(&self, files: &dyn Files, floor: i64, parts: Range<usize>) -> Result<Partition> {
        part::read(files, self, floor, parts, &|_| true)
    }

    /// The file of a part in Parquet form.
    pub fn parquet_file(&self, part: &AppliedPartition) -> String {
        format!("{}/{}", part::folder(self, part), super::PARQUET_FILE)
    }

    /// Whether the files of all parts in Parquet form have the rows and columns that they should, going by what they
    /// say of themselves. Without a reader of them nothing is checked.
    ///
    /// # Errors
    /// Those of [`PartitionForm::check`].
    pub fn check_forms(&self, files: &dyn Files) -> Result<()> {
        let Some(form) = self.form else { return Ok(()) };
        for part in self.applied.partitions.iter().filter(|part| part.parquet) {
            let path = self.parquet_file(part);
            let file = PartFile { path: &path, len: part.parquet_len.max(0) as u64, rows: part.rows };
            form.check(files, &file, &part::wanted_columns(self, part))?;
        }
        Ok(())
    }

    /// Some rows of a column in a native part: how many of them are from before its first value, and the values.
    ///
    /// `part` is its index in [`Applied::partitions`], `column` a writer index.
    ///
    /// # Errors
    /// As [`read_partition`].
    pub fn read_rows(
        &self,
        files: &dyn Files,
        part: usize,
        column: usize,
        rows: Range<u64>,
    ) -> Result<(u64, Option<Chunk>)> {
        part::read_rows(files, self, part, column, rows)
    }

    /// The table with these dictionaries and without rows.
    pub fn without_rows(&self, symbols: Vec<Option<SymbolTable>>) -> Table {
        Table { symbols, ..self.empty() }
    }

    /// The table without rows and symbols.
    fn empty(&self) -> Table {
        let mut table = Table::new(self.token.name.clone(), self.token.dir.clone(), (*self.schema).clone());
        table.schema = self.schema.clone();
        table.seq_txn = self.applied.seq_txn;
        table
    }
}

/// Reads a table as it was applied.
///
/// Reads everything at once: where bytes have to be waited for, or memory is short, use a [`Loader`].
///
/// # Errors
/// What the files answer; [`Error::Unsupported`] for a partition in Parquet form: it needs a [`Loader`] with a reader of it.
pub fn read_table(files: &dyn Files, token: &TableToken) -> Result<Table> {
    Loader::new(token.clone()).load(files, usize::MAX, None)
}

/// Reads the partition at `index` of [`AppliedTable::partitions`], all columns.
///
/// Asks for all columns before it answers [`Error::Pending`].
///
/// # Errors
/// As [`read_table`]; [`Error::Absent`] also when the server has removed it since.
pub fn read_partition(files: &dyn Files, table: &AppliedTable, index: usize) -> Result<Partition> {
    match table.partitions().into_iter().nth(index) {
        Some((floor, parts)) => table.read_parts(files, floor, parts),
        None => Ok(Partition::default()),
    }
}

/// Reads the dictionary of a column.
fn read_dictionary(files: &dyn Files, table: &AppliedTable, column: usize) -> Result<SymbolTable> {
    let mut symbols = SymbolTable::default();
    let (count, name_txn) = (table.symbol_count(column), table.versions.symbol_name_txn(column));
    let Some(name) = table.schema.columns.get(column).map(|column| &column.name) else { return Ok(symbols) };
    let dir = &table.token.dir;
    for (key, text) in
        crate::wal::read_table_symbols(files, dir, name, Some(name_txn), count)?.iter().enumerate()
    {
        if symbols.intern_symbol(text.symbol()) as usize != key {
            let file = format!("{dir}/{}", super::column_file(name, "c", name_txn));
            return Err(Error::damaged(&file, 0, "symbols that differ", format_args!("{text:?} twice")));
        }
    }
    Ok(symbols)
}
