//! Making a table's directory.

use super::disk::Disk;
use super::log::{Log, replace_file};
use super::seal::Seal;
use super::table::{CommitMode, FileTable, write_patches};
use crate::table::files::{
    ColumnVersions, DictionaryWriter, Patch, TxnFile, TxnState, check_column_name, check_dir_name,
    check_distinct, encode_meta, encode_name, encode_todo_clean,
};
use crate::wal::{Error, Files, Result, SequencerLog, TableKind, TableMeta, TableToken};
use std::sync::Arc;

impl FileTable {
    /// Makes the directory of a table as it was created, with no transaction applied, and opens it.
    ///
    /// `source` is where the log of the table is. The directory counts as a table's once `_txn` is in it, which is
    /// last.
    ///
    /// # Errors
    /// A definition or names that no table can have; what reading and writing answer.
    pub fn create(
        disk: Arc<dyn Disk>,
        source: &dyn Files,
        token: &TableToken,
        commit_mode: CommitMode,
    ) -> Result<Self> {
        let dir = &token.dir;
        check_dir_name(dir)?;
        let meta = TableMeta::at_creation(source, dir)?;
        check_definition(dir, &meta)?;
        let log = SequencerLog::open(source, dir)?;
        disk.remove_dir(dir)?;
        disk.create_dir(dir)?;
        let (_, mut patches) = first_files(&meta, &token.name);
        let mut symbol_columns = 0;
        for column in meta.columns.iter().filter(|column| !column.dropped && column.ty.is_symbol()) {
            symbol_columns += 1;
            let capacity = column.symbol_capacity.max(1) as u32;
            let (_, files) = DictionaryWriter::create(&column.name, -1, capacity, column.symbol_cache);
            patches.extend(files);
        }
        if token.kind == TableKind::MatView {
            patches.extend(super::views::definition(source, dir)?);
        }
        let sync = commit_mode == CommitMode::Sync;
        write_patches(&*disk, dir, &patches, sync)?;
        Log::create(&*disk, dir, &meta, log.version, log.created_us, sync)?;
        let mut state = TxnState::empty(symbol_columns);
        state.structure_version =
            crate::table::files::pack_structure_version(meta.metadata_version as i32, 0);
        new_seal_and_txn(&*disk, dir, &state, sync)?;
        Self::open(disk, token, commit_mode)
    }
}

/// Puts the first `_txn` in place, which makes the directory a table's.
pub(super) fn new_seal_and_txn(disk: &dyn Disk, dir: &str, state: &TxnState, sync: bool) -> Result<()> {
    let (_, content) = TxnFile::first(state);
    Seal::new(dir).announce(disk, state, sync)?;
    if sync {
        disk.sync_dir(&format!("{dir}/txn_seq"))?;
        disk.sync_dir(dir)?;
    }
    replace_file(disk, &format!("{dir}/_txn"), &content, sync)?;
    if sync { disk.sync_dir("") } else { Ok(()) }
}

/// The files that each table has from the beginning, beside its dictionaries and `_txn`.
pub(super) fn first_files(meta: &TableMeta, name: &str) -> (ColumnVersions, Vec<Patch>) {
    let patch = |file: &str, bytes: Vec<u8>| Patch { file: file.into(), offset: 0, bytes };
    let (versions, content) = ColumnVersions::default().first();
    let patches = vec![
        patch("_meta", encode_meta(meta)),
        patch("_cv", content),
        patch("_name", encode_name(name)),
        patch("_todo_", encode_todo_clean()),
    ];
    (versions, patches)
}

/// Refuses columns whose names can't be files side by side.
pub(super) fn check_columns(meta: &TableMeta) -> Result<()> {
    let live = || meta.columns.iter().filter(|column| !column.dropped).map(|column| &*column.name);
    live().try_for_each(check_column_name)?;
    check_distinct(live())
}

fn check_definition(dir: &str, meta: &TableMeta) -> Result<()> {
    check_columns(meta)?;
    match meta.timestamp {
        Some(_) if meta.wal_enabled => Ok(()),
        _ => Err(Error::Unsupported {
            file: format!("{dir}/txn_seq/_meta.0").into(),
            offset: 0,
            what: "not a table with a designated timestamp and a WAL".into(),
        }),
    }
}
