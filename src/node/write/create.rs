//! The files of a table that a line makes.

use super::pack::Change;
use super::table::{Place, TableWriter};
use super::{Options, Write, Written};
use crate::ledger::Token;
use crate::table::files::{
    ChangeLog, ColumnVersions, DictionaryWriter, LogWriter, Patch, TxnFile, TxnState, encode_meta,
    encode_name, encode_sequencer_meta, encode_todo_clean, encode_wal_index, pack_structure_version,
};
use crate::wal::{ColumnType, MetaColumn, SequencerMeta, TableKind, TableMeta, TableMetaColumn, Ttl};

/// A table that is to be made.
pub(super) struct New {
    pub(super) name: String,
    pub(super) id: i32,
    /// In the order of the line.
    pub(super) columns: Vec<(String, ColumnType)>,
    /// Which of them is the designated timestamp.
    pub(super) timestamp: usize,
}

/// Makes a table: all of its files but its place in the registry.
pub(super) fn create(new: New, options: &Options, now_us: i64, out: &mut Written) -> TableWriter {
    let token =
        Token { dir: format!("{}~{}", new.name, new.id), id: new.id, name: new.name, kind: TableKind::Wal };
    let definition = definition(&new.columns, new.timestamp, new.id, options);
    let meta = SequencerMeta {
        structure_version: 0,
        columns: new.columns.into_iter().map(|(name, ty)| MetaColumn { name, ty, dropped: false }).collect(),
        timestamp: Some(new.timestamp),
        table_id: new.id,
        read_order: None,
    };
    let (log, header) = LogWriter::create(options.log, now_us);
    let (changes, change_files) = ChangeLog::create(0);
    let at_creation = Patch::new("txn_seq/_meta.0", 0, encode_meta(&definition));
    let mut patches = table_files(&definition, &token.name);
    patches.push(Patch::new("txn_seq/_meta", 0, encode_sequencer_meta(&meta)));
    patches.push(at_creation.clone());
    patches.push(Patch::new("txn_seq/_wal_index.d", 0, encode_wal_index(0)));
    patches.extend(change_files);
    patches.push(header.clone());
    let mut state = TxnState::empty(meta.columns.iter().filter(|column| column.ty.is_symbol()).count());
    state.structure_version = pack_structure_version(0, 0);
    // What makes the folder a table's comes last.
    patches.push(Patch::new("_txn", 0, TxnFile::first(&state).1));
    let write = |patch: Patch| Write {
        dir: token.dir.as_str().into(),
        file: patch.file.into(),
        offset: patch.offset,
        bytes: patch.bytes.into(),
    };
    out.writes.extend(patches.into_iter().map(write));
    let files = [header, at_creation].map(write).to_vec();
    out.changes.push(Change::Created { token: token.clone(), files });
    let place = Place { log, version: options.log, changes, last_wal: 0 };
    TableWriter::new(token, meta, place)
}

fn table_files(definition: &TableMeta, name: &str) -> Vec<Patch> {
    let (_, versions) = ColumnVersions::default().first();
    let mut patches = vec![
        Patch::new("_meta", 0, encode_meta(definition)),
        Patch::new("_cv", 0, versions),
        Patch::new("_name", 0, encode_name(name)),
        Patch::new("_todo_", 0, encode_todo_clean()),
    ];
    for column in definition.columns.iter().filter(|column| column.ty.is_symbol()) {
        let capacity = column.symbol_capacity.max(1) as u32;
        patches.extend(DictionaryWriter::create(&column.name, -1, capacity, column.symbol_cache).1);
    }
    patches
}

fn definition(
    columns: &[(String, ColumnType)],
    timestamp: usize,
    table_id: i32,
    options: &Options,
) -> TableMeta {
    let column = |(name, ty): &(String, ColumnType)| TableMetaColumn {
        name: name.clone(),
        ty: *ty,
        dropped: false,
        indexed: false,
        symbol_cache: options.symbol_cache,
        dedup_key: false,
        index_block_capacity: 0,
        symbol_capacity: options.symbol_capacity,
        parquet_encoding: 0,
        replaces: None,
    };
    TableMeta {
        partition_by: options.partition_by,
        timestamp: Some(timestamp),
        table_id,
        max_uncommitted_rows: options.max_uncommitted_rows,
        o3_max_lag: options.o3_max_lag,
        metadata_version: 0,
        wal_enabled: true,
        ttl: Ttl::None,
        minor_version: 1,
        columns: columns.iter().map(column).collect(),
    }
}
