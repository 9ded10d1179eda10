//! Registry, counters and directories of a database.

use super::{Report, exists};
use crate::table::files::{TabIndex, Upgrade, check_dir_name, decode_name};
use crate::wal::{Files, Registry, TableKind, TableMeta, TableToken};
use std::collections::BTreeMap;

const TAB_INDEX: &str = "_tab_index.d";
const UPGRADE: &str = "_upgrade.d";
const MAX_SMALL: u64 = 1 << 20;
/// Shorter than this, a reader that must not write waits for ever.
const REGISTRY_MIN: u64 = 16;

/// Checks what lies beside the tables; answers the tables that are not dropped.
pub(super) fn check(files: &dyn Files, report: &mut Report) -> Vec<TableToken> {
    let names = files.list("").ok().flatten().unwrap_or_default();
    let listed = listed(files, &names, report);
    let Some(registry) = report.need("registry-decode", Registry::read(files)) else { return Vec::new() };
    let live: Vec<TableToken> = registry.tables.into_iter().filter(|table| !table.dropped).collect();
    distinct(&live, report);
    for table in &live {
        token(files, table, listed.as_deref(), report);
    }
    counters(files, &live, report);
    if names.iter().any(|name| name == "_restore") {
        report.error("restore-trigger", "_restore", 0, "makes QuestDB restore a checkpoint");
    }
    live
}

/// Directories that the newest registry lists, if there is one.
fn listed(files: &dyn Files, names: &[String], report: &mut Report) -> Option<Vec<String>> {
    let numbers = names.iter().filter_map(|name| name.strip_prefix("tables.d.")?.parse::<u32>().ok());
    let file = format!("tables.d.{}", numbers.max()?);
    let content = report.need("registry-decode", files.read_all(&file, u64::MAX))?;
    if (content.len() as u64) < REGISTRY_MIN {
        let message = format_args!("{} bytes, at least {REGISTRY_MIN} expected", content.len());
        report.error("registry-short", &file, 0, message);
    }
    let registry = report.need("registry-decode", Registry::decode(&file, &content))?;
    Some(registry.tables.into_iter().filter(|table| !table.dropped).map(|table| table.dir).collect())
}

/// Names, ids and directories of tables are their own.
fn distinct(tables: &[TableToken], report: &mut Report) {
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    for table in tables {
        if let Some(other) = ids.insert(table.id, &table.dir) {
            let message = format_args!("has id {}, as {other} has", table.id);
            report.error("registry-id", &table.dir, 0, message);
        }
        if let Some(other) = names.insert(table.name.to_lowercase(), &table.dir) {
            let message = format_args!("is named {:?}, as {other} is", table.name);
            report.error("registry-name", &table.dir, 0, message);
        }
        report.need("registry-dir-name", check_dir_name(&table.dir));
    }
}

/// A table of the registry and its directory say the same.
fn token(files: &dyn Files, table: &TableToken, listed: Option<&[String]>, report: &mut Report) {
    let dir = &table.dir;
    // Tables without a log, such as QuestDB's own, are found by their directories.
    if table.kind != TableKind::Plain && listed.is_some_and(|listed| !listed.contains(dir)) {
        report.warning("registry-missing", dir, 0, "a table that the registry does not list");
    }
    if !exists(files, &format!("{dir}/_txn")) {
        report.error("registry-directory", dir, 0, "is in the registry, and not a table");
        return;
    }
    let meta_file = format!("{dir}/_meta");
    if let Ok(meta) = TableMeta::read(files, &meta_file) {
        if meta.table_id != table.id {
            let message = format_args!("table id {}, the registry has {}", meta.table_id, table.id);
            report.error("meta-id", &meta_file, 16, message);
        }
        if meta.wal_enabled != (table.kind != TableKind::Plain) {
            let message = format_args!("WAL is {}, the registry has {:?}", meta.wal_enabled, table.kind);
            report.error("meta-wal", &meta_file, 40, message);
        }
    }
    let name_file = format!("{dir}/_name");
    let name = files.read_all(&name_file, MAX_SMALL).and_then(|bytes| decode_name(&name_file, &bytes));
    if let Some(name) = report.need("name-decode", name)
        && name != table.name
    {
        let message = format_args!("names {name:?}, the registry {:?}", table.name);
        report.error("name-registry", &name_file, 0, message);
    }
}

fn counters(files: &dyn Files, tables: &[TableToken], report: &mut Report) {
    let theirs = tables.iter().filter(|table| !table.is_own());
    let largest = theirs.map(|table| i64::from(table.id)).max().unwrap_or(0);
    let index = files.read_all(TAB_INDEX, MAX_SMALL).and_then(|bytes| TabIndex::decode(TAB_INDEX, &bytes));
    if let Some(index) = report.need("tab-index", index)
        && index.last_id < largest
    {
        let message = format_args!("last table id {}, there is a table {largest}", index.last_id);
        report.error("tab-index", TAB_INDEX, 0, message);
    }
    if !exists(files, UPGRADE) {
        return;
    }
    let upgrade = files.read_all(UPGRADE, MAX_SMALL).and_then(|bytes| Upgrade::decode(UPGRADE, &bytes));
    if let Some(upgrade) = report.need("upgrade-version", upgrade)
        && upgrade != Upgrade::CURRENT
    {
        report.error("upgrade-version", UPGRADE, 0, format_args!("{upgrade:?}"));
    }
}
