//! A table where it stands, as plain data.

use super::dto;
use super::transaction::timestamp;
use crate::apply::{Effect, Touch};
use crate::table::{Schema, Standing, Table, Value, text::write_text};
use crate::wal::ordered::sorted;
use crate::wal::{ColumnType, Tag};
use std::ops::Range;

/// Row ranges of a transaction that are listed.
const CHANGED_MAX: usize = 1_000;
/// Rows of one window.
const WINDOW_MAX: usize = 10_000;
/// Characters of one cell.
const CELL_MAX: usize = 4_096;

/// The state without what the transaction was.
pub(super) fn table_state(table: &Table, txn_count: u64, effect: Option<&Effect>) -> dto::TableState {
    dto::TableState {
        dir: table.dir.clone(),
        name: table.name.clone(),
        seq_txn: table.seq_txn as f64,
        txn_count: txn_count as f64,
        standing: standing(&table.standing),
        rows: table.rows() as f64,
        bytes: table.memory() as f64,
        ttl: table.schema.ttl_text(),
        dedup: table.schema.dedup(),
        structure_version: table.schema.version as f64,
        columns: columns(table, &table.schema),
        partitions: partitions(table, effect),
        digest: if table.is_whole() { table.digest().to_string() } else { String::new() },
        transaction: None,
        changed: changed(table, effect).map(|rows| (rows.start as f64, rows.len() as f64)).collect(),
        spent: dto::Spent::default(),
    }
}

/// Rows as text: what `/exp` prints, without quotes.
pub(super) fn rows_text(table: &Table, first: usize, count: usize, effect: Option<&Effect>) -> dto::RowsText {
    let total = table.rows();
    let first = first.min(total);
    let rows = first..first.saturating_add(count.min(WINDOW_MAX)).min(total);
    let live: Vec<usize> = table.schema.live().map(|(index, _)| index).collect();
    let row_text = |row| {
        let Some((block, at)) = table.locate(row) else { return Vec::new() };
        let cells =
            live.iter().map(|&index| cell(block.value(at, index, &table.schema, table.dictionary(index))));
        cells.collect()
    };
    let mut flags = vec![false; rows.len()];
    for range in changed(table, effect) {
        let (from, to) = (range.start.max(rows.start), range.end.min(rows.end));
        for row in from..to {
            if let Some(flag) = flags.get_mut(row - rows.start) {
                *flag = true;
            }
        }
    }
    dto::RowsText {
        first: first as f64,
        total: total as f64,
        columns: table
            .schema
            .live()
            .map(|(_, column)| dto::RowsColumn {
                name: column.name.clone(),
                ty: column.ty.to_string(),
                numeric: is_numeric(column.ty),
            })
            .collect(),
        rows: rows.map(row_text).collect(),
        changed: flags,
    }
}

fn cell(value: Value<'_>) -> Option<String> {
    let mut out = Vec::new();
    match value {
        Value::Null => return None,
        Value::Binary(bytes) => {
            for byte in bytes.iter().take(CELL_MAX / 2) {
                out.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
        }
        Value::Long128(number) => out.extend_from_slice(format!("0x{number:032x}").as_bytes()),
        _ => write_text(&mut out, value),
    }
    let text = String::from_utf8_lossy(&out);
    Some(match text.char_indices().nth(CELL_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    })
}

fn is_numeric(ty: ColumnType) -> bool {
    matches!(
        ty.tag(),
        Tag::Byte
            | Tag::Short
            | Tag::Int
            | Tag::Long
            | Tag::Float
            | Tag::Double
            | Tag::Long256
            | Tag::Decimal8
            | Tag::Decimal16
            | Tag::Decimal32
            | Tag::Decimal64
            | Tag::Decimal128
            | Tag::Decimal256
    )
}

fn standing(standing: &Standing) -> dto::Standing {
    match standing {
        Standing::Exact => dto::Standing::Exact,
        Standing::Diverged { seq_txn, statement, reason, position } => dto::Standing::Diverged {
            seq_txn: *seq_txn as f64,
            statement: statement.clone(),
            reason: reason.clone(),
            position: *position as f64,
        },
        Standing::Suspended { seq_txn, reason } => {
            dto::Standing::Suspended { seq_txn: *seq_txn as f64, reason: reason.clone() }
        }
        Standing::Dropped { seq_txn } => dto::Standing::Dropped { seq_txn: *seq_txn as f64 },
    }
}

fn columns(table: &Table, schema: &Schema) -> Vec<dto::ColumnInfo> {
    let told = schema.live().map(|(index, column)| dto::ColumnInfo {
        index,
        name: column.name.clone(),
        ty: column.ty.to_string(),
        designated: index == schema.timestamp,
        upsert_key: column.upsert_key,
        indexed: column.indexed,
        symbols: table.dictionary(index).filter(|_| column.ty.is_symbol()).map(|symbols| symbols.len()),
    });
    told.collect()
}

fn partitions(table: &Table, effect: Option<&Effect>) -> Vec<dto::PartitionInfo> {
    let calendar = table.calendar();
    let touch_of = |floor: i64| effect.and_then(|effect| effect.partitions.get(&floor)).map(|p| p.touch);
    let mut told: Vec<(i64, dto::PartitionInfo)> = Vec::new();
    let mut first_row = 0;
    for (&floor, partition) in &table.partitions {
        let info = dto::PartitionInfo {
            name: calendar.name(floor),
            rows: partition.rows as f64,
            bytes: partition.memory() as f64,
            first_timestamp: timestamp(table, partition.min_ts()),
            last_timestamp: timestamp(table, partition.max_ts()),
            digest: match partition.let_go {
                true => String::new(),
                false => table.partition_digest(partition).to_string(),
            },
            touch: touch_of(floor).map_or("none", touch_name),
            first_row: first_row as f64,
        };
        first_row += partition.rows;
        told.push((floor, info));
    }
    let removed = effect.into_iter().flat_map(|effect| &effect.partitions);
    let gone = removed.filter(|(floor, _)| !table.partitions.contains_key(floor));
    told.extend(gone.map(|(&floor, _)| {
        let info = dto::PartitionInfo {
            name: calendar.name(floor),
            rows: 0.0,
            bytes: 0.0,
            first_timestamp: String::new(),
            last_timestamp: String::new(),
            digest: String::new(),
            touch: touch_name(Touch::Removed),
            first_row: 0.0,
        };
        (floor, info)
    }));
    sorted(told, |a, b| a.0.cmp(&b.0)).into_iter().map(|(_, info)| info).collect()
}

fn touch_name(touch: Touch) -> &'static str {
    match touch {
        Touch::None => "none",
        Touch::Appended => "appended",
        Touch::Merged => "merged",
        Touch::Rewritten => "rewritten",
        Touch::Created => "created",
        Touch::Removed => "removed",
    }
}

/// Rows of the table that the transaction wrote.
fn changed<'a>(table: &'a Table, effect: Option<&'a Effect>) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut first_row = 0;
    let with_first = table.partitions.iter().map(move |(floor, partition)| {
        let first = first_row;
        first_row += partition.rows;
        (*floor, first)
    });
    let ranges = with_first.flat_map(move |(floor, first)| {
        let partition = effect.and_then(|effect| effect.partitions.get(&floor));
        let changed = partition.map_or(&[][..], |partition| &partition.changed);
        changed.iter().map(move |&(row, count)| first + row..first + row + count)
    });
    ranges.take(CHANGED_MAX)
}
