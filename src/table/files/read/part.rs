//! A partition from the files of its parts.

use super::AppliedTable;
use super::column::{Paths, Values};
use crate::table::files::{column_file, partition_dir};
use crate::table::{BLOCK_ROWS, Block, Calendar, Partition};
use crate::wal::cursor::Gather;
use crate::wal::ordered::sorted;
use crate::wal::{AppliedPartition, Error, Files, Result};
use std::ops::Range;
use std::sync::Arc;

/// Columns of a part: writer index, rows above the first value, values.
type Columns = Vec<(usize, usize, Values)>;

/// Reads the columns that `wanted` names by writer index; the others are absent.
///
/// Asks for all of them, of all parts, before it answers [`Error::Pending`].
pub(super) fn read(
    files: &dyn Files,
    table: &AppliedTable,
    floor: i64,
    parts: Range<usize>,
    wanted: &dyn Fn(usize) -> bool,
) -> Result<Partition> {
    let parts = table.applied.partitions.get(parts).unwrap_or_default();
    let mut gather = Gather::default();
    let mut read = Vec::new();
    for part in parts {
        if let Some(columns) = gather.add(read_columns(files, table, part, wanted))? {
            read.push((part, columns));
        }
        if gather.is_full() {
            break;
        }
    }
    gather.done()?;
    let mut partition = Partition { floor, ..Partition::default() };
    for (part, columns) in read {
        let before = partition.max_ts();
        let blocks = blocks(table, part, &columns);
        partition.rows += blocks.iter().map(|block| block.rows).sum::<usize>();
        partition.blocks.extend(blocks);
        check_times(table, part, &columns, before)?;
    }
    Ok(partition)
}

fn folder(table: &AppliedTable, part: &AppliedPartition) -> String {
    let schema = &table.schema;
    let name = partition_dir(schema.partition_by, schema.nanos(), part.ts, part.name_txn);
    format!("{}/{name}", table.token.dir)
}

fn read_columns(
    files: &dyn Files,
    table: &AppliedTable,
    part: &AppliedPartition,
    wanted: &dyn Fn(usize) -> bool,
) -> Result<Columns> {
    let folder = folder(table, part);
    if part.parquet {
        return Err(Error::Unsupported {
            file: format!("{folder}/data.parquet").into(),
            offset: 0,
            what: "a partition in Parquet form can't be read yet".into(),
        });
    }
    let mut gather = Gather::default();
    let mut columns = Vec::new();
    let live = table.schema.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
    for (index, column) in live.filter(|(index, _)| wanted(*index)) {
        // No file, or none of these rows in it: older than the column.
        let Some(top) = table.versions.top(part.ts, index, part.rows).filter(|top| *top < part.rows) else {
            continue;
        };
        let name_txn = table.versions.name_txn(part.ts, index);
        let path = |ext| format!("{folder}/{}", column_file(&column.name, ext, name_txn));
        let paths = Paths { data: path("d"), aux: path("i") };
        let symbols = table.symbol_count(index);
        let values = Values::read(files, &paths, column.ty, part.rows - top, symbols);
        if let Some(values) = gather.add(values)? {
            columns.push((index, top as usize, values));
        }
    }
    gather.done()?;
    Ok(columns)
}

/// The rows in blocks, cut also where a column begins.
fn blocks(table: &AppliedTable, part: &AppliedPartition, columns: &Columns) -> Vec<Arc<Block>> {
    let rows = part.rows as usize;
    let mut cuts: Vec<usize> =
        (0..rows).step_by(BLOCK_ROWS).chain(columns.iter().map(|(_, top, _)| *top)).collect();
    cuts.push(rows);
    cuts = sorted(cuts, Ord::cmp);
    cuts.dedup();
    let ranges = cuts.iter().zip(cuts.iter().skip(1)).map(|(from, to)| *from..*to);
    let block = |range: Range<usize>| {
        let mut block = Block::empty();
        block.rows = range.len();
        block.columns.resize(table.schema.columns.len(), None);
        for (index, top, values) in columns {
            let Some(place) = block.columns.get_mut(*index).filter(|_| *top <= range.start) else { continue };
            *place = Some(Arc::new(values.chunk(range.start - top..range.end - top)));
        }
        let times = block.timestamps(table.schema.timestamp);
        let time = |word: Option<&[u8; 8]>| word.map_or(0, |word| i64::from_le_bytes(*word));
        (block.min_ts, block.max_ts) = (time(times.first()), time(times.last()));
        Arc::new(block)
    };
    ranges.map(block).collect()
}

/// Designated timestamps don't decrease and belong into the part.
fn check_times(table: &AppliedTable, part: &AppliedPartition, columns: &Columns, before: i64) -> Result<()> {
    let timestamp = table.schema.timestamp;
    let Some((_, _, values)) = columns.iter().find(|(index, _, _)| *index == timestamp) else {
        return Ok(());
    };
    let words = values.words();
    let time = |word: &[u8; 8]| i64::from_le_bytes(*word);
    let ceiling = Calendar::new(table.schema.partition_by, table.schema.nanos()).ceiling(part.ts);
    let sorted = words.iter().zip(words.iter().skip(1)).fold(true, |all, (a, b)| all & (time(a) <= time(b)));
    let (first, last) = (words.first().map_or(part.ts, time), words.last().map_or(part.ts, time));
    let unpartitioned = ceiling == i64::MAX;
    if sorted && first >= before && (unpartitioned || first >= part.ts && last < ceiling) {
        return Ok(());
    }
    let column = table.schema.columns.get(timestamp).map_or("", |column| column.name.as_str());
    let name = column_file(column, "d", table.versions.name_txn(part.ts, timestamp));
    let expected =
        format_args!("timestamps that don't decrease, from {} to below {ceiling}", part.ts.max(before));
    let found = format_args!("{first} to {last}{}", if sorted { "" } else { ", not in order" });
    Err(Error::damaged(&format!("{}/{name}", folder(table, part)), 0, expected, found))
}
