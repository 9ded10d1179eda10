//! What one transaction is, in words and numbers.

use super::dto;
use crate::apply::{Effect, Touch};
use crate::replay::History;
use crate::table::{Schema, Table, Value, text::write_text};
use crate::wal::{
    Change, DataEvent, Error, Event, Files, Result, TxnKind, TxnRecord, read_change, read_event,
};

/// Strings of a column's new symbols that are shown.
const SAMPLE: usize = 8;

/// Tells what transaction `seq_txn` is; `table` stands just after it, `effect` is what it did.
///
/// # Errors
/// [`Error::Pending`] while its event is not here. An event that can't be read is told as unknown.
pub(super) fn describe(
    files: &dyn Files,
    history: &History,
    seq_txn: u64,
    table: &Table,
    effect: Option<&Effect>,
) -> Result<Option<dto::Transaction>> {
    let Some(record) = history.record(seq_txn) else { return Ok(None) };
    let mut told = dto::Transaction {
        seq_txn: seq_txn as f64,
        kind: "unknown",
        commit_us: record.commit_ts as f64,
        structure_version: record.structure_version as f64,
        rows_replaced: effect.map_or(0.0, |effect| effect.rows_replaced as f64),
        rows_removed: effect.map_or(0.0, |effect| effect.rows_removed as f64),
        symbols_added: effect.map_or_else(Vec::new, |effect| symbols(table, effect)),
        ..dto::Transaction::default()
    };
    if let TxnKind::Wal { wal, segment, segment_txn } = record.kind {
        (told.wal, told.segment, told.segment_txn) = (Some(wal), Some(segment), Some(segment_txn));
    }
    match content(files, history, record) {
        Ok(content) => content.tell(&mut told, table, effect),
        Err(Error::Pending) => return Err(Error::Pending),
        Err(Error::Absent { .. }) => {
            told.purged = true;
            told.summary = "its rows were purged after QuestDB applied them".to_owned();
        }
        Err(error) => told.summary = format!("can't be read: {error}"),
    }
    if told.rows.is_none()
        && let Some((min, max, rows)) = record.extent.filter(|extent| extent.2 > 0)
    {
        told.rows = Some(rows as f64);
        told.min_timestamp = Some(timestamp(table, min));
        told.max_timestamp = Some(timestamp(table, max));
    }
    Ok(Some(told))
}

/// A timestamp in the table's unit as QuestDB prints it.
pub(super) fn timestamp(table: &Table, ts: i64) -> String {
    let value = if table.schema.nanos() { Value::TimestampNs(ts) } else { Value::Timestamp(ts) };
    let mut out = Vec::new();
    write_text(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}

enum Content {
    Event(Event),
    Change(Change),
    Drop,
}

fn content(files: &dyn Files, history: &History, record: &TxnRecord) -> Result<Content> {
    let dir = &history.token.dir;
    Ok(match (record.segment(), record.kind) {
        (Some((segment, segment_txn)), _) => Content::Event(read_event(files, dir, segment, segment_txn)?),
        (None, TxnKind::Structure) => Content::Change(read_change(files, dir, record.structure_version)?),
        (None, _) => Content::Drop,
    })
}

impl Content {
    fn tell(self, told: &mut dto::Transaction, table: &Table, effect: Option<&Effect>) {
        (told.kind, told.summary) = match self {
            Self::Event(Event::Data(data)) => tell_data(told, &data, table, effect),
            Self::Event(Event::Truncate) => {
                let rows = told.rows_removed;
                ("truncate", format!("TRUNCATE removed {} of the table", rows_text(rows)))
            }
            Self::Event(Event::Sql(statement)) => {
                let summary = format!("a statement: {}", statement.sql);
                told.sql = Some(statement.sql);
                ("sql", summary)
            }
            Self::Event(Event::MatViewInvalidate { invalid: true, reason, .. }) => {
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                ("view", format!("the materialized view became invalid{reason}"))
            }
            Self::Event(Event::MatViewInvalidate { .. }) => {
                ("view", "the materialized view's state was noted".to_owned())
            }
            Self::Event(Event::ViewDefinition { sql, .. }) => {
                let summary = format!("the view's definition: {sql}");
                told.sql = Some(sql);
                ("view", summary)
            }
            Self::Change(change) => {
                let text = change_text(&change, &table.schema);
                told.schema_change = Some(text.clone());
                ("structure", text)
            }
            Self::Drop => ("drop", "the table was dropped".to_owned()),
        };
    }
}

fn tell_data(
    told: &mut dto::Transaction,
    data: &DataEvent,
    table: &Table,
    effect: Option<&Effect>,
) -> (&'static str, String) {
    let rows = data.row_hi.saturating_sub(data.row_lo);
    told.rows = Some(rows as f64);
    told.out_of_order = Some(data.out_of_order);
    if rows > 0 {
        told.min_timestamp = Some(timestamp(table, data.min_ts));
        told.max_timestamp = Some(timestamp(table, data.max_ts));
    }
    let mut summary = rows_text(rows as f64);
    summary.push_str(if rows == 0 {
        ""
    } else if data.out_of_order {
        ", out of order"
    } else {
        ", in order"
    });
    summary.push_str(&places(table, effect));
    if told.rows_replaced > 0.0 {
        summary.push_str(&format!("; deduplication replaced {}", rows_text(told.rows_replaced)));
    }
    let kind = match (data.replace, data.out_of_order) {
        (Some((lo, hi)), _) => {
            told.replace_range = Some((timestamp(table, lo), timestamp(table, hi)));
            summary.push_str(&format!(
                "; replaces {} to {}, where {} went",
                timestamp(table, lo),
                timestamp(table, hi),
                rows_text(told.rows_removed)
            ));
            "replaceRange"
        }
        (None, true) => "outOfOrder",
        (None, false) => "data",
    };
    (kind, summary)
}

/// Where the rows went, in words.
fn places(table: &Table, effect: Option<&Effect>) -> String {
    let Some(effect) = effect else { return String::new() };
    let touched = |wanted: &[Touch]| {
        let partitions = effect.partitions.iter().filter(|(_, partition)| wanted.contains(&partition.touch));
        partitions.map(|(&floor, _)| table.calendar().name(floor)).collect::<Vec<_>>()
    };
    let groups = [
        ("appended to", touched(&[Touch::Appended])),
        ("merged into", touched(&[Touch::Merged, Touch::Rewritten])),
        ("into new", touched(&[Touch::Created])),
        ("removed", touched(&[Touch::Removed])),
    ];
    let mut text = String::new();
    for (verb, names) in groups {
        match names.as_slice() {
            [] => {}
            [one] => text.push_str(&format!(", {verb} {one}")),
            [first, .., last] => {
                text.push_str(&format!(", {verb} {} partitions {first} to {last}", names.len()))
            }
        }
    }
    text
}

fn symbols(table: &Table, effect: &Effect) -> Vec<dto::SymbolsAdded> {
    let grown = effect.symbols.iter().filter(|(_, before, after)| after > before);
    let told = grown.map(|&(index, before, after)| {
        let dictionary = table.dictionary(index);
        let keys = (before..after).take(SAMPLE).filter_map(|key| dictionary?.get(i32::try_from(key).ok()?));
        dto::SymbolsAdded {
            column: table.schema.columns.get(index).map_or_else(String::new, |column| column.name.clone()),
            count: after - before,
            sample: keys.map(str::to_owned).collect(),
        }
    });
    told.collect()
}

/// A structural change as the end of an ALTER TABLE.
fn change_text(change: &Change, schema: &Schema) -> String {
    let names = |indexes: &[usize]| {
        let names = indexes.iter().filter_map(|&index| schema.columns.get(index));
        names.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    match change {
        Change::AddColumns(columns) => {
            let columns: Vec<String> = columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect();
            format!("ADD COLUMN {}", columns.join(", "))
        }
        Change::DropColumns(columns) => format!("DROP COLUMN {}", columns.join(", ")),
        Change::RenameColumns(pairs) => {
            let pairs: Vec<String> = pairs.iter().map(|(from, to)| format!("{from} TO {to}")).collect();
            format!("RENAME COLUMN {}", pairs.join(", "))
        }
        Change::RenameTable { from, to } => format!("RENAME TABLE {from} TO {to}"),
        Change::DedupEnable(keys) => format!("DEDUP ENABLE UPSERT KEYS({})", names(keys)),
        Change::DedupDisable => "DEDUP DISABLE".to_owned(),
        Change::ChangeType(column) => format!("ALTER COLUMN {} TYPE {}", column.name, column.ty),
    }
}

/// "1 row", "12,345 rows".
fn rows_text(rows: f64) -> String {
    let digits = format!("{rows:.0}");
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text.push_str(if rows == 1.0 { " row" } else { " rows" });
    text
}
