use super::walk::{Fields, Walk};
use crate::wal::bind::decode_bind;
use crate::wal::{ColumnType, Event, Files, Result, SegmentId, read_raw_event};

/// The event record and its entry in the index.
pub(super) fn event(
    files: &dyn Files,
    table_dir: &str,
    segment: SegmentId,
    segment_txn: u32,
    designated: Option<ColumnType>,
    fields: &mut Fields<'_>,
) -> Result<Event> {
    let raw = read_raw_event(files, table_dir, segment, segment_txn)?;
    let index = format!("{}.i", raw.file);
    let offset = u64::from(segment_txn) * 8;
    let bytes = files.read(&index, offset, 16)?;
    let mut walk = Walk::new(fields, &index, "where events are", offset, &bytes);
    walk.head(format!("event {segment_txn}"), "");
    walk.i64("start")?;
    walk.i64("end")?;

    let mut walk = Walk::new(fields, &raw.file, "events", raw.offset, &raw.bytes);
    walk.head(format!("event {segment_txn}"), "");
    walk.i32("length")?;
    walk.i64("segmentTxn")?;
    let kind = walk.i8("type", kind_text)?;
    let ts = designated.unwrap_or(ColumnType::TIMESTAMP);
    match kind {
        0 | 3 => data(&mut walk, kind == 3, ts)?,
        1 => sql(&mut walk, &raw.bytes)?,
        4 => invalidate(&mut walk)?,
        5 => view(&mut walk)?,
        _ => {}
    }
    // Says what is wrong with it, if anything is.
    raw.decode(segment_txn)
}

fn kind_text(kind: i8) -> String {
    let name = match kind {
        0 => "DATA",
        1 => "SQL",
        2 => "TRUNCATE",
        3 => "MAT_VIEW_DATA",
        4 => "MAT_VIEW_INVALIDATE",
        5 => "VIEW_DEFINITION",
        _ => "not known",
    };
    format!("{kind} = {name}")
}

fn data(walk: &mut Walk<'_, '_, '_>, mat_view: bool, ts: ColumnType) -> Result<()> {
    walk.i64("rowLo")?;
    walk.i64("rowHi")?;
    walk.time("minTimestamp", ts)?;
    walk.time("maxTimestamp", ts)?;
    walk.i8("outOfOrder", |n| (n != 0).to_string())?;
    if mat_view {
        walk.i64("lastRefreshBaseTxn")?;
        walk.time("lastRefreshTimestamp", ColumnType::TIMESTAMP)?;
    }
    while symbols(walk)? {}
    if walk.cursor.remaining() >= 25 {
        walk.time("lastPeriodHi", ts)?;
        walk.time("replaceRangeLo", ts)?;
        walk.time("replaceRangeHi", ts)?;
        walk.i8("dedupMode", |mode| match mode {
            3 => "3 = REPLACE_RANGE".to_owned(),
            mode => mode.to_string(),
        })?;
    }
    Ok(())
}

/// The new symbols of one column; false at the end of the list.
fn symbols(walk: &mut Walk<'_, '_, '_>) -> Result<bool> {
    if walk.i32("symbols of column")? == -1 {
        return Ok(false);
    }
    walk.depth += 1;
    walk.i8("nullFlag", |n| (n != 0).to_string())?;
    walk.i32("cleanCount")?;
    let count = walk.cursor.clone().count(8, "symbols")?;
    walk.i32("entryCount")?;
    walk.items(count, "symbols", |walk, _| {
        let offset = walk.cursor.offset();
        let key = walk.cursor.i32("symbol key")?;
        let symbol = walk.cursor.name("symbol")?;
        walk.since(offset, format!("symbol {key}"), format!("{symbol:?}"));
        Ok(())
    })?;
    walk.i32("end of symbols")?;
    walk.depth -= 1;
    Ok(true)
}

fn sql(walk: &mut Walk<'_, '_, '_>, record: &bytes::Bytes) -> Result<()> {
    let offset = walk.cursor.offset();
    let command = walk.cursor.i32("command")?;
    let name = match command {
        2 => "ALTER TABLE",
        3 => "UPDATE",
        _ => "not known",
    };
    walk.since(offset, "cmdType", format!("{command} = {name}"));
    walk.string("sql")?;
    walk.i64("rndSeed0")?;
    walk.i64("rndSeed1")?;
    let count = walk.cursor.clone().count(5, "indexed bind values")?;
    walk.i32("indexed bind values")?;
    walk.items(count, "bind values", |walk, i| bind(walk, record, &format!("${}", i + 1)))?;
    let count = walk.cursor.clone().count(9, "named bind values")?;
    walk.i32("named bind values")?;
    walk.items(count, "bind values", |walk, _| {
        let name = walk.string("name")?.unwrap_or_default();
        bind(walk, record, &format!(":{name}"))
    })
}

fn bind(walk: &mut Walk<'_, '_, '_>, record: &bytes::Bytes, name: &str) -> Result<()> {
    let offset = walk.cursor.offset();
    let value = decode_bind(&mut walk.cursor, record)?;
    walk.since(offset, name, value.decode().map_or_else(String::new, |value| format!("{value:?}")));
    Ok(())
}

fn invalidate(walk: &mut Walk<'_, '_, '_>) -> Result<()> {
    walk.i64("lastRefreshBaseTxn")?;
    walk.time("lastRefreshTimestamp", ColumnType::TIMESTAMP)?;
    walk.i8("invalid", |n| (n != 0).to_string())?;
    walk.string("invalidationReason")?;
    if walk.cursor.remaining() > 0 {
        walk.i64("lastPeriodHi")?;
        walk.i64("refreshIntervalsBaseTxn")?;
        let count = walk.i32("refreshIntervals")?;
        let count = usize::try_from(count).unwrap_or(0).min(walk.cursor.remaining() / 8);
        walk.items(count, "intervals", |walk, _| walk.i64("interval").map(|_| ()))?;
    }
    Ok(())
}

fn view(walk: &mut Walk<'_, '_, '_>) -> Result<()> {
    walk.string("viewSql")?;
    let count = walk.cursor.clone().count(8, "tables")?;
    walk.i32("tables")?;
    walk.items(count, "tables", |walk, _| {
        walk.string("table")?;
        let count = walk.cursor.clone().count(4, "columns")?;
        walk.i32("columns")?;
        walk.items(count, "columns", |walk, _| walk.string("column").map(|_| ()))
    })
}
