//! One table: its definition, its state, and how they fit together.

use super::partition::Partitions;
use super::symbols::{self, Dictionary};
use super::{Report, exists, sequencer, txn};
use crate::table::files::{
    ColumnVersions, MatViewDefinition, MatViewState, Todo, ViewDefinition, check_column_name, check_distinct,
    decode_todo, meta_checksum,
};
use crate::wal::{Applied, Error, Files, PartitionBy, Result, TableKind, TableMeta, TableToken, Tag};

const MAX_SMALL: u64 = 64 << 20;

/// Checks the table in `dir`; `token` is what the registry says of it, if it was asked.
pub(super) fn check(files: &dyn Files, dir: &str, token: Option<&TableToken>, report: &mut Report) {
    let Some(applied) = report.need("txn-decode", Applied::read(files, dir)) else { return };
    let todo = todo(files, dir, applied.txn, report);
    let Some(meta) = meta(files, dir, todo, &applied, report) else { return };
    columns(dir, &meta, report);
    if exists(files, &format!("{dir}/_convert")) {
        report.error("convert-trigger", &format!("{dir}/_convert"), 0, "makes QuestDB start the log anew");
    }
    views(files, dir, token, report);
    let symbol_columns = || {
        let live = meta.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
        live.filter(|(_, column)| column.ty.is_symbol())
    };
    txn::check(files, dir, &applied, meta.partition_by, symbol_columns().count(), report);
    if let Some(versions) = versions(files, dir, &applied, report) {
        let mut dictionaries: Vec<Option<Dictionary>> = vec![None; meta.columns.len()];
        for ((index, column), count) in symbol_columns().zip(&applied.symbol_counts) {
            let name_txn = versions.symbol_name_txn(index);
            if let Some(place) = dictionaries.get_mut(index) {
                *place = symbols::check(files, dir, &column.name, name_txn, *count, report);
            }
        }
        if meta.partition_by != PartitionBy::NotApplicable {
            let (meta, applied, versions) = (&meta, &applied, &versions);
            let all = Partitions { files, dir, meta, applied, versions, dictionaries: &dictionaries };
            all.versions(report);
            all.check(report);
        }
    }
    if meta.wal_enabled {
        sequencer::check(files, dir, &meta, &applied, report);
    }
}

fn todo(files: &dyn Files, dir: &str, txn: i64, report: &mut Report) -> Todo {
    let file = format!("{dir}/_todo_");
    let todo = match files.read_all(&file, MAX_SMALL).and_then(|bytes| decode_todo(&file, &bytes, txn)) {
        // QuestDB writes a clean one.
        Err(Error::Absent { .. }) => Todo::Nothing,
        other => report.need("todo-decode", other).unwrap_or(Todo::Nothing),
    };
    match todo {
        Todo::Truncate => report.error("todo-truncate", &file, 40, "makes QuestDB remove all rows"),
        Todo::Unknown(code) => report.error("todo-code", &file, 40, format_args!("unknown code {code}")),
        Todo::Nothing | Todo::RestoreMeta { .. } => {}
    }
    todo
}

/// The definition that a writer finds, which is `_meta.prev` if it has to restore that.
fn meta(
    files: &dyn Files,
    dir: &str,
    todo: Todo,
    applied: &Applied,
    report: &mut Report,
) -> Option<TableMeta> {
    let mut file = format!("{dir}/_meta");
    if let Todo::RestoreMeta { index } = todo {
        let suffix = if index > 0 { format!(".{index}") } else { String::new() };
        let prev = format!("{dir}/_meta.prev{suffix}");
        // Without it, the writer goes on with `_meta`.
        if exists(files, &prev) {
            file = prev;
        }
    }
    let bytes = report.need("meta-decode", files.read_all(&file, MAX_SMALL))?;
    let meta = report.need("meta-decode", TableMeta::decode(&file, &bytes))?;
    let checksum = meta_checksum(meta.metadata_version, meta.columns.len());
    let number =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|n| i16::from_le_bytes(*n));
    if number(41) != Some(checksum) || number(43).is_none_or(|minor| minor < 1) {
        let found = (number(41), number(43));
        let message = format_args!("checksum and minor version {found:?}, expected {checksum} and 1: no TTL");
        report.error("meta-checksum", &file, 41, message);
    }
    if meta.metadata_version != i64::from(applied.metadata_version) {
        let message = format_args!(
            "version {}, _txn has {}, and {todo:?} is to be done",
            meta.metadata_version, applied.metadata_version
        );
        report.error("meta-version", &file, 32, message);
    }
    Some(meta)
}

fn columns(dir: &str, meta: &TableMeta, report: &mut Report) {
    let file = format!("{dir}/_meta");
    let live = || meta.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
    for (_, column) in live() {
        report.need("column-name", check_column_name(&column.name));
        let power = column.index_block_capacity >= 2 && column.index_block_capacity.count_ones() == 1;
        if column.indexed && !(column.ty.is_symbol() && power) {
            let message = format_args!(
                "index on {} of type {}, blocks of {}",
                column.name, column.ty, column.index_block_capacity
            );
            report.error("meta-index", &file, 128, message);
        }
    }
    report.need("column-name", check_distinct(live().map(|(_, column)| &*column.name)));
    let designated = meta.timestamp.and_then(|index| meta.columns.get(index));
    if designated.is_some_and(|column| column.dropped || column.ty.tag() != Tag::Timestamp) {
        report.error("meta-timestamp", &file, 8, format_args!("designated timestamp {designated:?}"));
    }
    if meta.dedup() && !designated.is_some_and(|column| column.dedup_key) {
        report.error("meta-dedup", &file, 128, "upsert keys without the designated timestamp");
    }
    for (index, column) in live() {
        let replaced = column.replaces.map(|of| (of, meta.columns.get(of)));
        if replaced.is_some_and(|(of, old)| of >= index || old.is_none_or(|old| !old.dropped)) {
            let message = format_args!("column {index} replaces {replaced:?}, which is not a dropped one");
            report.error("meta-replaced", &file, 128, message);
        }
    }
}

/// The versions that `_txn` counts: the current ones, or those before.
fn versions(files: &dyn Files, dir: &str, applied: &Applied, report: &mut Report) -> Option<ColumnVersions> {
    let file = format!("{dir}/_cv");
    let bytes = report.need("cv-decode", files.read_all(&file, MAX_SMALL * 4))?;
    report.need("cv-version", ColumnVersions::decode_at(&file, &bytes, applied.column_version))
}

fn views(files: &dyn Files, dir: &str, token: Option<&TableToken>, report: &mut Report) {
    let decoded = |name: &str, decode: &dyn Fn(&str, &bytes::Bytes) -> Result<()>| {
        let file = format!("{dir}/{name}");
        files.read_all(&file, MAX_SMALL).and_then(|bytes| decode(&file, &bytes))
    };
    let definition = |file: &str, bytes: &bytes::Bytes| MatViewDefinition::decode(file, bytes).map(drop);
    let state = |file: &str, bytes: &bytes::Bytes| MatViewState::decode(file, bytes).map(drop);
    let view = |file: &str, bytes: &bytes::Bytes| ViewDefinition::decode(file, bytes).map(drop);
    match token.map(|token| token.kind) {
        Some(TableKind::MatView) => {
            report.need("view-definition", decoded("_mv", &definition));
            // A view that was never refreshed has none.
            if exists(files, &format!("{dir}/_mv.s")) {
                report.need("view-state", decoded("_mv.s", &state));
            }
        }
        Some(TableKind::View) => {
            report.need("view-definition", decoded("_view", &view));
        }
        _ => {}
    }
}
