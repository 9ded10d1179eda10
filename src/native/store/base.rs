//! Beginning with a table as another directory has it, where its log does not reach back to the beginning.

use super::create::{check_columns, first_files, new_seal_and_txn};
use super::disk::Disk;
use super::log::Log;
use super::seal::Seal;
use super::table::{CommitMode, FileTable, write_patches};
use crate::columnar::parquet::ParquetForm;
use crate::table::files::read::{AppliedTable, read_partition};
use crate::table::files::{
    ColumnVersions, DictionaryWriter, TxnFile, TxnState, check_dir_name, meta_of_txn, pack_structure_version,
};
use crate::table::{Partition, Table};
use crate::wal::{Error, Files, Result, Symbol, TableMeta, TableToken};
use std::collections::BTreeSet;
use std::sync::Arc;

impl FileTable {
    /// Makes the directory of a table as `source` has it applied now, and opens it: the log goes on from there.
    ///
    /// # Errors
    /// Names that no table can have; what reading and writing answer. [`Error::Io`] where the table changes faster
    /// than it can be read.
    pub fn create_from(
        disk: Arc<dyn Disk>,
        source: &dyn Files,
        token: &TableToken,
        commit_mode: CommitMode,
    ) -> Result<Self> {
        let dir = &token.dir;
        check_dir_name(dir)?;
        let applied = AppliedTable::read(source, token)?.with_form(&ParquetForm);
        let state = &applied.applied;
        let meta = meta_of_txn(source, dir, state.txn, state.metadata_version.into())?.ok_or_else(|| {
            Error::Io { file: format!("{dir}/_meta").into(), message: "changed while it was read".into() }
        })?;
        check_columns(&meta)?;
        disk.remove_dir(dir)?;
        disk.create_dir(dir)?;
        let symbols = applied.symbols(source)?;
        let mut table = Self::begin(
            disk.clone(),
            source,
            token,
            &meta,
            (applied.without_rows(symbols), &applied.versions),
            commit_mode,
        )?;
        for index in 0..applied.partitions().len() {
            let partition: Partition = read_partition(source, &applied, index)?;
            if partition.rows > 0 {
                table.store_partition(&partition)?;
            }
            if partition.parquet {
                table.parquet.insert(partition.floor);
            }
        }
        let (next, patches) = table.versions.next();
        table.write(&patches, table.syncs())?;
        table.txn.column_version = next.version();
        // Folders are named after the count of commits before: QuestDB will name its next ones after this one.
        table.txn.txn += 1;
        // What the server can't change there can't be changed here either.
        table.keep()?;
        new_seal_and_txn(&*disk, dir, &table.txn, table.syncs())?;
        Self::open(disk, token, commit_mode)
    }

    /// All of a table's files but its partitions and `_txn`.
    fn begin(
        disk: Arc<dyn Disk>,
        source: &dyn Files,
        token: &TableToken,
        meta: &TableMeta,
        (table, versions_there): (Table, &ColumnVersions),
        commit_mode: CommitMode,
    ) -> Result<Self> {
        let dir = &token.dir;
        let (versions, mut patches) = first_files(meta, &token.name);
        let mut dictionaries = Vec::new();
        for (index, column) in meta.columns.iter().enumerate() {
            if column.dropped || !column.ty.is_symbol() {
                dictionaries.push(None);
                continue;
            }
            let all: Vec<Symbol<'_>> =
                table.dictionary(index).map_or(Vec::new(), |symbols| symbols.symbols_from(0).collect());
            let capacity = (column.symbol_capacity.max(1) as u32).max((all.len() as u32).next_power_of_two());
            let (mut writer, files) =
                DictionaryWriter::create(&column.name, -1, capacity, column.symbol_cache);
            patches.extend(files);
            let suffix = versions_there.symbol_name_txn(index);
            let there = DictionaryWriter::open(source, dir, &column.name, suffix, all.len() as u32)?;
            patches.extend(writer.append_symbols(&all, there.has_null()));
            dictionaries.push(Some(writer));
        }
        if token.kind == crate::wal::TableKind::MatView {
            patches.extend(super::views::definition(source, dir)?);
        }
        write_patches(&*disk, dir, &patches, commit_mode == CommitMode::Sync)?;
        let version = table.schema.version;
        let mut txn = TxnState::empty(dictionaries.iter().flatten().count());
        txn.seq_txn = table.seq_txn;
        txn.structure_version = pack_structure_version(meta.metadata_version as i32, version as i32);
        txn.symbol_counts = dictionaries.iter().flatten().map(DictionaryWriter::count).collect();
        let sync = commit_mode == CommitMode::Sync;
        let log = Log::copy(&*disk, source, dir, meta, (version, table.seq_txn), sync)?;
        let (txn_file, _) = TxnFile::first(&txn);
        let mut table = table;
        table.partitions.clear();
        Ok(Self {
            disk,
            token: token.clone(),
            table,
            meta: meta.clone(),
            meta_changed: false,
            txn,
            txn_file,
            versions,
            versions_changed: false,
            newest: Vec::new(),
            dictionaries,
            log,
            seal: Seal::new(dir),
            commit_mode,
            parquet: BTreeSet::new(),
            structural: false,
            away: Arc::default(),
            portion: super::update::ROWS,
            nulls: BTreeSet::new(),
            garbage: Vec::new(),
            written: 0.into(),
        })
    }
}
