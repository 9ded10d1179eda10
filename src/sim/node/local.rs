//! A node's own log on its disk: laying it out, reading it again, cutting off what a crash left of it.

use crate::ledger::{Block, Codec, FilePiece, Result, Run, TableEntry, Token, What};
use crate::node::{Held, write};
use crate::sim::Micros;
use crate::sim::applied::{Applied, TableState, Tables, longs, replay};
use crate::sim::disk::Disk;
use crate::table::Schema;
use crate::table::files::{
    ChangeLog, LogRecord, LogWriter, Patch, TabIndex, Upgrade, encode_meta, encode_registry,
    encode_sequencer_meta, encode_wal_index,
};
use crate::wal::{
    self, ColumnType, Files, LogVersion, MetaColumn, Noted, PartitionBy, Registry, SegmentId, SegmentMetas,
    SequencerLog, SequencerMeta, TableKind, TableMeta, TableMetaColumn, TableToken, Ttl, ask_transaction,
};
use std::collections::BTreeMap;

/// Transactions of one entry of a pack, when they are read again.
const RUN_MAX: u64 = 64;
const REGISTRY: &str = "tables.d.0";

/// A table to be made.
#[derive(Debug, Clone)]
pub(in crate::sim) struct NewTable {
    pub name: String,
    /// By writer index; none where a column was dropped.
    pub columns: Vec<Option<(String, ColumnType)>>,
    /// Writer index of the designated timestamp.
    pub timestamp: usize,
    /// Writer indexes of the upsert keys.
    pub keys: Vec<usize>,
    pub partition_by: PartitionBy,
}

/// Tables with upsert keys and the columns that the workload's rows always have, as
/// `CREATE TABLE ... DEDUP UPSERT KEYS(timestamp, id)` makes them.
pub(in crate::sim) fn unique_tables(names: &[&str]) -> Vec<NewTable> {
    let columns = [
        ("sym", ColumnType::SYMBOL),
        ("side", ColumnType::SYMBOL),
        ("id", ColumnType::LONG),
        ("timestamp", ColumnType::TIMESTAMP),
    ];
    let table = |name: &&str| NewTable {
        name: (*name).to_owned(),
        columns: columns.iter().map(|(name, ty)| Some(((*name).to_owned(), *ty))).collect(),
        timestamp: 3,
        keys: vec![2, 3],
        partition_by: PartitionBy::Day,
    };
    names.iter().map(table).collect()
}

/// Makes tables on a new disk.
pub(in crate::sim) fn create_tables(disk: &mut Disk, now: Micros, wall_us: i64, tables: &[NewTable]) {
    let mut tokens = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let id = number as i32 + 1;
        let token = TableToken {
            name: table.name.clone(),
            dir: format!("{}~{id}", table.name),
            id,
            kind: TableKind::Wal,
            dropped: false,
        };
        let (definition, meta) = definitions(id, table);
        let (_, header) = LogWriter::create(LogVersion::V1, wall_us);
        let (_, changes) = ChangeLog::create(0);
        let at_creation = Patch::new("txn_seq/_meta.0", 0, encode_meta(&definition));
        let sequencer = Patch::new("txn_seq/_meta", 0, encode_sequencer_meta(&meta));
        let wals = Patch::new("txn_seq/_wal_index.d", 0, encode_wal_index(0));
        let patches = [at_creation, sequencer, wals, header].into_iter().chain(changes);
        // A new disk has room.
        drop(put(disk, now, &token.dir, patches));
        tokens.push(token);
    }
    drop(put_registry(disk, now, &tokens));
    disk.sync_all();
}

fn definitions(id: i32, table: &NewTable) -> (TableMeta, SequencerMeta) {
    // A column that was dropped keeps its place, and has some name and type.
    let column = |column: &Option<(String, ColumnType)>| MetaColumn {
        name: column.as_ref().map_or_else(|| "dropped".to_owned(), |(name, _)| name.clone()),
        ty: column.as_ref().map_or(ColumnType::LONG, |(_, ty)| *ty),
        dropped: column.is_none(),
    };
    let columns: Vec<MetaColumn> = table.columns.iter().map(column).collect();
    let definition = |(index, column): (usize, &MetaColumn)| TableMetaColumn {
        name: column.name.clone(),
        ty: column.ty,
        dropped: column.dropped,
        indexed: false,
        symbol_cache: true,
        dedup_key: table.keys.contains(&index),
        index_block_capacity: 0,
        symbol_capacity: 256,
        parquet_encoding: 0,
        replaces: None,
    };
    let meta = TableMeta {
        partition_by: table.partition_by,
        timestamp: Some(table.timestamp),
        table_id: id,
        max_uncommitted_rows: 500_000,
        o3_max_lag: 600_000_000,
        metadata_version: 0,
        wal_enabled: true,
        ttl: Ttl::None,
        minor_version: 1,
        columns: columns.iter().enumerate().map(definition).collect(),
    };
    let sequencer = SequencerMeta {
        structure_version: 0,
        columns,
        timestamp: Some(table.timestamp),
        table_id: id,
        read_order: None,
    };
    (meta, sequencer)
}

/// Brings the logs on the disk level with applied tables, so that a writer goes on behind them: what a replica's own
/// directory has anyway.
///
/// # Errors
/// A full disk.
pub(super) fn lay_out(disk: &mut Disk, now: Micros, wall_us: i64, tables: &Tables) -> wal::Result<()> {
    let mut missing = false;
    for (dir, state) in tables {
        let log = SequencerLog::open(disk, dir).ok();
        if log.is_some_and(|log| log.max_txn == state.table.seq_txn) {
            continue;
        }
        missing = true;
        lay_table(disk, now, wall_us, dir, state)?;
    }
    if missing || disk.content(REGISTRY).is_none() {
        let tokens: Vec<TableToken> = tables.values().map(|state| state.token.as_registered(false)).collect();
        put_registry(disk, now, &tokens)?;
    }
    disk.sync_all();
    Ok(())
}

fn lay_table(disk: &mut Disk, now: Micros, wall_us: i64, dir: &str, state: &TableState) -> wal::Result<()> {
    let schema = &state.table.schema;
    let version = u64::try_from(schema.version).unwrap_or(0);
    let (log, header) = LogWriter::create(LogVersion::V1, wall_us);
    let (_, changes) = ChangeLog::create(version);
    let meta = encode_sequencer_meta(&sequencer_meta(schema, state.token.id));
    // Of all records the last one is looked at, for its structure version.
    let records = state.table.seq_txn.checked_sub(1).map(|before| {
        let segment = SegmentId { wal: state.last_wal.max(1), segment: 0 };
        log.at(before).append(&[LogRecord::empty(schema.version, segment, 0, wall_us)]).1
    });
    let rest = [
        Patch::new("txn_seq/_meta", 0, meta),
        Patch::new("txn_seq/_wal_index.d", 0, encode_wal_index(state.last_wal)),
    ];
    remove_dir(disk, now, dir);
    let patches = std::iter::once(header).chain(records.into_iter().flatten()).chain(rest).chain(changes);
    put(disk, now, dir, patches)
}

fn sequencer_meta(schema: &Schema, table_id: i32) -> SequencerMeta {
    let column = |column: &crate::table::Column| MetaColumn {
        name: column.name.clone(),
        ty: column.ty,
        dropped: column.dropped,
    };
    SequencerMeta {
        structure_version: schema.version,
        columns: schema.columns.iter().map(column).collect(),
        timestamp: Some(schema.timestamp),
        table_id,
        read_order: None,
    }
}

fn put_registry(disk: &mut Disk, now: Micros, tokens: &[TableToken]) -> wal::Result<()> {
    let last_id = tokens.iter().map(|token| i64::from(token.id)).max().unwrap_or(0);
    let files = [
        (REGISTRY, encode_registry(tokens)),
        ("_tab_index.d", TabIndex { last_id, instance: (0, 0) }.encode()),
        ("_upgrade.d", Upgrade::CURRENT.encode()),
    ];
    for (path, bytes) in files {
        disk.remove(now, path);
        disk.write(now, path, 0, bytes.into())?;
    }
    Ok(())
}

fn put(disk: &mut Disk, now: Micros, dir: &str, patches: impl IntoIterator<Item = Patch>) -> wal::Result<()> {
    for patch in patches {
        disk.write(now, &format!("{dir}/{}", patch.file), patch.offset, patch.bytes.into())?;
    }
    Ok(())
}

/// Removes all tables.
pub(super) fn remove_tables(disk: &mut Disk, now: Micros) {
    let paths: Vec<String> = disk.lengths().map(|(path, _)| path.to_owned()).collect();
    paths.iter().for_each(|path| disk.remove(now, path));
    disk.sync_all();
}

fn remove_dir(disk: &mut Disk, now: Micros, dir: &str) {
    let prefix = format!("{dir}/");
    let inside = |(path, _): (&str, u64)| path.starts_with(&prefix).then(|| path.to_owned());
    let paths: Vec<String> = disk.lengths().filter_map(inside).collect();
    paths.iter().for_each(|path| disk.remove(now, path));
}

/// What commits of the disk's tables are not in the history, as entries of packs: tables that it does not know, and
/// transactions beyond what it holds.
///
/// # Errors
/// What reading the log answers.
pub(super) fn left_over(disk: &Disk, held: &Held) -> std::result::Result<Vec<TableEntry>, String> {
    let mut entries = Vec::new();
    for token in tables_of(disk)? {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", token.dir);
        let log = SequencerLog::open(disk, &token.dir).map_err(|error| failed(&error))?;
        let name = Token { dir: token.dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind };
        if !held.contains_key(&token.dir) {
            let noted = Noted::new(disk);
            let read = SequencerLog::open(&noted, &token.dir)
                .and_then(|_| TableMeta::at_creation(&noted, &token.dir));
            read.map_err(|error| failed(&error))?;
            let files = pieces(&token.dir, noted).map_err(|error| failed(&error))?;
            entries.push(TableEntry { token: name.clone(), what: What::Created { files } });
        }
        let mut next = held.get(&token.dir).copied().unwrap_or(0) + 1;
        while next <= log.max_txn {
            let last = log.max_txn.min(next + RUN_MAX - 1);
            let run = read_again(disk, &log, next, last).map_err(|error| failed(&error))?;
            entries.push(TableEntry { token: name.clone(), what: What::Transactions(run) });
            next = last + 1;
        }
    }
    Ok(entries)
}

/// Transactions as they travel: their records, and what reading them takes.
fn read_again(disk: &Disk, log: &SequencerLog, first: u64, last: u64) -> wal::Result<Run> {
    let (noted, mut metas) = (Noted::new(disk), SegmentMetas::default());
    for record in log.records(disk, first..=last)? {
        ask_transaction(&noted, log.table_dir(), &record, &mut metas)?;
    }
    let record = |seq_txn| {
        let (path, offset, len) = log.place(seq_txn);
        disk.read(&path, offset, len)
    };
    let records = (first..=last).map(record).collect::<wal::Result<_>>()?;
    let files = pieces(log.table_dir(), noted).map_err(|error| wal::Error::Io {
        file: log.table_dir().into(),
        message: error.to_string().into(),
    })?;
    Ok(Run { first_seq_txn: first, part_size: 0, records, files })
}

fn pieces(dir: &str, noted: Noted<'_>) -> Result<Vec<FilePiece>> {
    let prefix = format!("{dir}/");
    let own = |piece: wal::Piece| {
        let path = piece.path.strip_prefix(&prefix)?.to_owned();
        Some(Block::of(piece.bytes, Codec::Stored).map(|block| FilePiece {
            path,
            offset: piece.offset,
            block,
        }))
    };
    noted.pieces().into_iter().filter_map(own).collect()
}

/// After a crash: where a log ends with a transaction that can't be read, it ends before that. Nobody was told that it is
/// durable, and with `cairo.commit.mode=sync` nobody was told of it at all.
pub(super) fn cut_damage(disk: &mut Disk, now: Micros, tables: &Tables, uploaded: &Held) {
    for token in tables_of(disk).unwrap_or_default() {
        let Ok(log) = SequencerLog::open(disk, &token.dir) else { continue };
        // What is applied and not uploaded is read again, too: to be uploaded.
        let applied = tables.get(&token.dir).map_or(0, |state| state.table.seq_txn);
        let from = applied.min(uploaded.get(&token.dir).copied().unwrap_or(0)) + 1;
        let mut metas = SegmentMetas::default();
        let reads = |seq_txn: u64, metas: &mut SegmentMetas| {
            let records = log.records(disk, seq_txn..=seq_txn).ok()?;
            let record = records.first()?;
            wal::read_transaction_with(disk, &token.dir, record, metas).ok()
        };
        let Some(bad) = (from..=log.max_txn).find(|seq_txn| reads(*seq_txn, &mut metas).is_none()) else {
            continue;
        };
        let publish = LogWriter::of(&log).at(bad - 1).publish();
        // On a full disk the log is found damaged once more.
        drop(put(disk, now, &token.dir, [publish]));
    }
}

/// Applies what the disk's logs hold beyond the published tables.
///
/// # Errors
/// What reading answers.
pub(super) fn roll_forward(disk: &Disk, tables: &mut Tables) -> std::result::Result<(), String> {
    for token in tables_of(disk)? {
        let failed = |error: wal::Error| format!("{}: {error}", token.dir);
        let last = SequencerLog::open(disk, &token.dir).map_err(failed)?.max_txn;
        if !tables.contains_key(&token.dir) {
            let history = crate::replay::History::read(disk, &token).map_err(failed)?;
            let table = history.genesis().map_err(failed)?;
            let name =
                Token { dir: token.dir.clone(), id: token.id, name: token.name.clone(), kind: token.kind };
            tables.insert(token.dir.clone(), TableState { token: name, table, last_wal: 0 });
        }
        let Some(state) = tables.get_mut(&token.dir) else { continue };
        replay(disk, state, last, &mut SegmentMetas::default(), &mut |_| {})?;
    }
    Ok(())
}

/// Whether a writer can go on behind what is on the disk: its logs fit together, end where the tables do, and have all that
/// was uploaded.
///
/// # Errors
/// Why not.
pub(super) fn is_sound(disk: &Disk, tables: &Tables, uploaded: &Held) -> std::result::Result<(), String> {
    holds_all(disk, uploaded)?;
    let writer = write::Tables::open(disk, write::Options::default()).map_err(|error| error.to_string())?;
    for (token, last) in writer.tables() {
        let applied = tables.get(&token.dir).map_or(0, |state| state.table.seq_txn);
        // What the history brought meanwhile is laid out before anything is written; what was its own is nowhere else.
        let in_history = uploaded.get(&token.dir).copied().unwrap_or(0);
        if last > applied || last < applied && applied > in_history {
            return Err(format!("{}: the log ends at {last}, the table at {applied}", token.dir));
        }
    }
    Ok(())
}

/// Whether a writer's own log has all that the history has of these tables.
///
/// # Errors
/// What is missing.
pub(super) fn holds_all(disk: &Disk, history: &Held) -> std::result::Result<(), String> {
    let tables = tables_of(disk)?;
    for (dir, last) in history {
        // A log whose table is not registered any more is nobody's.
        if !tables.iter().any(|token| token.dir == *dir) {
            return Err(format!("{dir}: it is not registered, the history has {last} transactions"));
        }
        let there = SequencerLog::open(disk, dir).map_or(0, |log| log.max_txn);
        if there < *last {
            return Err(format!("{dir}: its log ends at {there}, the history has {last}"));
        }
    }
    Ok(())
}

/// The rows of own transactions beyond what the history holds, by their identities.
pub(super) fn rows_beyond(disk: &Disk, tables: &Tables, held: &Held, row_id: &str) -> Vec<i64> {
    let mut ids = Vec::new();
    for (dir, state) in tables {
        let Ok(log) = SequencerLog::open(disk, dir) else { continue };
        let first = held.get(dir).copied().unwrap_or(0) + 1;
        let Ok(records) = log.records(disk, first..=log.max_txn) else { continue };
        let mut metas = SegmentMetas::default();
        for record in records {
            let Ok(transaction) = wal::read_transaction_with(disk, dir, &record, &mut metas) else {
                continue;
            };
            let (seq_txn, table) = (record.seq_txn, &state.table);
            let applied = Applied { dir, seq_txn, transaction: &transaction, table };
            ids.extend(longs(&applied, row_id));
        }
    }
    ids
}

/// What of each table these tables hold.
pub(super) fn held_of(tables: &Tables) -> Held {
    let of = |(dir, state): (&String, &TableState)| (dir.clone(), state.table.seq_txn);
    tables.iter().map(of).collect::<BTreeMap<_, _>>()
}

fn tables_of(disk: &Disk) -> std::result::Result<Vec<TableToken>, String> {
    match Registry::read(disk) {
        Ok(registry) => Ok(registry.tables.into_iter().filter(|token| !token.dropped).collect()),
        Err(wal::Error::Absent { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}
