//! A partition from the files of its parts.

use super::column::{Paths, Values};
use super::{AppliedTable, PartFile, WantedColumn};
use crate::table::files::{PARQUET_FILE, column_file, partition_dir};
use crate::table::{BLOCK_ROWS, Block, Calendar, Chunk, Column, Partition};
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
        let blocks = if part.parquet {
            read_form(files, table, part, wanted)
        } else {
            read_columns(files, table, part, wanted).map(|columns| blocks(table, part, &columns))
        };
        if let Some(blocks) = gather.add(blocks)? {
            read.push((part, blocks));
        }
        if gather.is_full() {
            break;
        }
    }
    gather.done()?;
    let mut partition = Partition { floor, ..Partition::default() };
    for (part, blocks) in read {
        check_times(table, part, &blocks, partition.max_ts())?;
        partition.rows += blocks.iter().map(|block| block.rows).sum::<usize>();
        partition.parquet |= part.parquet;
        partition.blocks.extend(blocks);
    }
    Ok(partition)
}

pub(super) fn folder(table: &AppliedTable, part: &AppliedPartition) -> String {
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
    let mut gather = Gather::default();
    let mut columns = Vec::new();
    let live = table.schema.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
    for (index, column) in live.filter(|(index, _)| wanted(*index)) {
        // No file, or none of these rows in it: older than the column.
        let Some(top) = table.versions.top(part.ts, index, part.rows).filter(|top| *top < part.rows) else {
            continue;
        };
        let symbols = table.symbol_count(index);
        let values = Values::read(files, &paths(table, part, index), column.ty, 0..part.rows - top, symbols);
        if let Some(values) = gather.add(values)? {
            columns.push((index, top as usize, values));
        }
    }
    gather.done()?;
    Ok(columns)
}

/// Some rows of a column of a native part: how many are above its first value, and the others.
pub(super) fn read_rows(
    files: &dyn Files,
    table: &AppliedTable,
    part: usize,
    column: usize,
    rows: Range<u64>,
) -> Result<(u64, Option<Chunk>)> {
    let absent = (rows.end.saturating_sub(rows.start), None);
    let (Some(part), Some(definition)) =
        (table.applied.partitions.get(part), table.schema.columns.get(column))
    else {
        return Ok(absent);
    };
    let Some(top) = table.versions.top(part.ts, column, part.rows).filter(|top| *top < rows.end) else {
        return Ok(absent);
    };
    let paths = paths(table, part, column);
    let from = rows.start.max(top);
    let values = from - top..rows.end - top;
    let read = Values::read(files, &paths, definition.ty, values, table.symbol_count(column))?;
    Ok((from - rows.start, Some(read.into_chunk())))
}

/// The files of a column of a native part.
fn paths(table: &AppliedTable, part: &AppliedPartition, index: usize) -> Paths {
    let folder = folder(table, part);
    let name = table.schema.columns.get(index).map_or("", |column| &column.name);
    let name_txn = table.versions.name_txn(part.ts, index);
    let path = |ext| format!("{folder}/{}", column_file(name, ext, name_txn));
    Paths { data: path("d"), aux: path("i") }
}

/// The rows of a part in Parquet form.
fn read_form(
    files: &dyn Files,
    table: &AppliedTable,
    part: &AppliedPartition,
    wanted: &dyn Fn(usize) -> bool,
) -> Result<Vec<Arc<Block>>> {
    let path = table.parquet_file(part);
    let Some(form) = table.form else {
        let what = "a partition in Parquet form, which this reader can't read".into();
        return Err(Error::Unsupported { file: path.into(), offset: 0, what });
    };
    let columns: Vec<WantedColumn> =
        wanted_columns(table, part).into_iter().filter(|column| wanted(column.index)).collect();
    let rows = part.rows as usize;
    let mut cuts: Vec<usize> = (BLOCK_ROWS..rows).step_by(BLOCK_ROWS).collect();
    cuts.push(rows);
    let file = PartFile { path: &path, len: part.parquet_len.max(0) as u64, rows: part.rows };
    let read = form.read(files, &file, &columns, &cuts)?;
    let starts = std::iter::once(&0).chain(&cuts);
    let mut blocks: Vec<Block> = starts.zip(&cuts).map(|(from, to)| empty_block(table, to - from)).collect();
    for (column, chunks) in columns.iter().zip(read) {
        for (block, chunk) in blocks.iter_mut().zip(chunks.into_iter().flatten()) {
            if let Some(place) = block.columns.get_mut(column.index) {
                *place = Some(Arc::new(chunk));
            }
        }
    }
    Ok(blocks.into_iter().map(|block| timed(table, block)).collect())
}

/// The live columns of a part, as a reader of its form has to know them.
pub(super) fn wanted_columns(table: &AppliedTable, part: &AppliedPartition) -> Vec<WantedColumn> {
    let column = |(place, (index, column)): (usize, (usize, &Column))| WantedColumn {
        index,
        place,
        ty: column.ty,
        symbols: table.symbol_count(index),
        may_be_absent: table.versions.top(part.ts, index, part.rows).is_none_or(|top| top >= part.rows),
    };
    table.schema.live().enumerate().map(column).collect()
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
        let mut block = empty_block(table, range.len());
        for (index, top, values) in columns {
            let Some(place) = block.columns.get_mut(*index).filter(|_| *top <= range.start) else { continue };
            *place = Some(Arc::new(values.chunk(range.start - top..range.end - top)));
        }
        timed(table, block)
    };
    ranges.map(block).collect()
}

fn empty_block(table: &AppliedTable, rows: usize) -> Block {
    let mut block = Block::empty();
    block.rows = rows;
    block.columns.resize(table.schema.columns.len(), None);
    block
}

/// The block with its first and last timestamp.
fn timed(table: &AppliedTable, mut block: Block) -> Arc<Block> {
    let times = block.timestamps(table.schema.timestamp);
    (block.min_ts, block.max_ts) = (times.first().map_or(0, time), times.last().map_or(0, time));
    Arc::new(block)
}

fn time(word: &[u8; 8]) -> i64 {
    i64::from_le_bytes(*word)
}

/// Designated timestamps don't decrease and belong into the part.
fn check_times(
    table: &AppliedTable,
    part: &AppliedPartition,
    blocks: &[Arc<Block>],
    before: i64,
) -> Result<()> {
    let timestamp = table.schema.timestamp;
    let times: Vec<&[[u8; 8]]> = blocks.iter().map(|block| block.timestamps(timestamp)).collect();
    let (Some(first), Some(last)) =
        (times.first().and_then(|t| t.first()), times.last().and_then(|t| t.last()))
    else {
        return Ok(());
    };
    let ordered = |words: &&[[u8; 8]]| {
        words.iter().zip(words.iter().skip(1)).fold(true, |all, (a, b)| all & (time(a) <= time(b)))
    };
    let ends = |words: &&[[u8; 8]]| Some((time(words.first()?), time(words.last()?)));
    let bounds: Vec<(i64, i64)> = times.iter().filter_map(ends).collect();
    let sorted = times.iter().all(ordered)
        && bounds.iter().zip(bounds.iter().skip(1)).all(|(earlier, later)| earlier.1 <= later.0);
    let (first, last) = (time(first), time(last));
    let ceiling = Calendar::new(table.schema.partition_by, table.schema.nanos()).ceiling(part.ts);
    let unpartitioned = ceiling == i64::MAX;
    if sorted && first >= before && (unpartitioned || first >= part.ts && last < ceiling) {
        return Ok(());
    }
    let column = table.schema.columns.get(timestamp).map_or("", |column| column.name.as_str());
    let name = match part.parquet {
        true => PARQUET_FILE.into(),
        false => column_file(column, "d", table.versions.name_txn(part.ts, timestamp)),
    };
    let expected =
        format_args!("timestamps that don't decrease, from {} to below {ceiling}", part.ts.max(before));
    let found = format_args!("{first} to {last}{}", if sorted { "" } else { ", not in order" });
    Err(Error::damaged(&format!("{}/{name}", folder(table, part)), 0, expected, found))
}
